"""Untrained runs of log-mel spectra, and a generator that changes nothing, for live conversion."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from conftest import SMALL_NETWORK

from cyclegan_vc_tf import api
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.training.trainer import Trainer

NO_ADAPTATION = SimpleNamespace(is_listening=False)
"""For pipelines without features."""


def speaker(features: FeatureConfig) -> Statistics:
    """Statistics of a speaker, equal for all bins."""
    return Statistics(-2.0 * np.ones(features.mel_bins), np.ones(features.mel_bins), 5.0, 0.1)


def make_mel_run(path: Path, features: FeatureConfig) -> RunFolder:
    """Make a run of MaskCycleGAN-VC with initial weights."""
    mask = api.preset("mask")
    config = RunConfig(
        features=features,
        network=replace(
            mask.network,
            channels=SMALL_NETWORK.channels,
            residual_blocks=SMALL_NETWORK.residual_blocks,
        ),
        training=replace(mask.training, crop_frames=16, steps=4),
    )
    statistics = {name: speaker(features) for name in "AB"}
    recordings = {name: {"training": {"a.wav": "hash"}} for name in "AB"}
    run = run_folder.create_run(path, config, statistics, recordings)
    run.checkpoints.save(Trainer(config).checkpoint, 3, keep=1)
    return run


class Later:
    """Generator that returns its input `frames` later."""

    def __init__(self, frames: int, bins: int) -> None:
        self._frames = np.zeros((frames, bins), np.float32)

    def push(self, normalized: np.ndarray) -> np.ndarray:
        """Return the oldest frames."""
        queue = np.concatenate([self._frames, normalized])
        self._frames = queue[len(normalized) :]
        return queue[: len(normalized)]
