"""Device that computes the networks, and every decision that depends on it.

| decision | CPU | GPU |
|---|---|---|
| convolutions | matrix products where these are faster | plain Keras convolutions (cuDNN) |
| mixed_bfloat16 | bfloat16 if /proc/cpuinfo names it | compute capability 8.0 or higher |
| threads, allocator | set for two cores | left as they are |
| graph optimizer | two parts that make steps faster | left as it is |
| memory of the device | - | grows as needed |
| batches | stay in the host's memory | are copied ahead of the steps |

A GPU that TensorFlow sees is used. Of several GPUs it is the first, unless a training uses all of
them. Only `training.distribution`, which counts devices, asks for their kind too.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclegan_vc_tf.system import processor

if TYPE_CHECKING:
    import tensorflow as tf

MIN_BFLOAT16_CAPABILITY = (8, 0)
"""Lowest compute capability of NVIDIA GPUs that multiply bfloat16.

Source: NVIDIA, CUDA C++ Programming Guide, arithmetic instructions by compute capability.
"""

PREFETCHED_BATCHES = 2
"""Number of batches that wait in the memory of a GPU."""

NVIDIA_FOLDERS = (Path("/proc/driver/nvidia/gpus"), Path("/usr/lib/wsl/lib"))
"""Folders that NVIDIA's driver fills: on Linux one entry per GPU, on WSL its libraries."""


@dataclass(frozen=True)
class Device:
    """Device that computes the networks.

    Attributes:
        gpu: TensorFlow's physical device of a GPU; None for the CPU.
    """

    gpu: Any = None

    @property
    def name(self) -> str:
        """Name in TensorFlow, "CPU:0" or "GPU:0"."""
        return "CPU:0" if self.gpu is None else "GPU:0"

    @property
    def convolves_by_matmul(self) -> bool:
        """Whether convolutions may be computed as matrix products, which suits CPUs alone."""
        return self.gpu is None

    @cached_property
    def model(self) -> str:
        """Name of the hardware; empty where it is unknown."""
        if self.gpu is None:
            return processor.read_cpuinfo().get("model name", "")
        return str(self._details.get("device_name", ""))

    @cached_property
    def capability(self) -> tuple[int, int] | None:
        """Compute capability of an NVIDIA GPU; None for other devices."""
        found = self._details.get("compute_capability")
        return None if found is None else (int(found[0]), int(found[1]))

    @property
    def has_bfloat16(self) -> bool:
        """Whether the hardware multiplies bfloat16. An unknown GPU counts as one that does not."""
        if self.gpu is None:
            return processor.has_bfloat16()
        return self.capability is not None and self.capability >= MIN_BFLOAT16_CAPABILITY

    def choose_precision(self, precision: str) -> str:
        """Return the faster precision for "auto", and any other precision as it is."""
        if precision != "auto":
            return precision
        return "mixed_bfloat16" if self.has_bfloat16 else "float32"

    def prefetch(self, batches: "tf.data.Dataset") -> "tf.data.Dataset":
        """Return a dataset that copies its batches to a GPU ahead of their use.

        Args:
            batches: Dataset in the host's memory; returned as it is for the CPU.
        """
        if self.gpu is None:
            return batches
        return _prefetch_to(self.name, batches)

    def synchronize(self) -> None:
        """Wait until a GPU has done all of its work; a CPU has done it when a step returns."""
        if self.gpu is not None:
            import tensorflow as tf

            tf.test.experimental.sync_devices()

    def peak_memory_mb(self) -> float | None:
        """Return the peak of a GPU's memory in MB of 10^6 bytes; None where it is unknown."""
        if self.gpu is None:
            return None
        import tensorflow as tf

        # TensorFlow does not count the memory of every kind of GPU.
        with suppress(ValueError, RuntimeError):
            return tf.config.experimental.get_memory_info(self.name)["peak"] / 1e6
        return None

    def describe(self) -> str:
        """Describe the device in a few words, such as "GPU:0, NVIDIA L4, compute capability 8.9".

        The name of a GPU is TensorFlow's.
        """
        parts = [self.name, self.model]
        if self.capability is not None:
            parts.append(f"compute capability {self.capability[0]}.{self.capability[1]}")
        return ", ".join(filter(None, parts))

    def describe_training(self, precision: str, uses_all: bool = False) -> list[str]:
        """Return lines about a training on this device, for its user.

        Args:
            precision: "float32" or "mixed_bfloat16".
            uses_all: Whether the training uses all GPUs of this machine.
        """
        lines = []
        if self.gpu is not None:
            lines.append(f"Training on {self.describe()}.")
            if (others := _count_gpus() - 1) and not uses_all:
                lines.append(
                    f"{others} more {'GPU is' if others == 1 else 'GPUs are'} not used; "
                    "--strategy=mirrored uses all, CUDA_VISIBLE_DEVICES=1 chooses the second."
                )
        elif _has_unseen_gpu():
            lines.append(
                "TensorFlow does not see this machine's NVIDIA GPU and trains on the CPU. Install "
                "its libraries with the extra [cuda], or set CUDA_VISIBLE_DEVICES=-1 to choose the "
                "CPU; see docs/guides/gpu.md."
            )
        if precision != "float32" and not self.has_bfloat16:
            lines.append(self._slow_bfloat16())
        return lines

    def _slow_bfloat16(self) -> str:
        """Return a warning that mixed_bfloat16 is not faster than float32 here."""
        if self.gpu is None:
            return (
                "This processor has no bfloat16 instructions: --precision=float32 is faster here."
            )
        name = self.model or self.name
        if self.capability is None:
            return (
                f"It is unknown whether {name} multiplies bfloat16: factors are rounded to "
                "bfloat16 and multiplied in float32, and --precision=float32 is faster."
            )
        return (
            f"{name} has no bfloat16 (compute capability {self.capability[0]}."
            f"{self.capability[1]}; expected at least {MIN_BFLOAT16_CAPABILITY[0]}."
            f"{MIN_BFLOAT16_CAPABILITY[1]}): --precision=float32 is faster here."
        )

    @cached_property
    def _details(self) -> Mapping[str, Any]:
        if self.gpu is None:
            return {}
        import tensorflow as tf

        return tf.config.experimental.get_device_details(self.gpu)


def current() -> Device:
    """Return the device that computes the networks: the first visible GPU, or the CPU."""
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    return Device(gpus[0] if gpus else None)


def configure_training(uses_all: bool = False) -> None:
    """Configure this process for fast training; call it before TensorFlow does anything.

    Args:
        uses_all: Whether the training uses all GPUs of this machine.
    """
    if current().gpu is None:
        processor.configure_process()
    else:
        configure_gpu(uses_all)


def configure_gpu(uses_all: bool = False) -> None:
    """Hide all GPUs but the first, and let TensorFlow take its memory as needed.

    By default TensorFlow takes almost all memory of every visible GPU. The function does nothing
    without a GPU, and has no effect once TensorFlow has run an operation.

    Args:
        uses_all: Whether all GPUs stay visible.
    """
    import tensorflow as tf

    gpus = tf.config.get_visible_devices("GPU")
    # Some kinds of GPU have no such settings (ValueError). RuntimeError: TensorFlow has begun.
    with suppress(RuntimeError, ValueError):
        if len(gpus) > 1 and not uses_all:
            tf.config.set_visible_devices(gpus[0], "GPU")
    with suppress(RuntimeError, ValueError):
        for gpu in gpus if uses_all else gpus[:1]:
            tf.config.experimental.set_memory_growth(gpu, True)


def _prefetch_to(name: str, batches: "tf.data.Dataset") -> "tf.data.Dataset":
    """Return a dataset whose batches are copied to the device of this name ahead of their use."""
    import tensorflow as tf

    copied = tf.data.experimental.prefetch_to_device(f"/{name}", PREFETCHED_BATCHES)
    # The copy loses the options of its input, here those of `data.dataset`.
    return batches.apply(copied).with_options(batches.options())


def _count_gpus() -> int:
    """Return the number of GPUs that TensorFlow has found, hidden ones included."""
    import tensorflow as tf

    return len(tf.config.list_physical_devices("GPU"))


def _has_unseen_gpu() -> bool:
    """Return whether the machine has an NVIDIA GPU that TensorFlow cannot use, for want of files.

    A GPU that is hidden on purpose, by CUDA_VISIBLE_DEVICES or in Python, does not count.
    """
    chosen = os.environ.get("CUDA_VISIBLE_DEVICES", "0").strip()
    if not chosen or chosen.startswith("-") or _count_gpus():
        return False
    gpus, wsl = NVIDIA_FOLDERS
    return (gpus.is_dir() and any(gpus.iterdir())) or (wsl / "libcuda.so.1").exists()
