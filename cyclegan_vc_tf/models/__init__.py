"""Layers, generators, discriminators and the registry of variants."""
