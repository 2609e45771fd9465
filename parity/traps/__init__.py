"""Known differences between TensorFlow and PyTorch, demonstrated."""
