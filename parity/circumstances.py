"""Versions, machine and date of a measurement."""

import os
import platform
from datetime import date
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import torch


def circumstances() -> str:
    """Describe versions, machine and date in one line."""
    return (
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, PyTorch {torch.__version__}, "
        f"NumPy {np.__version__}, Python {platform.python_version()}; {os.cpu_count()} cores of "
        f"{_processor()}; {date.today().isoformat()}"
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
