"""Keras in float32 or float64, within a context."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Set the type that Keras builds with to `dtype`, and restore it afterwards."""
    before = keras.mixed_precision.global_policy(), keras.backend.floatx()
    keras.mixed_precision.set_global_policy(dtype)
    keras.backend.set_floatx(dtype)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before[0])
        keras.backend.set_floatx(before[1])
