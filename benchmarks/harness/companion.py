"""A worker that makes the PyTorch companion's training steps; see `benchmarks.harness.worker`.

It uses a GPU where PyTorch sees one, PyTorch's default number of threads, and `torch.optim.Adam`
with its default implementation.
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
"""Ways to run a step: eager float32, networks through `torch.compile`, and products in bfloat16 by
autocast."""


def training_step(config: RunConfig, mode: str) -> tuple[Callable[[], Any], worker.Facts]:
    """Return a function that makes an iteration on normally distributed features, and facts."""
    torch.manual_seed(config.training.seed)
    # As in TensorFlow. Repeated training on one batch makes many denormal numbers, which would slow
    # the companion down more than on speech.
    torch.set_flush_denormal(True)
    place = find_device()
    companion = Step(config, torch.optim.Adam)
    for networks in (companion.generators, companion.discriminators):
        initialise_as_keras(networks)
        networks.to(place)
        for network in networks.values():
            if mode == "compile":
                network.compile()
    inputs = [each.to(place) for each in draw_batch(config)]

    def step() -> None:
        # Around the whole step, a weight is cast once for all three passes of a generator.
        cast = torch.autocast(place, torch.bfloat16) if mode == "autocast" else nullcontext()
        with cast:
            companion(*inputs)
        if place == "cuda":
            torch.cuda.synchronize()

    versions = {"torch": torch.__version__, "numpy": np.__version__}
    return step, {
        "versions": versions, "threads": torch.get_num_threads(), "device": describe(place)
    }  # fmt: skip


def find_device() -> str:
    """Return the kind of PyTorch's device: "cuda" where it sees a GPU, or "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def describe(place: str) -> str:
    """Describe PyTorch's device, such as "cuda, NVIDIA L4"."""
    return f"cuda, {torch.cuda.get_device_name()}" if place == "cuda" else place


def peak_gpu_mb() -> float | None:
    """Return the peak of the GPU's memory so far, in MB; None without a GPU."""
    return torch.cuda.max_memory_allocated() / 1e6 if find_device() == "cuda" else None


def draw_batch(config: RunConfig) -> list[torch.Tensor]:
    """Draw features of both speakers, (batch, bins, frames), and masks if the variant has any."""
    training = config.training
    rng = np.random.default_rng(0)
    shape = (2, training.batch_size, config.features.bins, training.crop_frames)
    pair = [*rng.standard_normal(shape).astype(np.float32)]
    if config.network.variant == "mask":
        pair += [np.ones((shape[1], 1, shape[3]), np.float32)] * 2
    return [torch.from_numpy(values) for values in pair]


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve steps of a mode."""
    flags = sizes.parser("companion", __doc__)
    sizes.add_flags(flags)
    flags.add_argument("--mode", choices=MODES, default="eager")
    given = flags.parse_args(arguments)
    worker.serve(lambda: training_step(sizes.to_config(given), given.mode), peak_gpu_mb)


if __name__ == "__main__":
    main()
