"""Proof that the TensorFlow port equals a PyTorch companion. The only place that imports torch."""
