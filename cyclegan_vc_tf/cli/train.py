r"""Trains two speakers' converters, or resumes a training, and converts held-out speech.

python train.py --flagfile=configs/demo.flags
python train.py --variant=mask --source_dir=recordings/anna --target_dir=recordings/ben \
    --run_dir=runs/anna-ben
python train.py --run_dir=runs/anna-ben --steps=200000
"""

from absl import flags

from cyclegan_vc_tf import settings, signals, startup
from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import RunConfig
from cyclegan_vc_tf.papers import PAPERS


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    settings.define_flags(RunConfig, values)
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
    with startup.importing():
        from cyclegan_vc_tf import processor, run_files, run_folder, training

    if run_files.exists(run_dir):
        base = run_folder.open_folder(run_dir).config
    else:
        base = PAPERS[values.variant]
    processor.prepare()
    try:
        training.train(run_dir, settings.from_flags(RunConfig, values, base))
    except signals.Stopped:
        print("Stopped; the same command goes on from there.")
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, train)
