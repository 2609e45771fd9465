"""Adaptation of a live conversion to a voice, from recordings of it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.conversion import converter
from cyclegan_vc_tf.features import adaptation, frontend
from cyclegan_vc_tf.features.adaptation import Adaptation
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError


def find(run: RunFolder, direction: Direction, path: str | Path) -> Adaptation | None:
    """Return the adaptation to the voice of `--adapt_to`; None where that was not given.

    Args:
        run: Run folder.
        direction: Direction of conversion.
        path: Recording of the voice, or folder of recordings; empty where it was not given.

    Raises:
        InputError: As `estimate` says.
    """
    return estimate(run, direction, Path(path).expanduser()) if str(path) else None


def estimate(run: RunFolder, direction: Direction, path: Path) -> Adaptation:
    """Estimate the map of a voice's features to those of the source speaker.

    Unlike that of whole recordings, the map moves the level too: the level of a stream is not known
    in advance. Record the voice with the microphone and the settings of the conversion.

    Args:
        run: Run folder.
        direction: Direction of conversion.
        path: Recording of the voice, or folder of recordings. They are used in the order of their
            names, up to `adaptation.MAX_SPEECH_S`.

    Raises:
        InputError: There is no recording, one cannot be read, or all are silent or too short.
    """
    config = run.config.features
    analysed = converter.analyse_voice(
        _read(_list_recordings(path), config.sample_rate_hz),
        config,
        lambda samples: frontend.analyse(samples, config),
    )
    if not analysed:
        raise InputError(
            f"--adapt_to {path} is silent or too short; expected some seconds of speech"
        )
    return adaptation.estimate(analysed, run.statistics[direction.source], config)


def _list_recordings(path: Path) -> list[Path]:
    """Return a recording, or those of a folder by name."""
    if path.is_file():
        return [path]
    names = audio_files.find_for_flag("adapt_to", path, "some seconds of speech")
    return [path / name for name in names]


def _read(paths: Iterable[Path], sample_rate_hz: int) -> Iterator[np.ndarray]:
    """Yield the samples of recordings."""
    for path in paths:
        try:
            yield audio_files.read_resampled(path, sample_rate_hz)[0]
        except audio_files.AudioError as error:
            raise InputError(f"--adapt_to {path} {error}") from error
