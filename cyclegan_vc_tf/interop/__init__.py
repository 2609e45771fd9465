"""Import and export of public projects' checkpoints."""
