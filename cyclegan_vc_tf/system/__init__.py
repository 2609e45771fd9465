"""Errors, files, process pools, signals, progress and processor."""
