"""Run folders: settings, checkpoints, evaluation history, event files."""
