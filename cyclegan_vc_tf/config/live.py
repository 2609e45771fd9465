"""Settings of live conversion; each field is a flag."""

from dataclasses import dataclass

from cyclegan_vc_tf.config.commands import (
    RUN_DIR_HELP,
    STEP_HELP,
    direction_setting,
    f0_setting,
    semitones_setting,
)
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
        4,
        "Frames behind a block that the generator sees, a multiple of 4. More of them delay the "
        "conversion.",
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
    adapt_after_s: float = setting(
        0.0,
        "Duration of speech, in seconds, after which the conversion adapts to the voice that "
        "speaks, where the model was trained with another voice; 10 is enough. 0 means never.",
        minimum=0.0,
        maximum=60.0,
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


PIPE = "-"
"""Value of --input and --output for standard input and output."""


@dataclass(frozen=True)
class LiveConfig:
    """Settings of one call of `live`."""

    run_dir: str = setting("", RUN_DIR_HELP)
    direction: str = direction_setting()
    step: str = setting("last", STEP_HELP)
    f0: str = f0_setting()
    semitones: float = semitones_setting()
    adapt_to: str = setting(
        "",
        "Recording of the voice that will speak, or folder of recordings, where the model was "
        "trained with another voice: its frequency axis, its average spectrum, its level and its "
        "F0 are moved to the training speaker's.",
        is_path=True,
    )
    input: str = setting(
        "",
        "Recording to convert instead of the microphone's sound; - reads raw samples from standard "
        "input.",
    )
    output: str = setting(
        "",
        "Wav file to write instead of playing, with --input; - writes raw samples to standard "
        "output.",
    )
    realtime: bool = setting(
        False, "Read --input as fast as it would be spoken, and count what comes too late."
    )
    sample_format: str = setting(
        "s16le",
        "Format of raw samples: 16-bit integers or 32-bit floats, little-endian, mono.",
        choices=("s16le", "f32le"),
    )
    rate_hz: int = setting(
        0,
        "Sample rate of devices or of raw samples, in Hz; 0 is the model's.",
        minimum=0,
        maximum=192_000,
    )
    list_devices: bool = setting(False, "List sound devices and exit.")
    input_device: str = setting("", "Microphone: its number, or a part of its name.")
    output_device: str = setting("", "Loudspeaker: its number, or a part of its name.")
    record: str = setting("", "Wav file to write the converted speech to.", is_path=True)
    seconds: float = setting(0.0, "Time after which to stop, in seconds; 0 is never.", minimum=0.0)
    period_ms: float = setting(
        10.0, "Time between two exchanges with devices, in ms.", minimum=1.0, maximum=200.0
    )
    slack_ms: float = setting(
        35.0,
        "Converted speech that waits to be played, in ms, in case a block takes longer.",
        minimum=0.0,
        maximum=1000.0,
    )
