"""Errors, files, process pool, signals, progress bars, processor and start-up."""
