"""What a user sees of a training: TensorBoard, pictures, films, the terminal."""
