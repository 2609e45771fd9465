"""Makes the features of two folders of recordings; a second run does only what is new.

python -m cyclegan_vc_tf prepare --source_dir=recordings/anna --target_dir=recordings/ben
python -m cyclegan_vc_tf prepare --flagfile=configs/demo_mask.flags
python -m cyclegan_vc_tf prepare --corpus=vcc2016 --speakers=SF1,TF2

Flags of a training are accepted, so that its flag file can be given; which features are made
follows from --variant and from the flags of features. --corpus downloads a public corpus first;
--split_silence cuts long recordings into utterances. A table says what each folder holds.
"""

import shlex
from dataclasses import replace
from pathlib import Path

import platformdirs
from absl import flags

from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import PublicCorpusConfig
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.presets import PRESETS, define_run_flags
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.data import corpora, corpus_summary, preparation
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.system.errors import InputError

FOLDERS = ("source_dir", "target_dir", "held_out_source_dir", "held_out_target_dir")
"""The flags that say where recordings are."""


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    define_run_flags(values)
    settings.define_flags(PublicCorpusConfig, values)
    flags.DEFINE_string(
        "run_dir", "", "Run folder of a training.", flag_values=values, module_name="run"
    )


def prepare(values: flags.FlagValues) -> int:
    """Prepares both speakers and prints what was found."""
    config = settings.from_flags(RunConfig, values, PRESETS[values.variant])
    public = settings.from_flags(PublicCorpusConfig, values, PublicCorpusConfig())
    corpus = config.corpus
    if public.corpus:
        frontend.validate(config.features)
        corpus = _obtain(public, corpus)
    elif public != PublicCorpusConfig():
        raise InputError("--speakers, --corpus_dir and --corpus_url go with --corpus; expected it")
    for speaker in preparation.prepare(corpus, config.features).values():
        print(speaker.describe(config.features))
        print(corpus_summary.format_table(corpus_summary.read(speaker.store.folder)))
        print(f"  features in {speaker.store.folder}")
        print(f"  picture: {speaker.store.folder / corpus_summary.PICTURE_FILE}")
    if public.corpus:
        given = (f"--{name}={getattr(corpus, name)}" for name in FOLDERS)
        print("Flags for train.py:", " ".join(map(shlex.quote, given)), sep="\n")
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, prepare)


def _obtain(public: PublicCorpusConfig, own: CorpusConfig) -> CorpusConfig:
    """The folders of two speakers of a public corpus, downloaded where they are not there."""
    corpus = corpora.find_corpus(public.corpus)
    pair = corpus.pair(public.speakers)
    given = [f"--{name}" for name in FOLDERS if getattr(own, name)]
    if given:
        raise InputError(f"--corpus says where recordings are; expected no {', '.join(given)}")
    folder = Path(public.corpus_dir or platformdirs.user_data_path("cyclegan_vc_tf") / corpus.name)
    print(corpus.describe(), flush=True)
    # Its packages take a tenth of a second to import, and nothing else needs them.
    from cyclegan_vc_tf.data import download

    download.download_corpus(corpus, pair, folder, public.corpus_url)
    places = [str(folder / side / each) for side in corpora.SIDES for each in pair]
    return replace(own, **dict(zip(FOLDERS, places, strict=True)))  # type: ignore[arg-type]
