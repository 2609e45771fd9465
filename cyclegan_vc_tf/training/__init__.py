"""The training loop, train step, losses, optimiser and TensorBoard."""
