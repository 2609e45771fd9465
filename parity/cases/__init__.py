"""Comparisons of each part with its PyTorch twin."""
