"""What a report calls metrics and systems, and says of them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """How a metric is shown.

    Attributes:
        title: Its name.
        unit: Of its values.
        better: An arrow that says where better values are.
        digits: After the point.
        meaning: What it measures.
    """

    title: str
    unit: str
    better: str
    digits: int
    meaning: str


SHOWN = {
    "mcd_db": Metric(
        "MCD", "dB", "↓", 2,
        "Mel-cepstral distortion: how far the spectral envelopes are from a reference that says "
        "the same sentence, frame by frame, level not counted.",
    ),
    "log_f0_rmse": Metric(
        "F0 error", "ln Hz", "↓", 3,
        "Root mean square difference of ln F0 where both are voiced; an octave is 0.693.",
    ),
    "log_f0_correlation": Metric(
        "F0 correlation", "\N{MINUS SIGN}1 to 1", "↑", 3,
        "Whether the melody moves as the reference's does, whatever its register.",
    ),
    "voicing_error": Metric(
        "Voicing error", "share", "↓", 3, "Share of frames where only one of the two is voiced."
    ),
    "msd_db": Metric(
        "MSD", "dB", "↓", 2,
        "Modulation spectra distance: whether the coefficients move as fast and as much as the "
        "target's do; no sentence has to be the same.",
    ),
    "global_variance_ratio": Metric(
        "GV", "ratio", "→ 1", 2,
        "Variance of the coefficients over the target's; below 1 is flatter, as over-smoothed "
        "speech is.",
    ),
    "speaker_similarity": Metric(
        "Target similarity", "cosine", "↑", 3,
        "How near the voice is to the target's training recordings (Resemblyzer).",
    ),
    "source_similarity": Metric(
        "Source similarity", "cosine", "↓", 3,
        "How near the voice still is to the source's training recordings.",
    ),
    "dnsmos": Metric(
        "DNSMOS", "1 to 5", "↑", 2,
        "What listeners would say of noise and distortion; never to be read alone.",
    ),
    "word_error_rate": Metric(
        "Word error rate", "share", "↓", 3,
        "Words that a recogniser gets wrong, over the words that were said.",
    ),
}  # fmt: skip
"""By metric; in the order of `METRICS`."""

EXPLAINED = {
    "source": ("source", "The source's recordings as they are: what doing nothing scores."),
    "f0_only": ("F0 only", "The source with the target's F0 and nothing else: what pitch scores."),
    "converted": ("converted", "What the run makes of the source: the system that is judged."),
    "world_target": (
        "WORLD target",
        "The target's recordings through WORLD and its coded mel-cepstra: the best there is.",
    ),
}
"""Name and meaning of each system."""
