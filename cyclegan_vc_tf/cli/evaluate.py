"""Says how good a run is: its held-out recordings converted, in numbers and on a page.

python -m cyclegan_vc_tf evaluate --run_dir=runs/anna-ben
"""

from pathlib import Path

from absl import flags

from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import EvaluateConfig
from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.system import startup


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    settings.define_flags(EvaluateConfig, values)
    settings.define_flags(MetricsConfig, values)


def evaluate(values: flags.FlagValues) -> int:
    """Evaluates, writes the report, and prints the numbers."""
    config = settings.from_flags(EvaluateConfig, values, EvaluateConfig())
    run_dir = paths.run_dir(config.run_dir)
    # TensorFlow takes seconds to import: wrong flags are refused without it.
    with startup.fast_import():
        from cyclegan_vc_tf.evaluation import evaluator, report
        from cyclegan_vc_tf.runs import events, run_folder

    run = run_folder.open_run(run_dir)
    metrics = settings.from_flags(MetricsConfig, values, run.config.metrics)
    done = evaluator.evaluate(run, run.pick(config.step), metrics, config.examples)
    folder = Path(config.output) if config.output else run_dir / "evaluation" / f"step-{done.step}"
    folder.mkdir(parents=True, exist_ok=True)
    report.write_json(done, folder / "metrics.json")
    report.write_csv(done, folder / "recordings.csv")
    report.write_html(done, folder / "report.html", events.read_scalars(run_dir))
    if config.json:
        report.write_json(done, Path(config.json))
    print(report.to_text(done))
    for metric, reason in done.not_measured.items():
        print(f"not measured: {metric}: {reason}")
    print(f"Report: {folder / 'report.html'}")
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, evaluate)
