"""Commands for users: curves of several runs, pictures of TensorBoard, fingerprints of runs."""
