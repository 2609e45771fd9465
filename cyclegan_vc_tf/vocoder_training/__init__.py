"""Training of vocoders: recordings, discriminators, losses, trainer, run folder, loop."""
