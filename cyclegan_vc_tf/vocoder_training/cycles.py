"""Spectra that a run converted to the other voice and back, in time with the recordings.

A vocoder that heard recordings alone meets spectra at conversion that no recording has. A → B → A
of a recording is such a spectrum, and the recording is what it should sound like. The spectra are
kept in the run folder, so that a resumed training has the same ones:

    RUN/cycles.npy   (frames, bins) float32, rows of all training recordings in their order
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.audio.audio_files import AudioError
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.config.vocoder_training import RecordingsConfig, VocoderRunConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.progress import progress_bar
from cyclegan_vc_tf.training import other_runs
from cyclegan_vc_tf.vocoder_training.examples import Recording
from cyclegan_vc_tf.vocoders import vocoder_folders

FILE = "cycles.npy"

MAX_PIECE_S = 30.0
"""Duration above which recordings are converted in equal pieces, so that memory stays bounded."""


def check(run_dir: Path, config: VocoderRunConfig) -> None:
    """Refuse a run that cannot convert there and back; one that has done so is not looked for.

    Raises:
        InputError: It is not a run, lacks a generator, or has other features.
    """
    if config.recordings.has_cycles and not (run_dir / FILE).is_file():
        _open(config)


def _open(config: VocoderRunConfig) -> tuple[RunFolder, int]:
    name = config.recordings.cycle_run
    run, step = other_runs.open_other_run("cycle_run", name)
    if differences := vocoder_folders.list_differences(run.config.features, config.features):
        raise InputError(
            f"--cycle_run {name} has other features: {'; '.join(differences)}; expected the "
            "features that the vocoder takes"
        )
    return run, step


def add_cycles(
    run_dir: Path,
    config: VocoderRunConfig,
    recordings: Sequence[Recording],
    say: Callable[[str], None],
) -> list[Recording]:
    """Return recordings with the spectra of their cycles; those in the run folder are taken.

    Args:
        run_dir: Run folder of the vocoder.
        config: Settings of the run.
        recordings: Training recordings.
        say: Prints a line. It gets a warning about each folder that is not the run's speaker.

    Raises:
        InputError: The run cannot convert them, or the file in the run folder is damaged.
    """
    path = run_dir / FILE
    if not path.is_file():
        cycles = _convert_all(config, recordings, say)
        with files.replacing(path) as partial, partial.open("wb") as file:
            np.save(file, cycles)
    ends = np.cumsum([len(each.values) for each in recordings])
    bins = config.features.bins
    try:
        # A damaged header may promise more than fits into memory.
        cycles = np.load(path, mmap_mode="r", allow_pickle=False)
        if cycles.shape != (ends[-1], bins) or cycles.dtype != np.float32:
            raise ValueError(f"it has {cycles.dtype} numbers of shape {cycles.shape}")
        if not np.isfinite(cycles).all():
            raise ValueError("it has numbers that are not finite")
    except files.DAMAGE_ERRORS as error:
        raise InputError(
            f"{path} is damaged: {error}; expected float32 of shape {(int(ends[-1]), bins)}; "
            "remove it"
        ) from error
    # Mel-cepstra are followed by what generators do not convert: F0, voicing and aperiodicity.
    return [
        replace(each, cycle=np.concatenate([rows, each.values[:, bins:]], axis=1))
        for each, rows in zip(recordings, np.split(cycles, ends[:-1]), strict=True)
    ]


def _convert_all(
    config: VocoderRunConfig, recordings: Sequence[Recording], say: Callable[[str], None]
) -> np.ndarray:
    """Convert recordings of both speakers to the other one and back, (frames, bins) float32."""
    run, step = _open(config)
    name, bins = config.recordings.cycle_run, config.features.bins
    # Nothing is synthesized: any vocoder will do.
    converters = {
        each: Converter.for_run(run, each, run.load_generator(each, step)[0], VocoderConfig())
        for each in Direction
    }
    sides = [_find_side(each.path, config.recordings) for each in recordings]
    pairs = list(zip(recordings, sides, strict=True))
    for side, folder in zip("AB", config.recordings.audio_dir, strict=True):
        own = [each.values[:, :bins] for each, at in pairs if at == side]
        if not own:
            raise InputError(
                f"--audio_dir {folder} has no recording of speaker {side} of --cycle_run {name}; "
                "expected two folders that do not lie in each other, with training recordings"
            )
        text = other_runs.describe_other_voice(
            folder, np.concatenate(own), run.statistics[side], side, "cycle_run", name
        )
        if text:
            say(f"{text} Name the folder of speaker A first, in a new run.")
    cycles, most = [], round(MAX_PIECE_S / config.features.hop_s)
    for each, side in progress_bar(pairs, desc="Converting there and back", unit="file"):
        there = Direction.A2B if side == "A" else Direction.B2A
        spectra = each.values[:, :bins]
        for piece in np.array_split(spectra, -(-len(spectra) // most)):
            for direction in (there, there.reverse):
                piece = _convert(converters[direction], piece, each.path, name)
            cycles.append(piece)
    return np.concatenate(cycles)


def _convert(converter: Converter, spectra: np.ndarray, path: Path, name: str) -> np.ndarray:
    """Convert spectra of a recording.

    Raises:
        InputError: The generator's output has NaN or infinite values.
    """
    try:
        return converter.convert_spectra(spectra)
    except AudioError as error:
        raise InputError(f"--cycle_run {name}: {path} {error}") from error


def _find_side(path: Path, config: RecordingsConfig) -> str:
    """Return the speaker of a recording: "A" for those of the first folder."""
    return "A" if path.is_relative_to(config.audio_dir[0]) else "B"
