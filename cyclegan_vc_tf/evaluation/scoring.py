"""Scores of systems in one direction of conversion.

A system is one way to produce speech of the target speaker: the run itself, or one of the bounds
that its scores are read between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.evaluation import metrics, recognizers
from cyclegan_vc_tf.evaluation.evaluation_sets import EvaluationSet
from cyclegan_vc_tf.evaluation.metrics import SpeechFeatures
from cyclegan_vc_tf.evaluation.neural_metrics import NeuralMetrics, SpeakerSimilarity
from cyclegan_vc_tf.features import normalization, sptk, world
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.vocoders import selection

SYSTEMS = ("source", "f0_only", "converted", "world_target")
"""Systems in the order of reports.

`converted` is the run's output; `BOUNDS` names the others.
"""

BOUNDS = ("source", "f0_only", "world_target")
"""Systems that do not depend on the generators.

`source` is the source recording, unchanged. `f0_only` is the source recording with the target's F0.
`world_target` is the target's recording, analysed to mel-cepstra and resynthesized by WORLD: the
best possible conversion of mel-cepstra.
"""

ALIGNED_METRICS = ("mcd_db", "log_f0_rmse", "log_f0_correlation", "voicing_error")
"""Metrics that need a reference of the same sentence."""

UTTERANCE_METRICS = (
    *ALIGNED_METRICS, "speaker_similarity", "source_similarity", "dnsmos", "word_error_rate"
)  # fmt: skip
"""Metrics with one value per recording; a system's value is the mean, except for word errors."""

METRICS = (
    *ALIGNED_METRICS, "msd_db", "global_variance_ratio", *UTTERANCE_METRICS[len(ALIGNED_METRICS):]
)  # fmt: skip
"""All metrics, in the order of reports."""

NO_REFERENCE_REASON = "no reference holds the same sentence"

Values = dict[str, float | None]
"""Values by metric; None where a metric was not measured."""

Waves = dict[str, np.ndarray]
"""Waveforms by recording name, (samples,) each."""


@dataclass(frozen=True)
class Scores:
    """Scores of one system in one direction.

    Attributes:
        summary: Values of the system.
        utterances: Values by recording.
        hypotheses: Transcripts of the speech recognizer by recording, where it was used.
    """

    summary: Values
    utterances: dict[str, Values]
    hypotheses: dict[str, str]


class Scorer:
    """Scorer of systems in one direction, with the direction's recordings in memory.

    Args:
        recordings: Evaluation set of the direction.
        sample_rate_hz: Sample rate of all waveforms.
        neural_metrics: Neural metrics to measure beside the objective ones.

    Attributes:
        sources: Waveforms of the source recordings, by name.
        references: Waveforms of the references, by name.
        warnings: Warnings about recordings, each without the file's name.

    Raises:
        AudioError: A recording cannot be used.
    """

    def __init__(
        self,
        recordings: EvaluationSet,
        sample_rate_hz: int,
        neural_metrics: NeuralMetrics,
    ) -> None:
        self.recordings, self.sample_rate_hz = recordings, sample_rate_hz
        self.neural_metrics = neural_metrics
        self.warnings: dict[Path, tuple[str, ...]] = {}
        self.sources = {name: self._read(path) for name, path in recordings.sources.items()}
        self.references = {name: self._read(path) for name, path in recordings.references.items()}

    def convert(self, converter: Converter) -> Waves:
        """Convert all source recordings, and note warnings about them."""
        converted = {name: wave.copy() for name, wave in self.sources.items()}
        for name, wave in converted.items():
            self._note(self.recordings.sources[name], converter.convert_in_place(wave))
        return converted

    def make_bounds(self, converter: Converter) -> dict[str, Waves]:
        """Produce the waveforms of the bounds, by system.

        Args:
            converter: Converter with the WORLD analysis and the F0 map to use. A converter of
                log-mel spectra has neither: then WORLD's defaults hold, and F0 is mapped from the
                statistics of the sources to those of the references.
        """
        config, speakers = converter.config, (converter.source, converter.target)
        if config.spectra != "mel_cepstra":
            config = FeatureConfig(sample_rate_hz=self.sample_rate_hz, f0_method="dio")
            speakers = (
                _f0_statistics(self._source_features),
                _f0_statistics(self._reference_features),
            )
        vocoder = selection.make_vocoder(config)

        def resynthesize(wave: np.ndarray, *, convert_f0: bool) -> np.ndarray:
            features = world.analyse(wave, config)
            if convert_f0:
                f0_hz = normalization.convert_f0(features.f0_hz, *speakers)
                features = replace(features, f0_hz=f0_hz)
            return vocoder(features, len(wave))

        return {
            "source": self.sources,
            "f0_only": {
                name: resynthesize(wave, convert_f0=True) for name, wave in self.sources.items()
            },
            "world_target": {
                name: resynthesize(wave, convert_f0=False) for name, wave in self.references.items()
            },
        }

    def score(self, waves: Waves) -> Scores:
        """Measure all metrics of a system.

        Args:
            waves: The system's recordings.
        """
        features = {name: self.analyse(wave) for name, wave in waves.items()}
        hypotheses = self._transcribe(waves)
        utterances = {
            name: self._aligned_values(name, analysed)
            | self._neural_values(name, waves[name], hypotheses)
            for name, analysed in features.items()
        }
        summary: Values = {
            metric: mean_of_measured([values[metric] for values in utterances.values()])
            for metric in UTTERANCE_METRICS
        }
        if self._reference_features:
            groups = list(features.values()), list(self._reference_features.values())
            summary["msd_db"] = metrics.modulation_spectra_distance_db(*groups)
            ratios = metrics.global_variance_ratios(*groups)
            summary["global_variance_ratio"] = float(ratios.mean())
        if hypotheses:
            # Over all words together, so that a long sentence has more weight than a short one.
            summary["word_error_rate"] = recognizers.word_error_rate(
                self.neural_metrics.transcripts, hypotheses
            )
        return Scores({name: summary.get(name) for name in METRICS}, utterances, hypotheses)

    def analyse(self, wave: np.ndarray) -> SpeechFeatures:
        """Analyse a recording by DIO and CheapTrick every 5 ms, whatever the run's settings.

        Args:
            wave: Waveform at the scorer's sample rate, (samples,).
        """
        config = FeatureConfig(sample_rate_hz=self.sample_rate_hz, f0_method="dio")
        f0_hz, time_s = world.f0(wave, config)
        power = world.envelope(wave, f0_hz, time_s, config)
        return SpeechFeatures(sptk.mel_cepstra(power, self.sample_rate_hz), f0_hz)

    def not_measured(self) -> dict[str, str]:
        """Return the metrics that the recordings do not allow, each with the reason."""
        if self.recordings.parallel:
            return {}
        return dict.fromkeys(ALIGNED_METRICS, NO_REFERENCE_REASON)

    def _transcribe(self, waves: Waves) -> dict[str, str]:
        """Recognise the recordings that have a transcript."""
        recognizer = self.neural_metrics.recognizer
        if recognizer is None:
            return {}
        return {
            name: recognizer.transcribe(wave, self.sample_rate_hz)
            for name, wave in waves.items()
            if name in self.neural_metrics.transcripts
        }

    def _aligned_values(self, name: str, features: SpeechFeatures) -> Values:
        reference = self._reference_features.get(name)
        if reference is None:
            return dict.fromkeys(ALIGNED_METRICS)
        distortion = metrics.mel_cepstral_distortion_db(features, reference)
        return {"mcd_db": distortion, **metrics.f0_errors(features, reference)}

    def _neural_values(self, name: str, wave: np.ndarray, hypotheses: Mapping[str, str]) -> Values:
        values: Values = dict.fromkeys(UTTERANCE_METRICS[len(ALIGNED_METRICS) :])
        if self.neural_metrics.similarity:
            embedding = self.neural_metrics.similarity.embed(wave, self.sample_rate_hz)
            if embedding is not None:
                values["speaker_similarity"] = _cosine(embedding, self._target_centroid)
                values["source_similarity"] = _cosine(embedding, self._source_centroid)
        if self.neural_metrics.naturalness:
            values["dnsmos"] = self.neural_metrics.naturalness.score(wave, self.sample_rate_hz)
        if name in hypotheses:
            values["word_error_rate"] = recognizers.word_error_rate(
                self.neural_metrics.transcripts, {name: hypotheses[name]}
            )
        return values

    @cached_property
    def _reference_features(self) -> dict[str, SpeechFeatures]:
        return {name: self.analyse(wave) for name, wave in self.references.items()}

    @cached_property
    def _source_features(self) -> dict[str, SpeechFeatures]:
        return {name: self.analyse(wave) for name, wave in self.sources.items()}

    @cached_property
    def _target_centroid(self) -> np.ndarray | None:
        return self._centroid(self.recordings.target_enrolment)

    @cached_property
    def _source_centroid(self) -> np.ndarray | None:
        return self._centroid(self.recordings.source_enrolment)

    def _centroid(self, paths: Sequence[Path]) -> np.ndarray | None:
        """Return the centroid of the enrolment recordings that exist; None without any."""
        similarity = self.neural_metrics.similarity
        if similarity is None:
            return None
        embedded = (_embed_file(similarity, path) for path in paths if path.is_file())
        embeddings = [embedding for embedding in embedded if embedding is not None]
        return similarity.centroid(embeddings) if embeddings else None

    def _read(self, path: Path) -> np.ndarray:
        try:
            samples, recording = audio_files.read_resampled(path, self.sample_rate_hz)
        except audio_files.AudioError as error:
            raise audio_files.AudioError(f"{path} {error}") from error
        self._note(path, recording.warnings)
        return samples

    def _note(self, path: Path, warnings: tuple[str, ...]) -> None:
        """Add warnings about a recording to those that are known."""
        if known := dict.fromkeys((*self.warnings.get(path, ()), *warnings)):
            self.warnings[path] = tuple(known)


def mean_of_measured(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values that were measured; None without any."""
    measured = [value for value in values if value is not None]
    return float(np.mean(measured)) if measured else None


@cache
def _embed_file(similarity: SpeakerSimilarity, path: Path) -> np.ndarray | None:
    """Embed an enrolment recording; cached, because both directions need it.

    Raises:
        AudioError: The file cannot be used.
    """
    try:
        return similarity.embed(*audio_files.read(path))
    except audio_files.AudioError as error:
        raise audio_files.AudioError(f"{path} {error}") from error


def _cosine(embedding: np.ndarray, centroid: np.ndarray | None) -> float | None:
    return None if centroid is None else float(embedding @ centroid)


def _f0_statistics(recordings: Mapping[str, SpeechFeatures]) -> Statistics:
    """Mean and standard deviation of ln F0 over recordings; the other fields are empty."""
    f0_hz = np.concatenate([features.f0_hz for features in recordings.values()])
    log_f0 = np.log(f0_hz[f0_hz > 0]) if f0_hz.any() else np.zeros(1)
    return Statistics(np.zeros(0), np.zeros(0), float(log_f0.mean()), float(log_f0.std()))
