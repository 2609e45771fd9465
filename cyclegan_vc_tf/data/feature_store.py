"""Feature store of one speaker: all frames in memory-mapped arrays, and an index.

    STORE/index.json                list of utterances; written last
    STORE/spectra-KEY.npy           (frames, bins) float32, all utterances in order
    STORE/f0_hz-KEY.npy             (frames,) float32, 0 where unvoiced or not analysed
    STORE/cuts.tsv                  times of the pieces, if recordings were cut into pieces
    STORE/summary.json, .png        summary for users; see `corpus_summary`
    STORE/parts/KEY.npz             features of one recording, until they are packed

A store belongs to one folder of recordings and one set of feature settings.
"""

import dataclasses
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
import platformdirs

from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data.utterances import (
    ARRAYS,
    Recording,
    Utterance,
    content_key,
    read_part,
    read_part_entries,
)
from cyclegan_vc_tf.system import array_archives, files
from cyclegan_vc_tf.system.errors import single_line

FORMAT = 3
"""Format number; it rises when equal settings give different features than before."""

CUTS = "cuts.tsv"
"""Name of the table of pieces."""


class FeatureStore:
    """A feature store on disk; a store without an index is empty.

    Attributes:
        folder: Folder of the store.
        utterances: Utterances with features, sorted by file name.
        skipped: Utterances without features.
        spectra: Mel-cepstra or log-mel spectra, (frames, bins) float32, memory-mapped.
        f0_hz: F0 in Hz, (frames,) float32, memory-mapped.
        key: Hash of the content, from the index.
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
        """All utterances of files that could be read, by recording."""
        found: dict[Recording, list[Utterance]] = {}
        utterances = sorted((*self.utterances, *self.skipped), key=lambda entry: entry.piece or 0)
        for entry in utterances:
            if entry.sha256:
                found.setdefault(entry.recording, []).append(entry)
        return found

    def spectra_of(self, utterance: Utterance) -> np.ndarray:
        """Return the spectra of an utterance, (frames, bins) float32, a view of the array."""
        return self.spectra[utterance.start : utterance.start + utterance.frames]

    def f0_hz_of(self, utterance: Utterance) -> np.ndarray:
        """Return the F0 of an utterance in Hz, (frames,) float32, a view of the array."""
        return self.f0_hz[utterance.start : utterance.start + utterance.frames]

    def read(
        self, name: str, utterances: Iterable[Utterance], max_frames: int
    ) -> Iterator[np.ndarray]:
        """Read the frames of utterances in order, without mapping them into memory.

        Args:
            name: Name of the array, "spectra" or "f0_hz".
            utterances: Utterances of this store.
            max_frames: Largest number of frames per chunk; a longer utterance has several chunks.

        Yields:
            Chunks, (frames, bins) or (frames,) float32.
        """
        mapped = getattr(self, name)
        shape, values = mapped.shape[1:], int(np.prod(mapped.shape[1:]))
        with _array_path(self.folder, name, self.key).open("rb") as file:
            header_bytes = file.seek(0, 2) - mapped.nbytes
            for utterance in utterances:
                file.seek(header_bytes + 4 * values * utterance.start)
                for begin in range(0, utterance.frames, max_frames):
                    frames = min(max_frames, utterance.frames - begin)
                    yield np.fromfile(file, "<f4", frames * values).reshape(frames, *shape)


def features_folder(corpus: CorpusConfig) -> Path:
    """Return the folder of all stores: `features_dir`, by default in the user's cache folder."""
    return Path(corpus.features_dir or platformdirs.user_cache_dir("cyclegan_vc_tf"))


def speaker_store(speaker_dir: Path, corpus: CorpusConfig, config: FeatureConfig) -> Path:
    """Return the folder of a speaker's store under the settings of a run.

    Args:
        speaker_dir: Folder of the recordings.
        corpus: Folder of all stores, and settings of splitting.
        config: Settings of the analysis.
    """
    return store_folder(features_folder(corpus), speaker_dir, config, corpus.splitting)


def store_folder(
    features_dir: Path,
    speaker_dir: Path,
    config: FeatureConfig,
    splitting: Mapping[str, float] | None = None,
) -> Path:
    """Return the folder of a speaker's store, which depends on all settings that change features.

    Args:
        features_dir: Folder of all stores.
        speaker_dir: Folder of the recordings.
        config: Settings of the analysis.
        splitting: Settings of splitting into pieces; empty if recordings are not split.
    """
    key = content_key([FORMAT, str(speaker_dir), config.used, dict(splitting or {})])
    return features_dir / files.extended_name(features_dir / speaker_dir.name, f"-{key}")


def pack(old: FeatureStore, recordings: Sequence[Recording], bins: int) -> FeatureStore:
    """Rewrite a store to hold exactly `recordings`, from its arrays and its parts.

    One utterance is in memory at a time. The old store is valid until the new index is written.

    Args:
        old: Current store.
        recordings: Recordings of the new store; each is in the current store or has a part.
        bins: Values per frame.
    """
    store, known = old.folder, old.entries
    utterances, start = [], 0
    for recording in recordings:
        for entry in known.get(recording) or read_part_entries(store, recording):
            utterances.append(dataclasses.replace(entry, start=start))
            start += entry.frames
    index = {"format": FORMAT, "utterances": [entry.to_json() for entry in utterances]}
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
    checksums = {name: files.crc32(_array_path(store, name, key)) for name in ARRAYS}
    files.write_text(store / "index.json", json.dumps({**index, "key": key, "crc32": checksums}))
    return FeatureStore(store)


def remove_leftovers(store: FeatureStore) -> None:
    """Remove packed parts, arrays of an earlier index, and partial files of a killed process."""
    folder = store.folder
    keep = {_array_path(folder, name, store.key) for name in ARRAYS}
    for path in (*folder.glob("parts/*"), *folder.glob("parts/.*"), *folder.glob("*.npy")):
        if path not in keep:
            path.unlink(missing_ok=True)
    for path in folder.glob(f".*{files.PARTIAL_SUFFIX}"):
        path.unlink(missing_ok=True)


def _read_index(store: Path) -> tuple[list[Utterance], str]:
    """Read utterances and key from the index; empty if it does not exist or is not usable."""
    try:
        index = files.read_json(store / "index.json")
        # The key is a hash of the rest, so a changed index is found. Old stores have no checksums.
        key, checksums = index.pop("key"), index.pop("crc32", {})
        if index["format"] != FORMAT or content_key(index) != key:
            return [], ""
        entries = [
            Utterance.from_json(entry, Recording(**entry["recording"]))
            for entry in index["utterances"]
        ]
        frames = sum(entry.frames for entry in entries)
        for name in ARRAYS:
            path = _array_path(store, name, key)
            if len(_memory_map(path)) != frames:
                return [], ""
            if name in checksums and checksums[name] != files.crc32(path):
                return [], ""
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return [], ""
    return entries, key


def _read_arrays(
    old: FeatureStore, known: list[Utterance] | None, recording: Recording
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Read F0 and spectra of each utterance with frames, from the old store or from the part."""
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
    """Open a new array file for float32 values; it exists completely or not at all."""
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    with files.replacing(_array_path(store, name, key)) as partial, partial.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        yield file


def _write_cuts(store: Path, utterances: Sequence[Utterance]) -> None:
    """Write a table of the pieces for users, if there are any."""
    lines = [
        f"{single_line(entry.name)}\t{entry.begin_s:.3f}\t{entry.end_s:.3f}\t"
        f"{single_line(entry.skipped)}\n"
        for entry in utterances
        if entry.piece is not None
    ]
    if lines:
        files.write_text(store / CUTS, "".join(["piece\tbegin_s\tend_s\tskipped\n", *lines]))
    else:
        (store / CUTS).unlink(missing_ok=True)


def _memory_map(path: Path) -> np.ndarray:
    """Map an array file into memory.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is damaged, or holds other than float32 values.
    """
    with path.open("rb") as file:
        shape, kind = array_archives.parse_header(file)
        begin = file.tell()
    stored = path.stat().st_size - begin
    if kind != np.dtype("<f4") or stored != math.prod(shape) * kind.itemsize:
        raise ValueError(f"{path} is damaged")
    if not stored:  # An array without frames cannot be mapped.
        return np.zeros(shape, kind)
    return np.memmap(path, kind, "r", begin, shape)
