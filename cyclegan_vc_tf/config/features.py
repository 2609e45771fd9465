"""Settings of the analysis of recordings; each field is a flag."""

import dataclasses
from dataclasses import asdict, dataclass

from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class FeatureConfig:
    """Features of a recording: mel-cepstra and F0 by WORLD, or log-mel spectra.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> config = vc.FeatureConfig(spectra="log_mel", sample_rate_hz=22_050)
        >>> config.bins, round(config.hop_s, 4)
        (80, 0.0116)
    """

    spectra: str = setting(
        "mel_cepstra",
        "Type of the spectra to convert. mel_cepstra are made by WORLD; F0 is mapped separately, "
        "and aperiodicity is copied. log_mel spectra contain F0, and a vocoder synthesizes them.",
        choices=("mel_cepstra", "log_mel"),
    )
    sample_rate_hz: int = setting(
        16_000,
        "Sample rate that recordings are converted to, in Hz.",
        minimum=8_000,
        maximum=48_000,
    )
    frame_period_ms: float = setting(
        5.0, "Time between two frames of WORLD, in ms.", minimum=1.0, maximum=50.0
    )
    mel_cepstra: int = setting(
        24, "Number of mel-cepstral coefficients per frame.", minimum=2, maximum=128
    )
    f0_method: str = setting(
        "harvest",
        "Estimator of F0: harvest, as in the papers, or dio (refined with StoneMask), which takes "
        "a thirtieth of the time.",
        choices=("harvest", "dio"),
    )
    f0_floor_hz: float = setting(
        71.0, "Lowest F0 that is searched for, in Hz.", minimum=40.0, maximum=300.0
    )
    f0_ceiling_hz: float = setting(
        800.0, "Highest F0 that is searched for, in Hz.", minimum=200.0, maximum=2000.0
    )
    mel_bins: int = setting(80, "Number of mel bands per log-mel frame.", minimum=2, maximum=256)
    fft_samples: int = setting(
        1024, "Length of a log-mel frame's window and transform, in samples.", minimum=64,
        maximum=8192,
    )  # fmt: skip
    hop_samples: int = setting(
        256, "Distance between two log-mel frames, in samples.", minimum=16, maximum=4096
    )

    @property
    def used(self) -> dict[str, int | float | str]:
        """Settings that the chosen spectra depend on, by name."""
        others = _LOG_MEL_SETTINGS if self.spectra == "mel_cepstra" else _MEL_CEPSTRA_SETTINGS
        return {name: value for name, value in asdict(self).items() if name not in others}

    @property
    def bins(self) -> int:
        """Values per frame."""
        return self.mel_cepstra if self.spectra == "mel_cepstra" else self.mel_bins

    @property
    def hop_s(self) -> float:
        """Time between two frames, in seconds."""
        if self.spectra == "mel_cepstra":
            return self.frame_period_ms / 1000
        return self.hop_samples / self.sample_rate_hz

    def validate(self) -> None:
        """Refuse settings that contradict each other or have no effect.

        Raises:
            InputError: A setting was given that the chosen spectra do not depend on, windows
                overlap too little for synthesis, or no F0 lies between the limits.
        """
        used = self.used
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name not in used and value != field.default:
                raise InputError(
                    f"--{field.name} is {value}, and {self.spectra} spectra do not depend on it; "
                    "leave it out, or choose other spectra with --spectra"
                )
        if self.spectra == "log_mel":
            if 2 * self.hop_samples > self.fft_samples:
                raise InputError(
                    f"--hop_samples is {self.hop_samples}; windows have to overlap by half: "
                    f"expected at most half of --fft_samples, {self.fft_samples}"
                )
        elif self.f0_floor_hz >= self.f0_ceiling_hz:
            raise InputError(
                f"--f0_floor_hz is {self.f0_floor_hz}; "
                f"expected less than --f0_ceiling_hz, {self.f0_ceiling_hz}"
            )

    def check_f0(self, *, convert: bool, semitones: float) -> None:
        """Refuse changes of F0 for log-mel spectra, where it cannot be changed separately.

        Args:
            convert: Whether F0 is mapped to the target speaker's range.
            semitones: Shift of F0 after that.

        Raises:
            InputError: The spectra are log-mel spectra, and a value is not the default.
        """
        if self.spectra == "log_mel" and (not convert or semitones):
            raise InputError(
                "--f0 and --semitones cannot be given: this run converts log-mel spectra, which "
                "have F0 in them"
            )


_MEL_CEPSTRA_SETTINGS = (
    "frame_period_ms", "mel_cepstra", "f0_method", "f0_floor_hz", "f0_ceiling_hz"
)  # fmt: skip
_LOG_MEL_SETTINGS = ("mel_bins", "fft_samples", "hop_samples")
