"""Acoustic features: WORLD, mel-cepstra, log-mel spectra, VTLN, normalisation."""
