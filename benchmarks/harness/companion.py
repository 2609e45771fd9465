"""A worker that makes the PyTorch companion's training steps; see `benchmarks.harness.worker`.

Its threads are as many as PyTorch takes by itself, its optimiser is `torch.optim.Adam` as it comes.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch

from benchmarks.harness import sizes, worker
from cyclegan_vc_tf.config.run import RunConfig
from parity.companion.train_step import Step
from parity.companion.vc1 import initialise_as_keras

MODES = ("eager", "compile", "autocast")
"""float32 as it is; its networks through `torch.compile`; products in bfloat16 by autocast."""


def training_step(config: RunConfig, mode: str) -> tuple[Callable[[], Any], worker.Facts]:
    """One iteration on normal numbers."""
    torch.manual_seed(config.training.seed)
    # TensorFlow does so by itself. Numbers next to nothing, of which a training on the same batch
    # over and over makes many, would slow the companion down more than they do on real speech.
    torch.set_flush_denormal(True)
    companion = Step(config, torch.optim.Adam)
    for networks in (companion.generators, companion.discriminators):
        initialise_as_keras(networks)
        for network in networks.values():
            if mode == "compile":
                network.compile()
    inputs = batch(config)

    def step() -> None:
        # Around the whole step a weight is cast once for all three passes of a generator.
        cast = torch.autocast("cpu", torch.bfloat16) if mode == "autocast" else nullcontext()
        with cast:
            companion(*inputs)

    versions = {"torch": torch.__version__, "numpy": np.__version__}
    return step, {"versions": versions, "threads": torch.get_num_threads()}


def batch(config: RunConfig) -> list[torch.Tensor]:
    """Features of both speakers, (batch, bins, frames), and masks where there are some."""
    training = config.training
    rng = np.random.default_rng(0)
    shape = (2, training.batch_size, config.features.bins, training.crop_frames)
    pair = [*rng.standard_normal(shape).astype(np.float32)]
    if config.network.variant == "mask":
        pair += [np.ones((shape[1], 1, shape[3]), np.float32)] * 2
    return [torch.from_numpy(each) for each in pair]


def main(arguments: Sequence[str] | None = None) -> None:
    """Serves steps of a mode."""
    flags = sizes.parser("companion", __doc__)
    sizes.add(flags)
    flags.add_argument("--mode", choices=MODES, default="eager")
    given = flags.parse_args(arguments)
    worker.serve(lambda: training_step(sizes.config_of(given), given.mode))


if __name__ == "__main__":
    main()
