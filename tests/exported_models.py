"""Generators with random weights and statistics, to be exported."""

import dataclasses

import keras
import numpy as np

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.conversion.inference import inference_function
from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop import tensorflow_files
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.models.stack import plain
from cyclegan_vc_tf.runs import exported_model
from cyclegan_vc_tf.runs.exported_model import ExportedModel

FRAMES = (1, 4, 13, 64, 302)

SYMMETRIC = {"padding": "symmetric", "gate": "silu", "norm_affine": "down", "up_norm_epsilon": 1e-5}

NETWORKS = {
    "vc1": {"variant": "vc1"},
    "vc1-public": {"variant": "vc1", **SYMMETRIC},
    "vc1-skip": {"variant": "vc1", "vtln_init": True},
    "vc2": {"variant": "vc2"},
    "vc2-public": {"variant": "vc2", "mel_cepstra": 35, **SYMMETRIC},
    "vc3": {"variant": "vc3"},
    "mask": {"variant": "mask"},
}
"""Settings of the networks by name; 35 bins are filled up to 36."""


@dataclasses.dataclass(frozen=True)
class Exported:
    """A generator with random weights and statistics, its description and its outputs."""

    generator: keras.Model
    about: ExportedModel
    inputs: dict[str, np.ndarray]
    expected: dict[str, np.ndarray]

    @property
    def graph(self) -> tensorflow_files.Graph:
        """What files of TensorFlow and Keras are written from."""
        return tensorflow_files.make_graph(self.generator, self.about)

    def difference(self, name: str, outputs: np.ndarray) -> float:
        """Largest difference from the run, as a part of the largest value.

        Values are counted in standard deviations of their bins.
        """
        target = self.about.statistics["B"]
        expected = self.expected[name]
        assert outputs.shape == expected.shape and outputs.dtype == np.float32
        largest = np.abs((expected - target.mean) / target.scale).max()
        return float(np.abs((outputs - expected) / target.scale).max() / largest)


def random_export(frames: tuple[int, ...] = FRAMES, **changes: object) -> Exported:
    rng = np.random.default_rng(8)
    variant = str(changes.pop("variant"))
    config: RunConfig = vc.preset(variant, channels=4, residual_blocks=1, **changes)
    (generator,) = registry.build_networks(config, ["generator_A2B"]).values()
    for variable in map(plain, generator.weights):
        # Biases, scales and offsets are zero or one at first.
        if len(variable.shape) == 1:
            variable.assign_add(0.3 * rng.standard_normal(variable.shape).astype(np.float32))
    bins = config.features.bins
    statistics = {
        speaker: Statistics(
            mean=3 * rng.standard_normal(bins), std=np.exp(rng.standard_normal(bins)),
            log_f0_mean=5.0, log_f0_std=0.2,
        )
        for speaker in "AB"
    }  # fmt: skip
    # A bin that never changes is not divided.
    statistics["A"].std[1] = 0.0
    about = ExportedModel(
        Direction.A2B,
        7,
        exported_model.without_paths(config),
        statistics,
        licence="CC0",
        card="# ♥",
    )
    run = inference_function(generator)
    inputs, expected = {}, {}
    for count in frames:
        normalized = rng.standard_normal((count, bins))
        features = normalization.denormalize(normalized, statistics["A"])
        outputs = run(normalization.normalize(features, statistics["A"]))
        inputs[str(count)] = features
        expected[str(count)] = normalization.denormalize(outputs, statistics["B"])
    return Exported(generator, about, inputs, expected)
