"""Every setting of a run and of a conversion; each field is a flag."""

from dataclasses import dataclass

from cyclegan_vc_tf.config.settings import setting


@dataclass(frozen=True)
class TrainingConfig:
    """The course of a training. Everything is counted in steps (iterations)."""

    steps: int = setting(400_000, "Steps to train in all.", minimum=1, resumable=True)
    batch_size: int = setting(1, "Crops of each speaker in a step.", minimum=1)
    crop_frames: int = setting(128, "Frames in a crop, a multiple of 4.", minimum=4)
    generator_learning_rate: float = setting(
        2e-4, "Of the generators, at first.", minimum=0.0, maximum=1.0
    )
    discriminator_learning_rate: float = setting(
        1e-4, "Of the discriminators, at first.", minimum=0.0, maximum=1.0
    )
    decay_start: int = setting(
        200_000, "Step from which on both learning rates fall linearly.", minimum=0
    )
    decay_steps: int = setting(200_000, "Steps in which they fall to zero.", minimum=1)
    adam_beta1: float = setting(
        0.5, "Adam's decay of the first moment.", minimum=0.0, maximum=0.999999
    )
    adam_beta2: float = setting(
        0.999, "Adam's decay of the second moment.", minimum=0.0, maximum=0.999999
    )
    adam_epsilon: float = setting(1e-8, "Adam's epsilon, placed as in TensorFlow.", minimum=1e-20)
    cycle_weight: float = setting(
        10.0, "Weight of the cycle-consistency loss.", minimum=0.0, maximum=1e6
    )
    identity_weight: float = setting(
        5.0, "Weight of the identity-mapping loss.", minimum=0.0, maximum=1e6
    )
    identity_steps: int = setting(
        10_000, "Steps after which the identity-mapping loss no longer counts.", minimum=0
    )
    self_regularization_weight: float = setting(
        0.0,
        "Weight of the squared distance from a generator's (stretched) input.",
        minimum=0.0,
        maximum=1e6,
    )
    inca_iterations: int = setting(
        0,
        "How often --vtln_init's stretch is learned anew from each speaker's frames and "
        "those of the other that are nearest to them.",
        minimum=0,
        maximum=100,
    )
    mask_fraction: float = setting(
        0.5,
        "mask: longest run of frames to fill in, as a share of a crop.",
        minimum=0.0,
        maximum=1.0,
    )
    precision: str = setting(
        "float32",
        "In what the networks multiply: float32, or mixed_bfloat16, which is faster on a "
        "processor with instructions for it, with weights, sums and norms in float32.",
        choices=("float32", "mixed_bfloat16"),
    )
    seed: int = setting(0, "All that is random follows from it.", minimum=0, maximum=2**31 - 1)
    deterministic: bool = setting(
        False, "Make every operation reproducible bit for bit; somewhat slower."
    )
    log_every: int = setting(
        50, "Steps between two entries of losses in TensorBoard.", minimum=1, resumable=True
    )
    checkpoint_every: int = setting(
        1000, "Steps between two checkpoints.", minimum=1, resumable=True
    )
    keep_checkpoints: int = setting(3, "Checkpoints to keep.", minimum=1, resumable=True)
    convert_every: int = setting(
        5000,
        "Steps between two conversions of held-out recordings into TensorBoard; 0 is never.",
        minimum=0,
        resumable=True,
    )
    convert_utterances: int = setting(
        2, "Held-out recordings of each speaker in such a conversion.", minimum=1, resumable=True
    )

    evaluate_every: int = setting(
        0,
        "Steps between two evaluations of all held-out recordings, each with a checkpoint; 0 is "
        "never.",
        minimum=0,
        resumable=True,
    )
    best_metric: str = setting(
        "mcd_db",
        "What the best of those checkpoints, which is kept, is best in, over both directions.",
        choices=("mcd_db", "msd_db", "speaker_similarity", "dnsmos", "word_error_rate"),
        resumable=True,
    )

    profile_steps: str = setting(
        "",
        "First and last step, with a comma between them, that TensorFlow's profiler looks at, for "
        "TensorBoard; by default none.",
        resumable=True,
    )

    @property
    def longest_mask(self) -> int:
        """Most frames of a crop that are hidden."""
        return round(self.mask_fraction * self.crop_frames)


@dataclass(frozen=True)
class AugmentationConfig:
    """How much more varied than the recordings what is learned from is; nothing by default."""

    NO_NOISE_DB = 100.0

    augment_gain_db: float = setting(
        0.0, "Change a crop's level by up to so many dB, up or down.", minimum=0.0, maximum=40.0
    )
    augment_noise_snr_db: float = setting(
        NO_NOISE_DB,
        "Least signal-to-noise ratio of noise that is added to a crop's envelopes, in dB; each "
        "crop has one between it and 30 dB more. 100 is no noise.",
        minimum=-10.0,
        maximum=NO_NOISE_DB,
    )
    augment_frequency_warp: float = setting(
        0.0,
        "Stretch a crop's frequency axis by up to this share, either way.",
        minimum=0.0,
        maximum=0.3,
    )
    augment_time_warp: float = setting(
        0.0, "Change a crop's tempo by up to this share, either way.", minimum=0.0, maximum=0.5
    )
    augment_mask_frames: int = setting(
        0, "Hide a run of up to so many frames of a crop, less than all.", minimum=0
    )
