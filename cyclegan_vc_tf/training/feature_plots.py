"""What features of a run look like as a whole: its voices as points, and how lively they are.

Made of spectra that are in feature stores already and of what the generators make of them; nothing
is synthesised.

RUN/projector_config.pbtxt               tells TensorBoard's projector of
RUN/projector/DIRECTION/tensors.tsv      a row an utterance: mean and deviation over its frames
RUN/projector/DIRECTION/metadata.tsv     what it is: source, converted or target; set; file
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from tensorboard.plugins import projector

from cyclegan_vc_tf.audio import audio_files, plots
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.conversion.converter import MIN_FRAMES, Converter
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.data.speakers import Speaker
from cyclegan_vc_tf.evaluation import metrics
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import files

MAX_TRAINING_UTTERANCES = 100
"""Training utterances of a speaker that are looked at; if there are more, evenly chosen ones."""

MAX_UTTERANCE_S = 10.0
"""Longer utterances are looked at as far as that."""

COLUMNS = "kind\tset\tutterance"
COLOURS = {"source": "#8b919c", "converted": "#2d63c8", "target": "#3c9a62"}


@dataclass(frozen=True)
class Sample:
    """An utterance to look at: its features, (frames, bins), and where it is from."""

    split: str
    name: str
    spectra: np.ndarray


class FeaturePlots:
    """The features of both speakers of a run that is being trained, and what becomes of them.

    Args:
        run: The run.
        speakers: Its speakers.
        converters: By direction; their generators are those that are being trained.
        say: Prints a line.
    """

    def __init__(
        self,
        run: RunFolder,
        speakers: Mapping[str, Speaker],
        converters: Mapping[Direction, Converter],
        say: Callable[[str], None],
    ) -> None:
        self.run, self.speakers, self.converters, self.say = run, speakers, converters, say

    def write(self, step: int) -> None:
        """Converts them, writes pictures to TensorBoard and points for its projector."""
        for direction in Direction:
            source = self._samples[direction.source]
            target = self._samples[direction.target]
            kinds = {
                "source": source,
                "converted": self._converted(direction, source),
                "target": target,
            }
            self._write_points(direction, kinds)
            for name, figure in self._figures(kinds).items():
                pixels = plots.render_pixels(figure)[np.newaxis]
                tf.summary.image(f"{direction}/{name}", pixels, step)
        _write_projector_config(self.run)

    def _converted(self, direction: Direction, samples: Sequence[Sample]) -> list[Sample]:
        converter, converted = self.converters[direction], []
        for each in samples:
            try:
                spectra = converter.convert_spectra(each.spectra)
            except audio_files.AudioError as error:
                self.say(f"{direction}: {each.name} {error}; TensorBoard goes without it")
                continue
            converted.append(Sample(each.split, each.name, spectra))
        return converted

    def _write_points(self, direction: Direction, kinds: Mapping[str, Sequence[Sample]]) -> None:
        """Everything in units of the target's statistics, in which the target lies around 0."""
        statistics = self.run.statistics[direction.target]
        rows, about = [], [COLUMNS]
        for kind, samples in kinds.items():
            for each in samples:
                rows.append(
                    "\t".join(f"{value:.6g}" for value in utterance_point(each.spectra, statistics))
                )
                about.append(f"{kind}\t{each.split}\t{_tsv_cell(each.name)}")
        folder = self.run.path / "projector" / direction
        files.write_text(folder / "tensors.tsv", "".join(f"{row}\n" for row in rows))
        files.write_text(folder / "metadata.tsv", "".join(f"{line}\n" for line in about))

    def _figures(self, kinds: Mapping[str, Sequence[Sample]]) -> dict[str, Figure]:
        """Of the held-out utterances, or, where one speaker has none, of those of the training."""
        held_out = {
            kind: [each for each in samples if each.split == "held_out"]
            for kind, samples in kinds.items()
        }
        shown = held_out if all(held_out.values()) else kinds
        config = self.run.config.features
        # A mel-cepstrum begins with the level, which is not the voice's.
        first = 1 if config.spectra == "mel_cepstra" else 0
        tracks = {
            kind: [each.spectra[:, first:] for each in samples]
            for kind, samples in shown.items()
            if samples
        }
        return {
            "modulation_spectrum": plot_modulation_spectra(tracks, config.hop_s),
            "global_variance": plot_global_variances(tracks, first),
        }

    @cached_property
    def _samples(self) -> dict[str, list[Sample]]:
        """The utterances of each speaker, held-out ones first."""
        config = self.run.config
        most_frames = round(MAX_UTTERANCE_S / config.features.hop_s)
        found: dict[str, list[Sample]] = {}
        for name, speaker in self.speakers.items():
            store, held_out = speaker.store, set(speaker.held_out)
            if held_out and speaker.held_out_dir != speaker.folder:
                store = preparation.prepare_store(
                    speaker.held_out_dir, speaker.held_out, config.corpus, config.features
                )
            training = speaker.training[:: -(-len(speaker.training) // MAX_TRAINING_UTTERANCES)]
            sets = {
                "held_out": (store, [each for each in store.utterances if each.name in held_out]),
                "training": (speaker.store, training),
            }
            found[name] = [
                Sample(split, each.name, of.spectra_of(each)[:most_frames])
                for split, (of, utterances) in sets.items()
                for each in utterances
                if each.frames >= MIN_FRAMES
            ]
        return found


def utterance_point(spectra: np.ndarray, statistics: Statistics) -> np.ndarray:
    """An utterance as a point: means and deviations over its frames, in units of a speaker.

    Args:
        spectra: (frames, bins).
        statistics: The speaker's.

    Returns:
        (2 * bins,) float64: the means, then the deviations.
    """
    normalized = ((spectra - statistics.mean) / statistics.scale).astype(np.float64)
    return np.concatenate([normalized.mean(axis=0), normalized.std(axis=0)])


def plot_modulation_spectra(tracks: Mapping[str, Sequence[np.ndarray]], hop_s: float) -> Figure:
    """How fast features move: their mean modulation spectra, of all utterances and coefficients.

    Args:
        tracks: By what they are of: each utterance's coefficients, (frames, coefficients).
        hop_s: From one frame to the next.
    """
    count = metrics.MODULATION_FRAMES // 2
    frequency_hz = np.arange(1, count + 1) / (metrics.MODULATION_FRAMES * hop_s)
    levels = {
        kind: np.mean([metrics.modulation_power_db(each).mean(axis=1) for each in every], axis=0)
        for kind, every in tracks.items()
    }
    figure, axes = _new_axes("modulation frequency (Hz)", "power (dB)")
    for kind, level in levels.items():
        axes.plot(frequency_hz, level, label=kind, color=COLOURS[kind])
    axes.set_xscale("log")
    axes.legend()
    return figure


def plot_global_variances(tracks: Mapping[str, Sequence[np.ndarray]], first: int) -> Figure:
    """How far each feature moves: its variance in an utterance, the mean over all of them.

    Args:
        tracks: By what they are of: each utterance's coefficients, (frames, coefficients).
        first: Number of the first coefficient.
    """
    figure, axes = _new_axes("mel-cepstral coefficient" if first else "mel band", "variance")
    for kind, every in tracks.items():
        variances = np.mean([each.var(axis=0, dtype=np.float64) for each in every], axis=0)
        numbers = np.arange(first, first + len(variances))
        axes.plot(numbers, variances, marker=".", label=kind, color=COLOURS[kind])
    axes.set_yscale("log")
    axes.legend()
    return figure


def _new_axes(x: str, y: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(8, 4), layout="constrained")
    axes = figure.subplots()
    axes.set(xlabel=x, ylabel=y)
    return figure, axes


def _write_projector_config(run: RunFolder) -> None:
    config = projector.ProjectorConfig()
    for direction in Direction:
        folder = f"projector/{direction}"
        config.embeddings.add(
            tensor_name=direction,
            tensor_path=f"{folder}/tensors.tsv",
            metadata_path=f"{folder}/metadata.tsv",
        )
    path = run.path / projector.metadata.PROJECTOR_FILENAME
    files.write_text(path, str(config))


def _tsv_cell(name: str) -> str:
    """A file's name without what ends a cell or a line; it may hold bytes that are no text."""
    text = name.encode(errors="backslashreplace").decode()
    return "".join(each if each.isprintable() else "?" for each in text)
