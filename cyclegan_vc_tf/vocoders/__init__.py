"""Vocoders: from features back to a waveform."""
