"""A run folder out of a public project's checkpoint."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config.directions import SPEAKERS
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.data.speakers import recordings_table
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop import public_files, public_statistics, public_weights
from cyclegan_vc_tf.interop.public_files import PublicNetwork
from cyclegan_vc_tf.interop.public_layouts import LAYOUTS, with_bins
from cyclegan_vc_tf.interop.public_weights import NetworkWeights
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.runs import run_files, run_folder
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, join_names
from cyclegan_vc_tf.training.trainer import Trainer
from cyclegan_vc_tf.vocoders import selection

NO_RECORDINGS: dict[str, Any] = {speaker: {"training": {}} for speaker in SPEAKERS}
"""Of a run that was imported with its statistics alone."""

Configure = Callable[[RunConfig], RunConfig]


def import_run(
    run_dir: Path,
    checkpoint: Sequence[str],
    statistics: Sequence[str],
    configure: Configure,
    layout: str = "",
    step: int = 0,
    say: Callable[[str], None] = print,
) -> RunFolder:
    """Makes a run folder of a public checkpoint: whole, or not at all.

    Args:
        run_dir: The run folder to make.
        checkpoint: Files, as `public_files.read` takes them.
        statistics: Files, as `public_statistics.read` takes them; if there are none, statistics
            are computed of the corpus.
        configure: Given what the layout says of a run, gives its settings.
        layout: The project's; by default it is told by the checkpoint.
        step: How many steps it was trained for, where that is known: schedules go on from there.
        say: Prints a line.

    Raises:
        InputError: A file is not what it has to be, or something is missing.
    """
    run_files.check_free(run_dir)
    found = public_files.read(checkpoint)
    generators = [each for name, each in found.items() if name.startswith("generator_")]
    if not generators:
        raise InputError(
            f"--checkpoint has {join_names(list(found))} and no generator; expected one"
        )
    layout = layout or _detect_layout(generators[0])
    weights = {}
    for name, public in found.items():
        with _name_file(layout, public):
            weights[name] = public_weights.translate(LAYOUTS[layout], name, public.state)
    config = _configure_run(layout, weights, configure)
    if step > config.training.steps:
        raise InputError(f"--step is {step}; expected at most --steps, {config.training.steps}")
    _check_weights(layout, config, found, weights)
    trainer = Trainer(config)
    for name, each in weights.items():
        public_weights.assign(trainer.networks[name], each)
    trainer.step.assign(step)
    told, corpus = _load_statistics(config, statistics, say)
    untrained = [name for name in trainer.networks if name not in weights]
    origin = {
        "layout": layout,
        "project": LAYOUTS[layout].project,
        "files": {name: str(public.file) for name, public in found.items()},
        "step": step,
        "untrained": untrained,
    }

    def fill(folder: Path) -> None:
        files.write_json(folder / run_files.IMPORTED, origin)
        Checkpoints(folder / "checkpoints").save(trainer.checkpoint, step, keep=1)

    run = run_folder.create_run(run_dir, config, told, corpus, fill)
    for line in _summary_lines(layout, config, weights, untrained):
        say(line)
    return run


def _detect_layout(generator: PublicNetwork) -> str:
    layout = public_weights.detect_layout(generator.state)
    if not layout:
        raise InputError(
            f"--checkpoint {generator.file} has keys such as "
            f"{join_names(list(generator.state), 3)}, of no layout that is known; "
            f"expected one of {', '.join(LAYOUTS)}"
        )
    return layout


@contextmanager
def _name_file(layout: str, network: PublicNetwork) -> Iterator[None]:
    """Says of which file it is what is wrong with a network's weights."""
    try:
        yield
    except InputError as error:
        raise InputError(
            f"--checkpoint {network.file}, read as --layout={layout}: {error}"
        ) from error


def _configure_run(
    layout: str, weights: Mapping[str, NetworkWeights], configure: Configure
) -> RunConfig:
    """The settings of the run: what the layout says, what flags say, what the weights tell."""
    generator = next(each for name, each in weights.items() if name.startswith("generator_"))
    bins = public_weights.count_bins(generator)
    public = LAYOUTS[layout]
    variant = public.network.variant
    told = replace(
        PRESETS[variant], features=with_bins(public.features, bins), network=public.network
    )
    config = configure(told)
    if config.network.variant != variant:
        raise InputError(
            f"--variant is {config.network.variant}; the checkpoint is one of {variant}: leave it "
            "out"
        )
    if config.features.bins != bins:
        raise InputError(
            f"{config.features.bins} values a frame were asked for, and the checkpoint's "
            f"generators make {bins}; leave out --mel_cepstra, --mel_bins and --spectra"
        )
    network = public_weights.with_sizes(config.network, weights.values())
    _refuse_other_sizes(config.network, network, public.network)
    config = replace(config, network=network)
    registry.validate_config(config)
    frontend.validate(config.features)
    selection.make_vocoder(config.features, config.vocoder)
    return config


def _check_weights(
    layout: str,
    config: RunConfig,
    found: Mapping[str, PublicNetwork],
    weights: Mapping[str, NetworkWeights],
) -> None:
    """Refuses weights that are not those of the run's networks, before these take memory.

    In a graph that is never run, networks of any size take none: weights that do not go together
    may tell widths that would fill it.
    """
    names = registry.network_names(config)
    for name, public in found.items():
        if name not in names:
            raise InputError(
                f"--checkpoint {public.file} holds {name}, of which {layout} has none; leave it out"
            )
    with tf.Graph().as_default():
        for name, model in registry.build_networks(config, list(weights)).items():
            with _name_file(layout, found[name]):
                public_weights.check_shapes(model, weights[name])


def _refuse_other_sizes(given: NetworkConfig, told: NetworkConfig, layout: NetworkConfig) -> None:
    """Refuses sizes that were asked for and are not the weights'."""
    for name, value in vars(given).items():
        if value not in (getattr(told, name), getattr(layout, name)):
            raise InputError(
                f"--{name} is {value}, and the checkpoint's weights are of {getattr(told, name)}; "
                "leave it out"
            )


def _load_statistics(
    config: RunConfig, statistics: Sequence[str], say: Callable[[str], None]
) -> tuple[dict[str, Statistics], dict[str, Any]]:
    """Both speakers' statistics, and what the run keeps of its recordings."""
    has_corpus = config.corpus.source_dir or config.corpus.target_dir
    if not statistics and not has_corpus:
        raise InputError(
            "--statistics is not given; expected the files that the project keeps beside its "
            "checkpoints, or --source_dir and --target_dir to compute them"
        )
    told = {}
    if statistics:
        has_f0 = config.features.spectra == "mel_cepstra"
        told = public_statistics.read(statistics, config.features.bins, has_f0)
        if np.array_equal(told["A"].mean, told["B"].mean):
            say("Both speakers have the same statistics: one of the files may be the wrong one.")
    if not has_corpus:
        return told, NO_RECORDINGS
    speakers = preparation.prepare(config.corpus, config.features)
    for speaker in speakers.values():
        say(speaker.describe(config.features))
    computed = {name: speaker.statistics for name, speaker in speakers.items()}
    return told or computed, recordings_table(speakers)


def _summary_lines(
    layout: str,
    config: RunConfig,
    weights: Mapping[str, NetworkWeights],
    untrained: Sequence[str],
) -> list[str]:
    """What was imported, in a few lines."""
    count = sum(value.size for value in next(iter(weights.values())).values.values())
    first = next(iter(weights))
    lines = [
        f"{layout}: {config.network.variant} of {config.features.bins} values a frame; "
        f"{first} has {count:,} parameters",
        f"imported: {', '.join(weights)}",
    ]
    dropped: dict[tuple[str, str], list[str]] = {}
    for name, each in weights.items():
        for why, keys in each.dropped.items():
            dropped.setdefault((join_names(sorted(keys)), why), []).append(name)
    lines += [f"dropped, {why}: {keys} of {', '.join(of)}" for (keys, why), of in dropped.items()]
    if untrained:
        lines.append(f"not in the checkpoint, untrained: {', '.join(untrained)}")
    return lines
