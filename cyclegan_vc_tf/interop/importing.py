"""Import of a public project's checkpoint as a run folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

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
from cyclegan_vc_tf.models import registry, stack
from cyclegan_vc_tf.runs import run_files, run_folder
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, join_names
from cyclegan_vc_tf.training.trainer import Trainer
from cyclegan_vc_tf.vocoders import selection

NO_RECORDINGS: dict[str, Any] = {speaker: {"training": {}} for speaker in SPEAKERS}
"""Table of recordings of a run that was imported with statistics instead of recordings."""

Configure = Callable[[RunConfig], RunConfig]
"""Function from the settings of a layout to the settings of a run."""


def import_run(
    run_dir: Path,
    checkpoint: Sequence[str],
    statistics: Sequence[str],
    configure: Configure,
    layout: str = "",
    step: int = 0,
    say: Callable[[str], None] = print,
) -> RunFolder:
    """Create a run folder from a public checkpoint, completely or not at all.

    Args:
        run_dir: Run folder to create.
        checkpoint: Files of the checkpoint, as `public_files.read` takes them.
        statistics: Files of the statistics, as `public_statistics.read` takes them. Without any,
            statistics are computed from the recordings of the settings.
        configure: Returns the run's settings from those of the layout.
        layout: Name of the layout; by default it is detected from the checkpoint's keys.
        step: Steps that the checkpoint was trained for, if known; schedules continue from there.
        say: Prints a line.

    Raises:
        InputError: A file cannot be used, does not fit the others, or is missing.
    """
    run_files.check_free(run_dir)
    found = public_files.read(checkpoint)
    generators = [network for name, network in found.items() if name.startswith("generator_")]
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
    for name, network_weights in weights.items():
        public_weights.assign(trainer.networks[name], network_weights)
    trainer.step.assign(step)
    speaker_statistics, corpus = _load_statistics(config, statistics, say)
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

    run = run_folder.create_run(run_dir, config, speaker_statistics, corpus, fill)
    for line in _summary_lines(layout, config, weights, untrained):
        say(line)
    return run


def _detect_layout(generator: PublicNetwork) -> str:
    """Return the layout that a generator's keys belong to."""
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
    """Add the file's name to errors about a network's weights."""
    try:
        yield
    except InputError as error:
        raise InputError(
            f"--checkpoint {network.file}, read as --layout={layout}: {error}"
        ) from error


def _configure_run(
    layout: str, weights: Mapping[str, NetworkWeights], configure: Configure
) -> RunConfig:
    """Return the settings of the run, from the layout, the flags and the weights' sizes."""
    generator = next(network for name, network in weights.items() if name.startswith("generator_"))
    bins = public_weights.count_bins(generator)
    public = LAYOUTS[layout]
    variant = public.network.variant
    base = replace(
        PRESETS[variant], features=with_bins(public.features, bins), network=public.network
    )
    config = configure(base)
    if config.network.variant != variant:
        raise InputError(
            f"--variant is {config.network.variant}; the checkpoint is one of {variant}: leave "
            "--variant out"
        )
    if config.features.bins != bins:
        raise InputError(
            f"the flags give {config.features.bins} values per frame, but the checkpoint's "
            f"generators have {bins}; leave out --mel_cepstra, --mel_bins and --spectra"
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
    """Refuse weights that do not fit the run's networks, before the networks take memory.

    Inconsistent weights may imply widths that would fill the memory. Networks without values
    take no memory.
    """
    names = registry.network_names(config)
    for name, public in found.items():
        if name not in names:
            raise InputError(
                f"--checkpoint {public.file} holds {name}, of which {layout} has none; leave it out"
            )
    with stack.without_values():
        for name, model in registry.build_networks(config, list(weights)).items():
            with _name_file(layout, found[name]):
                public_weights.check_shapes(model, weights[name])


def _refuse_other_sizes(
    configured: NetworkConfig, expected: NetworkConfig, layout: NetworkConfig
) -> None:
    """Refuse sizes that flags give and that differ from the weights'.

    Args:
        configured: Settings with the flags' values.
        expected: Settings with the sizes of the weights.
        layout: Settings of the layout, which hold where no flag is given.
    """
    for name, value in vars(configured).items():
        if value not in (getattr(expected, name), getattr(layout, name)):
            raise InputError(
                f"--{name} is {value}, but the checkpoint's weights have "
                f"{getattr(expected, name)}; leave --{name} out"
            )


def _load_statistics(
    config: RunConfig, statistics: Sequence[str], say: Callable[[str], None]
) -> tuple[dict[str, Statistics], dict[str, Any]]:
    """Return the statistics of both speakers, and the table of the run's recordings."""
    has_corpus = config.corpus.source_dir or config.corpus.target_dir
    if not statistics and not has_corpus:
        raise InputError(
            "--statistics is not given; expected the project's statistics files, or --source_dir "
            "and --target_dir to compute statistics"
        )
    given = {}
    if statistics:
        has_f0 = config.features.spectra == "mel_cepstra"
        given = public_statistics.read(statistics, config.features.bins, has_f0)
        if np.array_equal(given["A"].mean, given["B"].mean):
            say("Both speakers have equal statistics: one of the files may be the wrong one.")
    if not has_corpus:
        return given, NO_RECORDINGS
    speakers = preparation.prepare(config.corpus, config.features)
    for speaker in speakers.values():
        say(speaker.describe(config.features))
    computed = {name: speaker.statistics for name, speaker in speakers.items()}
    return given or computed, recordings_table(speakers)


def _summary_lines(
    layout: str,
    config: RunConfig,
    weights: Mapping[str, NetworkWeights],
    untrained: Sequence[str],
) -> list[str]:
    """Summarize what was imported, in a few lines."""
    count = sum(value.size for value in next(iter(weights.values())).values.values())
    first = next(iter(weights))
    lines = [
        f"{layout}: {config.network.variant} of {config.features.bins} values per frame; "
        f"{first} has {count:,} parameters",
        f"imported: {', '.join(weights)}",
    ]
    dropped: dict[tuple[str, str], list[str]] = {}
    for name, network_weights in weights.items():
        for reason, keys in network_weights.dropped.items():
            dropped.setdefault((join_names(sorted(keys)), reason), []).append(name)
    lines += [
        f"dropped, {reason}: {keys} of {', '.join(names)}"
        for (keys, reason), names in dropped.items()
    ]
    if untrained:
        lines.append(f"not in the checkpoint, untrained: {', '.join(untrained)}")
    return lines
