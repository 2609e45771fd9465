"""Measure the rates of matrix products and memory copies, and print them as JSON.

python -m benchmarks.harness.machine

The rates are those of the device that computes the networks: the processor, or a GPU.
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
from cyclegan_vc_tf.system import device
from cyclegan_vc_tf.system import processor as processor_module

MATRIX_SIZES = (1024, 2048, 3072)
"""Rows of the square matrices. The best rate counts."""

GPU_MATRIX_SIZES = (2048, 4096, 8192)
"""Rows of the square matrices on a GPU. The best rate counts."""

SECONDS = 1.0
"""Seconds of measurement per matrix size or number of threads."""

COPY_BYTES = 256 * 2**20
"""Bytes of the source, and of the target, of a copy. Most processors' caches are far smaller. If a
cache has a similar size, such as 260 MB, the rate is partly that of the cache."""

COPY_THREADS = (1, 2)
"""Numbers of threads that share a copy. The best rate counts."""


@dataclass(frozen=True)
class Rates:
    """Rates of the device that computes the networks.

    Attributes:
        float32_gflop_s: TensorFlow's products of float32 matrices, in 10^9 operations per second. A
            multiplication and an addition are two operations.
        bfloat16_gflop_s: TensorFlow's products of bfloat16 matrices, in 10^9 operations per second;
            0 on a GPU without bfloat16.
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
    device.configure_gpu()
    used = device.current()
    sizes_measured = MATRIX_SIZES if used.gpu is None else GPU_MATRIX_SIZES
    multiplies = {"float32": True, "bfloat16": used.gpu is None or used.has_bfloat16}
    float32, bfloat16 = (
        product_flop_s(dtype, matrix_sizes=sizes_measured) / 1e9 if measured else 0.0
        for dtype, measured in multiplies.items()
    )
    copy = copy_byte_s() if used.gpu is None else gpu_copy_byte_s()
    return Rates(float32, bfloat16, copy / 1e9)


def product_flop_s(
    dtype: str, seconds: float = SECONDS, matrix_sizes: Sequence[int] = MATRIX_SIZES
) -> float:
    """Measure operations per second of matrix products, the best median over sizes."""
    import tensorflow as tf

    used = device.current()

    def rate(size: int) -> float:
        left, right = (
            tf.cast(tf.random.stateless_normal((size, size), (0, seed)), dtype) for seed in (0, 1)
        )

        def multiply() -> None:
            tf.matmul(left, right)
            used.synchronize()

        return 2 * size**3 / median_s(multiply, seconds)

    return max(map(rate, matrix_sizes))


def gpu_copy_byte_s(seconds: float = SECONDS, size: int = COPY_BYTES) -> float:
    """Measure bytes per second that a GPU reads and writes in its memory, by a negation."""
    import tensorflow as tf

    used = device.current()
    source = tf.ones(size // 4)

    def copy() -> None:
        tf.negative(source)
        used.synchronize()

    return 2 * size / median_s(copy, seconds)


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
