"""Flags for the size of a training step, common to all benchmarks of steps."""

import argparse
import dataclasses
import os
from collections.abc import Callable

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig

# TensorFlow logs the machine's features at length, in this process and in its children.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def parser(module: str, description: str | None) -> argparse.ArgumentParser:
    """Make a parser of the flags of `python -m benchmarks.MODULE`."""
    return argparse.ArgumentParser(
        prog=f"python -m benchmarks.{module}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def whole(multiple: int = 1) -> Callable[[str], int]:
    """Return the type of a flag for positive whole numbers that are multiples of `multiple`."""

    def parse(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else 0
        if number < 1 or number % multiple:
            kind = "whole number" if multiple == 1 else f"multiple of {multiple}"
            raise argparse.ArgumentTypeError(f"{text!r}; expected a {kind} of at least {multiple}")
        return number

    return parse


def add_flags(flags: argparse.ArgumentParser) -> None:
    """Add the flags that `to_config` reads."""
    flags.add_argument(
        "--variant", choices=PRESETS, default="vc1", help="variant whose settings are used"
    )
    flags.add_argument("--batch", type=whole(), default=1, help="crops of each speaker per step")
    flags.add_argument("--frames", type=whole(4), help="frames per crop (default: the paper's)")
    # Fewer channels than the paper's, for tests of a benchmark and for measurements of growth.
    flags.add_argument("--channels", type=whole(), help=argparse.SUPPRESS)


def to_config(arguments: argparse.Namespace, precision: str = "float32") -> RunConfig:
    """Return the paper's settings at these sizes."""
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
    """Return the flags for these settings, for another process."""
    return [
        f"--variant={config.network.variant}",
        f"--batch={config.training.batch_size}",
        f"--frames={config.training.crop_frames}",
        f"--channels={config.network.channels}",
    ]
