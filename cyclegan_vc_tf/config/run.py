"""Every setting of a run and of a conversion; each field is a flag."""

from dataclasses import dataclass, field

from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.config.training import AugmentationConfig, TrainingConfig


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
        60, "Iterations of Griffin-Lim.", minimum=1, maximum=10_000, resumable=True
    )


@dataclass(frozen=True)
class MetricsConfig:
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
    metrics: MetricsConfig = MetricsConfig()
