"""Makes a run small enough to pass on: both generators in half precision, to convert with.

python -m cyclegan_vc_tf publish --run_dir=runs/anna-ben --about=anna-ben.md --output=anna-ben
"""

from dataclasses import dataclass
from pathlib import Path

from absl import flags

from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import STEP_HELP
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class PublishConfig:
    """What to publish, and where to."""

    run_dir: str = setting("", "Run folder of a training.")
    step: str = setting("last", STEP_HELP)
    about: str = setting(
        "",
        "Markdown file that the model's card begins with: whose voices, from where, under which "
        "licence.",
        is_path=True,
    )
    output: str = setting("", "Folder to make.", is_path=True)


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    settings.define_flags(PublishConfig, values)


def publish(values: flags.FlagValues) -> int:
    """Publishes, and prints what the folder's weights take."""
    config = settings.from_flags(PublishConfig, values, PublishConfig())
    run_dir = paths.run_dir(config.run_dir)
    output, about = paths.required("output", config.output), Path(config.about)
    if not config.about:
        raise InputError("--about is not given; expected a file that says whose voices these are")
    text = about.read_text(encoding="utf-8")
    # TensorFlow takes seconds to import: wrong flags are refused without it.
    from cyclegan_vc_tf.hub import publishing
    from cyclegan_vc_tf.runs import run_folder

    run = run_folder.open_run(run_dir)
    step = run.pick(config.step)
    weights = publishing.publish(run, step, output, text)
    print(f"Step {step}: {weights.stat().st_size / 1e6:.1f} MB of weights: {output}")
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, publish)
