"""Titles, units and explanations of metrics and systems, for reports and model cards."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class MetricInfo:
    """Presentation of a metric.

    Attributes:
        title: Name in tables and figures.
        unit: Unit of the values.
        better: Arrow towards better values.
        digits: Digits after the decimal point.
        meaning: Explanation in a sentence.
    """

    title: str
    unit: str
    better: str
    digits: int
    meaning: str


@dataclass(frozen=True)
class SystemInfo:
    """Presentation of a system.

    Attributes:
        title: Name in tables and figures.
        meaning: Explanation in a sentence.
        colour: Colour in figures.
    """

    title: str
    meaning: str
    colour: str


METRIC_INFO = {
    "mcd_db": MetricInfo(
        "MCD", "dB", "↓", 2,
        "Mel-cepstral distortion: distance of the spectral envelopes from a reference of the same "
        "sentence, over aligned frames, without the level.",
    ),
    "log_f0_rmse": MetricInfo(
        "F0 error", "ln Hz", "↓", 3,
        "Root mean square difference of ln F0 from the reference where both are voiced; an octave "
        "is 0.693.",
    ),
    "log_f0_correlation": MetricInfo(
        "F0 correlation", "\N{MINUS SIGN}1 to 1", "↑", 3,
        "Correlation of ln F0 with the reference's: whether the melody agrees, in any register.",
    ),
    "voicing_error": MetricInfo(
        "Voicing error", "share", "↓", 3,
        "Share of aligned frames where only one of recording and reference is voiced.",
    ),
    "msd_db": MetricInfo(
        "MSD", "dB", "↓", 2,
        "Modulation spectra distance: difference in how fast and how far the mel-cepstra move. "
        "It needs no reference of the same sentence.",
    ),
    "global_variance_ratio": MetricInfo(
        "GV", "ratio", "→ 1", 2,
        "Variance of the mel-cepstra over the target's; over-smoothed speech is below 1.",
    ),
    "speaker_similarity": MetricInfo(
        "Target similarity", "cosine", "↑", 3,
        "Similarity to the voice in the target's training recordings (Resemblyzer).",
    ),
    "source_similarity": MetricInfo(
        "Source similarity", "cosine", "↓", 3,
        "Similarity to the voice in the source's training recordings (Resemblyzer).",
    ),
    "dnsmos": MetricInfo(
        "DNSMOS", "1 to 5", "↑", 2,
        "Predicted listener rating of noise and distortion; read it with other metrics only.",
    ),
    "word_error_rate": MetricInfo(
        "Word error rate", "share", "↓", 3,
        "Words that a speech recognizer gets wrong, over the words of the sentences.",
    ),
}  # fmt: skip
"""Metrics by name, in the order of `scoring.METRICS`."""

SYSTEM_INFO = {
    "source": SystemInfo(
        "source",
        "The source recordings, unchanged: the score without any conversion.",
        "#8b919c",
    ),
    "f0_only": SystemInfo(
        "F0 only",
        "The source recordings with the target's F0: the score of a pitch change alone.",
        "#d9942b",
    ),
    "converted": SystemInfo(
        "converted",
        "The run's conversion of the source recordings: the system under evaluation.",
        "#2d63c8",
    ),
    "world_target": SystemInfo(
        "WORLD target",
        "The target's recordings, analysed to mel-cepstra and resynthesized by WORLD: the best "
        "possible conversion of mel-cepstra.",
        "#3c9a62",
    ),
}
"""Systems by name, in the order of `scoring.SYSTEMS`."""


def format_value(metric: str, value: float | None) -> str:
    """Format a value for a table; empty if it is missing, NaN or infinite."""
    if value is None or not math.isfinite(value):
        return ""
    return f"{value:.{METRIC_INFO[metric].digits}f}".replace("-", "\N{MINUS SIGN}")
