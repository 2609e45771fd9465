"""Conversion of recordings with trained generators."""
