"""Measurements of time and memory, one module per question: python -m benchmarks.MODULE."""
