"""Checks of samples that a caller of the package gives."""

import numpy as np

from cyclegan_vc_tf.system.errors import InputError


def checked_samples(samples: np.ndarray) -> np.ndarray:
    """Return samples as a float32 copy, (samples,).

    Raises:
        InputError: Shape or type is wrong, or a sample is NaN or infinite.
    """
    samples = np.asarray(samples)
    if samples.ndim != 1:
        raise InputError(
            f"received samples of shape {samples.shape}; expected (samples,); average the channels"
        )
    if not np.issubdtype(samples.dtype, np.floating):
        raise InputError(
            f"received samples of type {samples.dtype}; expected floating point; divide integers "
            "by their full scale"
        )
    if not np.isfinite(samples).all():
        raise InputError("received samples with NaN or infinite values; expected finite samples")
    return samples.astype(np.float32)
