"""Write a small copy of a run: both generators in half precision, to convert with.

python -m cyclegan_vc_tf publish --run_dir=runs/anna-ben --about=anna-ben.md --output=anna-ben
"""

from dataclasses import dataclass

from absl import flags

from cyclegan_vc_tf import api, exchange
from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import STEP_HELP
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class PublishConfig:
    """Settings of one publication."""

    run_dir: str = setting("", "Run folder of a training.")
    step: str = setting("last", STEP_HELP)
    about: str = setting(
        "",
        "Markdown file with the beginning of the model card: whose voices, their origin, their "
        "licence.",
        is_path=True,
    )
    output: str = setting("", "Folder to make.", is_path=True)
    onnx: bool = setting(
        False,
        "Add an ONNX file of each generator, with which the folder converts without TensorFlow.",
    )


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(PublishConfig, values)


def publish(values: flags.FlagValues) -> int:
    """Publish, and print the size of the weights."""
    config = settings.from_flags(PublishConfig, values, PublishConfig())
    run_dir = api.find_run(config.run_dir)
    output = paths.required("output", config.output)
    if not config.about:
        raise InputError("--about is not given; expected a file that says whose voices these are")
    about = paths.read_text("about", config.about)
    step, weights = exchange.publish(run_dir, output, about, step=config.step, onnx=config.onnx)
    print(f"Step {step}: {weights.stat().st_size / 1e6:.1f} MB of weights: {output}")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, publish)
