"""Faults that the comparisons must detect."""
