"""Flags that say how large a step is, the same for all that measure one."""

import argparse
import dataclasses
import os
from collections.abc import Callable

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig

# TensorFlow says at length what it finds on the machine, here and in whatever is started from here.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """A parser of the flags of `python -m benchmarks.MODULE`."""
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def whole(multiple: int = 1) -> Callable[[str], int]:
    """The type of a flag that is a positive whole number, a multiple of another."""

    def parse(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else 0
        if number < 1 or number % multiple:
            kind = "whole number" if multiple == 1 else f"multiple of {multiple}"
            raise argparse.ArgumentTypeError(f"{text!r}; expected a {kind} of at least {multiple}")
        return number

    return parse


def add(flags: argparse.ArgumentParser) -> None:
    """Adds the flags `config_of` reads."""
    flags.add_argument("--variant", choices=PRESETS, default="vc1", help="whose settings")
    flags.add_argument("--batch", type=whole(), default=1, help="crops of each speaker in a step")
    flags.add_argument("--frames", type=whole(4), help="frames in a crop; by default the paper's")
    # Less than a paper's, where only the benchmark itself is tried, or growth is looked at.
    flags.add_argument("--channels", type=whole(), help=argparse.SUPPRESS)


def config_of(arguments: argparse.Namespace, precision: str = "float32") -> RunConfig:
    """The paper's settings at these sizes."""
    paper = PRESETS[arguments.variant]
    return dataclasses.replace(
        paper,
        network=dataclasses.replace(
            paper.network, channels=arguments.channels or paper.network.channels
        ),
        training=dataclasses.replace(
            paper.training,
            batch_size=arguments.batch,
            crop_frames=arguments.frames or paper.training.crop_frames,
            precision=precision,
        ),
    )


def to_arguments(config: RunConfig) -> list[str]:
    """The flags that `config_of` makes these settings of, for another process."""
    return [
        f"--variant={config.network.variant}",
        f"--batch={config.training.batch_size}",
        f"--frames={config.training.crop_frames}",
        f"--channels={config.network.channels}",
    ]
