"""Acoustic features: WORLD, mel-cepstra, log-mel spectra, normalisation."""
