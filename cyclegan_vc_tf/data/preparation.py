"""From folders of recordings to feature stores: in worker processes, resumable at any moment.

Imports nothing that needs TensorFlow: every worker process imports this module.
"""

import hashlib
import os
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs

from cyclegan_vc_tf.audio import audio_files, levels, resampling, segmentation
from cyclegan_vc_tf.audio.levels import Levels
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import corpus_summary, feature_store, utterances
from cyclegan_vc_tf.data import utterances as utterances_module
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.data.utterances import Features, Recording, Utterance
from cyclegan_vc_tf.features import frontend, log_mel, normalization
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.system import files, pool
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.progress import progress_bar

MAX_LISTED_SKIPPED = 20
"""Recordings, or pieces, that were skipped and are named one by one."""

MAX_FRAMES = 2**16
"""Frames of an utterance that are in memory at once when statistics are taken."""


@dataclass(frozen=True)
class Speaker:
    """One side of a corpus, prepared.

    Attributes:
        folder: Its recordings.
        store: Their features.
        training: The utterances that are learned from.
        held_out_dir: Where the recordings are that are not.
        held_out: Their names, relative to it: whole files.
        statistics: Of the training utterances.
    """

    folder: Path
    store: FeatureStore
    training: list[Utterance]
    held_out_dir: Path
    held_out: list[str]
    statistics: Statistics

    def describe(self, config: FeatureConfig) -> str:
        """What was found, in a line, and a line for each recording that was skipped."""
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
        lines += [f"  skipped {each.name}: {each.skipped}" for each in skipped[:MAX_LISTED_SKIPPED]]
        if len(skipped) > MAX_LISTED_SKIPPED:
            path = self.store.folder / corpus_summary.SUMMARY_FILE
            lines.append(f"  and {len(skipped) - MAX_LISTED_SKIPPED} more, by reason in {path}")
        if not self.held_out and any(each.piece is not None for each in self.training):
            lines.append(
                "  nothing is held out, for that would be whole files; give a held-out folder to "
                "hear speech that was not learned from"
            )
        return "\n".join(lines)


def recordings_table(speakers: Mapping[str, Speaker]) -> dict[str, Any]:
    """What a run folder keeps of its recordings, to be written as JSON."""
    return {
        name: {
            "folder": str(speaker.folder),
            "training": {each.recording.name: each.sha256 for each in speaker.training},
            "held_out_folder": str(speaker.held_out_dir),
            "held_out": speaker.held_out,
        }
        for name, speaker in speakers.items()
    }


def prepare(corpus: CorpusConfig, config: FeatureConfig) -> dict[str, Speaker]:
    """Prepares both speakers of a corpus; does only the work that was not done before.

    Returns:
        The speakers A (source) and B (target).

    Raises:
        InputError: A folder is missing, a speaker has nothing that can be used, or settings
            contradict each other.
    """
    sides = {
        "A": ("source_dir", corpus.source_dir, corpus.held_out_source_dir),
        "B": ("target_dir", corpus.target_dir, corpus.held_out_target_dir),
    }
    # What can be refused is refused before any work is done.
    frontend.validate(config)
    segmentation.validate(corpus)
    found = {}
    for side, (flag, folder, held_out_dir) in sides.items():
        if not folder:
            raise InputError(f"--{flag} is not given; expected the folder of a speaker")
        names, held_out = _audio_files(flag, Path(folder)), None
        if held_out_dir:
            held_out = _audio_files(f"held_out_{flag}", Path(held_out_dir))
            # A held-out folder may lie within the speaker's.
            reserved = {(Path(held_out_dir) / name).resolve() for name in held_out}
            names = [name for name in names if (Path(folder) / name).resolve() not in reserved]
            if not names:
                raise InputError(f"--held_out_{flag} {held_out_dir} leaves nothing to train on")
        found[side] = names, held_out
    prepared = {}
    for side, (flag, folder, held_out_dir) in sides.items():
        names, held_out = found[side]
        store = prepare_store(Path(folder), names, corpus, config)
        training = _usable_utterances(flag, Path(folder), store)
        if held_out is None:
            held_out_dir = folder
            usable = list(dict.fromkeys(each.recording.name for each in training))
            _, held_out = split_held_out(usable, corpus.held_out_fraction)
            apart = set(held_out)
            training = [each for each in training if each.recording.name not in apart]
        statistics = compute_statistics(store, training, config)
        prepared[side] = Speaker(
            Path(folder), store, training, Path(held_out_dir), held_out, statistics
        )
    return prepared


def prepare_store(
    folder: Path, names: Sequence[str], corpus: CorpusConfig, config: FeatureConfig
) -> FeatureStore:
    """Brings the store of a folder up to date with its recordings.

    Args:
        folder: A speaker's recordings.
        names: Those to use, relative to `folder`.
        corpus: Where stores are, whether recordings are split, and how many processes work.
        config: The analysis.
    """
    features_dir = Path(corpus.features_dir or platformdirs.user_cache_dir("cyclegan_vc_tf"))
    store_dir = feature_store.store_folder(features_dir, folder, config, corpus.splitting)
    with files.locked(store_dir / "lock", wait=True):
        store = FeatureStore(store_dir)
        recordings = [Recording.of(folder, name) for name in names]
        known = store.entries
        pending = [
            recording
            for recording in recordings
            if recording not in known
            and not utterances_module.part_path(store_dir, recording).exists()
        ]
        if pending:
            _analyse_all(folder, pending, store_dir, config, corpus)
        if set(recordings) != set(known):
            store = feature_store.pack(store, recordings, config.bins)
        corpus_summary.write(store, config)
        return store


def split_held_out(names: Sequence[str], held_out_fraction: float) -> tuple[list[str], list[str]]:
    """Training and held-out names, by a hash of each file name without its ending.

    A name falls on the same side for both speakers, and whatever other files there are. Where
    nothing would be left to train on, nothing is held out.
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
    """A speaker's statistics over `utterances`, read one after the other.

    Those of an F0 that was not analysed are zero; a log-mel band has a least deviation.
    """
    mean, deviation = normalization.mean_and_std(
        lambda: store.read("spectra", utterances, MAX_FRAMES)
    )

    if config.spectra == "log_mel":
        return Statistics(mean, np.maximum(deviation, log_mel.MIN_STD), 0.0, 0.0)

    def voiced_log_f0() -> Iterator[np.ndarray]:
        for read_hz in store.read("f0_hz", utterances, MAX_FRAMES):
            f0_hz = read_hz.astype(np.float64)
            yield np.log(f0_hz[f0_hz > 0])

    log_f0_mean, log_f0_std = normalization.mean_and_std(voiced_log_f0)
    return Statistics(mean, deviation, float(log_f0_mean), float(log_f0_std))


def _usable_utterances(flag: str, folder: Path, store: FeatureStore) -> list[Utterance]:
    if not store.utterances:
        reasons = "; ".join(f"{each.name} {each.skipped}" for each in store.skipped[:3])
        more = f" and {len(store.skipped) - 3} more" if len(store.skipped) > 3 else ""
        raise InputError(
            f"--{flag} {folder} has nothing that can be used ({reasons}{more}); "
            "expected recordings of speech"
        )
    return store.utterances


def _audio_files(flag: str, folder: Path) -> list[str]:
    try:
        names = audio_files.find(folder)
    except InputError as error:
        raise InputError(f"--{flag} {error}") from None
    if not names:
        others = sum(path.is_file() for path in folder.rglob("*"))
        raise InputError(
            f"--{flag} {folder} has no audio file ({others} others); "
            f"expected files ending in {', '.join(sorted(audio_files.EXTENSIONS))}"
        )
    return names


def _analyse_all(
    folder: Path,
    pending: Sequence[Recording],
    store_dir: Path,
    config: FeatureConfig,
    corpus: CorpusConfig,
) -> None:
    """Analyses recordings in worker processes, with a progress bar."""
    processes = min(corpus.workers or pool.available_cores(), len(pending))
    task = partial(analyse_file, folder, store_dir, config, corpus)
    with progress_bar(total=len(pending), desc=f"Preparing {folder.name}", unit="file") as progress:
        for recording, survived in pool.map_tasks(task, pending, processes):
            if not survived:
                reason = "killed its worker (out of memory, or a fault in the analysis)"
                # Without a hash, it is tried again the next time.
                skipped = skipped_features(recording, "", reason, config)
                utterances_module.write_part(
                    utterances_module.part_path(store_dir, recording), [skipped]
                )
            progress.update()


def analyse_file(
    folder: Path,
    store_dir: Path,
    config: FeatureConfig,
    corpus: CorpusConfig,
    recording: Recording,
) -> None:
    """Writes the part of one recording, or the reason why it cannot be used.

    Args:
        folder: The speaker's recordings.
        store_dir: The store.
        config: The analysis.
        corpus: Whether the recording is split, and how.
        recording: The recording.
    """
    path = folder / recording.name
    part, sha256 = utterances.part_path(store_dir, recording), ""
    try:
        sha256 = files.sha256(path)
        utterances.write_part(part, _analyse_recording(path, recording, sha256, config, corpus))
    except audio_files.AudioError as error:
        utterances.write_part(part, [skipped_features(recording, sha256, str(error), config)])
    except OSError as error:
        # Without a hash, it is tried again the next time.
        reason = f"cannot be opened ({error.strerror})"
        utterances.write_part(part, [skipped_features(recording, "", reason, config)])


def skipped_features(
    recording: Recording, sha256: str, reason: str, config: FeatureConfig
) -> Features:
    """A recording that cannot be used, with F0 and spectra of no frames."""
    return Utterance(recording, sha256, 0, 0, reason), *_no_features(config)


def _analyse_recording(
    path: Path, recording: Recording, sha256: str, config: FeatureConfig, corpus: CorpusConfig
) -> Iterator[Features]:
    """A recording's utterances: itself, or its pieces, one in memory at a time."""
    measured = levels.measure(path)
    if measured.is_silent:
        raise audio_files.AudioError("is silent")
    rate_hz = measured.sample_rate_hz
    if not corpus.split_silence or measured.samples <= corpus.longest_piece_s * rate_hz:
        samples, _ = audio_files.read_resampled(path, config.sample_rate_hz)
        about = _new_utterance(recording, sha256, measured, None, (0, measured.samples))
        yield _analyse_utterance(about, samples, config)
        return
    cuts = segmentation.find_pieces(measured, corpus)
    if not cuts:
        raise audio_files.AudioError("has nothing but clicks between silences")
    with closing(_read_pieces(path, cuts)) as pieces:
        for number, (cut, samples) in enumerate(zip(cuts, pieces, strict=True)):
            about = _new_utterance(recording, sha256, measured, number, cut)
            resampled = resampling.resample(samples, rate_hz, config.sample_rate_hz)
            yield _analyse_utterance(about, resampled, config)


def _new_utterance(
    recording: Recording, sha256: str, measured: Levels, piece: int | None, cut: tuple[int, int]
) -> Utterance:
    """An utterance before its analysis."""
    moments = slice(cut[0] // measured.moment_samples, -(-cut[1] // measured.moment_samples))
    return Utterance(
        recording,
        sha256,
        start=0,
        frames=0,
        piece=piece,
        begin_s=cut[0] / measured.sample_rate_hz,
        end_s=cut[1] / measured.sample_rate_hz,
        samples=cut[1] - cut[0],
        clipped=int(measured.clipped[moments].sum()),
        power=measured.power(moments),
    )


def _analyse_utterance(about: Utterance, samples: np.ndarray, config: FeatureConfig) -> Features:
    """The same with its features, or with the reason why there are none."""
    f0_hz, spectra = frontend.analyse_for_training(samples, config)
    if config.spectra == "mel_cepstra" and not f0_hz.any():
        return replace(about, skipped="has no voiced frame"), *_no_features(config)
    return replace(about, frames=len(spectra)), f0_hz, spectra


def _read_pieces(path: Path, cuts: Sequence[tuple[int, int]]) -> Generator[np.ndarray, None, None]:
    """Samples of each piece, (samples,) float32; the recording is read forward, once."""
    with audio_files.open_audio(path) as sound:
        blocks, begun, held = audio_files.read_blocks(sound), 0, np.zeros(0, np.float32)
        for begin, end in cuts:
            while begun + len(held) < end:
                # What lies before the piece is not needed any more.
                done = min(begin - begun, len(held))
                begun, held = begun + done, np.concatenate([held[done:], next(blocks)[1]])
            yield held[begin - begun : end - begun]


def _no_features(config: FeatureConfig) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0), np.zeros((0, config.bins), np.float32)
