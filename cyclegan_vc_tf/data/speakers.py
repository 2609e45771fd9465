"""A prepared speaker: training and held-out recordings, and statistics."""

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import corpus_summary
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.data.utterances import Utterance
from cyclegan_vc_tf.features import log_mel, normalization
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import MAX_NAMES, escape_controls, join_names

MAX_LISTED_SKIPPED = 20
"""Largest number of skipped recordings or pieces that are listed by name."""

MAX_LISTED_WARNINGS = 20
"""Largest number of warnings about recordings that are listed."""

MAX_FRAMES = 2**16
"""Largest number of frames in memory at once while statistics are computed."""


@dataclass(frozen=True)
class Speaker:
    """A speaker of a run, after preparation.

    Attributes:
        folder: Folder of the recordings.
        store: Feature store of the recordings.
        training: Training utterances.
        held_out_dir: Folder of the held-out recordings.
        held_out: Names of the held-out recordings, whole files, relative to `held_out_dir`.
        statistics: Statistics of the training utterances.
        unreadable: Names of files in `folder` that hold audio in a format that cannot be read.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> speakers = vc.prepare(
        ...     "fast", source_dir="recordings/anna", target_dir="recordings/ben",
        ...     features_dir="features", log=lambda text: None,
        ... )
        >>> len(speakers["B"].training), len(speakers["B"].held_out)
        (4, 1)
    """

    folder: Path
    store: FeatureStore
    training: list[Utterance]
    held_out_dir: Path
    held_out: list[str]
    statistics: Statistics
    unreadable: Sequence[str] = ()

    def describe(self, config: FeatureConfig) -> str:
        """Return a line about the speaker, and lines about skipped and damaged recordings.

        Args:
            config: Settings of the features.
        """
        frames = sum(utterance.frames for utterance in self.training)
        minutes, pitch = frames * config.hop_s / 60, ""
        if config.spectra == "mel_cepstra":
            pitch = f"mean F0 {np.exp(self.statistics.log_f0_mean):.0f} Hz, "
        lines = [
            f"{self.folder.name}: {len(self.training)} training utterances, {minutes:.1f} min, "
            f"{pitch}{len(self.held_out)} held out, "
            f"{len(self.store.skipped)} skipped"
        ]
        skipped = self.store.skipped
        lines += [
            f"  skipped {utterance.name}: {utterance.skipped}"
            for utterance in skipped[:MAX_LISTED_SKIPPED]
        ]
        if len(skipped) > MAX_LISTED_SKIPPED:
            path = self.store.folder / corpus_summary.SUMMARY_FILE
            lines.append(f"  and {len(skipped) - MAX_LISTED_SKIPPED} more, by reason in {path}")
        warnings = list(self._format_warnings())
        lines += warnings[:MAX_LISTED_WARNINGS]
        if len(warnings) > MAX_LISTED_WARNINGS:
            lines.append(f"  and {len(warnings) - MAX_LISTED_WARNINGS} more warnings")
        if unreadable := audio_files.describe_unreadable(self.unreadable):
            lines.append(f"  warning: {unreadable}")
        if not self.held_out and any(utterance.piece is not None for utterance in self.training):
            lines.append(
                "  nothing is held out, because only whole files can be held out; give a held-out "
                "folder to hear conversions of recordings that were not trained on"
            )
        return "\n".join(map(escape_controls, lines))

    def _format_warnings(self) -> Iterator[str]:
        """Format warnings about recordings, in one line where many recordings share one."""
        recordings: dict[str, dict[str, None]] = {}
        for utterance in self.store.utterances:
            for warning in utterance.warnings:
                recordings.setdefault(warning, {})[utterance.recording.name] = None
        for warning, names in recordings.items():
            if len(names) > MAX_NAMES:
                yield f"  warning: {len(names)} recordings, {join_names(list(names))}: {warning}"
            else:
                yield from (f"  warning: {name} {warning}" for name in names)


def recordings_table(speakers: Mapping[str, Speaker]) -> dict[str, Any]:
    """Return the table of recordings that a run folder keeps as JSON."""
    return {
        name: {
            "folder": str(speaker.folder),
            "training": {
                utterance.recording.name: utterance.sha256 for utterance in speaker.training
            },
            "held_out_folder": str(speaker.held_out_dir),
            "held_out": speaker.held_out,
            "held_out_sha256": {
                held_out: _hash_or_empty(speaker.held_out_dir / held_out)
                for held_out in speaker.held_out
            },
        }
        for name, speaker in speakers.items()
    }


def _hash_or_empty(path: Path) -> str:
    """Return the SHA-256 hash of a file; empty if it cannot be read."""
    try:
        return files.sha256(path)
    except OSError:
        return ""


def split_held_out(names: Sequence[str], held_out_fraction: float) -> tuple[list[str], list[str]]:
    """Split file names into training and held-out names, by a hash of each name without ending.

    A name falls on one side for both speakers, whatever other files there are. If nothing would be
    left for training, nothing is held out.
    """
    training: list[str] = []
    held_out: list[str] = []
    for name in names:
        digest = hashlib.sha256(os.fsencode(Path(name).with_suffix("").as_posix())).digest()
        share = int.from_bytes(digest[:8], "big") / 2**64
        (held_out if share < held_out_fraction else training).append(name)
    return (training, held_out) if training else (held_out, [])


def compute_statistics(
    store: FeatureStore, utterances: Sequence[Utterance], config: FeatureConfig
) -> Statistics:
    """Compute a speaker's statistics over utterances, which are read one after the other.

    Statistics of an F0 that is not analysed are zero. The standard deviation of a log-mel band has
    a lower limit.
    """
    mean, std = normalization.mean_and_std(lambda: store.read("spectra", utterances, MAX_FRAMES))

    if config.spectra == "log_mel":
        return Statistics(mean, np.maximum(std, log_mel.MIN_STD), 0.0, 0.0)

    def read_voiced_log_f0() -> Iterator[np.ndarray]:
        for chunk in store.read("f0_hz", utterances, MAX_FRAMES):
            f0_hz = chunk.astype(np.float64)
            yield np.log(f0_hz[f0_hz > 0])

    log_f0_mean, log_f0_std = normalization.mean_and_std(read_voiced_log_f0)
    return Statistics(mean, std, float(log_f0_mean), float(log_f0_std))
