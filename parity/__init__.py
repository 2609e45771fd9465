"""Proof that the TensorFlow port equals a PyTorch companion."""
