"""Every setting of a run and of a conversion; each field is a flag."""

from dataclasses import asdict, dataclass, field

from cyclegan_vc_tf.corpus_config import CorpusConfig
from cyclegan_vc_tf.network_config import NetworkConfig
from cyclegan_vc_tf.settings import setting


@dataclass(frozen=True)
class FeatureConfig:
    """What speech is made into: mel-cepstra and F0 by WORLD, or log-mel spectra."""

    spectra: str = setting(
        "mel_cepstra",
        "What is converted: mel_cepstra, of WORLD, with F0 mapped apart and aperiodicity copied; "
        "or log_mel, in which F0 is, and which a vocoder makes audible.",
        choices=("mel_cepstra", "log_mel"),
    )
    sample_rate_hz: int = setting(
        16_000, "Rate that recordings are brought to, in Hz.", least=8_000, most=48_000
    )
    frame_period_ms: float = setting(
        5.0, "Time from one frame of WORLD to the next, in ms.", least=1.0, most=50.0
    )
    mel_cepstra: int = setting(24, "Mel-cepstral coefficients a frame.", least=2, most=128)
    f0_method: str = setting(
        "harvest",
        "How F0 is found: harvest, as in the papers, or dio (refined with StoneMask), which takes "
        "a thirtieth of the time.",
        choices=("harvest", "dio"),
    )
    f0_floor_hz: float = setting(71.0, "Lowest F0 looked for.", least=40.0, most=300.0)
    f0_ceiling_hz: float = setting(800.0, "Highest F0 looked for.", least=200.0, most=2000.0)
    mel_bins: int = setting(80, "Mel bands of a log-mel frame.", least=2, most=256)
    fft_samples: int = setting(
        1024, "Window and transform of a log-mel frame, in samples.", least=64, most=8192
    )
    hop_samples: int = setting(
        256, "Samples from one log-mel frame to the next.", least=16, most=4096
    )

    @property
    def used(self) -> dict[str, int | float | str]:
        """The settings that these spectra depend on, by name."""
        others = _OF_LOG_MEL if self.spectra == "mel_cepstra" else _OF_MEL_CEPSTRA
        return {name: value for name, value in asdict(self).items() if name not in others}

    @property
    def bins(self) -> int:
        """Values a frame."""
        return self.mel_cepstra if self.spectra == "mel_cepstra" else self.mel_bins

    @property
    def hop_s(self) -> float:
        """Time from one frame to the next, in seconds."""
        if self.spectra == "mel_cepstra":
            return self.frame_period_ms / 1000
        return self.hop_samples / self.sample_rate_hz


_OF_MEL_CEPSTRA = (
    "frame_period_ms", "mel_cepstra", "f0_method", "f0_floor_hz", "f0_ceiling_hz"
)  # fmt: skip
_OF_LOG_MEL = ("mel_bins", "fft_samples", "hop_samples")


@dataclass(frozen=True)
class TrainingConfig:
    """The course of a training. Everything is counted in steps (iterations)."""

    steps: int = setting(400_000, "Steps to train in all.", least=1, resumable=True)
    batch_size: int = setting(1, "Crops of each speaker in a step.", least=1)
    crop_frames: int = setting(128, "Frames in a crop, a multiple of 4.", least=4)
    generator_learning_rate: float = setting(
        2e-4, "Of the generators, at first.", least=0.0, most=1.0
    )
    discriminator_learning_rate: float = setting(
        1e-4, "Of the discriminators, at first.", least=0.0, most=1.0
    )
    decay_start: int = setting(
        200_000, "Step from which on both learning rates fall linearly.", least=0
    )
    decay_steps: int = setting(200_000, "Steps in which they fall to zero.", least=1)
    adam_beta1: float = setting(0.5, "Adam's decay of the first moment.", least=0.0, most=0.999999)
    adam_beta2: float = setting(
        0.999, "Adam's decay of the second moment.", least=0.0, most=0.999999
    )
    adam_epsilon: float = setting(1e-8, "Adam's epsilon, placed as in TensorFlow.", least=1e-20)
    cycle_weight: float = setting(
        10.0, "Weight of the cycle-consistency loss.", least=0.0, most=1e6
    )
    identity_weight: float = setting(
        5.0, "Weight of the identity-mapping loss.", least=0.0, most=1e6
    )
    identity_steps: int = setting(
        10_000, "Steps after which the identity-mapping loss no longer counts.", least=0
    )
    self_regularization_weight: float = setting(
        0.0,
        "Weight of the squared distance from a generator's (stretched) input.",
        least=0.0,
        most=1e6,
    )
    pairing_rounds: int = setting(
        0,
        "How often --frequency_warp's stretch is learned anew from each speaker's frames and "
        "those of the other that are nearest to them.",
        least=0,
        most=100,
    )
    mask_fraction: float = setting(
        0.5, "mask: longest run of frames to fill in, as a share of a crop.", least=0.0, most=1.0
    )
    precision: str = setting(
        "float32",
        "In what the networks multiply: float32, or mixed_bfloat16, which is faster on a "
        "processor with instructions for it, with weights, sums and norms in float32.",
        choices=("float32", "mixed_bfloat16"),
    )
    seed: int = setting(0, "All that is random follows from it.", least=0, most=2**31 - 1)
    deterministic: bool = setting(
        False, "Make every operation reproducible bit for bit; somewhat slower."
    )
    log_every: int = setting(
        50, "Steps between two entries of losses in TensorBoard.", least=1, resumable=True
    )
    checkpoint_every: int = setting(1000, "Steps between two checkpoints.", least=1, resumable=True)
    keep_checkpoints: int = setting(3, "Checkpoints to keep.", least=1, resumable=True)
    convert_every: int = setting(
        5000,
        "Steps between two conversions of held-out recordings into TensorBoard; 0 is never.",
        least=0,
        resumable=True,
    )
    convert_utterances: int = setting(
        2, "Held-out recordings of each speaker in such a conversion.", least=1, resumable=True
    )

    evaluate_every: int = setting(
        0,
        "Steps between two evaluations of all held-out recordings, each with a checkpoint; 0 is "
        "never.",
        least=0,
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
        0.0, "Change a crop's level by up to so many dB, up or down.", least=0.0, most=40.0
    )
    augment_noise_snr_db: float = setting(
        NO_NOISE_DB,
        "Least signal-to-noise ratio of noise that is added to a crop's envelopes, in dB; each "
        "crop has one between it and 30 dB more. 100 is no noise.",
        least=-10.0,
        most=NO_NOISE_DB,
    )
    augment_frequency_warp: float = setting(
        0.0, "Stretch a crop's frequency axis by up to this share, either way.", least=0.0, most=0.3
    )
    augment_time_warp: float = setting(
        0.0, "Change a crop's tempo by up to this share, either way.", least=0.0, most=0.5
    )
    augment_mask_frames: int = setting(
        0, "Hide a run of up to so many frames of a crop, less than all.", least=0
    )


@dataclass(frozen=True)
class VocoderConfig:
    """What makes converted spectra audible; mel-cepstra are always spoken by WORLD."""

    limit_power: bool = setting(
        False,
        "Of mel-cepstra: let no frame be louder than it was before the conversion.",
        resumable=True,
    )
    vocoder: str = setting(
        "griffin_lim",
        "Of log-mel spectra: griffin_lim, which needs no training, or melgan.",
        choices=("griffin_lim", "melgan"),
        resumable=True,
    )
    vocoder_checkpoint: str = setting(
        "",
        "File of a MelGAN's weights, made by python -m cyclegan_vc_tf import_vocoder.",
        is_path=True,
        resumable=True,
    )
    griffin_lim_iterations: int = setting(
        60, "Iterations of Griffin-Lim.", least=1, most=10_000, resumable=True
    )


@dataclass(frozen=True)
class JudgesConfig:
    """What held-out speech is compared with, and what judges of it need."""

    reference_dir: str = setting(
        "",
        "Folder with subfolders A and B: the other speaker's held-out sentences, in files of the "
        "same names, in the voices of A and B. By default the held-out recordings themselves.",
        is_path=True,
        resumable=True,
    )
    transcripts: str = setting(
        "",
        "Table of what is said in recordings: name without ending, tab, sentence.",
        is_path=True,
        resumable=True,
    )
    whisper_model: str = setting(
        "",
        "Folder of a CTranslate2 Whisper model, which counts wrong words.",
        is_path=True,
        resumable=True,
    )


@dataclass(frozen=True)
class RunConfig:
    """All settings of a run; those of the 2017 paper by default."""

    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    features: FeatureConfig = FeatureConfig()
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainingConfig = TrainingConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    vocoder: VocoderConfig = VocoderConfig()
    judges: JudgesConfig = JudgesConfig()
