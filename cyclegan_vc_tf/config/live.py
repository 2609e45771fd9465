"""Settings of live conversion; each field is a flag."""

from dataclasses import dataclass

from cyclegan_vc_tf.config.network import FRAME_MULTIPLE
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class StreamConfig:
    """Settings of a live conversion, which trade delay and time against quality.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> vc.StreamConfig().block_frames
        4
    """

    block_frames: int = setting(
        4, "Frames that are converted at once, a multiple of 4.", minimum=4, maximum=64
    )
    lookahead_frames: int = setting(
        8,
        "Frames behind a block that the generator sees, a multiple of 4. More of them sound "
        "better and come later.",
        minimum=0,
        maximum=256,
    )
    context_frames: int = setting(
        24,
        "Frames before a block that the generator sees, a multiple of 4.",
        minimum=0,
        maximum=1024,
    )
    analysis_lookahead_ms: float = setting(
        25.0,
        "Time behind a frame that the analysis of F0 sees, in ms. The rest of its window is "
        "continued from earlier samples.",
        minimum=0.0,
        maximum=200.0,
    )
    norms: str = setting(
        "auto",
        "Statistics of the generator's norms: fixed, from the training recordings; running, over "
        "the stream so far; auto, fixed where they are known.",
        choices=("auto", "fixed", "running"),
    )
    norm_seconds: float = setting(
        10.0,
        "Time over which --norms=running averages, in seconds.",
        minimum=0.1,
        maximum=3600.0,
    )

    def validate(self) -> None:
        """Refuse numbers of frames that a generator cannot halve twice.

        Raises:
            InputError: A number of frames is not a multiple of 4.
        """
        for name in ("block_frames", "lookahead_frames", "context_frames"):
            value = getattr(self, name)
            if value % FRAME_MULTIPLE:
                raise InputError(f"--{name} is {value}; expected a multiple of {FRAME_MULTIPLE}")
