"""Comparison of several runs and vocoders on the same sentences; see `comparison_page`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.evaluation import artifacts, comparison_page, pages
from cyclegan_vc_tf.evaluation.artifacts import Artifacts
from cyclegan_vc_tf.evaluation.comparison_page import SOURCE, TARGET, Comparison, Sound
from cyclegan_vc_tf.evaluation.evaluation_sets import EvaluationSet
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.progress import progress_bar


@dataclass(frozen=True)
class System:
    """One way to convert.

    Attributes:
        title: Name on the page.
        converters: Converters by direction; a direction may be missing.
    """

    title: str
    converters: Mapping[Direction, Converter]


def make_systems(
    runs: Mapping[str, RunFolder], step: str, vocoders: Sequence[str]
) -> tuple[list[System], list[str]]:
    """Make a system of each run and each vocoder that fits it.

    Args:
        runs: Runs by title.
        step: Step of the checkpoints: a number, "last" or "best".
        vocoders: Values of `VocoderConfig.vocoder`; without one, each run has its own vocoder.

    Returns:
        Systems, and a sentence for each run and vocoder that do not fit each other.

    Raises:
        InputError: A run has no such checkpoint, its own vocoder is not usable, or no vocoder fits
            it.
    """
    systems: list[System] = []
    left_out: list[str] = []
    for title, run in runs.items():
        picked = run.pick(step)
        generators = {
            direction: run.load_generator(direction, picked)[0]
            for direction in run.directions(picked)
        }
        own = run.config.vocoder
        before = len(systems)
        for vocoder in dict.fromkeys(vocoders or [own.vocoder]):
            choice = replace(own, vocoder=vocoder)
            named = f"{title}, {_vocoder_title(run, choice, vocoders)}" if vocoders else title
            try:
                converters = {
                    direction: Converter.for_run(run, direction, generator, choice)
                    for direction, generator in generators.items()
                }
            except InputError as error:
                if not vocoders:
                    raise
                left_out.append(f"{title} with {vocoder}: {error}")
                continue
            systems.append(System(named, converters))
        if len(systems) == before:
            raise InputError(f"no vocoder of --vocoders fits --run_dirs {title}: {left_out[-1]}")
    return systems, left_out


def _vocoder_title(run: RunFolder, choice: VocoderConfig, vocoders: Sequence[str]) -> str:
    """Return the name of a run's vocoder for a reader; its path where another has this name."""
    if run.config.features.spectra == "mel_cepstra" and not choice.is_trained_here:
        return "WORLD"
    names = {"griffin_lim": "Griffin-Lim", "melgan": "MelGAN"}
    name = names.get(choice.vocoder, Path(choice.vocoder).name)
    others = [other for other in vocoders if other != choice.vocoder]
    return choice.vocoder if name in (Path(other).name for other in others) else name


def write(
    folder: Path,
    systems: Sequence[System],
    sets: Mapping[Direction, EvaluationSet],
    examples: int,
    left_out: Sequence[str] = (),
) -> Comparison:
    """Convert the first recordings of each direction by all systems, and write the page.

    Args:
        folder: Folder of the page; an existing one is replaced when the new one is complete.
        systems: Systems, with different titles.
        sets: Recordings of each direction.
        examples: Recordings per direction.
        left_out: Sentences to show about systems that could not be made.

    Raises:
        AudioError: A recording cannot be used, or a converter's output is not finite.
        OSError: The folder cannot be written.
    """
    found: dict[str, dict[str, dict[str, Artifacts]]] = {}
    warnings: dict[str, tuple[str, ...]] = {}
    directions = []
    with files.building(folder, replaces=True) as partial:
        total = sum(min(examples, len(recordings.sources)) for recordings in sets.values())
        with progress_bar(desc="Comparing", unit="recording", total=total) as progress:
            for direction, recordings in sets.items():
                if not any(direction in system.converters for system in systems):
                    continue
                rows: list[dict[str, Any]] = []
                for name in list(recordings.sources)[:examples]:
                    sounds = list(_convert(direction, systems, recordings, name))
                    place = Path(str(direction)) / f"{len(rows) + 1}"
                    cells = comparison_page.write_sounds(partial, place, sounds)
                    rows.append({"name": name, "cells": cells})
                    for sound in sounds:
                        by_system = found.setdefault(str(direction), {})
                        by_system.setdefault(sound.system, {})[name] = sound.artifacts
                        path = str(sound.path)
                        if known := dict.fromkeys((*warnings.get(path, ()), *sound.warnings)):
                            warnings[path] = tuple(known)
                    progress.update()
                directions.append({"name": pages.direction_title(direction), "rows": rows})
        comparison = Comparison(found, tuple(left_out), warnings)
        comparison_page.write_page(partial, directions, comparison)
    return comparison


def _convert(
    direction: Direction, systems: Sequence[System], recordings: EvaluationSet, name: str
) -> Iterator[Sound]:
    """Yield the source, each system's conversion of it, and the target's recording if any."""
    path = recordings.sources[name]
    usable = [system for system in systems if direction in system.converters]
    first_rate_hz = usable[0].converters[direction].config.sample_rate_hz
    source = _record(SOURCE, path, first_rate_hz)
    yield source
    sources = {first_rate_hz: source.samples}
    for system in usable:
        converter = system.converters[direction]
        rate_hz = converter.config.sample_rate_hz
        if rate_hz not in sources:
            sources[rate_hz] = _read(path, rate_hz)[0]
        converted = sources[rate_hz].copy()
        try:
            warnings = converter.convert_in_place(converted)
        except audio_files.AudioError as error:
            raise audio_files.AudioError(f"{system.title}: {path} {error}") from error
        measured = artifacts.measure(converted, rate_hz, sources[rate_hz])
        yield Sound(system.title, converted, rate_hz, measured, path, warnings)
    if name in recordings.references:
        yield _record(TARGET, recordings.references[name], first_rate_hz)


def _record(title: str, path: Path, sample_rate_hz: int) -> Sound:
    """Return a recording as it is."""
    samples, damage = _read(path, sample_rate_hz)
    measured = artifacts.measure(samples, sample_rate_hz)
    return Sound(title, samples, sample_rate_hz, measured, path, damage)


def _read(path: Path, sample_rate_hz: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the samples of a recording and warnings about it, each without its name."""
    try:
        samples, recording = audio_files.read_resampled(path, sample_rate_hz)
        return samples, recording.warnings
    except audio_files.AudioError as error:
        raise audio_files.AudioError(f"{path} {error}") from error
