"""Writes a run's networks as state dictionaries of PyTorch, which has to be installed.

python -m cyclegan_vc_tf export --run_dir=runs/anna-ben --format=torch --output=anna-ben.pt
"""

from dataclasses import dataclass

from absl import flags

from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import STEP_HELP
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class ExportConfig:
    """What to export, and where to."""

    run_dir: str = setting("", "Run folder of a training.")
    output: str = setting("", "File to write; one that is there is replaced.", is_path=True)
    format: str = setting("torch", "Of the file: what torch.save writes.", choices=("torch",))
    layout: str = setting(
        "companion",
        "Whose keys: the parity suite's companion's, or those of github.com/karkirowle/"
        "cyclegan_pytorch, for runs whose networks compute what its do.",
        choices=("companion", "karkirowle"),
    )
    step: str = setting("last", STEP_HELP)


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    settings.define_flags(ExportConfig, values)


def export(values: flags.FlagValues) -> int:
    """Exports, and prints under which names the networks are in the file."""
    config = settings.from_flags(ExportConfig, values, ExportConfig())
    run_dir = paths.run_dir(config.run_dir)
    output = paths.new_file(config.output)
    if run_dir.resolve() in output.resolve().parents:
        raise InputError(f"--output {output} lies in the run folder; expected another place")
    # TensorFlow takes seconds to import: wrong flags are refused without it.
    from cyclegan_vc_tf.interop import exporting
    from cyclegan_vc_tf.runs import run_folder

    run = run_folder.open_run(run_dir)
    step, names = exporting.export(run, config.layout, output, run.pick(config.step))
    print(f"Step {step}: {', '.join(names)}: {output}")
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, export)
