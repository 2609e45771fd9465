"""Statistics of a generator's norms over training recordings, kept in the run folder.

RUN/norms.npz   step, and mean and variance by direction and layer
"""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.network import FRAME_MULTIPLE
from cyclegan_vc_tf.data import feature_store
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.models import streaming_norm
from cyclegan_vc_tf.models.streaming_norm import Moments
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import array_archives, files
from cyclegan_vc_tf.system.remote_files import to_path

FILE = "norms.npz"
"""Name of the file in a run folder."""

UTTERANCES = 32
"""Largest number of training utterances that are measured, evenly spaced."""

MAX_FRAMES = 4000
"""Largest number of frames of an utterance that are measured: 20 s at 5 ms."""


def find(run: RunFolder, direction: Direction, generator: keras.Model, step: int) -> Moments:
    """Return the statistics of a generator's norms; empty where they cannot be known.

    They are read from the run folder, or measured over the feature store of the source speaker and
    then kept in the run folder, if it can be written.

    Args:
        run: Run folder.
        direction: Direction of the generator.
        generator: The generator.
        step: Step of its weights.
    """
    names = {norm.name for norm in streaming_norm.find_norms(generator)}
    kept = read(run.path / FILE, step)
    if kept.get(direction, {}).keys() == names:
        return kept[direction]
    utterances = _training_spectra(run, direction.source)
    if not utterances:
        return {}
    moments = streaming_norm.measure_moments(generator, utterances)
    # A run folder may be read-only.
    with suppress(OSError):
        write(run.path / FILE, step, {**kept, direction: moments})
    return moments


def read(path: Path, step: int) -> dict[str, Moments]:
    """Read statistics by direction; empty without a usable file for this step."""
    found: dict[str, Moments] = {}
    try:
        with array_archives.open_arrays(path) as arrays:
            if int(arrays["step"]) != step:
                return {}
            for key in arrays:
                if "/" in key:
                    direction, layer = key.split("/")
                    mean, variance = arrays[key]
                    found.setdefault(direction, {})[layer] = mean, variance
    except (OSError, ValueError, LookupError, TypeError):
        return {}
    return found


def write(path: Path, step: int, moments: Mapping[Any, Moments]) -> None:
    """Write statistics by direction."""
    arrays: dict[str, Any] = {
        f"{direction}/{layer}": np.stack(values)
        for direction, layers in moments.items()
        for layer, values in layers.items()
    }
    with files.replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, step=np.asarray(step), **arrays)


def _training_spectra(run: RunFolder, speaker: str) -> list[np.ndarray]:
    """Return normalised spectra of some training utterances, from the speaker's feature store."""
    corpus = run.config.corpus
    folder = {"A": corpus.source_dir, "B": corpus.target_dir}[speaker]
    if not folder:
        return []
    store = FeatureStore(feature_store.speaker_store(to_path(folder), corpus, run.config.features))
    names = run.recordings[speaker]
    usable = [each for each in store.utterances if each.recording.name in names]
    spectra = []
    for utterance in usable[:: max(1, -(-len(usable) // UTTERANCES))]:
        frames = min(utterance.frames, MAX_FRAMES) // FRAME_MULTIPLE * FRAME_MULTIPLE
        if frames:
            values = store.spectra_of(utterance)[:frames]
            spectra.append(normalization.normalize(values, run.statistics[speaker]))
    return spectra
