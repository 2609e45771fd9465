"""Settings of runs and commands, flags, and each paper's presets."""
