r"""Trains two speakers' converters, or resumes a training, and converts held-out speech.

python train.py --flagfile=configs/demo.flags
python train.py --variant=mask --source_dir=recordings/anna --target_dir=recordings/ben \
    --run_dir=runs/anna-ben
python train.py --run_dir=runs/anna-ben --steps=200000
"""

from absl import flags

from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.presets import PRESETS, define_run_flags
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system import signals, startup


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    define_run_flags(values)
    flags.DEFINE_string(
        "run_dir",
        "",
        "Run folder. One that exists is resumed, and flags that are left out are as it has them.",
        flag_values=values,
        module_name="run",
    )


def train(values: flags.FlagValues) -> int:
    """Trains; a stop on request that saved everything is a success too."""
    run_dir = paths.run_dir(values.run_dir).resolve()
    # TensorFlow takes seconds to import: wrong flags are refused without it.
    with startup.fast_import():
        from cyclegan_vc_tf.runs import run_files, run_folder
        from cyclegan_vc_tf.system import processor
        from cyclegan_vc_tf.training import loop

    if run_files.exists(run_dir):
        base = run_folder.open_run(run_dir).config
    else:
        base = PRESETS[values.variant]
    processor.configure_process()
    try:
        loop.train(run_dir, settings.from_flags(RunConfig, values, base))
    except signals.StopSignal:
        print("Stopped; the same command goes on from there.")
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, train)
