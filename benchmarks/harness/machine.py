"""Measure the machine's rates of matrix products and memory copies, and print them as JSON.

python -m benchmarks.harness.machine
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.harness import sizes, worker
from cyclegan_vc_tf.system import processor as processor_module

MATRIX_SIZES = (1024, 2048, 3072)
"""Rows of the square matrices. The best rate counts."""

SECONDS = 1.0
"""Seconds of measurement per matrix size or number of threads."""

COPY_BYTES = 256 * 2**20
"""Bytes of the source, and of the target, of a copy. Most processors' caches are far smaller. If a
cache has a similar size, such as 260 MB, the rate is partly that of the cache."""

COPY_THREADS = (1, 2)
"""Numbers of threads that share a copy. The best rate counts."""


@dataclass(frozen=True)
class Rates:
    """Rates of the machine.

    Attributes:
        float32_gflop_s: TensorFlow's products of float32 matrices, in 10^9 operations per second. A
            multiplication and an addition are two operations.
        bfloat16_gflop_s: TensorFlow's products of bfloat16 matrices, in 10^9 operations per second.
        copy_gb_s: Bytes read and bytes written by a copy, in 10^9 per second.
    """

    float32_gflop_s: float
    bfloat16_gflop_s: float
    copy_gb_s: float

    def best_of(self, other: "Rates") -> "Rates":
        """Return the higher one of each rate."""
        mine, theirs = asdict(self), asdict(other)
        return Rates(**{name: max(rate, theirs[name]) for name, rate in mine.items()})

    def product_gflop_s(self, precision: str) -> float:
        """Return the rate of products in a precision.

        Where bfloat16 is emulated, the rate of float32 counts for mixed_bfloat16.
        """
        if precision == "float32":
            return self.float32_gflop_s
        return max(self.float32_gflop_s, self.bfloat16_gflop_s)


@dataclass(frozen=True)
class Machine:
    """Description of a machine.

    Attributes:
        processor: Name of the processor.
        cores: Number of cores that this process may use.
        bfloat16: Instructions of `processor.BFLOAT16` that the processor has.
        system: Operating system and its release.
        python: Version of Python.
    """

    processor: str
    cores: int
    bfloat16: list[str]
    system: str
    python: str

    def __str__(self) -> str:
        """Describe the machine in one line."""
        instructions = ", ".join(self.bfloat16) or "no bfloat16 instructions"
        return f"{self.cores} cores of {self.processor}, {instructions}, {self.system}"


def describe(cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """Describe this machine."""
    info = processor_module.read_cpuinfo(cpuinfo)
    return Machine(
        processor=info.get("model name", platform.machine()),
        cores=len(os.sched_getaffinity(0)),
        bfloat16=processor_module.bfloat16_instructions(info),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def measure_elsewhere() -> Rates:
    """Call `measure` in a separate process, whose threads and memory end with it."""
    return Rates(**worker.measure_once("benchmarks.harness.machine"))


def measure() -> Rates:
    """Measure all rates."""
    return Rates(
        float32_gflop_s=product_flop_s("float32") / 1e9,
        bfloat16_gflop_s=product_flop_s("bfloat16") / 1e9,
        copy_gb_s=copy_byte_s() / 1e9,
    )


def product_flop_s(
    dtype: str, seconds: float = SECONDS, matrix_sizes: Sequence[int] = MATRIX_SIZES
) -> float:
    """Measure operations per second of matrix products on all cores, the best median over sizes."""
    import tensorflow as tf

    def rate(size: int) -> float:
        left, right = (
            tf.cast(tf.random.stateless_normal((size, size), (0, seed)), dtype) for seed in (0, 1)
        )
        return 2 * size**3 / median_s(lambda: tf.matmul(left, right), seconds)

    return max(map(rate, matrix_sizes))


def copy_byte_s(seconds: float = SECONDS, size: int = COPY_BYTES) -> float:
    """Measure bytes per second of a copy, read and written, the best median over thread counts."""
    source, target = (np.full(size, value, np.uint8) for value in (1, 0))

    def rate(threads: int) -> float:
        pieces = list(
            zip(*(np.array_split(array, threads) for array in (target, source)), strict=True)
        )
        # NumPy releases the interpreter's lock while it copies.
        with ThreadPoolExecutor(threads) as pool:
            taken_s = median_s(
                lambda: list(pool.map(lambda pair: np.copyto(*pair), pieces)), seconds
            )
        return 2 * size / taken_s

    return max(map(rate, COPY_THREADS))


def median_s(work: Callable[[], object], seconds: float) -> float:
    """Measure the median seconds of `work`, over three calls or more, after a warm-up call."""
    work()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return statistics.median(taken)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the rates."""
    sizes.parser("machine", __doc__).parse_args(arguments)
    print(json.dumps(asdict(measure())))


if __name__ == "__main__":
    main()
