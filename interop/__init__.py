"""Trained policies and encoders in other software: ONNX, the Hub, Stable-Baselines3."""
