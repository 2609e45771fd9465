"""Checks of the arguments of a conversion."""

from cyclegan_vc_tf.config.directions import parse_direction
from cyclegan_vc_tf.conversion.converter import F0Options
from cyclegan_vc_tf.system.errors import InputError

F0_CHOICES = ("convert", "keep")


def check_options(direction: str, f0: str, semitones: float) -> F0Options:
    """Return the F0 options of a conversion.

    Raises:
        InputError: The direction or an option is wrong.
    """
    parse_direction(direction)
    if f0 not in F0_CHOICES:
        raise InputError(f"received f0 {f0}; expected {' or '.join(F0_CHOICES)}")
    if not -36.0 <= semitones <= 36.0:
        raise InputError(f"received semitones {semitones}; expected a number from -36 to 36")
    return F0Options(convert=f0 == "convert", semitones=float(semitones))


def check_rate(sample_rate_hz: int) -> None:
    """Refuse a sample rate that no recording has.

    Raises:
        InputError: The rate is not a number from 1 to 10^6 Hz.
    """
    if not 1 <= sample_rate_hz <= 10**6:
        raise InputError(f"received sample_rate_hz {sample_rate_hz}; expected a rate in Hz")
