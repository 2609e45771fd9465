"""Plots of a run's features: utterances as points, modulation spectra and global variances.

Source and target features come from the feature stores. The generators convert them; nothing is
synthesised.

RUN/projector_config.pbtxt               configuration of TensorBoard's projector
RUN/projector/DIRECTION/tensors.tsv      one row per utterance: mean and deviation over its frames
RUN/projector/DIRECTION/metadata.tsv     its kind (source, converted or target), set and file
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
from cyclegan_vc_tf.system.errors import escape_bytes

MAX_TRAINING_UTTERANCES = 100
"""Number of training utterances per speaker that are plotted; more are thinned out evenly."""

MAX_UTTERANCE_S = 10.0
"""Plotted length of an utterance, in seconds; longer ones are cut."""

METADATA_COLUMNS = "kind\tset\tutterance"
COLOURS = {"source": "#8b919c", "converted": "#2d63c8", "target": "#3c9a62"}


@dataclass(frozen=True)
class Sample:
    """Utterance to plot.

    Attributes:
        split: Set that it belongs to, held_out or training.
        name: Name of its file.
        spectra: Features, (frames, bins).
    """

    split: str
    name: str
    spectra: np.ndarray


class FeaturePlots:
    """Features of both speakers of a run in training, and their conversions.

    Args:
        run: Run folder.
        speakers: Speakers of the run, by name.
        converters: Converters by direction, which hold the generators in training.
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
        """Convert the utterances, write plots to TensorBoard and points for its projector."""
        for direction in Direction:
            source = self._samples[direction.source]
            target = self._samples[direction.target]
            kinds = {
                "source": source,
                "converted": self._convert(direction, source),
                "target": target,
            }
            self._write_points(direction, kinds)
            for name, figure in self._figures(kinds).items():
                pixels = plots.render_pixels(figure)[np.newaxis]
                tf.summary.image(f"{direction}/{name}", pixels, step)
        _write_projector_config(self.run)

    def _convert(self, direction: Direction, samples: Sequence[Sample]) -> list[Sample]:
        converter, converted = self.converters[direction], []
        for sample in samples:
            try:
                spectra = converter.convert_spectra(sample.spectra)
            except audio_files.AudioError as error:
                self.say(f"{direction}: {sample.name} {error}; it is left out of TensorBoard")
                continue
            converted.append(Sample(sample.split, sample.name, spectra))
        return converted

    def _write_points(self, direction: Direction, kinds: Mapping[str, Sequence[Sample]]) -> None:
        """Write points in units of the target's statistics, in which the target lies around 0."""
        statistics = self.run.statistics[direction.target]
        rows, metadata = [], [METADATA_COLUMNS]
        for kind, samples in kinds.items():
            for sample in samples:
                point = utterance_point(sample.spectra, statistics)
                rows.append("\t".join(f"{value:.6g}" for value in point))
                metadata.append(f"{kind}\t{sample.split}\t{_tsv_cell(sample.name)}")
        folder = self.run.path / "projector" / direction
        files.write_text(folder / "tensors.tsv", "".join(f"{row}\n" for row in rows))
        files.write_text(folder / "metadata.tsv", "".join(f"{line}\n" for line in metadata))

    def _figures(self, kinds: Mapping[str, Sequence[Sample]]) -> dict[str, Figure]:
        """Plot held-out utterances, or all utterances if a speaker has no held-out ones."""
        held_out = {
            kind: [sample for sample in samples if sample.split == "held_out"]
            for kind, samples in kinds.items()
        }
        shown = held_out if all(held_out.values()) else kinds
        config = self.run.config.features
        # The first coefficient of a mel-cepstrum is the level, which does not describe the voice.
        first = 1 if config.spectra == "mel_cepstra" else 0
        tracks = {
            kind: [sample.spectra[:, first:] for sample in samples]
            for kind, samples in shown.items()
            if samples
        }
        return {
            "modulation_spectrum": plot_modulation_spectra(tracks, config.hop_s),
            "global_variance": plot_global_variances(tracks, first),
        }

    @cached_property
    def _samples(self) -> dict[str, list[Sample]]:
        """Utterances by speaker, held-out ones first."""
        config = self.run.config
        max_frames = round(MAX_UTTERANCE_S / config.features.hop_s)
        utterances_by_speaker: dict[str, list[Sample]] = {}
        for name, speaker in self.speakers.items():
            store, held_out = speaker.store, set(speaker.held_out)
            if held_out and speaker.held_out_dir != speaker.folder:
                store = preparation.prepare_store(
                    speaker.held_out_dir, speaker.held_out, config.corpus, config.features
                )
            training = speaker.training[:: -(-len(speaker.training) // MAX_TRAINING_UTTERANCES)]
            sets = {
                "held_out": (
                    store,
                    [utterance for utterance in store.utterances if utterance.name in held_out],
                ),
                "training": (speaker.store, training),
            }
            utterances_by_speaker[name] = [
                Sample(split, utterance.name, split_store.spectra_of(utterance)[:max_frames])
                for split, (split_store, utterances) in sets.items()
                for utterance in utterances
                if utterance.frames >= MIN_FRAMES
            ]
        return utterances_by_speaker


def utterance_point(spectra: np.ndarray, statistics: Statistics) -> np.ndarray:
    """Return an utterance as a point: means and deviations over its frames, normalised.

    Args:
        spectra: Features of the utterance, (frames, bins).
        statistics: Statistics of the speaker to normalise by.

    Returns:
        Means, then standard deviations, (2 * bins,) float64.
    """
    normalized = ((spectra - statistics.mean) / statistics.scale).astype(np.float64)
    return np.concatenate([normalized.mean(axis=0), normalized.std(axis=0)])


def plot_modulation_spectra(tracks: Mapping[str, Sequence[np.ndarray]], hop_s: float) -> Figure:
    """Plot modulation spectra, averaged over utterances and coefficients.

    Args:
        tracks: Coefficients of utterances, (frames, coefficients) each, by kind of features.
        hop_s: Time from one frame to the next, in seconds.
    """
    count = metrics.MODULATION_FRAMES // 2
    frequency_hz = np.arange(1, count + 1) / (metrics.MODULATION_FRAMES * hop_s)
    levels = {
        kind: np.mean(
            [metrics.modulation_power_db(track).mean(axis=1) for track in utterances], axis=0
        )
        for kind, utterances in tracks.items()
    }
    figure, axes = _new_axes("modulation frequency (Hz)", "power (dB)")
    for kind, level in levels.items():
        axes.plot(frequency_hz, level, label=kind, color=COLOURS[kind])
    axes.set_xscale("log")
    axes.legend()
    return figure


def plot_global_variances(tracks: Mapping[str, Sequence[np.ndarray]], first: int) -> Figure:
    """Plot the variance of each coefficient within an utterance, averaged over utterances.

    Args:
        tracks: Coefficients of utterances, (frames, coefficients) each, by kind of features.
        first: Number of the first coefficient.
    """
    figure, axes = _new_axes("mel-cepstral coefficient" if first else "mel band", "variance")
    for kind, utterances in tracks.items():
        variances = np.mean([track.var(axis=0, dtype=np.float64) for track in utterances], axis=0)
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
    """Return a file's name for a cell: as text, its unprintable characters replaced by ?."""
    text = escape_bytes(name)
    return "".join(character if character.isprintable() else "?" for character in text)
