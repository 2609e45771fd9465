"""Instructions of this processor, and settings of this process for fast training."""

import ctypes
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_MALLOC_OPTIONS = {"trim threshold": (-1, 2**31 - 1), "mapped blocks": (-4, 0), "arenas": (-8, 1)}
"""Parameters of glibc's mallopt (malloc.h) and their values: (number, value) by name."""

_LOCK_USED_PAGES = 1 | 2 | 4
"""MCL_CURRENT, MCL_FUTURE and MCL_ONFAULT of Linux's mlockall (mman.h)."""

_LEFT_OUT_OPTIMIZERS = (
    "constant_folding", "function_optimization", "implementation_selector", "layout_optimizer",
    "loop_optimization", "remapping", "scoped_allocator_optimization", "shape_optimization",
)  # fmt: skip
"""Parts of TensorFlow's graph optimizer that make no step faster on a CPU.

Its parts "arithmetic_optimization" and "dependency_optimization" do, and stay.
"""

BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")
"""Names of instruction sets that multiply bfloat16; other processors emulate it slowly."""


def configure_process() -> None:
    """Configure this process for fast training; call it before TensorFlow does anything."""
    keep_memory()
    set_thread_pools()
    choose_graph_optimizers()


def read_cpuinfo(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Return the properties of the processor by name; empty where the file cannot be read.

    Args:
        cpuinfo: File of properties, as Linux writes it.
    """
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def bfloat16_instructions(about: Mapping[str, str]) -> list[str]:
    """Return the members of `BFLOAT16_FLAGS` that a processor has.

    Args:
        about: Properties of the processor, from `read_cpuinfo`.
    """
    flags = about.get("flags", "").split()
    return [flag for flag in BFLOAT16_FLAGS if flag in flags]


def has_bfloat16() -> bool:
    """Return whether this processor has instructions for bfloat16."""
    return bool(bfloat16_instructions(read_cpuinfo()))


def keep_memory() -> None:
    """Keep freed memory in this process for the next training step.

    By default, glibc returns every large block to the system, which clears its pages before the
    next use. This takes a seventh of a step. Without glibc, the function does nothing.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    for number, value in _MALLOC_OPTIONS.values():
        set_option(number, value)


def set_thread_pools() -> None:
    """Run the two directions of a training step on one core each, where there are two cores.

    By default, TensorFlow splits every operation between both cores, which then wait for each
    other. The function has no effect once TensorFlow has run an operation.
    """
    if len(os.sched_getaffinity(0)) != 2:
        return
    import tensorflow as tf

    with suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(2)
        tf.config.threading.set_intra_op_parallelism_threads(1)


def choose_graph_optimizers(all_parts: bool = False) -> None:
    """Let TensorFlow's graph optimizer, Grappler, do only what makes steps faster on a CPU.

    All of its parts together take up to half of the time before the first step. The choice holds
    for all functions that this process calls from then on.

    Args:
        all_parts: Whether Grappler uses all of its parts, as by default.
    """
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options(dict.fromkeys(_LEFT_OUT_OPTIMIZERS, all_parts))


def use_one_thread() -> None:
    """Run all operations of TensorFlow in the calling thread, for many small calls.

    The function has no effect once TensorFlow has run an operation.
    """
    import tensorflow as tf

    with suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.threading.set_intra_op_parallelism_threads(1)


def request_realtime() -> bool:
    """Ask the system to run this thread before others, as programs for sound do.

    Threads that are started later inherit it. Pages of memory that were used stay in memory, where
    the system allows it, so that no block waits for the disk.

    Returns:
        Whether the system allowed to run before others.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mlockall(_LOCK_USED_PAGES)
    return prefer_thread()


def prefer_thread() -> bool:
    """Ask the system to run this thread before others; threads that it starts inherit it.

    Returns:
        Whether the system allowed it.
    """
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except (AttributeError, OSError):
        return False
    return True
