"""Compute the features of two folders of recordings; a second run only processes what is new.

python -m cyclegan_vc_tf prepare --source_dir=recordings/anna --target_dir=recordings/ben
python -m cyclegan_vc_tf prepare --preset=demo_mask
python -m cyclegan_vc_tf prepare --corpus=vcc2016 --speakers=SF1,TF2

The flags of a training are accepted; --variant and the flags of features choose what is computed.
--corpus downloads a public corpus first. --split_silence cuts long recordings into utterances. A
table shows what each folder holds.
"""

import shlex

from absl import flags

from cyclegan_vc_tf import api
from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.config import overrides, preset_files, settings
from cyclegan_vc_tf.config.commands import PublicCorpusConfig
from cyclegan_vc_tf.config.run import RunConfig


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    preset_files.define_preset_flag(values)
    settings.define_flags(RunConfig, values)
    settings.define_flags(PublicCorpusConfig, values)
    flags.DEFINE_string(
        "run_dir", "", "Run folder of a training; not used.", flag_values=values, module_name="run"
    )


def prepare(values: flags.FlagValues) -> int:
    """Prepare both speakers, and print what was found."""
    public = settings.from_flags(PublicCorpusConfig, values, PublicCorpusConfig())
    speakers = api.prepare(
        corpus=public.corpus,
        speakers=public.speakers,
        corpus_dir=public.corpus_dir,
        corpus_url=public.corpus_url,
        log=lambda text: print(text, flush=True),
        **overrides.given_settings(RunConfig, values),
    )
    if public.corpus:
        source, target = speakers["A"], speakers["B"]
        folders = {
            "source_dir": source.folder, "target_dir": target.folder,
            "held_out_source_dir": source.held_out_dir, "held_out_target_dir": target.held_out_dir,
        }  # fmt: skip
        given = (shlex.quote(f"--{name}={folder}") for name, folder in folders.items())
        print("Flags for train.py:", " ".join(given), sep="\n")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, prepare)
