r"""Evaluates a run: converts held-out recordings, and writes scores and a page with examples.

python -m cyclegan_vc_tf evaluate --run_dir=runs/anna-ben
python -m cyclegan_vc_tf evaluate --run_dir=pretrained:vc1-demo \
    --held_out_source_dir=data/demo/held_out/heart \
    --held_out_target_dir=data/demo/held_out/michael
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
    held_out_dirs = {"A": config.held_out_source_dir, "B": config.held_out_target_dir}
    step = run.pick(config.step)
    done = evaluator.evaluate(run, step, metrics, config.examples, held_out_dirs)
    # A published run's folder may be read-only, and a model card has the run's own recordings.
    own = run_dir / "evaluation"
    folders = Path("evaluation") / run_dir.name if any(held_out_dirs.values()) else own
    folder = Path(config.output) if config.output else folders / f"step-{done.step}"
    folder.mkdir(parents=True, exist_ok=True)
    report.write_json(done, folder / "metrics.json")
    report.write_csv(done, folder / "recordings.csv")
    report.write_html(done, folder / "report.html", events.read_scalars(run_dir))
    if config.json:
        report.write_json(done, Path(config.json))
    print(report.to_text(done))
    for metric, reason in done.not_measured.items():
        print(f"not measured: {metric}: {reason}")
    for metric, note in done.notes.items():
        print(f"note: {metric}: {note}")
    print(f"Report: {folder / 'report.html'}")
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, evaluate)
