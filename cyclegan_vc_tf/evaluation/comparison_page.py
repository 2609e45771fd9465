"""Page of a comparison: players, spectrograms, and measures of the faults that one hears.

FOLDER/index.html        the page; it loads nothing from elsewhere
FOLDER/artifacts.json    measures by direction, system and recording
FOLDER/A2B/1/*.wav       each system's recording, and its spectrogram as *.png
"""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.audio import audio_files, plots
from cyclegan_vc_tf.evaluation import pages
from cyclegan_vc_tf.evaluation.artifacts import Artifacts
from cyclegan_vc_tf.evaluation.scoring import mean_of_measured
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, escape_bytes


@dataclass(frozen=True)
class ArtifactInfo:
    """Presentation of a measure: title, unit, digits after the point, and meaning."""

    title: str
    unit: str
    digits: int
    meaning: str


ARTIFACT_INFO = {
    "peak": ArtifactInfo(
        "Peak", "full scale", 2, "Largest sample. Above 1 the recording is scaled down as a whole."
    ),
    "clicks_per_s": ArtifactInfo(
        "Clicks", "per s", 2,
        "Sudden changes that are over within a millisecond.",
    ),
    "edge_db": ArtifactInfo(
        "Edges", "dB", 0,
        "Level of the first and the last millisecond from the peak; near 0, the recording begins "
        "or ends with a click.",
    ),
    "burst_db": ArtifactInfo(
        "Burst", "dB", 1,
        "How far the loudest moment stands above the source's level, beyond the usual gain.",
    ),
    "jumps_per_s": ArtifactInfo(
        "Level jumps", "per s", 2,
        "Places where the level moves away from the source's by more than 20 dB within 20 ms.",
    ),
    "buzz": ArtifactInfo(
        "Buzz", "0 to 2", 2,
        "How deep F0 modulates the noise from 4 to 7.5 kHz in voiced speech.",
    ),
}  # fmt: skip
"""Measures by name, in the order of `Artifacts`."""


SOURCE, TARGET = "source", "target"
"""Titles of the recordings that systems are compared with."""


@dataclass(frozen=True)
class Sound:
    """A recording on the page.

    Attributes:
        system: Title of its system, `SOURCE` or `TARGET`.
        samples: Waveform, (samples,).
        sample_rate_hz: Its sample rate, in Hz.
        artifacts: Its measures.
        path: The recording, or that which was converted.
        warnings: Warnings about that recording, each without its name.
    """

    system: str
    samples: np.ndarray
    sample_rate_hz: int
    artifacts: Artifacts
    path: Path
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Comparison:
    """What a page was made of.

    Attributes:
        artifacts: Measures by direction, system and recording.
        left_out: Sentences that say which run and vocoder do not fit each other.
        warnings: Warnings by recording, each without its name.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> page = vc.compare(["runs/trained"], "comparison", examples=1)
        >>> list(page.artifacts["A2B"])
        ['source', 'trained', 'target']
    """

    artifacts: dict[str, dict[str, dict[str, Artifacts]]]
    left_out: tuple[str, ...] = ()
    warnings: dict[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)

    def means(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Return means over recordings by direction, system and measure; None without a value."""
        return {
            direction: {
                system: {
                    name: mean_of_measured([getattr(each, name) for each in recordings.values()])
                    for name in ARTIFACT_INFO
                }
                for system, recordings in systems.items()
            }
            for direction, systems in self.artifacts.items()
        }


def to_text(comparison: Comparison) -> str:
    """Format the means as lines to print, one per direction and system."""
    return pages.to_text(comparison.means(), digits=2)


PAGE, MEASURES = "index.html", "artifacts.json"


def refuse_other_folder(folder: Path) -> None:
    """Refuse a folder that holds something else than a page of a comparison.

    Raises:
        InputError: The folder has files, and is not such a page; or it is a file.
    """
    if folder.is_dir():
        is_page = all((folder / name).is_file() for name in (PAGE, MEASURES))
        if any(folder.iterdir()) and not is_page:
            raise InputError(
                f"--output {folder} holds other files; expected a new folder, or a page of "
                "compare, which is replaced"
            )
    elif folder.exists():
        raise InputError(f"--output {folder} is a file; expected the folder of the page")


def write_sounds(folder: Path, place: Path, sounds: Sequence[Sound]) -> list[dict[str, Any]]:
    """Write the recordings of a sentence and their spectrograms.

    Args:
        folder: Folder of the page.
        place: Folder of the recordings, from there.
        sounds: Recordings.

    Returns:
        Variables of the page's template by recording.
    """
    figures = plots.plot_each_spectrogram(
        {sound.system: (sound.samples, sound.sample_rate_hz) for sound in sounds}
    )
    cells = []
    for number, sound in enumerate(sounds):
        # Titles may have characters that a file's name cannot have.
        stem = place / f"{number}-{re.sub(r'[^A-Za-z0-9]+', '-', sound.system).strip('-')[:60]}"
        wav, picture = f"{stem.as_posix()}.wav", f"{stem.as_posix()}.png"
        audio_files.write(folder / wav, sound.samples, sound.sample_rate_hz)
        files.write_bytes(folder / picture, plots.render_png(figures[sound.system]))
        cells.append(
            {"system": sound.system, "wav": wav, "picture": picture, "warnings": sound.warnings}
            | {"values": _format_values(dataclasses.asdict(sound.artifacts))}
        )
    return cells


def write_page(folder: Path, directions: Sequence[dict[str, Any]], comparison: Comparison) -> None:
    """Write the page and its measures.

    Args:
        folder: Folder of the page.
        directions: Name of each direction, and its rows of `write_sounds`.
        comparison: Measures.
    """
    for direction, means in zip(directions, comparison.means().values(), strict=True):
        direction["means"] = {system: _format_values(values) for system, values in means.items()}
    pages.write(
        folder / PAGE,
        "comparison.html",
        directions=directions,
        measures=ARTIFACT_INFO,
        left_out=comparison.left_out,
    )
    measured = {
        direction: {
            system: {name: dataclasses.asdict(each) for name, each in recordings.items()}
            for system, recordings in by_system.items()
        }
        for direction, by_system in comparison.artifacts.items()
    }
    text = json.dumps({"means": comparison.means(), "recordings": measured}, indent=1)
    files.write_text(folder / MEASURES, escape_bytes(text) + "\n")


def _format_values(values: Mapping[str, float | None]) -> dict[str, str]:
    """Format measures; empty where one was not measured."""
    texts = {}
    for name, info in ARTIFACT_INFO.items():
        value = values[name]
        texts[name] = "" if value is None else f"{value:.{info.digits}f}"
    return texts
