"""Write the networks of a run as PyTorch state dictionaries; PyTorch has to be installed.

python -m cyclegan_vc_tf export --run_dir=runs/anna-ben --format=torch --output=anna-ben.pt
"""

from dataclasses import dataclass

from absl import flags

from cyclegan_vc_tf import api, exchange
from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import RUN_DIR_HELP, STEP_HELP
from cyclegan_vc_tf.config.settings import setting


@dataclass(frozen=True)
class ExportConfig:
    """Settings of one export."""

    run_dir: str = setting("", RUN_DIR_HELP)
    output: str = setting("", "File to write; an existing file is replaced.", is_path=True)
    format: str = setting("torch", "Format of the file: torch, of torch.save.", choices=("torch",))
    layout: str = setting(
        "companion",
        "Keys of the weights: companion of the parity suite, or karkirowle of github.com/"
        "karkirowle/cyclegan_pytorch, for runs with that project's networks.",
        choices=("companion", "karkirowle"),
    )
    step: str = setting("last", STEP_HELP)


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(ExportConfig, values)


def export(values: flags.FlagValues) -> int:
    """Export, and print the names of the networks in the file."""
    config = settings.from_flags(ExportConfig, values, ExportConfig())
    run_dir = api.find_run(config.run_dir)
    output = paths.new_file(config.output)
    step, names = exchange.export_networks(run_dir, output, layout=config.layout, step=config.step)
    print(f"Step {step}: {', '.join(names)}: {output}")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, export)
