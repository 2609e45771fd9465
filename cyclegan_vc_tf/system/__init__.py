"""Errors, files, process pool, signals, progress bars, processor, device and start-up."""
