"""What the machine gives at best: products of matrices, copies of memory.

    python -m benchmarks.harness.machine

Prints one line of JSON.
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
"""Rows of the square matrices; the best rate of them counts."""

SECONDS = 1.0
"""How long each size, or number of threads, is measured."""

COPY_BYTES = 256 * 2**20
"""Of the source, and as many of the target. Far more than the caches of most processors hold; where
they hold a good part of it, as one of 260 MB does, the rate is partly theirs."""

COPY_THREADS = (1, 2)
"""Threads that share a copy; the best rate counts."""


@dataclass(frozen=True)
class Rates:
    """What was measured.

    Attributes:
        float32_gflop_s: Products of float32 matrices by TensorFlow, 10^9 operations a second, a
            multiplication and an addition being two.
        bfloat16_gflop_s: Of bfloat16 matrices.
        copy_gb_s: Bytes read and bytes written, 10^9 a second.
    """

    float32_gflop_s: float
    bfloat16_gflop_s: float
    copy_gb_s: float

    def best_of(self, other: "Rates") -> "Rates":
        """The higher one of each."""
        mine, theirs = asdict(self), asdict(other)
        return Rates(**{name: max(rate, theirs[name]) for name, rate in mine.items()})

    def product_gflop_s(self, precision: str) -> float:
        """Of a precision: where bfloat16 is emulated, float32 serves mixed_bfloat16 as well."""
        if precision == "float32":
            return self.float32_gflop_s
        return max(self.float32_gflop_s, self.bfloat16_gflop_s)


@dataclass(frozen=True)
class Machine:
    """What the machine is.

    Attributes:
        processor: Its name.
        cores: That this process may use.
        bfloat16: Those of `processor.BFLOAT16` that it has.
        system: Operating system and its release.
        python: Version.
    """

    processor: str
    cores: int
    bfloat16: list[str]
    system: str
    python: str

    def __str__(self) -> str:
        """In a line."""
        instructions = ", ".join(self.bfloat16) or "no bfloat16 instructions"
        return f"{self.cores} cores of {self.processor}, {instructions}, {self.system}"


def describe(cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """This machine."""
    about = processor_module.read_cpuinfo(cpuinfo)
    return Machine(
        processor=about.get("model name", platform.machine()),
        cores=len(os.sched_getaffinity(0)),
        bfloat16=processor_module.bfloat16_instructions(about),
        system=f"{platform.system()} {platform.release()}",
        python=platform.python_version(),
    )


def rates_elsewhere() -> Rates:
    """`measure` in a process of its own, whose threads and memory end with it."""
    return Rates(**worker.once("benchmarks.harness.machine"))


def measure() -> Rates:
    """Measures all rates."""
    return Rates(
        float32_gflop_s=product_flop_s("float32") / 1e9,
        bfloat16_gflop_s=product_flop_s("bfloat16") / 1e9,
        copy_gb_s=copy_byte_s() / 1e9,
    )


def product_flop_s(
    dtype: str, seconds: float = SECONDS, matrix_sizes: Sequence[int] = MATRIX_SIZES
) -> float:
    """Operations a second of a large product of matrices on all cores: the best size's median."""
    import tensorflow as tf

    def rate(size: int) -> float:
        left, right = (
            tf.cast(tf.random.stateless_normal((size, size), (0, seed)), dtype) for seed in (0, 1)
        )
        return 2 * size**3 / median_s(lambda: tf.matmul(left, right), seconds)

    return max(map(rate, matrix_sizes))


def copy_byte_s(seconds: float = SECONDS, size: int = COPY_BYTES) -> float:
    """Bytes a second, read and written, of a copy: the best median over numbers of threads."""
    source, target = (np.full(size, value, np.uint8) for value in (1, 0))

    def rate(threads: int) -> float:
        pieces = list(
            zip(*(np.array_split(each, threads) for each in (target, source)), strict=True)
        )
        # NumPy lets other threads run while it copies.
        with ThreadPoolExecutor(threads) as pool:
            taken_s = median_s(
                lambda: list(pool.map(lambda pair: np.copyto(*pair), pieces)), seconds
            )
        return 2 * size / taken_s

    return max(map(rate, COPY_THREADS))


def median_s(work: Callable[[], object], seconds: float) -> float:
    """Median of what `work` takes, after once that does not count, at least three times."""
    work()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while len(taken) < 3 or time.perf_counter() < end:
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the rates."""
    sizes.parser("machine", __doc__).parse_args(arguments)
    print(json.dumps(asdict(measure())))


if __name__ == "__main__":
    main()
