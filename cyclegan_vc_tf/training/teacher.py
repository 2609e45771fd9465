"""Teacher of a training: another run of the same two speakers, whose conversions come first.

Unpaired training has no examples of what a generator should return. A teacher makes them: speech
that it converts is in time with its source, frame by frame. The teacher's conversions of all
training recordings are kept in the run folder, so that a resumed training has the same ones:

    RUN/teacher/A2B.npy     (frames, bins) float32, rows as in the feature store of speaker A
    RUN/teacher/B2A.npy     the same for speaker B
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.conversion.voice_converter import VoiceConverter
from cyclegan_vc_tf.data.speakers import Speaker
from cyclegan_vc_tf.data.utterances import Utterance
from cyclegan_vc_tf.features import frontend, vtln
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import files, remote_files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.progress import progress_bar
from cyclegan_vc_tf.training import other_runs

FOLDER = "teacher"
"""Folder of a run with the teacher's conversions."""

COMPARED_UTTERANCES = 8
"""Number of utterances by which a speaker is compared with the teacher's."""


def check(run_dir: Path, config: RunConfig) -> None:
    """Refuse a teacher that cannot teach; one that is not needed any more is not looked for.

    Args:
        run_dir: Run folder, which may not exist yet.
        config: Settings of the run.

    Raises:
        InputError: The teacher is not a run, lacks a generator, or has a lower sample rate.
    """
    if config.training.has_teacher and not _is_ready(run_dir):
        open_teacher(config)


def open_teacher(config: RunConfig) -> tuple[RunFolder, VoiceConverter]:
    """Return the run that is a run's teacher, and its converter, at its last checkpoint.

    Raises:
        InputError: The teacher is not a run, lacks a generator, or has a lower sample rate.
    """
    name = config.training.teacher_run
    run, step = other_runs.open_other_run("teacher_run", name)
    try:
        teacher = VoiceConverter(run, step)
    except InputError as error:
        raise InputError(f"--teacher_run {name}: {error}") from error
    own_rate_hz = config.features.sample_rate_hz
    if teacher.sample_rate_hz < own_rate_hz:
        raise InputError(
            f"--teacher_run {name} has a sample rate of {teacher.sample_rate_hz} Hz; expected at "
            f"least --sample_rate_hz, {own_rate_hz}"
        )
    return run, teacher


def prepare(
    run_dir: Path,
    config: RunConfig,
    speakers: Mapping[str, Speaker],
    say: Callable[[str], None],
) -> None:
    """Convert all training recordings with the teacher, unless the run folder has them already.

    Args:
        run_dir: Run folder.
        config: Settings of the run.
        speakers: Speakers "A" and "B" of the run.
        say: Prints a line. It gets a warning about each speaker who is not the teacher's.

    Raises:
        InputError: The teacher cannot be used, or a recording cannot be read any more.
    """
    if _is_ready(run_dir):
        return
    run, teacher = open_teacher(config)
    for side, speaker in speakers.items():
        text = other_runs.describe_other_voice(
            speaker.folder.name,
            _some_spectra(speaker, run.config.features),
            run.statistics[side],
            side,
            "teacher_run",
            config.training.teacher_run,
        )
        if text:
            say(f"{text} The generators will learn the voices of the teacher's speakers.")
    with files.building(run_dir / FOLDER, replaces=True) as folder:
        for direction in Direction:
            path = folder / f"{direction}.npy"
            _convert_all(teacher, direction, speakers[direction.source], config, path)


def load(run_dir: Path, direction: Direction, speaker: Speaker) -> np.ndarray:
    """Return the conversions of a speaker's recordings, (frames, bins) float32, memory-mapped.

    Args:
        run_dir: Run folder.
        direction: Direction of the conversion.
        speaker: Its source speaker.

    Raises:
        InputError: The file is damaged, or belongs to other recordings.
    """
    path, expected = run_dir / FOLDER / f"{direction}.npy", speaker.store.spectra.shape
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except files.DAMAGE_ERRORS as error:
        raise InputError(f"{path} cannot be read ({error}); remove its folder") from error
    if array.shape != expected or array.dtype != np.float32:
        raise InputError(
            f"{path} has {array.dtype} numbers of shape {array.shape}; expected float32 of shape "
            f"{expected}; remove its folder"
        )
    return array


def _is_ready(run_dir: Path) -> bool:
    return (run_dir / FOLDER).is_dir()


def _some_spectra(speaker: Speaker, config: FeatureConfig) -> np.ndarray:
    """Return the spectra of some utterances of a speaker, (frames, bins).

    Args:
        speaker: Speaker of the run.
        config: The teacher's settings of the analysis.
    """
    rate_hz, spectra = config.sample_rate_hz, []
    picked = vtln.pick_evenly(speaker.training, COMPARED_UTTERANCES)
    for name, utterances in _by_recording(picked).items():
        samples = _read(speaker, name, rate_hz)
        pieces = (_cut(utterance, samples, rate_hz) for utterance in utterances)
        spectra += [frontend.analyse_for_training(piece, config)[1] for piece in pieces]
    return np.concatenate(spectra)


def _by_recording(utterances: Iterable[Utterance]) -> dict[str, list[Utterance]]:
    """Group utterances by their recording's name, so that each recording is read once."""
    found: dict[str, list[Utterance]] = {}
    for utterance in utterances:
        found.setdefault(utterance.recording.name, []).append(utterance)
    return found


def _read(speaker: Speaker, name: str, sample_rate_hz: int) -> np.ndarray:
    """Read a recording of a speaker, (samples,) float32.

    Raises:
        InputError: The recording cannot be read any more.
    """
    path = speaker.folder / name
    try:
        with remote_files.local_copy(path) as local:
            return audio_files.read_resampled(local, sample_rate_hz)[0]
    except (audio_files.AudioError, OSError) as error:
        raise InputError(f"{path} cannot be converted by --teacher_run ({error})") from error


def _convert_all(
    teacher: VoiceConverter, direction: Direction, speaker: Speaker, config: RunConfig, path: Path
) -> None:
    """Write the features of a speaker's converted training recordings, row by row of the store.

    Raises:
        InputError: A recording cannot be read any more, or the teacher returns NaN.
    """
    # In the file, for a large corpus does not fit into memory. Rows that are not written are zero.
    rows = np.lib.format.open_memmap(path, "w+", np.float32, speaker.store.spectra.shape)
    for name, utterances in progress_bar(
        _by_recording(speaker.training).items(), desc=f"Teacher {direction}", unit="file"
    ):
        rate_hz = config.features.sample_rate_hz
        samples = _read(speaker, name, rate_hz)
        try:
            with warnings.catch_warnings():
                # The preparation has warned of recordings without an upper band.
                warnings.simplefilter("ignore", UserWarning)
                converted = teacher.convert(samples, rate_hz, direction)
        except audio_files.AudioError as error:
            raise InputError(
                f"--teacher_run {config.training.teacher_run}: {speaker.folder / name} {error}"
            ) from error
        for utterance in utterances:
            place = slice(utterance.start, utterance.start + utterance.frames)
            rows[place] = _features_of(utterance, converted, config.features)
    rows.flush()


def _features_of(utterance: Utterance, converted: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Return the spectra of an utterance of a converted recording, as many frames as it has."""
    samples = _cut(utterance, converted, config.sample_rate_hz)
    _, spectra = frontend.analyse_for_training(samples, config)
    # A piece is resampled from its own beginning, and may have a sample more or less.
    missing = max(utterance.frames - len(spectra), 0)
    return np.pad(spectra, ((0, missing), (0, 0)), mode="edge")[: utterance.frames]


def _cut(utterance: Utterance, samples: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Return an utterance's part of its recording, (samples,)."""
    if utterance.piece is None:
        return samples
    times_s = (utterance.begin_s, utterance.end_s)
    return samples[slice(*(round(time_s * sample_rate_hz) for time_s in times_s))]
