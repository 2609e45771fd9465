"""Show what a run folder holds, and what is wrong with a damaged one.

python -m cyclegan_vc_tf inspect --run_dir=runs/anna-ben

The exit status is 0 for a run folder in order, 1 for a damaged one, 2 where there is none.
"""

from dataclasses import dataclass
from pathlib import Path

from absl import flags

from cyclegan_vc_tf import api
from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import RUN_DIR_HELP
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.system import files


@dataclass(frozen=True)
class InspectConfig:
    """Settings of one inspection."""

    run_dir: str = setting("", RUN_DIR_HELP)
    json: str = setting("", "File to write the findings to as JSON.", is_path=True)


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(InspectConfig, values)


def inspect(values: flags.FlagValues) -> int:
    """Inspect a run folder, and print what it holds and what is wrong."""
    config = settings.from_flags(InspectConfig, values, InspectConfig())
    found = api.inspect(config.run_dir)
    print("\n".join(found.lines()))
    if config.json:
        files.write_json(Path(config.json), found.as_json())
    return command.SOME_FAILED if found.problems else command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, inspect)
