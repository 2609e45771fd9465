"""The feature store of one speaker: all frames in memory-mapped arrays, and an index.

    STORE/index.json                what is in it; renamed into place last
    STORE/spectra-KEY.npy           (frames, bins) float32, utterance after utterance
    STORE/f0_hz-KEY.npy             (frames,) float32, 0 where unvoiced or not analysed
    STORE/cuts.tsv                  where recordings were cut into pieces, if they were
    STORE/summary.json, .png        what is in it, for people; see `corpus_summary`
    STORE/parts/KEY.npz             one recording's features, until they are packed

Writing and reading stand side by side here. A store belongs to one folder of recordings and one
set of feature settings.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data.utterances import (
    ARRAYS,
    Recording,
    Utterance,
    content_key,
    read_part,
    read_part_entries,
)
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import single_line

FORMAT = 3
"""Raised when features of the same settings would come out differently."""

CUTS = "cuts.tsv"


class FeatureStore:
    """A store as it is on disk; without an index it is empty.

    Attributes:
        folder: Where it is.
        utterances: Those that can be used, sorted by the file's name.
        skipped: Those that cannot.
        spectra: Mel-cepstra or log-mel spectra, (frames, bins) float32, memory-mapped.
        f0_hz: (frames,) float32, memory-mapped.
        key: Of its index; another content, another key.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        entries, self.key = _read_index(folder)
        self.utterances = [entry for entry in entries if not entry.skipped]
        self.skipped = [entry for entry in entries if entry.skipped]
        if entries:
            self.spectra = _memory_map(_array_path(folder, "spectra", self.key))
            self.f0_hz = _memory_map(_array_path(folder, "f0_hz", self.key))

    @property
    def entries(self) -> dict[Recording, list[Utterance]]:
        """Everything that was read, by the file it was made of."""
        found: dict[Recording, list[Utterance]] = {}
        for entry in sorted((*self.utterances, *self.skipped), key=lambda each: each.piece or 0):
            if entry.sha256:
                found.setdefault(entry.recording, []).append(entry)
        return found

    def spectra_of(self, utterance: Utterance) -> np.ndarray:
        """(frames, bins) float32, a view of the mapped array."""
        return self.spectra[utterance.start : utterance.start + utterance.frames]

    def f0_hz_of(self, utterance: Utterance) -> np.ndarray:
        """(frames,) float32, a view of the mapped array."""
        return self.f0_hz[utterance.start : utterance.start + utterance.frames]

    def read(
        self, name: str, utterances: Iterable[Utterance], most_frames: int
    ) -> Iterator[np.ndarray]:
        """Reads utterances one after the other, without mapping them into memory.

        Args:
            name: "spectra" or "f0_hz".
            utterances: Of this store.
            most_frames: A longer utterance comes in several pieces.

        Yields:
            (frames, bins) or (frames,) float32.
        """
        mapped = getattr(self, name)
        shape, values = mapped.shape[1:], int(np.prod(mapped.shape[1:]))
        with _array_path(self.folder, name, self.key).open("rb") as file:
            head = file.seek(0, 2) - mapped.nbytes
            for each in utterances:
                file.seek(head + 4 * values * each.start)
                for begun in range(0, each.frames, most_frames):
                    frames = min(most_frames, each.frames - begun)
                    yield np.fromfile(file, "<f4", frames * values).reshape(frames, *shape)


def store_folder(
    features_dir: Path,
    speaker_dir: Path,
    config: FeatureConfig,
    splitting: Mapping[str, float] | None = None,
) -> Path:
    """Where the store of a speaker's folder is: another setting that counts, another store.

    Args:
        features_dir: Of all stores.
        speaker_dir: The recordings.
        config: The analysis.
        splitting: How they are cut into pieces; nothing where they are not.
    """
    key = content_key([FORMAT, str(speaker_dir), config.used, dict(splitting or {})])
    return features_dir / f"{speaker_dir.name}-{key}"


def pack(old: FeatureStore, recordings: Sequence[Recording], bins: int) -> FeatureStore:
    """Makes the store hold exactly `recordings`, from its parts and from what it has.

    One utterance is in memory at a time. Until the new index is in place, the old store stands.

    Args:
        old: The store as it is.
        recordings: What it is to hold; each is in the store already or has a part.
        bins: Values a frame.
    """
    store, known = old.folder, old.entries
    utterances, start = [], 0
    for recording in recordings:
        for entry in known.get(recording) or read_part_entries(store, recording):
            utterances.append(dataclasses.replace(entry, start=start))
            start += entry.frames
    index = {"format": FORMAT, "utterances": [dataclasses.asdict(each) for each in utterances]}
    key = content_key(index)
    with (
        _new_array(store, "f0_hz", key, (start,)) as f0_hz_file,
        _new_array(store, "spectra", key, (start, bins)) as spectra_file,
    ):
        for recording in recordings:
            for f0_hz, spectra in _read_arrays(old, known.get(recording), recording):
                f0_hz_file.write(np.ascontiguousarray(f0_hz, np.float32).data)
                spectra_file.write(np.ascontiguousarray(spectra, np.float32).data)
    _write_cuts(store, utterances)
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
        for name in ARRAYS:
            if len(_memory_map(_array_path(store, name, index["key"]))) != frames:
                return [], ""
    except (OSError, ValueError, KeyError, TypeError):
        return [], ""
    return entries, index["key"]


def _read_arrays(
    old: FeatureStore, known: list[Utterance] | None, recording: Recording
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """F0 and spectra of each utterance of a recording that has frames."""
    if known is not None:
        for entry in known:
            if entry.frames:
                yield old.f0_hz_of(entry), old.spectra_of(entry)
        return
    yield from read_part(old.folder, recording)


def _array_path(store: Path, name: str, key: str) -> Path:
    return store / f"{name}-{key}.npy"


@contextmanager
def _new_array(store: Path, name: str, key: str, shape: tuple[int, ...]) -> Iterator[IO[bytes]]:
    """An array file of this shape, to write float32 values to; whole or not there."""
    about = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with files.replacing(_array_path(store, name, key)) as partial, partial.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, about)
        yield file


def _write_cuts(store: Path, utterances: Sequence[Utterance]) -> None:
    """A table of the pieces, for people to read, if there are any."""
    lines = [
        f"{single_line(each.name)}\t{each.begin_s:.3f}\t{each.end_s:.3f}\t{single_line(each.skipped)}\n"
        for each in utterances
        if each.piece is not None
    ]
    if lines:
        files.write_text(store / CUTS, "".join(["piece\tbegin_s\tend_s\tskipped\n", *lines]))
    else:
        (store / CUTS).unlink(missing_ok=True)


def _memory_map(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:  # An array of no frames cannot be mapped.
        return np.load(path, allow_pickle=False)


def _remove_leftovers(store: Path, key: str) -> None:
    """Removes parts that are packed, arrays of an earlier index, and what a kill left behind."""
    keep = {_array_path(store, name, key) for name in ARRAYS}
    for path in (*store.glob("parts/*"), *store.glob("parts/.*"), *store.glob("*.npy")):
        if path not in keep:
            path.unlink(missing_ok=True)
    for path in store.glob(f".*{files.PARTIAL_SUFFIX}"):
        path.unlink(missing_ok=True)
