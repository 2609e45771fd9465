"""Adaptation of a live conversion to a voice, from recordings of it."""

from pathlib import Path

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.conversion.converter import MIN_FRAMES
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
    config, analysed = run.config.features, []
    left = round(adaptation.MAX_SPEECH_S * config.sample_rate_hz)
    for recording in _list_recordings(path):
        try:
            samples, _ = audio_files.read_resampled(recording, config.sample_rate_hz)
        except audio_files.AudioError as error:
            raise InputError(f"--adapt_to {recording} {error}") from error
        piece = samples[:left]
        enough = frontend.frame_count(len(piece), config) >= MIN_FRAMES
        if enough and not audio_files.is_silent(piece):
            analysed.append(frontend.analyse(piece, config))
            left -= len(piece)
        if left == 0 or len(piece) < len(samples):
            break
    if not analysed:
        raise InputError(
            f"--adapt_to {path} is silent or too short; expected some seconds of speech"
        )
    return adaptation.estimate(analysed, run.statistics[direction.source], config)


def _list_recordings(path: Path) -> list[Path]:
    """Return a recording, or those of a folder by name.

    Raises:
        InputError: The path does not exist, or the folder has no recording.
    """
    if path.is_file():
        return [path]
    try:
        names = audio_files.find(path)
    except InputError as error:
        raise InputError(f"--adapt_to {error}") from None
    if not names:
        raise InputError(f"--adapt_to {path} has no recording; expected some seconds of speech")
    return [path / name for name in names]
