"""Evaluation of a run: scores of all systems in both directions.

A finished run and a run in training are evaluated by one class, `Evaluator`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import MetricsConfig, VocoderConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.evaluation import evaluation_sets, neural_metrics
from cyclegan_vc_tf.evaluation.metric_info import METRIC_INFO, format_value
from cyclegan_vc_tf.evaluation.recognizers import PocketSphinx
from cyclegan_vc_tf.evaluation.scoring import (
    BOUNDS,
    METRICS,
    SYSTEMS,
    Scorer,
    Scores,
    Waves,
)
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import notebooks
from cyclegan_vc_tf.system.progress import progress_bar

ENROLMENT_NOTE = (
    "the run has no training recordings, so speakers' centroids come from the held-out recordings; "
    "not comparable with runs that have some: give --enrolment_source_dir and "
    "--enrolment_target_dir"
)
"""Note on speaker similarities where the enrolment recordings are held-out recordings."""

POCKETSPHINX_NOTE = (
    "recognized by PocketSphinx, which gets words of natural speech wrong too; not comparable with "
    "Whisper"
)
"""Note on word error rates of the weaker recognizer."""


@dataclass(frozen=True)
class Evaluation:
    """Result of an evaluation.

    Attributes:
        title: Name of the run and paper of its variant.
        step: Step of the evaluated generators.
        sample_rate_hz: Sample rate of the example waveforms.
        scores: Scores by direction and system.
        not_measured: Reasons by metric that was not measured.
        examples: Waveforms by direction, recording and kind: source, converted, and target where
            the recording has a reference.
        notes: Remarks by metric that was measured in another way than usual.
        warnings: Warnings about held-out recordings, each without the file's name.
        folder: Folder of the report, where one was written.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> evaluation = vc.evaluate("runs/trained", examples=0)
        >>> evaluation.step, list(evaluation.scores["A2B"])
        (2, ['source', 'f0_only', 'converted', 'world_target'])
    """

    title: str
    step: int
    sample_rate_hz: int
    scores: dict[str, dict[str, Scores]]
    not_measured: dict[str, str]
    examples: dict[str, dict[str, Waves]]
    notes: dict[str, str] = field(default_factory=dict)
    warnings: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    folder: Path | None = None

    def _repr_html_(self) -> str:
        rows = {
            (direction, system): scores.summary
            for direction, systems in self.scores.items()
            for system, scores in systems.items()
        }
        measured = [
            metric
            for metric in METRICS
            if any(format_value(metric, row.get(metric)) for row in rows.values())
        ]
        shown = [METRIC_INFO[metric] for metric in measured]
        titles = [f"{info.title} ({info.unit}) {info.better}" for info in shown]
        return notebooks.table(
            ("direction", f"step {self.step}", *titles),
            (
                (*name, *(format_value(metric, row.get(metric)) for metric in measured))
                for name, row in rows.items()
            ),
        )


class Evaluator:
    """Evaluator of a run at any number of steps.

    Recordings are read once, at their first use. Bounds are scored once, in the first evaluation:
    they do not depend on the generators.

    Args:
        run: The run.
        config: References, and what the neural metrics need.
        held_out_dirs: Folders of held-out recordings by speaker, "A" or "B"; by default the run's
            own held-out recordings are used.
        enrolment_dirs: Folders of recordings that define the speakers' voices for similarities; by
            default the run's training recordings are used.
        adapt_source: Whether each direction is adapted to the voice of its source recordings.

    Raises:
        InputError: A speaker has no held-out recordings, a recording cannot be used, or the Whisper
            model or the transcripts cannot be used.
    """

    def __init__(
        self,
        run: RunFolder,
        config: MetricsConfig,
        held_out_dirs: Mapping[str, str] | None = None,
        enrolment_dirs: Mapping[str, str] | None = None,
        *,
        adapt_source: bool = False,
    ) -> None:
        self._run, self._adapts_source = run, adapt_source
        self._neural_metrics, self._unavailable = neural_metrics.load_neural_metrics(config)
        self._sets = evaluation_sets.load_evaluation_sets(
            run, config.reference_dir, held_out_dirs, enrolment_dirs
        )
        self._bounds: dict[Direction, dict[str, Scores]] = {}

    @cached_property
    def _scorers(self) -> dict[Direction, Scorer]:
        rate_hz = self._run.config.features.sample_rate_hz
        return {
            direction: Scorer(recordings, rate_hz, self._neural_metrics)
            for direction, recordings in self._sets.items()
        }

    def not_measured(self) -> dict[str, str]:
        """Return the metrics that will not be measured, each with the reason."""
        reasons = dict(self._unavailable)
        for scorer in self._scorers.values():
            reasons |= scorer.not_measured()
        return reasons

    def notes(self) -> dict[str, str]:
        """Return remarks by metric that is measured in another way than usual."""
        notes = {}
        if any(recordings.enrolled_from_held_out for recordings in self._sets.values()):
            notes = dict.fromkeys(("speaker_similarity", "source_similarity"), ENROLMENT_NOTE)
        if isinstance(self._neural_metrics.recognizer, PocketSphinx):
            notes["word_error_rate"] = POCKETSPHINX_NOTE
        return {name: note for name, note in notes.items() if name not in self._unavailable}

    def evaluate(
        self,
        converters: Mapping[Direction, Converter],
        step: int,
        example_count: int = 0,
        on_scored: Callable[[], object] = lambda: None,
    ) -> Evaluation:
        """Score all systems in both directions.

        Args:
            converters: Converters by direction, with the generators to evaluate.
            step: Step of the generators.
            example_count: Recordings per direction to keep as examples.
            on_scored: Called after each system of each direction.

        Raises:
            AudioError: A converter's output is not finite.
        """
        scores: dict[str, dict[str, Scores]] = {}
        examples: dict[str, dict[str, Waves]] = {}
        for direction, scorer in self._scorers.items():
            converter = converters[direction]
            sources = scorer.sources.values()
            used = converter.adapted_to(sources) if self._adapts_source else converter
            waves = {"converted": scorer.convert(used)}
            if direction not in self._bounds:
                waves |= scorer.make_bounds(converter)
            scored = dict(self._bounds.get(direction, {}))
            for system in waves:
                scored[system] = scorer.score(waves[system])
                on_scored()
            self._bounds[direction] = {system: scored[system] for system in BOUNDS}
            scores[direction] = {system: scored[system] for system in SYSTEMS}
            examples[direction] = _pick_examples(scorer, waves["converted"], example_count)
        config = self._run.config
        return Evaluation(
            f"{self._run.path.name} ({registry.VARIANTS[config.network.variant].paper})",
            step,
            config.features.sample_rate_hz,
            scores,
            self.not_measured(),
            examples,
            self.notes(),
            {
                path: warnings
                for scorer in self._scorers.values()
                for path, warnings in scorer.warnings.items()
            },
        )


def evaluate(
    run: RunFolder,
    step: int,
    config: MetricsConfig,
    example_count: int = 0,
    held_out_dirs: Mapping[str, str] | None = None,
    enrolment_dirs: Mapping[str, str] | None = None,
    *,
    vocoder: VocoderConfig | None = None,
    adapt_source: bool = False,
) -> Evaluation:
    """Evaluate a checkpoint of a run, with a progress bar.

    Args:
        run: The run; an imported, published or pretrained one needs `held_out_dirs`.
        step: Step of the checkpoint.
        config: References, and what the neural metrics need.
        example_count: Recordings per direction to keep as examples.
        held_out_dirs: Folders of held-out recordings by speaker, "A" or "B"; by default the run's
            own held-out recordings are used.
        enrolment_dirs: Folders of recordings that define the speakers' voices for similarities; by
            default the run's training recordings are used.
        vocoder: Settings of the vocoder; by default those of the run.
        adapt_source: Whether each direction is adapted to the voice of its source recordings.

    Raises:
        InputError: As `Evaluator` says, the run has no such checkpoint or generator, or the vocoder
            does not fit it.
    """
    evaluator = Evaluator(run, config, held_out_dirs, enrolment_dirs, adapt_source=adapt_source)
    converters = {
        direction: Converter.for_run(
            run, direction, run.load_generator(direction, step)[0], vocoder
        )
        for direction in Direction
    }
    total = len(Direction) * len(SYSTEMS)
    with progress_bar(desc="Evaluating", unit="system", total=total) as progress:
        return evaluator.evaluate(converters, step, example_count, progress.update)


def _pick_examples(scorer: Scorer, converted: Waves, count: int) -> dict[str, Waves]:
    """Return the waveforms of the first recordings of a direction, by recording and kind."""
    return {
        name: {"source": scorer.sources[name], "converted": converted[name]}
        | ({"target": scorer.references[name]} if name in scorer.references else {})
        for name in list(scorer.sources)[:count]
    }
