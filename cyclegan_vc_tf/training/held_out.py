"""What becomes of the held-out recordings while a run is trained, and when it is done."""

from collections.abc import Callable, Mapping
from functools import cached_property

from cyclegan_vc_tf.audio import audio_files, resampling
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.conversion.batch import convert_files, wav_names
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.data.speakers import Speaker
from cyclegan_vc_tf.evaluation import evaluation_sets
from cyclegan_vc_tf.evaluation import evaluator as evaluator_module
from cyclegan_vc_tf.evaluation.evaluator import Evaluator, Values
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training import tensorboard

MAX_EXAMPLE_S = 10.0

BOUND_SYSTEMS = ("source", "f0_only", "world_target")


class HeldOut:
    """The held-out recordings of both speakers of a run that is being trained.

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

    def write_examples(self, step: int) -> None:
        """Converts some there and back again, for TensorBoard."""
        config = self.run.config.features
        for direction in Direction:
            for name, source in self._examples[direction].items():
                try:
                    converted = self.converters[direction].convert_features(source)
                    cycled = self.converters[direction.reverse].convert_features(converted)
                except audio_files.AudioError as error:
                    self.say(f"{direction}: {name} {error}; TensorBoard goes without it")
                    continue
                kinds = {"source": source, "converted": converted, "cycled": cycled}
                speak = self.converters[direction].speak
                tensorboard.write_example(f"{direction}/{name}", kinds, config, speak, step)

    def check_metric(self) -> None:
        """Refuses a metric that cannot be measured, before the first step.

        Raises:
            InputError: It cannot, or nothing is held out.
        """
        metric = self.run.config.training.best_metric
        missing = dict(evaluator_module.load_neural_metrics(self.run.config.metrics)[1])
        for evaluator in self._evaluators.values():
            missing |= evaluator.not_measured()
        if metric in missing:
            raise InputError(
                f"--best_metric={metric} cannot be measured ({missing[metric]}); expected another "
                "one, or --evaluate_every=0"
            )

    def evaluate(self, step: int) -> str:
        """Scores all, writes it to TensorBoard and notes it in the run.

        Returns:
            What the metric that decides is, in both directions.
        """
        first = "_bounds" not in vars(self)
        bounds, means = self._bounds, {}
        for direction, evaluator in self._evaluators.items():
            waves = evaluator.converted(self.converters[direction])
            summary = evaluator.score(waves).summary
            means[direction] = summary
            scalars = {
                f"evaluation/{direction}/{metric}": value
                for metric, value in summary.items()
                if value is not None
            }
            tensorboard.write_scalars(scalars, step)
        if first:
            tensorboard.write_text("evaluation/bounds", _format_table(bounds), step)
        self.run.evaluations.add(step, means)
        metric = self.run.config.training.best_metric
        values = ", ".join(
            f"{direction} {_format_value(means[direction][metric])} "
            f"(source {_format_value(bounds[direction]['source'][metric])})"
            for direction in means
        )
        return f"{metric} {values}"

    def convert(self) -> None:
        """Converts all into the run folder."""
        converted = self.run.path / "converted"
        for direction in Direction:
            speaker = self.speakers[direction.source]
            outputs = {
                speaker.held_out_dir / name: converted / direction / wav
                for name, wav in wav_names(speaker.held_out).items()
            }
            if not outputs:
                self.say(f"{speaker.folder.name}: nothing is held out, so nothing is converted.")
                continue
            done = convert_files(self.converters[direction], outputs)
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
        """Features of the first held-out recordings, by direction and name, at most 10 s each."""
        config, most = self.run.config.features, self.run.config.training.convert_utterances
        examples: dict[str, dict[str, Features]] = {name: {} for name in Direction}
        for direction in Direction:
            speaker = self.speakers[direction.source]
            for name in speaker.held_out[:most]:
                try:
                    recording = audio_files.read(speaker.held_out_dir / name)
                except audio_files.AudioError as error:
                    self.say(f"{speaker.held_out_dir / name} {error}; TensorBoard goes without it")
                    continue
                samples = resampling.resample(*recording, config.sample_rate_hz)
                samples = samples[: int(MAX_EXAMPLE_S * config.sample_rate_hz)]
                examples[direction][name] = frontend.analyse(samples, config)
        return examples

    @cached_property
    def _evaluators(self) -> dict[Direction, Evaluator]:
        neural_metrics, _ = evaluator_module.load_neural_metrics(self.run.config.metrics)
        sets = evaluation_sets.load_evaluation_sets(self.run, self.run.config.metrics.reference_dir)
        rate_hz = self.run.config.features.sample_rate_hz
        return {
            name: Evaluator(recordings, rate_hz, neural_metrics)
            for name, recordings in sets.items()
        }

    @cached_property
    def _bounds(self) -> dict[str, dict[str, Values]]:
        """Means by direction and system; they are the same at every step."""
        return {
            direction: {
                system: evaluator.score(waves).summary
                for system, waves in evaluator.bounds(self.converters[direction]).items()
            }
            for direction, evaluator in self._evaluators.items()
        }


def _format_table(bounds: Mapping[str, Mapping[str, Values]]) -> str:
    """Bounds as text: a line for a metric, a column for a system of a direction."""
    columns = [(direction, system) for direction in bounds for system in BOUND_SYSTEMS]
    lines = ["".join([f"{'':24}", *(f"{f'{way} {system}':>20}" for way, system in columns)])]
    for metric in next(iter(bounds.values()))[BOUND_SYSTEMS[0]]:
        values = (_format_value(bounds[way][system][metric]) for way, system in columns)
        lines.append("".join([f"{metric:24}", *(f"{value:>20}" for value in values)]))
    return "\n".join(lines)


def _format_value(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
