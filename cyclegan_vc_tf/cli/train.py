r"""Train the converters of two speakers, or resume a training, and convert held-out speech.

python train.py --preset=demo
python train.py --preset=fast --source_dir=recordings/anna --target_dir=recordings/ben \
    --run_dir=runs/anna-ben
python train.py --run_dir=runs/anna-ben --steps=2000
"""

from absl import flags

from cyclegan_vc_tf import api
from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import overrides, preset_files
from cyclegan_vc_tf.config.presets import define_run_flags
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system import signals


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    preset_files.define_preset_flag(values)
    define_run_flags(values)
    paths.define_run_dir(values)


def train(values: flags.FlagValues) -> int:
    """Train; a stop on request, with everything saved, is a success too."""
    try:
        api.train(values.run_dir, **overrides.given_settings(RunConfig, values))
    except signals.StopSignal:
        print("Stopped; the same command continues from there.")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, train)
