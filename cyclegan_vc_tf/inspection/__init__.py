"""Contents of a run folder, and checks of a damaged one."""
