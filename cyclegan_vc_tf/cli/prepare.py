"""Makes the features of two folders of recordings; a second run does only what is new.

python -m cyclegan_vc_tf prepare --source_dir=recordings/anna --target_dir=recordings/ben
"""

from absl import flags

from cyclegan_vc_tf import preparation, settings
from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.config import CorpusConfig, FeatureConfig


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    settings.define_flags(CorpusConfig, values)
    settings.define_flags(FeatureConfig, values)


def prepare(values: flags.FlagValues) -> int:
    """Prepares both speakers and prints what was found."""
    corpus = settings.from_flags(CorpusConfig, values, CorpusConfig())
    config = settings.from_flags(FeatureConfig, values, FeatureConfig())
    for speaker in preparation.prepare(corpus, config).values():
        print(speaker.describe(config))
        print(f"  features in {speaker.store.folder}")
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, prepare)
