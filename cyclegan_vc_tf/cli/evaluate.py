r"""Measure a run on held-out recordings: metrics in the terminal, and a report as a web page.

python -m cyclegan_vc_tf evaluate --run_dir=runs/anna-ben
python -m cyclegan_vc_tf evaluate --run_dir=pretrained:vc1-demo \
    --held_out_source_dir=data/demo/held_out/heart \
    --held_out_target_dir=data/demo/held_out/michael \
    --enrolment_source_dir=data/demo/train/heart --enrolment_target_dir=data/demo/train/michael
"""

from pathlib import Path

from absl import flags

from cyclegan_vc_tf import evaluations
from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.config import overrides, settings
from cyclegan_vc_tf.config.commands import EvaluateConfig
from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.system.errors import escape_controls


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(EvaluateConfig, values)
    settings.define_flags(MetricsConfig, values)


def evaluate(values: flags.FlagValues) -> int:
    """Evaluate, write the report, and print the metrics."""
    config = settings.from_flags(EvaluateConfig, values, EvaluateConfig())
    folders = {
        "held_out_source_dir": config.held_out_source_dir,
        "held_out_target_dir": config.held_out_target_dir,
        "enrolment_source_dir": config.enrolment_source_dir,
        "enrolment_target_dir": config.enrolment_target_dir,
    }
    evaluation = evaluations.evaluate(
        config.run_dir,
        config.step,
        **folders,
        vocoder=config.vocoder,
        adapt_source=config.adapt_source,
        examples=config.examples,
        output=config.output,
        **overrides.given_settings(MetricsConfig, values),
    )
    from cyclegan_vc_tf.evaluation import report

    if config.json:
        report.write_json(evaluation, Path(config.json))
    print(report.to_text(evaluation))
    for metric, reason in evaluation.not_measured.items():
        print(f"not measured: {metric}: {reason}")
    for metric, note in evaluation.notes.items():
        print(f"note: {metric}: {note}")
    for path, warnings in evaluation.warnings.items():
        for warning in warnings:
            print(escape_controls(f"warning: {path} {warning}"))
    print(f"Report: {evaluation.folder}/report.html")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, evaluate)
