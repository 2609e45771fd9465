"""Settings of the course of a training and of augmentation; each field is a flag."""

from dataclasses import dataclass

from cyclegan_vc_tf.config.network import FRAME_MULTIPLE
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.system.errors import InputError

PRECISIONS = ("float32", "mixed_bfloat16")
"""Number formats of the networks' products."""


@dataclass(frozen=True)
class TrainingConfig:
    """Course of a training. Everything is counted in steps (iterations).

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> vc.TrainingConfig(steps=1000, decay_start=600, decay_steps=400).batch_size
        1
    """

    steps: int = setting(400_000, "Total number of training steps.", minimum=1, resumable=True)
    batch_size: int = setting(
        1, "Number of crops per speaker and step, of all devices together.", minimum=1
    )
    strategy: str = setting(
        "one",
        "Devices that share each batch: one; mirrored, all GPUs of this machine; multi_worker, "
        "all machines that TF_CONFIG or SLURM names. See docs/guides/scaling.md.",
        choices=("one", "mirrored", "multi_worker"),
        resumable=True,
    )
    crop_frames: int = setting(
        128, "Length of a crop in frames, a multiple of 4.", minimum=FRAME_MULTIPLE
    )
    generator_learning_rate: float = setting(
        2e-4, "Initial learning rate of the generators.", minimum=0.0, maximum=1.0
    )
    discriminator_learning_rate: float = setting(
        1e-4, "Initial learning rate of the discriminators.", minimum=0.0, maximum=1.0
    )
    decay_start: int = setting(
        200_000, "Step from which both learning rates fall linearly.", minimum=0
    )
    decay_steps: int = setting(
        200_000, "Number of steps in which both learning rates fall to zero.", minimum=1
    )
    adam_beta1: float = setting(
        0.5, "Decay rate of Adam's first moment.", minimum=0.0, maximum=0.999999
    )
    adam_beta2: float = setting(
        0.999, "Decay rate of Adam's second moment.", minimum=0.0, maximum=0.999999
    )
    adam_epsilon: float = setting(1e-8, "Epsilon of Adam, placed as in TensorFlow.", minimum=1e-20)
    cycle_weight: float = setting(
        10.0, "Weight of the cycle-consistency loss.", minimum=0.0, maximum=1e6
    )
    identity_weight: float = setting(
        5.0, "Weight of the identity-mapping loss.", minimum=0.0, maximum=1e6
    )
    identity_steps: int = setting(
        10_000, "Number of steps with the identity-mapping loss.", minimum=0
    )
    self_regularization_weight: float = setting(
        0.0,
        "Weight of the squared distance between a generator's output and its input, or its "
        "linear skip with --vtln_init.",
        minimum=0.0,
        maximum=1e6,
    )
    inca_iterations: int = setting(
        0,
        "Number of INCA iterations that refine the linear skip of --vtln_init. Each pairs every "
        "frame of a speaker with the nearest frames of the other speaker.",
        minimum=0,
        maximum=100,
    )
    teacher_run: str = setting(
        "none",
        "Run of the same two speakers, the same way round, which is the teacher: the generators "
        "learn its conversions of the training recordings beside the paper's losses. A run folder "
        "or pretrained:NAME; none means no teacher.",
        choices=("none",),
        or_folder=True,
    )
    teacher_weight: float = setting(
        10.0,
        "Weight of the absolute distance between a generator's output and the teacher's.",
        minimum=0.0,
        maximum=1e6,
    )
    mask_fraction: float = setting(
        0.5,
        "Longest run of frames to fill in, as a fraction of a crop; variant mask alone.",
        minimum=0.0,
        maximum=1.0,
    )
    precision: str = setting(
        "float32",
        "Number format of the networks' products: float32, or mixed_bfloat16, which is faster on a "
        "processor or GPU that multiplies bfloat16 and keeps weights, sums and norms in float32; "
        "auto is mixed_bfloat16 if the machine that begins the training multiplies bfloat16.",
        choices=(*PRECISIONS, "auto"),
    )
    seed: int = setting(0, "Seed of all random numbers.", minimum=0, maximum=2**31 - 1)
    deterministic: bool = setting(
        False,
        "Make TensorFlow refuse operations without a deterministic form, for GPUs. A training on a "
        "CPU is reproducible bit for bit without this flag, which costs some speed.",
    )
    log_every: int = setting(
        50, "Steps between two entries of losses in TensorBoard.", minimum=1, resumable=True
    )
    checkpoint_every: int = setting(
        1000, "Steps between two checkpoints.", minimum=1, resumable=True
    )
    keep_checkpoints: int = setting(3, "Number of checkpoints to keep.", minimum=1, resumable=True)
    convert_every: int = setting(
        5000,
        "Steps between two conversions of held-out recordings for TensorBoard; 0 means never.",
        minimum=0,
        resumable=True,
    )
    convert_utterances: int = setting(
        2,
        "Number of held-out recordings per speaker that are converted for TensorBoard.",
        minimum=1,
        resumable=True,
    )

    evaluate_every: int = setting(
        0,
        "Steps between two evaluations of all held-out recordings, each with a checkpoint; 0 means "
        "never.",
        minimum=0,
        resumable=True,
    )
    best_metric: str = setting(
        "mcd_db",
        "Metric, averaged over both directions, that selects the best evaluated checkpoint. The "
        "best checkpoint is always kept.",
        choices=("mcd_db", "msd_db", "speaker_similarity", "dnsmos", "word_error_rate"),
        resumable=True,
    )

    profile_steps: str = setting(
        "",
        "First and last step, separated by a comma, that TensorFlow's profiler records for "
        "TensorBoard; by default none.",
        resumable=True,
    )

    @property
    def has_teacher(self) -> bool:
        """Whether the generators learn the conversions of another run."""
        return self.teacher_run != "none"

    @property
    def longest_mask(self) -> int:
        """Largest number of hidden frames in a crop."""
        return round(self.mask_fraction * self.crop_frames)

    def validate(self) -> None:
        """Refuse a crop that the generators cannot halve, and a weight without a teacher.

        Raises:
            InputError: The crop is not a multiple of 4 frames, or the weight has no effect.
        """
        if self.crop_frames % FRAME_MULTIPLE:
            raise InputError(
                f"--crop_frames is {self.crop_frames}; expected a multiple of {FRAME_MULTIPLE}"
            )
        if not self.has_teacher and self.teacher_weight != type(self).teacher_weight:
            raise InputError(
                f"--teacher_weight is {self.teacher_weight}, and there is no teacher; give "
                "--teacher_run too, or leave it out"
            )


@dataclass(frozen=True)
class AugmentationConfig:
    """Random variation of the training crops; none by default.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> config = vc.preset("fast", augment_gain_db=6.0)
        >>> config.augmentation == vc.AugmentationConfig(augment_gain_db=6.0)
        True
    """

    NO_NOISE_DB = 100.0

    augment_gain_db: float = setting(
        0.0, "Largest random change of a crop's level, up or down, in dB.", minimum=0.0,
        maximum=40.0,
    )  # fmt: skip
    augment_noise_snr_db: float = setting(
        NO_NOISE_DB,
        "Lowest signal-to-noise ratio of the noise that is added to a crop's envelopes, in dB. "
        "Each crop gets a ratio between it and 30 dB more. 100 means no noise.",
        minimum=-10.0,
        maximum=NO_NOISE_DB,
    )
    augment_frequency_warp: float = setting(
        0.0,
        "Largest random change of a crop's frequency axis, up or down, as a fraction.",
        minimum=0.0,
        maximum=0.3,
    )
    augment_time_warp: float = setting(
        0.0,
        "Largest random change of a crop's tempo, up or down, as a fraction.",
        minimum=0.0,
        maximum=0.5,
    )
    augment_mask_frames: int = setting(
        0,
        "Longest run of frames of a crop that is hidden at random; fewer frames than the crop has.",
        minimum=0,
    )

    def validate(self, crop_frames: int) -> None:
        """Refuse to hide a whole crop.

        Args:
            crop_frames: Length of a crop in frames.

        Raises:
            InputError: As many frames as a crop has, or more, may be hidden.
        """
        if (hidden := self.augment_mask_frames) >= crop_frames:
            raise InputError(
                f"--augment_mask_frames is {hidden}; expected fewer than the {crop_frames} of a "
                "crop"
            )
