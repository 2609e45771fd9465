"""The PyTorch companion: networks and training step written from the papers."""
