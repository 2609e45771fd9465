"""Settings of a vocoder's training; each field is a flag."""

from dataclasses import dataclass

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.system.errors import InputError

MAX_CHANNELS = 4096
"""Largest number of channels of a network."""


@dataclass(frozen=True)
class RecordingsConfig:
    """Recordings that a vocoder learns from. Folders may change on a resume; recordings may not."""

    audio_dir: tuple[str, ...] = setting(
        (),
        "Folders of recordings to learn from, with commas between them. All voices share one "
        "vocoder.",
        is_path=True,
        resumable=True,
    )
    held_out_dir: tuple[str, ...] = setting(
        (),
        "Folders of recordings that training never uses, with commas between them.",
        is_path=True,
        resumable=True,
    )
    held_out_fraction: float = setting(
        0.1,
        "Fraction of the recordings to hold out where no --held_out_dir is given. A hash of the "
        "file names chooses them.",
        minimum=0.0,
        maximum=0.9,
    )
    cycle_run: str = setting(
        "none",
        "Run of train.py whose generators convert the recordings to the other voice and back. The "
        "vocoder learns to make the recordings from these spectra too. --audio_dir has to name the "
        "folder of speaker A and that of speaker B, in this order. A run folder or "
        "pretrained:NAME; none means natural spectra alone.",
        choices=("none",),
        or_folder=True,
    )
    cycle_fraction: float = setting(
        0.5,
        "Fraction of the crops that have the spectra of --cycle_run.",
        minimum=0.0,
        maximum=1.0,
        resumable=True,
    )

    @property
    def has_cycles(self) -> bool:
        """Whether the vocoder learns from spectra that a run converted there and back."""
        return self.cycle_run != "none"


@dataclass(frozen=True)
class VocoderNetworkConfig:
    """Networks of a vocoder, and the short-time transform that it synthesizes with."""

    channels: int = setting(
        128, "Channels of the vocoder.", minimum=1, maximum=MAX_CHANNELS
    )  # fmt: skip
    blocks: int = setting(4, "Residual blocks of the vocoder.", minimum=0, maximum=1000)
    expansion: int = setting(
        3, "Channels inside a residual block, as a multiple of --channels.", minimum=1, maximum=64
    )
    pitch_channels: int = setting(
        64,
        "Channels of the network that estimates F0 from log-mel spectra.",
        minimum=1,
        maximum=MAX_CHANNELS,
    )
    pitch_blocks: int = setting(
        3, "Residual blocks of the network that estimates F0.", minimum=0, maximum=1000
    )
    lookahead_frames: int = setting(
        3, "Frames that both networks see ahead of the frame they compute.", minimum=0, maximum=6
    )
    synthesis_fft_samples: int = setting(
        512,
        "Length of the window and the transform that synthesize samples.",
        minimum=16,
        maximum=8192,
    )
    synthesis_frames: int = setting(
        2, "Frames of the synthesis per frame of the features.", minimum=1, maximum=64
    )
    discriminator_channels: int = setting(
        16, "Channels of each discriminator.", minimum=1, maximum=MAX_CHANNELS
    )
    discriminator_ffts: tuple[int, ...] = setting(
        (1024, 512, 256),
        "Window of each discriminator's spectrum, in samples.",
        minimum=64,
        maximum=8192,
    )


@dataclass(frozen=True)
class VocoderScheduleConfig:
    """Course of a vocoder's training. Everything is counted in steps."""

    steps: int = setting(10_000, "Total number of training steps.", minimum=1, resumable=True)
    batch_size: int = setting(8, "Number of crops per step.", minimum=1, resumable=True)
    crop_frames: int = setting(48, "Length of a crop in frames.", minimum=8)
    learning_rate: float = setting(
        1e-3, "Initial learning rate of the vocoder.", minimum=0.0, maximum=1.0
    )
    discriminator_learning_rate: float = setting(
        5e-4, "Initial learning rate of the discriminators.", minimum=0.0, maximum=1.0
    )
    decay_start: int = setting(
        6_000, "Step from which both learning rates fall linearly.", minimum=0, resumable=True
    )
    decay_steps: int = setting(
        4_000,
        "Number of steps in which both learning rates fall to zero.",
        minimum=1,
        resumable=True,
    )
    adversarial_start: int = setting(
        4_000,
        "Number of steps without adversarial losses, from the first.",
        minimum=0,
        resumable=True,
    )
    stft_weight: float = setting(
        1.0, "Weight of the multi-resolution STFT loss.", minimum=0.0, maximum=1e6, resumable=True
    )
    stft_ffts: tuple[int, ...] = setting(
        (1024, 512, 256),
        "Windows of the multi-resolution STFT loss, in samples.",
        minimum=64,
        maximum=8192,
    )
    mel_weight: float = setting(
        4.0,
        "Weight of the absolute difference of log-mel spectra.",
        minimum=0.0,
        maximum=1e6,
        resumable=True,
    )
    pitch_weight: float = setting(
        1.0, "Weight of the loss of the estimated F0.", minimum=0.0, maximum=1e6, resumable=True
    )
    adversarial_weight: float = setting(
        1.0, "Weight of the adversarial loss.", minimum=0.0, maximum=1e6, resumable=True
    )
    feature_matching_weight: float = setting(
        2.0, "Weight of the feature-matching loss.", minimum=0.0, maximum=1e6, resumable=True
    )
    gain_db: float = setting(
        6.0, "Largest random change of a crop's level, up or down, in dB.", minimum=0.0,
        maximum=40.0,
    )  # fmt: skip
    initial_vocoder: str = setting(
        "none",
        "Vocoder whose weights the training begins with. Features and sizes of the networks are "
        "its own. The folder of a trained vocoder or pretrained:NAME; none means random weights.",
        choices=("none",),
        or_folder=True,
    )
    seed: int = setting(0, "Seed of all random numbers.", minimum=0, maximum=2**31 - 1)
    log_every: int = setting(
        50, "Steps between two entries of losses in TensorBoard.", minimum=1, resumable=True
    )
    checkpoint_every: int = setting(
        500, "Steps between two checkpoints.", minimum=1, resumable=True
    )
    keep_checkpoints: int = setting(2, "Number of checkpoints to keep.", minimum=1, resumable=True)
    sample_every: int = setting(
        1000,
        "Steps between two syntheses of held-out recordings for TensorBoard; 0 means never.",
        minimum=0,
        resumable=True,
    )
    sample_recordings: int = setting(
        4,
        "Number of held-out recordings that are synthesized for TensorBoard.",
        minimum=1,
        resumable=True,
    )

    @property
    def has_initial_vocoder(self) -> bool:
        """Whether the training begins with the weights of another vocoder."""
        return self.initial_vocoder != "none"


@dataclass(frozen=True)
class VocoderRunConfig:
    """All settings of a vocoder's training. The features are those that the vocoder takes."""

    recordings: RecordingsConfig = RecordingsConfig()
    features: FeatureConfig = FeatureConfig(spectra="log_mel")
    network: VocoderNetworkConfig = VocoderNetworkConfig()
    schedule: VocoderScheduleConfig = VocoderScheduleConfig()

    def validate(self) -> None:
        """Refuse settings that contradict each other.

        Raises:
            InputError: A hop of the features is not a whole number of hops of the synthesis, or a
                window is shorter than two hops.
        """
        self.features.validate()
        hop, parts = hop_samples(self.features), self.network.synthesis_frames
        if hop % parts:
            raise InputError(
                f"--synthesis_frames is {parts}; expected a divisor of the {hop} samples between "
                "two frames of the features"
            )
        window = self.network.synthesis_fft_samples
        if window % 2 or (window - hop // parts) % 2 or window < 2 * hop // parts:
            raise InputError(
                f"--synthesis_fft_samples is {window}; expected an even number of at least "
                f"{2 * hop // parts}, two hops of the synthesis, that differs from a hop by an "
                "even number"
            )
        if not self.recordings.audio_dir:
            raise InputError("--audio_dir is not given; expected a folder of recordings")
        if self.recordings.has_cycles and len(self.recordings.audio_dir) != 2:
            raise InputError(
                f"--audio_dir names {len(self.recordings.audio_dir)} folders; expected that of "
                "speaker A and that of speaker B of --cycle_run"
            )


def hop_samples(config: FeatureConfig) -> int:
    """Return the samples between two frames of features.

    Raises:
        InputError: They are not a whole number.
    """
    if config.spectra == "log_mel":
        return config.hop_samples
    hop = config.frame_period_ms * config.sample_rate_hz / 1000
    if hop != round(hop):
        raise InputError(
            f"--frame_period_ms is {config.frame_period_ms}, which is {hop:g} samples at "
            f"{config.sample_rate_hz} Hz; expected a whole number of samples"
        )
    return round(hop)
