"""Norms of streams: fixed and running statistics, against NumPy and the norms they replace."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.models import registry, streaming_norm
from cyclegan_vc_tf.models.layers import instance_norm
from cyclegan_vc_tf.models.streaming_norm import StreamingNormalization

WINDOWS = np.random.default_rng(0).normal(3.0, 2.0, (3, 1, 8, 4)).astype(np.float32)


def small_generator() -> keras.Model:
    """One norm on features of four bins, with a scale of 2 and an offset of 1."""
    inputs = keras.Input((None, 4))
    model = keras.Model(inputs, instance_norm(1e-6, "a_norm")(inputs))
    model.get_layer("a_norm").set_weights([np.full(4, 2.0), np.ones(4)])
    return model


def test_fixed_statistics_normalize_as_numpy_does() -> None:
    mean, variance = np.arange(4.0, dtype=np.float32), np.full(4, 4.0, np.float32)
    model = streaming_norm.replace_norms(small_generator(), {"a_norm": (mean, variance)})
    expected = 2 * (WINDOWS[0] - mean) / 2 + 1
    np.testing.assert_allclose(model(WINDOWS[0]).numpy(), expected, rtol=1e-5, atol=1e-5)


def test_running_statistics_average_windows() -> None:
    """With a share of 0: the first window, then the mean of two, then that of three."""
    model = streaming_norm.replace_norms(small_generator(), {}, 0.0)
    for round_of_windows in range(2):
        for count in (1, 2, 3):
            found = model(WINDOWS[count - 1]).numpy()
            mean = np.mean([window.mean((0, 1)) for window in WINDOWS[:count]], 0)
            variance = np.mean([window.var((0, 1)) for window in WINDOWS[:count]], 0)
            expected = 2 * (WINDOWS[count - 1] - mean) / np.sqrt(variance + 1e-6) + 1
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        assert round_of_windows or model.get_layer("a_norm").windows.numpy() == 3
        streaming_norm.reset(model)


@pytest.mark.parametrize("variant", ["vc1", "vc2", "vc3", "mask"])
def test_statistics_of_one_utterance_give_its_own_output(variant: str) -> None:
    """Fixed to the statistics of an utterance, a generator converts it as before."""
    from cyclegan_vc_tf.config import overrides
    from cyclegan_vc_tf.config.presets import PRESETS
    from cyclegan_vc_tf.models.generators import generate

    base = PRESETS[variant]
    config = overrides.override(base, {"channels": 4, "residual_blocks": 1})
    generator = registry.build_networks(config, ["generator_A2B"])["generator_A2B"]
    bins = generator.inputs[0].shape[2]
    spectra = np.random.default_rng(1).standard_normal((32, bins)).astype(np.float32)
    moments = streaming_norm.measure_moments(generator, [spectra])
    assert moments.keys() == {norm.name for norm in streaming_norm.find_norms(generator)}
    fixed = streaming_norm.replace_norms(generator, moments)
    kinds = [type(layer) for layer in fixed.layers]
    assert kinds.count(StreamingNormalization) == len(moments) > 3
    expected = generate(generator, tf.constant(spectra[np.newaxis]), training=False)
    found = generate(fixed, tf.constant(spectra[np.newaxis]), training=False)
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-3, atol=1e-4)
