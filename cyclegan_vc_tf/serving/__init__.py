"""Live conversion between sound devices, files and pipes."""
