"""Held-out recordings of a run in training: samples, evaluation, conversion at the end."""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.conversion.batch import convert_files, wav_names
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.data.speakers import Speaker
from cyclegan_vc_tf.evaluation.evaluator import Evaluator
from cyclegan_vc_tf.evaluation.scoring import BOUNDS, METRICS, Scores
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training import tensorboard

MAX_EXAMPLE_S = 10.0
"""Length of the samples in TensorBoard, in seconds; longer recordings are cut."""


class HeldOutRecordings:
    """Held-out recordings of both speakers of a run in training.

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
        self._bounds_written = False
        self._warned: set[str] = set()

    def write_examples(self, step: int) -> None:
        """Convert some recordings to the other speaker and back, for TensorBoard.

        A recording that fails is reported in one line and left out.
        """
        for direction in Direction:
            for name, source in self._examples[direction].items():
                what = f"step {step}: samples of {direction}/{name}"
                with tensorboard.reporting_failures(what, self.say):
                    self._write_example(direction, name, source, step)

    def _write_example(self, direction: Direction, name: str, source: Features, step: int) -> None:
        try:
            converted = self.converters[direction].convert_features(source)
            cycled = self.converters[direction.reverse].convert_features(converted)
        except audio_files.AudioError as error:
            self.say(f"{direction}: {name} {error}; it is left out of TensorBoard")
            return
        kinds = {"source": source, "converted": converted, "cycled": cycled}
        config, vocode = self.run.config.features, self.converters[direction].vocode
        tensorboard.write_example(f"{direction}/{name}", kinds, config, vocode, step)

    def check_metric(self) -> None:
        """Check before the first step that `--best_metric` can be measured.

        Raises:
            InputError: It cannot be measured, or nothing is held out.
        """
        metric = self.run.config.training.best_metric
        missing = self._evaluator.not_measured()
        if metric in missing:
            raise InputError(
                f"--best_metric={metric} cannot be measured ({missing[metric]}); expected another "
                "one, or --evaluate_every=0"
            )

    def evaluate(self, step: int) -> str:
        """Score all recordings, write the means to TensorBoard and record them in the run folder.

        Args:
            step: Step of the training.

        Returns:
            Line about `--best_metric`: its values in both directions, and those of the sources.
        """
        evaluation = self._evaluator.evaluate(self.converters, step)
        for path, warnings in evaluation.warnings.items():
            self._warn(path, warnings)
        scores = evaluation.scores
        means = {direction: systems["converted"].summary for direction, systems in scores.items()}
        for direction, summary in means.items():
            scalars = {
                f"evaluation/{direction}/{metric}": value
                for metric, value in summary.items()
                if value is not None
            }
            tensorboard.write_scalars(scalars, step)
        if not self._bounds_written:
            tensorboard.write_text("evaluation/bounds", _format_table(scores), step)
            self._bounds_written = True
        self.run.evaluations.add(step, means)
        metric = self.run.config.training.best_metric
        values = ", ".join(
            f"{direction} {_format_value(systems['converted'].summary[metric])} "
            f"(source {_format_value(systems['source'].summary[metric])})"
            for direction, systems in scores.items()
        )
        return f"{metric} {values}"

    def convert(self) -> None:
        """Convert all recordings into the run folder."""
        converted = self.run.path / "converted"
        for direction in Direction:
            speaker = self.speakers[direction.source]
            outputs = {
                speaker.held_out_dir / name: converted / direction / wav
                for name, wav in wav_names(speaker.held_out).items()
            }
            if not outputs:
                self.say(f"{speaker.folder.name}: no recording is held out, so none is converted.")
                continue
            done = convert_files(self.converters[direction], outputs)
            for path, warnings in done.warnings.items():
                self._warn(path, warnings)
            for path, reason in done.failed.items():
                self.say(f"{path} {reason}; it was not converted")
            if done.scaled:
                peak = max(done.scaled.values())
                self.say(f"{direction}: {len(done.scaled)} scaled down, peaks up to {peak:.2f}")
        self.run.set_converted(self.run.config.training.steps)
        if any(speaker.held_out for speaker in self.speakers.values()):
            self.say(f"Converted held-out speech: {converted}")

    @cached_property
    def _examples(self) -> dict[str, dict[str, Features]]:
        """Features of the first held-out recordings, by direction and name, up to 10 s long."""
        config = self.run.config.features
        count = self.run.config.training.convert_utterances
        examples: dict[str, dict[str, Features]] = {name: {} for name in Direction}
        for direction in Direction:
            speaker = self.speakers[direction.source]
            for name in speaker.held_out[:count]:
                path = speaker.held_out_dir / name
                try:
                    samples, recording = audio_files.read_resampled(path, config.sample_rate_hz)
                except audio_files.AudioError as error:
                    self.say(f"{path} {error}; TensorBoard goes without it")
                    continue
                self._warn(path, recording.warnings)
                samples = samples[: int(MAX_EXAMPLE_S * config.sample_rate_hz)]
                examples[direction][name] = self.converters[direction].analyse(samples)
        return examples

    def _warn(self, path: Path, warnings: Sequence[str]) -> None:
        """Print warnings about a recording that were not printed before."""
        for text in warnings:
            line = f"warning: {path} {text}"
            if line not in self._warned:
                self._warned.add(line)
                self.say(line)

    @cached_property
    def _evaluator(self) -> Evaluator:
        return Evaluator(self.run, self.run.config.metrics)


def _format_table(scores: Mapping[str, Mapping[str, Scores]]) -> str:
    """Format the bounds as text: a line per metric, a column per direction and system."""
    columns = [(direction, system) for direction in scores for system in BOUNDS]
    lines = ["".join([f"{'':24}", *(f"{f'{way} {system}':>20}" for way, system in columns)])]
    for metric in METRICS:
        values = (_format_value(scores[way][system].summary[metric]) for way, system in columns)
        lines.append("".join([f"{metric:24}", *(f"{value:>20}" for value in values)]))
    return "\n".join(lines)


def _format_value(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
