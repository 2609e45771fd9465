"""Every setting of a run and of a conversion; each field is a flag."""

from dataclasses import asdict, dataclass

from cyclegan_vc_tf.config.settings import setting


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
        16_000, "Rate that recordings are brought to, in Hz.", minimum=8_000, maximum=48_000
    )
    frame_period_ms: float = setting(
        5.0, "Time from one frame of WORLD to the next, in ms.", minimum=1.0, maximum=50.0
    )
    mel_cepstra: int = setting(24, "Mel-cepstral coefficients a frame.", minimum=2, maximum=128)
    f0_method: str = setting(
        "harvest",
        "How F0 is found: harvest, as in the papers, or dio (refined with StoneMask), which takes "
        "a thirtieth of the time.",
        choices=("harvest", "dio"),
    )
    f0_floor_hz: float = setting(71.0, "Lowest F0 looked for.", minimum=40.0, maximum=300.0)
    f0_ceiling_hz: float = setting(800.0, "Highest F0 looked for.", minimum=200.0, maximum=2000.0)
    mel_bins: int = setting(80, "Mel bands of a log-mel frame.", minimum=2, maximum=256)
    fft_samples: int = setting(
        1024, "Window and transform of a log-mel frame, in samples.", minimum=64, maximum=8192
    )
    hop_samples: int = setting(
        256, "Samples from one log-mel frame to the next.", minimum=16, maximum=4096
    )

    @property
    def used(self) -> dict[str, int | float | str]:
        """The settings that these spectra depend on, by name."""
        others = _LOG_MEL_SETTINGS if self.spectra == "mel_cepstra" else _MEL_CEPSTRA_SETTINGS
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


_MEL_CEPSTRA_SETTINGS = (
    "frame_period_ms", "mel_cepstra", "f0_method", "f0_floor_hz", "f0_ceiling_hz"
)  # fmt: skip
_LOG_MEL_SETTINGS = ("mel_bins", "fft_samples", "hop_samples")
