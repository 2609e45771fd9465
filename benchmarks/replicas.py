"""Measure steps shared by several replicas on this machine, and estimate those of clusters.

    python -m benchmarks.replicas                     measured, some minutes
    python -m benchmarks.replicas --paper             estimated from sizes and published rates

Measured: seconds per step and bytes on the loopback device per step, of one device, of logical
devices of one process, and of worker processes. All of them share the cores of this machine, so
that more replicas cannot be faster: the table shows what sharing costs.

Estimated: each replica has one crop of each speaker. A step takes the time of its operations, then
the time of a ring all-reduce of all gradients, 2 (N - 1) / N times their bytes over the slowest
link, with nothing done at once. The time of the operations is measured for a CPU. For a GPU it is
assumed: a share of the GPU's published rate.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from benchmarks.harness import machine, port, sizes, workers
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig

REPOSITORY = Path(__file__).parents[1]

FLOP_S = 19.5e12
"""Operations per second of an NVIDIA A100 in float32 without tensor cores.

Source: NVIDIA A100 Tensor Core GPU datasheet.
"""

SHARES = (0.2, 0.5)
"""Shares of that rate that a step may reach: assumed, no GPU was measured."""

MEASURED_S = {"vc1": 0.57, "vc2": 3.90, "vc3": 6.83, "mask": 4.93}
"""Seconds per step of one crop on two cores.

Source: docs/guides/choosing.md, `python -m benchmarks.variants` on an Intel Xeon, 2026-11-23.
"""

CPU_LINKS = {
    "4 machines, 10 Gbit/s Ethernet (1.25 GB/s)": (4, 1.25e9),
    "4 machines, 1 Gbit/s Ethernet (0.125 GB/s)": (4, 0.125e9),
    "32 machines, 10 Gbit/s Ethernet (1.25 GB/s)": (32, 1.25e9),
}
"""Number of machines without GPUs, and bytes per second of their links. Source: IEEE 802.3."""

GPU_LINKS = {
    "8 GPUs, NVLink 3 (300 GB/s)": (8, 300e9),
    "8 GPUs, PCIe 4.0 x16 (32 GB/s)": (8, 32e9),
    "4 x 8 GPUs, InfiniBand HDR (25 GB/s)": (32, 25e9),
    "4 x 8 GPUs, 100 Gbit/s Ethernet (12.5 GB/s)": (32, 12.5e9),
    "4 x 8 GPUs, 10 Gbit/s Ethernet (1.25 GB/s)": (32, 1.25e9),
}
"""Number of GPUs and bytes per second of the slowest link, in one direction.

Source: NVIDIA A100 datasheet (NVLink, 600 GB/s in both directions); PCI Express 4.0; InfiniBand HDR
at 200 Gbit/s; IEEE 802.3.
"""

MEASURED = {
    "one device": ("one", 1),
    "2 logical devices, one process": ("mirrored", 2),
    "2 processes": ("multi_worker", 2),
    "4 processes": ("multi_worker", 4),
}
"""Strategy, and number of devices or workers, of each measurement."""

WEIGHT_BYTES = 4


@dataclass(frozen=True)
class Size:
    """Work and gradients of a step of a variant.

    Attributes:
        operations: Floating-point operations per crop of each speaker.
        gradient_bytes: Bytes of all gradients.
    """

    operations: float
    gradient_bytes: float


def all_reduce_s(gradient_bytes: float, replicas: int, byte_s: float) -> float:
    """Return the time of a ring all-reduce in seconds.

    Source: Patarasuk and Yuan, 2009, Bandwidth optimal all-reduce algorithms for clusters of
        workstations.
    """
    return 2 * (replicas - 1) / replicas * gradient_bytes / byte_s


def efficiency(compute_s: float, exchange_s: float) -> float:
    """Return crops per second and replica, as a fraction of those of a single device.

    Args:
        compute_s: Seconds of the operations of a step.
        exchange_s: Seconds of the all-reduce.
    """
    return compute_s / (compute_s + exchange_s)


def crops_for(crop_s: float, exchange_s: float, wanted: float) -> int:
    """Return the smallest number of crops per replica that reaches an efficiency.

    n · crop / (n · crop + exchange) ≥ wanted, solved for n.
    """
    return max(1, math.ceil(wanted / (1 - wanted) * exchange_s / crop_s))


def measure_size(variant: str) -> Size:
    """Return the size of a step of a variant with its paper's settings."""
    from benchmarks.operations import step_work
    from cyclegan_vc_tf.training.trainer import Trainer, trainable_variables

    config = PRESETS[variant]
    trainer = Trainer(config)
    generators = list(trainer.generators.values())
    discriminators = list(trainer.discriminators.values())
    work = step_work(generators, discriminators, 1, config.training.crop_frames)
    weights = [*trainable_variables(trainer.generators)]
    weights += trainable_variables(trainer.discriminators)
    count = sum(int(weight.shape.num_elements()) for weight in weights)
    return Size(work.flops, WEIGHT_BYTES * count)


def print_paper() -> None:
    """Print the estimates of all variants."""
    measured = {variant: measure_size(variant) for variant in PRESETS}
    print("| variant | GFLOP per crop | gradients, MB |\n|---|---|---|")
    for variant, size in measured.items():
        print(
            f"| {variant} | {size.operations / 1e9:.0f} | {size.gradient_bytes / 1e6:.0f} |",
            flush=True,
        )
    print("\nTwo cores per machine, measured seconds per step:\n")
    print_links(measured, MEASURED_S, CPU_LINKS)
    for share in SHARES:
        print(f"\nGPUs that reach {share:.0%} of {FLOP_S / 1e12} TFLOP/s, assumed:\n")
        crop_s = {name: size.operations / (share * FLOP_S) for name, size in measured.items()}
        print_links(measured, crop_s, GPU_LINKS)
    print(
        "\nCells: seconds of the all-reduce; efficiency with one crop per replica; crops per "
        "replica for 80 %."
    )


def print_links(
    measured: Mapping[str, Size],
    crop_s: Mapping[str, float],
    links: Mapping[str, tuple[int, float]],
) -> None:
    """Print a table of clusters.

    Args:
        measured: Size of a step of each variant.
        crop_s: Seconds per step of one crop of each variant.
        links: Number of replicas and bytes per second of the slowest link, by name.
    """
    print("| replicas | " + " | ".join(measured) + " |\n|---|" + "---|" * len(measured))
    computing = [f"{crop_s[name]:.3f} s" for name in measured]
    print(f"| 1, a step of one crop | {' | '.join(computing)} |")
    for link, (replicas, byte_s) in links.items():
        cells = []
        for name, size in measured.items():
            exchange_s = all_reduce_s(size.gradient_bytes, replicas, byte_s)
            reached = efficiency(crop_s[name], exchange_s)
            crops = crops_for(crop_s[name], exchange_s, 0.8)
            cells.append(f"+ {exchange_s:.3f} s, {reached:.0%}, {crops}")
        print(f"| {link} | {' | '.join(cells)} |")


def read_loopback_bytes(table: Path = Path("/proc/net/dev")) -> int:
    """Return the bytes that the loopback device has sent since the system started."""
    lines = [line.split() for line in table.read_text().splitlines()]
    return next(int(fields[9]) for fields in lines if fields[0] == "lo:")


def step_config(given: argparse.Namespace, strategy: str) -> RunConfig:
    """Return the settings of a measurement."""
    config = sizes.to_config(given)
    return replace(config, training=replace(config.training, strategy=strategy))


def measure_here(given: argparse.Namespace) -> dict[str, float]:
    """Measure steps in this process, as one device, on logical devices, or as a worker."""
    import tensorflow as tf

    from cyclegan_vc_tf.system import device
    from cyclegan_vc_tf.training import distribution
    from cyclegan_vc_tf.training.trainer import Trainer

    device.configure_training()
    if given.devices > 1:
        (cpu,) = tf.config.list_physical_devices("CPU")
        logical = [tf.config.LogicalDeviceConfiguration()] * given.devices
        tf.config.set_logical_device_configuration(cpu, logical)
    config = step_config(given, given.strategy)
    with distribution.plan(config.training).start() as replicas:
        trainer = Trainer(config, replicas)
        rows = list(replicas.rows(config.training.batch_size))
        inputs = [tf.gather(each, rows) for each in port.draw_batch(config)]
        norms = tf.constant(False)
        trainer.train_step(*inputs, norms=norms)
        replicas.wait()
        sent, seconds = read_loopback_bytes(), []
        for _ in range(given.steps):
            began = time.perf_counter()
            _, finite = trainer.train_step(*inputs, norms=norms)
            if not finite:
                raise FloatingPointError("a loss is not finite")
            seconds.append(time.perf_counter() - began)
        sent = read_loopback_bytes() - sent
        replicas.wait()
        weights = [weight for network in trainer.networks.values() for weight in network.weights]
        count = sum(int(weight.shape.num_elements()) for weight in weights if weight.trainable)
        return {
            "step_s": statistics.median(seconds),
            "sent_bytes": sent / given.steps,
            "gradient_bytes": WEIGHT_BYTES * count,
        }


def measure(given: argparse.Namespace, strategy: str, count: int) -> dict[str, float]:
    """Measure steps in processes of their own; return what the chief measured.

    Args:
        given: Flags of this command.
        strategy: Strategy of the training.
        count: Number of devices or of workers.
    """
    is_cluster = strategy == "multi_worker"
    arguments = [
        "-m", "benchmarks.replicas", "--here", f"--strategy={strategy}", f"--steps={given.steps}",
        f"--devices={1 if is_cluster else count}", f"--batch={given.batch}",
        f"--variant={given.variant}",
    ]  # fmt: skip
    if given.channels:
        arguments.append(f"--channels={given.channels}")
    with tempfile.TemporaryDirectory() as folder:
        variables = workers.tf_config_variables(count) if is_cluster else [{}]
        running = workers.start(Path(folder), arguments, variables, cwd=REPOSITORY)
        if any(running.wait(3600)):
            raise SystemExit(f"a measurement failed: {running.outputs()}")
        return json.loads(running.outputs()[0].splitlines()[-1])


def print_measured(given: argparse.Namespace) -> None:
    """Print the table of measured steps."""
    print("| replicas | s per step | gradients, MB | sent per step by all, MB |\n|---|---|---|---|")
    for name in given.only or MEASURED:
        strategy, count = MEASURED[name]
        found = measure(given, strategy, count)
        sent = f"{found['sent_bytes'] / 1e6:.1f}" if strategy == "multi_worker" else "0"
        print(
            f"| {name} | {found['step_s']:.2f} | {found['gradient_bytes'] / 1e6:.1f} | {sent} |",
            flush=True,
        )
    print(
        f"\nMedians of {given.steps} steps of {given.variant} with {given.batch} crops. "
        f"{machine.describe()}, {date.today().isoformat()}."
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the estimates, or measure."""
    flags = sizes.parser("replicas", __doc__)
    sizes.add_flags(flags)
    flags.set_defaults(batch=4)
    flags.add_argument("--steps", type=sizes.whole(), default=10, help="steps to measure")
    flags.add_argument(
        "--only", choices=MEASURED, action="append", help="measure only this row; repeatable"
    )
    flags.add_argument("--paper", action="store_true", help="print estimates for GPUs")
    # Of the processes that this command starts.
    flags.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    flags.add_argument("--devices", type=sizes.whole(), default=1, help=argparse.SUPPRESS)
    choices = TrainingConfig.__dataclass_fields__["strategy"].metadata["choices"]
    flags.add_argument("--strategy", choices=choices, default="one", help=argparse.SUPPRESS)
    given = flags.parse_args(arguments)
    if given.here:
        print(json.dumps(measure_here(given)), file=sys.stdout)
    elif given.paper:
        print_paper()
    else:
        print_measured(given)


if __name__ == "__main__":
    main()
