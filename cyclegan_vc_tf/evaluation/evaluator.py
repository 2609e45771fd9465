"""Scores of a converter, and of the bounds that make them readable."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.evaluation import evaluation_sets, metrics, neural_metrics
from cyclegan_vc_tf.evaluation.evaluation_sets import EvaluationSet
from cyclegan_vc_tf.evaluation.metrics import SpeechFeatures
from cyclegan_vc_tf.evaluation.neural_metrics import Intelligibility, Naturalness, SpeakerSimilarity
from cyclegan_vc_tf.features import normalization, sptk, world
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.progress import progress_bar
from cyclegan_vc_tf.vocoders import selection

SYSTEMS = ("source", "f0_only", "converted", "world_target")
"""Bounds around what is judged: the source as it is, with the target's F0 alone, and the target
through WORLD and its coded mel-cepstra, which is the best that a conversion of them can be."""

UTTERANCE_METRICS = (
    "mcd_db", "log_f0_rmse", "log_f0_correlation", "voicing_error", "speaker_similarity",
    "source_similarity", "dnsmos", "word_error_rate",
)  # fmt: skip
"""What each recording has a value of; a system's is their mean."""

METRICS = (
    *UTTERANCE_METRICS[:4], "msd_db", "global_variance_ratio", *UTTERANCE_METRICS[4:]
)  # fmt: skip
"""All, as they are reported."""

NO_REFERENCE_REASON = "no reference says the same sentence"

Values = dict[str, float | None]
Waves = dict[str, np.ndarray]


@dataclass(frozen=True)
class Scores:
    """Of one system in one direction.

    Attributes:
        summary: By metric; None where it was not measured.
        utterances: By recording and metric.
        heard: What the recogniser made of each recording, where it was asked.
    """

    summary: Values
    utterances: dict[str, Values]
    heard: dict[str, str]


@dataclass(frozen=True)
class NeuralMetrics:
    """The trained judges that are asked; None is not.

    Attributes:
        similarity: Of voices.
        naturalness: Of quality.
        intelligibility: Of words.
        transcripts: What is said in recordings, by name.
    """

    similarity: SpeakerSimilarity | None = None
    naturalness: Naturalness | None = None
    intelligibility: Intelligibility | None = None
    transcripts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """Everything a report says.

    Attributes:
        title: The run's name.
        step: Of the checkpoint.
        sample_rate_hz: Of the waves.
        scores: By direction and system.
        not_measured: Why, by metric.
        examples: By direction, recording and kind: source, converted, and target where there is a
            reference.
    """

    title: str
    step: int
    sample_rate_hz: int
    scores: dict[str, dict[str, Scores]]
    not_measured: dict[str, str]
    examples: dict[str, dict[str, Waves]]


class Evaluator:
    """Scores what a converter makes of one direction's held-out recordings.

    Args:
        recordings: The set.
        sample_rate_hz: At which everything is compared.
        neural_metrics: Who is asked beside the formulas.

    Raises:
        AudioError: A recording cannot be used.
    """

    def __init__(
        self,
        recordings: EvaluationSet,
        sample_rate_hz: int,
        neural_metrics: NeuralMetrics = NeuralMetrics(),
    ) -> None:
        self.recordings, self.sample_rate_hz, self.neural_metrics = (
            recordings,
            sample_rate_hz,
            neural_metrics,
        )
        self.sources = {name: self._read(path) for name, path in recordings.sources.items()}
        self.references = {name: self._read(path) for name, path in recordings.references.items()}

    def converted(self, converter: Converter) -> Waves:
        """The sources, converted."""
        return {name: converter.convert(wave) for name, wave in self.sources.items()}

    def bounds(self, converter: Converter) -> dict[str, Waves]:
        """What the bounds sound like, by system.

        Args:
            converter: Whose WORLD analysis and F0 map they are; where it has none, WORLD's
                defaults, and a map between the F0 of the sources and that of the references.
        """
        config, speakers = converter.config, (converter.source, converter.target)
        if config.spectra != "mel_cepstra":
            config = FeatureConfig(sample_rate_hz=self.sample_rate_hz, f0_method="dio")
            speakers = _f0_statistics(self._analysed_sources), _f0_statistics(self._analysed)
        speak = selection.make_vocoder(config)

        def again(wave: np.ndarray, f0_map: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
            spoken = world.analyse(wave, config)
            return speak(replace(spoken, f0_hz=f0_map(spoken.f0_hz)), len(wave))

        return {
            "source": self.sources,
            "f0_only": {
                name: again(wave, lambda f0_hz: normalization.convert_f0(f0_hz, *speakers))
                for name, wave in self.sources.items()
            },
            "world_target": {
                name: again(wave, lambda f0_hz: f0_hz) for name, wave in self.references.items()
            },
        }

    def score(self, waves: Waves) -> Scores:
        """All metrics of a system's recordings, by name."""
        analysed = {name: self.analyse(wave) for name, wave in waves.items()}
        heard: dict[str, str] = {}
        if self.neural_metrics.intelligibility:
            for name in waves.keys() & self.neural_metrics.transcripts.keys():
                hear = self.neural_metrics.intelligibility.transcribe
                heard[name] = hear(waves[name], self.sample_rate_hz)
        utterances = {
            name: self._distances(name, spoken) | self._judged(name, waves[name], heard)
            for name, spoken in analysed.items()
        }
        summary: Values = {
            metric: _mean([values[metric] for values in utterances.values()])
            for metric in UTTERANCE_METRICS
        }
        if self._analysed:
            groups = list(analysed.values()), list(self._analysed.values())
            summary["msd_db"] = metrics.modulation_spectra_distance_db(*groups)
            ratios = metrics.global_variance_ratios(*groups)
            summary["global_variance_ratio"] = float(ratios.mean())
        if heard and self.neural_metrics.intelligibility:
            # Of all words together: a long sentence counts more than a short one.
            rate = self.neural_metrics.intelligibility.word_error_rate
            summary["word_error_rate"] = rate(self.neural_metrics.transcripts, heard)
        return Scores({name: summary.get(name) for name in METRICS}, utterances, heard)

    def analyse(self, wave: np.ndarray) -> SpeechFeatures:
        """A recording as the metrics see it: by DIO and CheapTrick every 5 ms, whatever the run's.

        Args:
            wave: (samples,) at the evaluator's rate.
        """
        config = FeatureConfig(sample_rate_hz=self.sample_rate_hz, f0_method="dio")
        f0_hz, time_s = world.f0(wave, config)
        power = world.envelope(wave, f0_hz, time_s, config)
        return SpeechFeatures(sptk.mel_cepstra(power, self.sample_rate_hz), f0_hz)

    def not_measured(self) -> dict[str, str]:
        """Why a metric is not measured, of each that is not for a reason of the set's."""
        reasons: dict[str, str] = {}
        if not self.recordings.parallel:
            reasons |= dict.fromkeys(UTTERANCE_METRICS[:4], NO_REFERENCE_REASON)
        return reasons

    def _distances(self, name: str, spoken: SpeechFeatures) -> Values:
        reference = self._analysed.get(name)
        if reference is None:
            return dict.fromkeys(UTTERANCE_METRICS[:4])
        distortion = metrics.mel_cepstral_distortion_db(spoken, reference)
        return {"mcd_db": distortion, **metrics.f0_errors(spoken, reference)}

    def _judged(self, name: str, wave: np.ndarray, heard: Mapping[str, str]) -> Values:
        values: Values = dict.fromkeys(UTTERANCE_METRICS[4:])
        if self.neural_metrics.similarity:
            voice = self.neural_metrics.similarity.embed(wave, self.sample_rate_hz)
            if voice is not None:
                values["speaker_similarity"] = _cosine(voice, self._target_centroid)
                values["source_similarity"] = _cosine(voice, self._source_centroid)
        if self.neural_metrics.naturalness:
            values["dnsmos"] = self.neural_metrics.naturalness.score(wave, self.sample_rate_hz)
        if self.neural_metrics.intelligibility and name in heard:
            rate = self.neural_metrics.intelligibility.word_error_rate
            values["word_error_rate"] = rate(self.neural_metrics.transcripts, {name: heard[name]})
        return values

    @cached_property
    def _analysed(self) -> dict[str, SpeechFeatures]:
        """The references."""
        return {name: self.analyse(wave) for name, wave in self.references.items()}

    @cached_property
    def _analysed_sources(self) -> dict[str, SpeechFeatures]:
        return {name: self.analyse(wave) for name, wave in self.sources.items()}

    @cached_property
    def _target_centroid(self) -> np.ndarray | None:
        return self._centroid(self.recordings.target_training)

    @cached_property
    def _source_centroid(self) -> np.ndarray | None:
        return self._centroid(self.recordings.source_training)

    def _centroid(self, paths: Sequence[Path]) -> np.ndarray | None:
        """Of a speaker's training recordings that are there; None if none is."""
        similarity = self.neural_metrics.similarity
        if similarity is None:
            return None
        embedded = (_embed_file(similarity, path) for path in paths if path.is_file())
        voices = [voice for voice in embedded if voice is not None]
        return similarity.centroid(voices) if voices else None

    def _read(self, path: Path) -> np.ndarray:
        try:
            return audio_files.read_resampled(path, self.sample_rate_hz)[0]
        except audio_files.AudioError as error:
            raise audio_files.AudioError(f"{path} {error}") from error


@cache
def _embed_file(similarity: SpeakerSimilarity, path: Path) -> np.ndarray | None:
    """The embedding of a training recording, which both directions ask for."""
    return similarity.embed(*audio_files.read(path))


def _cosine(voice: np.ndarray, centroid: np.ndarray | None) -> float | None:
    return None if centroid is None else float(voice @ centroid)


def _mean(values: Sequence[float | None]) -> float | None:
    measured = [value for value in values if value is not None]
    return float(np.mean(measured)) if measured else None


def _f0_statistics(spoken: Mapping[str, SpeechFeatures]) -> Statistics:
    """Mean and deviation of ln F0 of recordings; of no use for anything else."""
    f0_hz = np.concatenate([each.f0_hz for each in spoken.values()])
    log_f0 = np.log(f0_hz[f0_hz > 0]) if f0_hz.any() else np.zeros(1)
    return Statistics(np.zeros(0), np.zeros(0), float(log_f0.mean()), float(log_f0.std()))


def evaluate(
    run: RunFolder, step: int, config: MetricsConfig, examples_shown: int = 0
) -> Evaluation:
    """Scores both directions of a run and their bounds.

    Args:
        run: The run.
        step: Of the checkpoint.
        config: References, and what the judges need.
        examples_shown: Recordings of each direction whose waves are kept.

    Raises:
        InputError: The run has nothing held out, a recording cannot be used, or the model of the
            recogniser or the transcripts cannot be.
    """
    asked, not_measured = load_neural_metrics(config)
    sets = evaluation_sets.load_evaluation_sets(run, config.reference_dir)
    scores: dict[str, dict[str, Scores]] = {}
    examples: dict[str, dict[str, Waves]] = {}
    with progress_bar(desc="Evaluating", unit="system", total=len(sets) * len(SYSTEMS)) as progress:
        for direction, recordings in sets.items():
            generator, _ = run.load_generator(direction, step)
            converter = Converter.for_run(run, direction, generator)
            evaluator = Evaluator(recordings, run.config.features.sample_rate_hz, asked)
            waves = {**evaluator.bounds(converter), "converted": evaluator.converted(converter)}
            scores[direction] = {}
            for system in SYSTEMS:
                scores[direction][system] = evaluator.score(waves[system])
                progress.update()
            not_measured |= evaluator.not_measured()
            examples[direction] = {
                name: {"source": evaluator.sources[name], "converted": waves["converted"][name]}
                | ({"target": evaluator.references[name]} if name in evaluator.references else {})
                for name in list(evaluator.sources)[:examples_shown]
            }
    rate_hz = run.config.features.sample_rate_hz
    title = f"{run.path.name} ({registry.VARIANTS[run.config.network.variant].paper})"
    return Evaluation(title, step, rate_hz, scores, not_measured, examples)


def load_neural_metrics(config: MetricsConfig) -> tuple[NeuralMetrics, dict[str, str]]:
    """The judges that can be had, and why each metric of the others is not measured.

    Raises:
        InputError: As for `evaluate`.
    """
    similarity = neural_metrics.missing_reason(*neural_metrics.SpeakerSimilarity.PACKAGES)
    naturalness = neural_metrics.missing_reason(*neural_metrics.Naturalness.PACKAGES)
    words, intelligibility = "no model is given (--whisper_model)", None
    if config.whisper_model and not config.transcripts:
        words = "no transcripts are given (--transcripts)"
    elif config.whisper_model:
        intelligibility = neural_metrics.Intelligibility(Path(config.whisper_model))
        if words := neural_metrics.missing_reason(*neural_metrics.Intelligibility.PACKAGES):
            raise InputError(f"--whisper_model cannot be asked: {words}")
    asked = NeuralMetrics(
        similarity=None if similarity else neural_metrics.SpeakerSimilarity(),
        naturalness=None if naturalness else neural_metrics.Naturalness(),
        intelligibility=intelligibility,
        transcripts={} if words else evaluation_sets.read_transcripts(Path(config.transcripts)),
    )
    reasons = {
        "speaker_similarity": similarity,
        "source_similarity": similarity,
        "dnsmos": naturalness,
        "word_error_rate": words,
    }
    return asked, {metric: reason for metric, reason in reasons.items() if reason}
