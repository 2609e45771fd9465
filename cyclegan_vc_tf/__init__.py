"""TensorFlow/Keras reference port of the CycleGAN-VC family of voice converters."""

__version__ = "0.1.0"
