"""Recordings as files, their utterances, and parts: one recording's features until they are packed.

A part is an npz file: the arrays of each utterance, and a list of them as JSON. It is written and
read one utterance after the other.
"""

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.system import files

ARRAYS = ("f0_hz", "spectra")

_ENTRIES = "utterances.json"


@dataclass(frozen=True)
class Recording:
    """A file as it was found: what tells whether it has changed since."""

    name: str
    size: int
    modified_ns: int

    @classmethod
    def of(cls, folder: Path, name: str) -> "Recording":
        """The recording `name`, relative to `folder`, as it is now."""
        status = (folder / name).stat()
        return cls(name, status.st_size, status.st_mtime_ns)

    @property
    def key(self) -> str:
        """Names its part; another size or time is another key."""
        return content_key([self.name, self.size, self.modified_ns])


@dataclass(frozen=True)
class Utterance:
    """A recording in the store, or a piece of one.

    Attributes:
        recording: The file it was made of.
        sha256: Of the file's bytes; empty where they could not be read.
        start: Its first frame in the arrays.
        frames: How many it has; 0 where it was skipped.
        skipped: Why it is not in the arrays; empty where it is.
        piece: Its number among the pieces of the recording; None of a whole one.
        begin_s: Where in the file it begins, in seconds.
        end_s: Where it ends.
        samples: How many it has at the file's rate, of each channel.
        clipped: How many of them are clipped; see `levels`.
        power: Mean square of its samples around their mean; full scale is 1.
    """

    recording: Recording
    sha256: str
    start: int
    frames: int
    skipped: str = ""
    piece: int | None = None
    begin_s: float = 0.0
    end_s: float = 0.0
    samples: int = 0
    clipped: int = 0
    power: float = 0.0

    @property
    def name(self) -> str:
        """The file's name, relative to the speaker's folder, and the piece's number."""
        number = "" if self.piece is None else f"#{self.piece:04}"
        return f"{self.recording.name}{number}"

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end_s - self.begin_s


Features = tuple[Utterance, np.ndarray, np.ndarray]
"""An utterance, its F0, (frames,), and its spectra, (frames, bins)."""


def part_path(store: Path, recording: Recording) -> Path:
    """Where the features of one recording wait to be packed."""
    return store / "parts" / f"{recording.key}.npz"


def write_part(path: Path, utterances: Iterable[Features]) -> None:
    """Writes the features of one recording, as they come, or why there are none."""
    with files.replacing(path) as partial, zipfile.ZipFile(partial, "w") as part:
        entries = []
        for number, (utterance, *arrays) in enumerate(utterances):
            entries.append(dataclasses.asdict(utterance))
            for name, array in zip(ARRAYS, arrays, strict=True):
                with part.open(f"{name}-{number}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array.astype(np.float32), allow_pickle=False)
        part.writestr(_ENTRIES, json.dumps(entries))


def read_part_entries(store: Path, recording: Recording) -> list[Utterance]:
    """The utterances of a recording that has a part."""
    with zipfile.ZipFile(part_path(store, recording)) as part:
        entries = json.loads(part.read(_ENTRIES))
    return [Utterance(**{**entry, "recording": recording}) for entry in entries]


def read_part(store: Path, recording: Recording) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """F0 and spectra of each utterance in a part that has frames."""
    with np.load(part_path(store, recording), allow_pickle=False) as part:
        for number, entry in enumerate(read_part_entries(store, recording)):
            if entry.frames:
                yield part[f"f0_hz-{number}"], part[f"spectra-{number}"]


def content_key(data: Any) -> str:
    """A short hash of what JSON can hold."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
