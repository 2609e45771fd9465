"""Settings of a run: those of all packages together, of the vocoder and of the metrics."""

from dataclasses import dataclass, field, replace

from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.config.training import AugmentationConfig, TrainingConfig
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class VocoderConfig:
    """Synthesis of converted spectra. WORLD synthesizes mel-cepstra unless a folder is given.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> vc.preset("mask").vocoder.vocoder
        'griffin_lim'
    """

    limit_power: bool = setting(
        False,
        "Limit the power of every converted frame to its power before the conversion; mel-cepstra "
        "alone.",
        resumable=True,
    )
    vocoder: str = setting(
        "griffin_lim",
        "Vocoder of log-mel spectra: griffin_lim, which needs no training, or melgan. For all "
        "spectra also the folder of a vocoder, made by python -m cyclegan_vc_tf train_vocoder, its "
        "ONNX export, which needs no TensorFlow, or pretrained:NAME. Mel-cepstra are "
        "synthesized by WORLD by default.",
        choices=("griffin_lim", "melgan"),
        or_folder=True,
        resumable=True,
    )
    vocoder_checkpoint: str = setting(
        "",
        "File with the weights of a MelGAN, made by python -m cyclegan_vc_tf import_vocoder; or "
        "its ONNX export, which needs no TensorFlow.",
        is_path=True,
        resumable=True,
    )
    griffin_lim_iterations: int = setting(
        60, "Number of iterations of Griffin-Lim.", minimum=1, maximum=10_000, resumable=True
    )

    @property
    def is_trained_here(self) -> bool:
        """Whether the vocoder is one of `train_vocoder`, given by its folder or its name."""
        return self.vocoder not in ("griffin_lim", "melgan")

    def validate(self, spectra: str) -> None:
        """Refuse a vocoder that cannot synthesize the features, or that has no weights.

        Args:
            spectra: Type of the spectra, "mel_cepstra" or "log_mel".

        Raises:
            InputError: A setting has no effect on these spectra, or the weights of a MelGAN are
                missing.
        """
        if spectra == "mel_cepstra":
            world = VocoderConfig(limit_power=self.limit_power)
            if self not in (world, replace(world, vocoder=self.vocoder)) or (
                self.vocoder == "melgan"
            ):
                raise InputError(
                    "--vocoder and its settings cannot be given: WORLD synthesizes this run's "
                    "mel-cepstra; leave them out"
                )
        elif self.limit_power:
            raise InputError(
                "--limit_power cannot be given: it limits mel-cepstra, and this run converts "
                "log-mel spectra; leave it out"
            )
        elif self.vocoder == "melgan" and not self.vocoder_checkpoint:
            raise InputError(
                "--vocoder_checkpoint is not given; --vocoder=melgan needs a file made by "
                "python -m cyclegan_vc_tf import_vocoder"
            )


@dataclass(frozen=True)
class MetricsConfig:
    """Reference recordings and models of the metrics.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> config = vc.preset("fast", transcripts="/recordings/transcripts.tsv")
        >>> config.metrics == vc.MetricsConfig(transcripts="/recordings/transcripts.tsv")
        True
    """

    reference_dir: str = setting(
        "",
        "Folder with subfolders A and B. Each holds the other speaker's held-out sentences in the "
        "voice of A or B, in files of the same names. By default the references are the held-out "
        "recordings themselves.",
        is_path=True,
        resumable=True,
    )
    transcripts: str = setting(
        "",
        "Table with the sentence of each recording: file name without its ending, tab, sentence.",
        is_path=True,
        resumable=True,
    )
    whisper_model: str = setting(
        "",
        "Folder of a CTranslate2 Whisper model, which counts wrong words.",
        is_path=True,
        resumable=True,
    )
    recognizer: str = setting(
        "whisper",
        "Speech recognizer that counts wrong words: whisper, with the model of --whisper_model; "
        "pocketsphinx, with the English model of its package.",
        choices=("whisper", "pocketsphinx"),
        resumable=True,
    )


@dataclass(frozen=True)
class RunConfig:
    """All settings of a run. The defaults follow the 2017 paper.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> vc.RunConfig() == vc.preset("vc1")
        True
    """

    corpus: CorpusConfig = field(default_factory=CorpusConfig)
    features: FeatureConfig = FeatureConfig()
    network: NetworkConfig = field(default_factory=NetworkConfig)
    training: TrainingConfig = TrainingConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    vocoder: VocoderConfig = VocoderConfig()
    metrics: MetricsConfig = MetricsConfig()

    def validate(self, preset: "RunConfig", optional_block: bool = False) -> None:
        """Refuse settings that no run can be trained with.

        `registry.validate_config` calls it with the preset of the run's variant.

        Args:
            preset: Settings of the variant's paper.
            optional_block: Whether a discriminator's last block can be left out.

        Raises:
            InputError: Settings contradict each other, or a setting has no effect.
        """
        self.network.validate(preset.network, optional_block)
        if self.network.vtln_init and self.features.spectra != "mel_cepstra":
            raise InputError(
                "--vtln_init warps the envelopes of mel-cepstra, and --spectra is "
                f"{self.features.spectra}; leave one of them out"
            )
        if self.training.inca_iterations and not self.network.vtln_init:
            raise InputError(
                f"--inca_iterations is {self.training.inca_iterations}, and there is no linear "
                "skip to refine; give --vtln_init too, or leave it out"
            )
        self.training.validate()
        if self.training.has_teacher and self.augmentation != AugmentationConfig():
            raise InputError(
                "--teacher_run cannot be given with random variation of the crops (--augment_…): "
                "the teacher's conversions would not fit them; leave one of them out"
            )
        self.augmentation.validate(self.training.crop_frames)
        self.vocoder.validate(self.features.spectra)
        self.features.validate()
        self.corpus.validate()
