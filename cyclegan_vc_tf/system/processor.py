"""What this processor can do, and a process' settings that make a training fast on it."""

import ctypes
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

_MALLOC_OPTIONS = {"trim threshold": (-1, 2**31 - 1), "mapped blocks": (-4, 0), "arenas": (-8, 1)}
"""glibc's numbers of its settings (malloc.h), and what they are set to."""

BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16")
"""Instructions that multiply bfloat16; a processor without them emulates it slowly."""


def configure_process() -> None:
    """Makes this process, before TensorFlow does anything in it, one that trains fast."""
    keep_memory()
    set_thread_pools()


def read_cpuinfo(cpuinfo: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """What the system says of the processor, by name; nothing where it does not say so there."""
    try:
        lines = cpuinfo.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def bfloat16_instructions(about: Mapping[str, str]) -> list[str]:
    """Those of `BFLOAT16` that a processor has, of which `describe` says this."""
    flags = about.get("flags", "").split()
    return [each for each in BFLOAT16_FLAGS if each in flags]


def has_bfloat16() -> bool:
    """Whether this processor has instructions for bfloat16."""
    return bool(bfloat16_instructions(read_cpuinfo()))


def keep_memory() -> None:
    """Makes the process keep the memory that it frees, for its next step.

    By default, glibc gives every large block back to the system, which clears it page by page
    when it is asked for again: a seventh of a step. Does nothing where there is no glibc.
    """
    try:
        set_option = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return
    for number, value in _MALLOC_OPTIONS.values():
        set_option(number, value)


def set_thread_pools() -> None:
    """On two cores, gives each of the two directions of a step a core to itself.

    By default both cores work on every operation together, and wait for each other at its end.
    Has to come before TensorFlow does anything; after that, everything stays as it is.
    """
    if len(os.sched_getaffinity(0)) != 2:
        return
    import tensorflow as tf

    with suppress(RuntimeError):
        tf.config.threading.set_inter_op_parallelism_threads(2)
        tf.config.threading.set_intra_op_parallelism_threads(1)
