"""Preparation: feature stores from folders of recordings, in worker processes or on a cluster.

Preparation may be interrupted at any moment; the next call continues it.
"""

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import corpus_summary, feature_store
from cyclegan_vc_tf.data import utterances as utterances_module
from cyclegan_vc_tf.data.analysis_worker import (
    analyse_file,
    analyse_remotely,
    skipped_features,
)
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.data.speakers import Speaker, compute_statistics, split_held_out
from cyclegan_vc_tf.data.utterances import Recording, Utterance
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.system import cluster, files, pool
from cyclegan_vc_tf.system.errors import InputError, escape_bytes
from cyclegan_vc_tf.system.progress import progress_bar
from cyclegan_vc_tf.system.remote_files import to_path


def prepare(corpus: CorpusConfig, config: FeatureConfig) -> dict[str, Speaker]:
    """Prepare both speakers of a run; work that was done before is not repeated.

    Returns:
        Speakers "A" (source) and "B" (target).

    Raises:
        InputError: A folder is missing, a speaker has no usable recording, or settings contradict
            each other.
    """
    sides = {
        "A": ("source_dir", corpus.source_dir, corpus.held_out_source_dir),
        "B": ("target_dir", corpus.target_dir, corpus.held_out_target_dir),
    }
    # All settings and folders are checked before any work begins.
    frontend.validate(config)
    corpus.validate()
    found = {}
    for side, (flag, given, given_held_out) in sides.items():
        if not given:
            raise InputError(f"--{flag} is not given; expected the folder of a speaker")
        folder = held_out_dir = to_path(given)
        names, held_out = _find_audio(flag, folder), None
        if given_held_out:
            held_out_dir = to_path(given_held_out)
            held_out = _find_audio(f"held_out_{flag}", held_out_dir)
            # A held-out folder may lie inside the speaker's folder.
            reserved = {(held_out_dir / name).resolve() for name in held_out}
            names = [name for name in names if (folder / name).resolve() not in reserved]
            if not names:
                raise InputError(
                    f"--held_out_{flag} {held_out_dir} leaves nothing to train on; expected some "
                    f"recordings of --{flag} outside it"
                )
        found[side] = flag, folder, names, held_out_dir, held_out
    prepared = {}
    for side, (flag, folder, names, held_out_dir, held_out) in found.items():
        store = prepare_store(folder, names, corpus, config)
        training = _usable_utterances(flag, folder, store)
        if held_out is None:
            usable = list(dict.fromkeys(utterance.recording.name for utterance in training))
            _, held_out = split_held_out(usable, corpus.held_out_fraction)
            excluded = set(held_out)
            training = [
                utterance for utterance in training if utterance.recording.name not in excluded
            ]
        statistics = compute_statistics(store, training, config)
        prepared[side] = Speaker(
            folder, store, training, held_out_dir, held_out, statistics,
            audio_files.find_unreadable(folder),
        )  # fmt: skip
    return prepared


def prepare_store(
    folder: Path, names: Sequence[str], corpus: CorpusConfig, config: FeatureConfig
) -> FeatureStore:
    """Update the feature store of a folder to its recordings.

    Args:
        folder: Folder of a speaker's recordings.
        names: Recordings to use, relative to `folder`.
        corpus: Folder of stores, settings of splitting, and number of processes.
        config: Settings of the analysis.

    Raises:
        InputError: The feature store cannot be written.
    """
    features_dir = feature_store.features_folder(corpus)
    store_dir = feature_store.speaker_store(folder, corpus, config)
    with (
        _naming_features_dir(features_dir, is_default=not corpus.features_dir),
        files.locked(store_dir / "lock", wait=True),
    ):
        store = FeatureStore(store_dir)
        recordings = Recording.from_folder(folder, names)
        known = store.entries
        pending = [
            recording
            for recording in recordings
            if recording not in known and not utterances_module.is_part_usable(store_dir, recording)
        ]
        if pending:
            _analyse_all(folder, pending, store_dir, config, corpus)
        if set(recordings) != set(known):
            store = feature_store.pack(store, recordings, config.bins)
        # Also those of a process that was killed after it had written the index.
        feature_store.remove_leftovers(store)
        corpus_summary.write(store, config)
        return store


@contextmanager
def _naming_features_dir(features_dir: Path, *, is_default: bool) -> Iterator[None]:
    """Name `--features_dir` in errors of the system about the folder.

    Args:
        features_dir: Folder of feature stores.
        is_default: Whether no `--features_dir` is given.

    Raises:
        InputError: A file in the folder cannot be read or written, or the disk is full.
    """
    try:
        yield
    except OSError as error:
        inside = error.filename and Path(os.fsdecode(error.filename)).is_relative_to(features_dir)
        # A library that writes a file may not name it.
        above = error.filename and features_dir.is_relative_to(os.fsdecode(error.filename))
        if not (inside or above or error.filename is None):
            raise
        received = (
            f"no --features_dir is given, and its default {features_dir}"
            if is_default
            else f"--features_dir {features_dir}"
        )
        raise InputError(
            f"{received} cannot be written ({error.strerror or error}); give a folder that can"
        ) from error


def _usable_utterances(flag: str, folder: Path, store: FeatureStore) -> list[Utterance]:
    """Return the utterances of a store that have features.

    Raises:
        InputError: There are none.
    """
    if not store.utterances:
        reasons = "; ".join(
            f"{utterance.name} {utterance.skipped}" for utterance in store.skipped[:3]
        )
        more = f" and {len(store.skipped) - 3} more" if len(store.skipped) > 3 else ""
        raise InputError(
            f"--{flag} {folder} has no usable recording ({reasons}{more}); "
            "expected recordings of speech"
        )
    return store.utterances


def _find_audio(flag: str, folder: Path) -> list[str]:
    """Find the audio files of a folder.

    Raises:
        InputError: The folder does not exist, cannot be read, or has no audio file.
    """
    try:
        names = audio_files.find(folder)
    except InputError as error:
        raise InputError(f"--{flag} {error}") from None
    if not names:
        raise InputError(
            f"--{flag} {folder} has no audio file ({audio_files.count_files(folder)} others); "
            f"expected files ending in {', '.join(sorted(audio_files.readable_extensions()))}"
        )
    return names


def _analyse_all(
    folder: Path,
    pending: Sequence[Recording],
    store_dir: Path,
    config: FeatureConfig,
    corpus: CorpusConfig,
) -> None:
    """Analyse recordings in worker processes or on a cluster, with a progress bar."""
    description = f"Preparing {escape_bytes(folder.name)}"
    with (
        progress_bar(total=len(pending), desc=description, unit="file") as progress,
        closing(
            _analyse_on_cluster(folder, pending, config, corpus, progress.set_postfix_str)
            if corpus.scheduler
            else _analyse_here(folder, pending, store_dir, config, corpus)
        ) as outcomes,
    ):
        for outcome in outcomes:
            part = utterances_module.part_path(store_dir, outcome.item)
            if not outcome.survived:
                reason = "killed its worker (out of memory, or a fault in the analysis)"
                # Without a hash, the next preparation tries it again.
                skipped = skipped_features(outcome.item, "", reason, config)
                utterances_module.write_part(part, [skipped])
            elif outcome.result is not None:
                files.write_bytes(part, outcome.result)
            progress.update()


def _analyse_here(
    folder: Path,
    pending: Sequence[Recording],
    store_dir: Path,
    config: FeatureConfig,
    corpus: CorpusConfig,
) -> Generator[pool.Outcome[Recording, None], None, None]:
    """Analyse recordings in processes of this machine, which write the parts."""
    processes = min(corpus.workers or pool.available_cores(), len(pending))
    task = partial(analyse_file, folder, store_dir, config, corpus)
    return pool.map_tasks(task, pending, processes, retry=True)


def _analyse_on_cluster(
    folder: Path,
    pending: Sequence[Recording],
    config: FeatureConfig,
    corpus: CorpusConfig,
    report: Callable[[str], None],
) -> Generator[pool.Outcome[Recording, bytes], None, None]:
    """Analyse recordings on a cluster, which sends the parts."""
    task = partial(analyse_remotely, folder, config, corpus)
    return cluster.map_tasks(task, pending, corpus.scheduler, report)
