"""Keras in float32 or float64, for a while."""

from collections.abc import Iterator
from contextlib import contextmanager

import keras


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Everything that Keras builds inside is of `dtype`; afterwards it is as it was."""
    before = keras.mixed_precision.global_policy(), keras.backend.floatx()
    keras.mixed_precision.set_global_policy(dtype)
    keras.backend.set_floatx(dtype)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before[0])
        keras.backend.set_floatx(before[1])
