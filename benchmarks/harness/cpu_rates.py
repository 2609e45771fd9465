"""Measure what a processor does per second of its own time, and print it as JSON.

python -m benchmarks.harness.cpu_rates

`benchmarks.harness.machine` measures seconds of a quiet machine. These rates are those of one
thread, and other processes that share the machine change them little.
"""

import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.harness.machine import COPY_BYTES, Rates
from cyclegan_vc_tf.system import processor

MATRIX_ROWS = 1024
"""Rows of the square matrices."""


def measure() -> Rates:
    """Measure all rates per processor second in one thread."""
    float32, bfloat16 = (product_flop_s(dtype) / 1e9 for dtype in ("float32", "bfloat16"))
    source, target = (np.full(COPY_BYTES, value, np.uint8) for value in (1, 0))
    copy_s = cpu_s(lambda: np.copyto(target, source))
    return Rates(float32, bfloat16, 2 * COPY_BYTES / copy_s / 1e9)


def product_flop_s(dtype: str) -> float:
    """Measure operations of a large matrix product per processor second."""
    import tensorflow as tf

    left, right = (
        tf.cast(tf.random.stateless_normal((MATRIX_ROWS, MATRIX_ROWS), (0, seed)), dtype)
        for seed in (0, 1)
    )
    return 2 * MATRIX_ROWS**3 / cpu_s(lambda: tf.matmul(left, right))


def cpu_s(work: Callable[[], Any], seconds: float = 0.3) -> float:
    """Measure the median processor seconds of `work`, over three calls or more, after a warm-up."""
    work()
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < seconds:
        begin = time.process_time()
        work()
        taken.append(time.process_time() - begin)
    return statistics.median(taken)


def main() -> None:
    """Print the rates."""
    processor.use_one_thread()
    print(json.dumps(asdict(measure())))


if __name__ == "__main__":
    main()
