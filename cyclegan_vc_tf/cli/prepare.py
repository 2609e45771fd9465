"""Makes the features of two folders of recordings; a second run does only what is new.

python -m cyclegan_vc_tf prepare --source_dir=recordings/anna --target_dir=recordings/ben
python -m cyclegan_vc_tf prepare --flagfile=configs/demo_mask.flags

Flags of a training are accepted, so that its flag file can be given; which features are made
follows from --variant and from the flags of features.
"""

from absl import flags

from cyclegan_vc_tf import preparation, settings
from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.config import RunConfig
from cyclegan_vc_tf.papers import PAPERS


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    settings.define_flags(RunConfig, values)
    flags.DEFINE_string(
        "run_dir", "", "Run folder of a training.", flag_values=values, module_name="run"
    )


def prepare(values: flags.FlagValues) -> int:
    """Prepares both speakers and prints what was found."""
    config = settings.from_flags(RunConfig, values, PAPERS[values.variant])
    for speaker in preparation.prepare(config.corpus, config.features).values():
        print(speaker.describe(config.features))
        print(f"  features in {speaker.store.folder}")
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, prepare)
