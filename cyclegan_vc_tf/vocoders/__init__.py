"""Vocoders: synthesis of samples from features by WORLD, Griffin-Lim or MelGAN."""
