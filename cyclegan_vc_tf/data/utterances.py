"""Recordings, their utterances, and the part files that hold one recording's features.

A part is an npz file with the arrays of each utterance and a JSON list of the utterances. It is
written and read one utterance at a time, and removed once the feature store holds its content.
"""

import dataclasses
import hashlib
import json
import os
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.system import array_archives, files
from cyclegan_vc_tf.system.remote_files import RemotePath

ARRAYS = ("f0_hz", "spectra")
"""Names of an utterance's arrays."""

_ENTRIES = "utterances.json"


@dataclass(frozen=True)
class Recording:
    """State of an audio file, by which later changes are detected.

    Attributes:
        name: Name relative to the speaker's folder.
        size: Size in bytes.
        modified_ns: Time of the last modification, in ns.
    """

    name: str
    size: int
    modified_ns: int

    @classmethod
    def from_file(cls, folder: Path, name: str) -> "Recording":
        """Return the current state of the file `name`, relative to `folder`."""
        return cls.from_status(name, (folder / name).stat())

    @classmethod
    def from_folder(cls, folder: Path, names: Sequence[str]) -> "list[Recording]":
        """Return the current state of the files `names`, relative to `folder`.

        Raises:
            OSError: A file cannot be read.
            InputError: Object storage cannot be read.
        """
        if isinstance(folder, RemotePath):
            # One look at the folder, not one per file.
            listed = folder.list_files()
            return [
                cls.from_status(name, listed[name])
                if name in listed
                else cls.from_file(folder, name)
                for name in names
            ]
        return [cls.from_file(folder, name) for name in names]

    @classmethod
    def from_status(cls, name: str, status: os.stat_result) -> "Recording":
        """Return the state of a file from its status."""
        return cls(name, status.st_size, status.st_mtime_ns)

    @property
    def key(self) -> str:
        """Name of the recording's part; it changes with the file's size or time."""
        return content_key([self.name, self.size, self.modified_ns])


@dataclass(frozen=True)
class Utterance:
    """A recording in the feature store, or one piece of it.

    Attributes:
        recording: Audio file of the utterance.
        sha256: SHA-256 of the file's bytes; empty if they could not be read.
        start: First frame in the arrays of the store.
        frames: Number of frames; 0 if the utterance was skipped.
        skipped: Reason why the utterance has no features; empty if it has them.
        piece: Number of the piece in the recording; None for a whole recording.
        begin_s: Beginning in the file, in seconds.
        end_s: End in the file, in seconds.
        samples: Samples per channel at the file's rate.
        clipped: Number of clipped samples; see `levels`.
        power: Mean square of the samples around their mean; full scale is 1.
        warnings: Defects of the recording that did not prevent reading.
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
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the file, relative to the speaker's folder, and number of the piece."""
        number = "" if self.piece is None else f"#{self.piece:04}"
        return f"{self.recording.name}{number}"

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.end_s - self.begin_s

    def to_json(self) -> dict[str, Any]:
        """Return the fields for JSON; warnings are left out if there are none."""
        fields = dataclasses.asdict(self)
        if not self.warnings:
            del fields["warnings"]
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any], recording: Recording) -> "Utterance":
        """Return the utterance of a recording from its fields in JSON."""
        warnings = tuple(fields.get("warnings", ()))
        return cls(**{**fields, "recording": recording, "warnings": warnings})


AnalysedUtterance = tuple[Utterance, np.ndarray, np.ndarray]
"""An utterance, its F0, (frames,), and its spectra, (frames, bins)."""


def part_path(store: Path, recording: Recording) -> Path:
    """Return the path of a recording's part."""
    return store / "parts" / f"{recording.key}.npz"


def write_part(path: Path, utterances: Iterable[AnalysedUtterance]) -> None:
    """Write the utterances of one recording to its part as they are analysed."""
    with files.replacing(path) as partial, zipfile.ZipFile(partial, "w") as part:
        entries = []
        for number, (utterance, *arrays) in enumerate(utterances):
            entries.append(utterance.to_json())
            for name, array in zip(ARRAYS, arrays, strict=True):
                with part.open(f"{name}-{number}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, array.astype(np.float32), allow_pickle=False)
        # Unlike `writestr`, it records no time: equal features make equal files.
        with part.open(_ENTRIES, "w") as file:
            file.write(json.dumps(entries).encode())


def read_part_entries(store: Path, recording: Recording) -> list[Utterance]:
    """Read the list of utterances in a recording's part."""
    with zipfile.ZipFile(part_path(store, recording)) as part:
        entries = files.parse_json(part.read(_ENTRIES))
    return [Utterance.from_json(entry, recording) for entry in entries]


def is_part_usable(store: Path, recording: Recording) -> bool:
    """Return whether a recording has a part that is not damaged."""
    try:
        frames = [len(spectra) for f0_hz, spectra in read_part(store, recording)]
        entries = read_part_entries(store, recording)
    # zipfile and zlib raise many types for damaged files.
    except Exception:
        return False
    return bool(entries) and frames == [entry.frames for entry in entries if entry.frames]


def read_part(store: Path, recording: Recording) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read F0 and spectra of each utterance with frames in a recording's part."""
    entries = read_part_entries(store, recording)
    with array_archives.open_arrays(part_path(store, recording)) as part:
        for number, entry in enumerate(entries):
            if entry.frames:
                yield part[f"f0_hz-{number}"], part[f"spectra-{number}"]


def content_key(data: Any) -> str:
    """Return a short hash of data that JSON can hold."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
