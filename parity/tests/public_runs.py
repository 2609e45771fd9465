"""Shared parts of the tests of public checkpoints."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.interop import importing
from cyclegan_vc_tf.runs.run_folder import RunFolder
from parity.cases.public_cases import PublicSizes, torch_networks
from parity.tolerances import UNIT_ROUNDOFF, count_roundings

REPOSITORY = Path(__file__).parents[2]

ROUNDED = count_roundings(20 * 360) * UNIT_ROUNDOFF["float32"]
"""Largest distance of outputs that rounding explains: at most 20 layers of 360 terms, which are 15
positions of 24 bins."""

SIZES = {
    "karkirowle": PublicSizes(24, 2, 1),
    "jackaduma_vc2": PublicSizes(36, 2, 1),
    "mask_gantastic3": PublicSizes(80, 2, 1),
}


def networks(layout: str) -> dict[str, nn.Module]:
    return torch_networks(layout, SIZES[layout], torch.float32)


def statistics(folder: Path, layout: str) -> list[str]:
    bins, rng = SIZES[layout].bins, np.random.default_rng(7)
    if layout == "mask_gantastic3":
        files = [folder / f"{speaker}_norm_stat.npz" for speaker in ("SF3", "TM1")]
        for path in files:
            np.savez(path, mean=rng.normal(-3, 1, (bins, 1)), std=rng.uniform(0.3, 1, (bins, 1)))
        return list(map(str, files))
    frames, log_f0 = (folder / f"{kind}_normalization.npz" for kind in ("mcep", "logf0s"))
    names = ("mean_A", "std_A", "mean_B", "std_B")
    arrays: dict[str, Any] = {name: rng.uniform(0.5, 1, (bins, 1)) for name in names}
    np.savez(frames, **arrays)
    np.savez(log_f0, mean_A=4.7, std_A=0.2, mean_B=5.3, std_B=0.15)
    return [str(frames), str(log_f0)]


def keep_settings(base: RunConfig) -> RunConfig:
    return base


def import_files(folder: Path, files: list[str], layout: str = "karkirowle") -> RunFolder:
    return importing.import_run(
        folder / "run", files, statistics(folder, layout), keep_settings, say=lambda line: None
    )


def run_command(*arguments: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=240,
    )
