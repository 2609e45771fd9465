"""The feature store of one speaker: all frames in memory-mapped arrays, and an index.

    STORE/index.json                what is in it; renamed into place last
    STORE/spectra-KEY.npy           (frames, bins) float32, utterance after utterance
    STORE/f0_hz-KEY.npy             (frames,) float32, 0 where unvoiced or not analysed
    STORE/parts/KEY.npz             one recording's features, until they are packed

Writing and reading stand side by side here. A store belongs to one folder of recordings and one
set of feature settings.
"""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf import files
from cyclegan_vc_tf.config import FeatureConfig

FORMAT = 2
"""Raised when features of the same settings would come out differently."""


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
        return _key([self.name, self.size, self.modified_ns])


@dataclass(frozen=True)
class Utterance:
    """A recording in the store.

    Attributes:
        recording: The file it was made of.
        sha256: Of the file's bytes; empty where they could not be read.
        start: Its first frame in the arrays.
        frames: How many it has; 0 where it was skipped.
        skipped: Why it is not in the arrays; empty where it is.
    """

    recording: Recording
    sha256: str
    start: int
    frames: int
    skipped: str = ""

    @property
    def name(self) -> str:
        """The file's name, relative to the speaker's folder."""
        return self.recording.name


class FeatureStore:
    """A store as it is on disk; without an index it is empty.

    Attributes:
        folder: Where it is.
        utterances: Those that can be used, sorted by name.
        skipped: Those that cannot.
        spectra: Mel-cepstra or log-mel spectra, (frames, bins) float32, memory-mapped.
        f0_hz: (frames,) float32, memory-mapped.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        entries, key = _read_index(folder)
        self.utterances = [entry for entry in entries if not entry.skipped]
        self.skipped = [entry for entry in entries if entry.skipped]
        if entries:
            self.spectra = _map(_array_path(folder, "spectra", key))
            self.f0_hz = _map(_array_path(folder, "f0_hz", key))

    @property
    def entries(self) -> dict[Recording, Utterance]:
        """Everything that was read, by the file it was made of."""
        entries = (*self.utterances, *self.skipped)
        return {entry.recording: entry for entry in entries if entry.sha256}

    def spectra_of(self, utterance: Utterance) -> np.ndarray:
        """(frames, bins) float32, a view of the mapped array."""
        return self.spectra[utterance.start : utterance.start + utterance.frames]

    def f0_hz_of(self, utterance: Utterance) -> np.ndarray:
        """(frames,) float32, a view of the mapped array."""
        return self.f0_hz[utterance.start : utterance.start + utterance.frames]


def store_folder(features_dir: Path, speaker_dir: Path, config: FeatureConfig) -> Path:
    """Where the store of a speaker's folder is: another setting that counts, another store."""
    key = _key([FORMAT, str(speaker_dir), config.used])
    return features_dir / f"{speaker_dir.name}-{key}"


def part_path(store: Path, recording: Recording) -> Path:
    """Where the features of one recording wait to be packed."""
    return store / "parts" / f"{recording.key}.npz"


def write_part(
    path: Path, sha256: str, f0_hz: np.ndarray, spectra: np.ndarray, skipped: str = ""
) -> None:
    """Writes the features of one recording, or why there are none."""
    with files.replacing(path) as partial, partial.open("wb") as file:
        np.savez(
            file,
            f0_hz=f0_hz.astype(np.float32),
            spectra=spectra,
            sha256=np.array(sha256),
            skipped=np.array(skipped),
        )


def pack(old: FeatureStore, recordings: Sequence[Recording], bins: int) -> FeatureStore:
    """Makes the store hold exactly `recordings`, from its parts and from what it has.

    The index is renamed into place last: killed before that, the old store still stands.

    Args:
        old: The store as it is.
        recordings: What it is to hold; each is in the store already or has a part.
        bins: Values a frame.
    """
    store, known = old.folder, old.entries
    utterances, start = [], 0
    for recording in recordings:
        entry = known.get(recording) or _entry_of_part(store, recording)
        utterances.append(dataclasses.replace(entry, start=start))
        start += entry.frames
    index = {"format": FORMAT, "utterances": [dataclasses.asdict(each) for each in utterances]}
    key = _key(index)
    spectra = _new_array(store, "spectra", key, (start, bins))
    f0_hz = _new_array(store, "f0_hz", key, (start,))
    for new in utterances:
        if not new.frames:
            continue
        rows = slice(new.start, new.start + new.frames)
        if new.recording in known:
            entry = known[new.recording]
            spectra[rows], f0_hz[rows] = old.spectra_of(entry), old.f0_hz_of(entry)
        else:
            with np.load(part_path(store, new.recording), allow_pickle=False) as part:
                spectra[rows], f0_hz[rows] = part["spectra"], part["f0_hz"]
    spectra.flush()
    f0_hz.flush()
    files.write_text(store / "index.json", json.dumps({**index, "key": key}))
    _remove_leftovers(store, key)
    return FeatureStore(store)


def _read_index(store: Path) -> tuple[list[Utterance], str]:
    """What the index says; nothing where there is none, or none that can be used."""
    try:
        index = json.loads((store / "index.json").read_text(encoding="utf-8"))
        if index["format"] != FORMAT:
            return [], ""
        entries = [
            Utterance(**{**each, "recording": Recording(**each["recording"])})
            for each in index["utterances"]
        ]
        frames = sum(entry.frames for entry in entries)
        for name in ("spectra", "f0_hz"):
            if len(_map(_array_path(store, name, index["key"]))) != frames:
                return [], ""
    except (OSError, ValueError, KeyError, TypeError):
        return [], ""
    return entries, index["key"]


def _entry_of_part(store: Path, recording: Recording) -> Utterance:
    with np.load(part_path(store, recording), allow_pickle=False) as part:
        return Utterance(
            recording, str(part["sha256"]), 0, len(part["f0_hz"]), str(part["skipped"])
        )


def _array_path(store: Path, name: str, key: str) -> Path:
    return store / f"{name}-{key}.npy"


def _new_array(store: Path, name: str, key: str, shape: tuple[int, ...]) -> np.memmap:
    """An array file of this shape to fill; one of no frames is written as it is."""
    path = _array_path(store, name, key)
    if 0 in shape:
        np.save(path, np.zeros(shape, np.float32))
        return np.zeros(shape, np.float32).view(np.memmap)
    return np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=shape)


def _map(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # An array of no frames cannot be mapped.
        return np.load(path, allow_pickle=False)


def _remove_leftovers(store: Path, key: str) -> None:
    """Removes parts that are packed, arrays of an earlier index, and what a kill left behind."""
    keep = {_array_path(store, name, key) for name in ("spectra", "f0_hz")}
    for path in (*store.glob("parts/*"), *store.glob("parts/.*"), *store.glob("*.npy")):
        if path not in keep:
            path.unlink(missing_ok=True)
    for path in store.glob(f".*{files.PARTIAL_SUFFIX}"):
        path.unlink(missing_ok=True)


def _key(data: Any) -> str:
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:16]
