"""Make a run folder with untrained networks, which take as long as trained networks."""

import os
import sys
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.models.stack import make_checkpoint
from cyclegan_vc_tf.runs import run_folder

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

WIDTHS = {
    "demo": NetworkConfig(channels=32, residual_blocks=1, discriminator_widths=(1, 1, 2, 2)),
    "vc1": NetworkConfig(),
}
"""Networks of configs/demo.flags and of the 2017 paper."""


def create(path: Path, width: str, f0_method: str) -> None:
    """Make a run folder with a generator of this width."""
    config = RunConfig(features=FeatureConfig(f0_method=f0_method), network=WIDTHS[width])
    level = np.eye(config.features.bins)[0]
    statistics = {
        speaker: Statistics(-10 * level, np.full(len(level), 0.5), log_f0, 0.2)
        for speaker, log_f0 in (("A", 5.2), ("B", 4.6))
    }
    corpus: dict[str, dict] = {speaker: {"training": {}} for speaker in statistics}
    run = run_folder.create_run(path, config, statistics, corpus)
    networks = registry.build_networks(config, ["generator_A2B"])
    run.checkpoints.save(make_checkpoint(networks), 1, keep=1)


if __name__ == "__main__":
    create(Path(sys.argv[1]), sys.argv[2], sys.argv[3])
