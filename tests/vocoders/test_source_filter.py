"""Networks of the source-filter vocoder: reach, inverse, decoding of F0."""

import numpy as np
import pytest
import tensorflow as tf

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig
from cyclegan_vc_tf.vocoders import pitch_classes, source_filter
from cyclegan_vc_tf.vocoders.source_filter import SourceFilter

FEATURES = FeatureConfig(spectra="log_mel", mel_bins=10, fft_samples=128, hop_samples=32)
SMALL = VocoderNetworkConfig(
    channels=6, blocks=2, pitch_channels=4, pitch_blocks=1, synthesis_fft_samples=64,
    lookahead_frames=2,
)  # fmt: skip


def test_filters_of_one_give_the_excitation_back() -> None:
    layer = SourceFilter(64, 16, 2)
    excitation = np.random.default_rng(0).standard_normal((1, 320, 2)).astype(np.float32)
    bins = 33
    open_filters = np.zeros((1, 10, 2, 3, bins), np.float32)
    for kept, source in ((0, 0), (2, 1)):
        filters = np.full_like(open_filters, -50.0)
        filters[:, :, :, 1], filters[:, :, :, kept] = 0.0, 0.0
        wave = layer((filters.reshape(1, 10, -1), excitation)).numpy()
        np.testing.assert_allclose(wave[0, :, 0], excitation[0, :, source], atol=2e-5)


def test_a_phase_delays_a_pulse() -> None:
    """A phase of -2 pi k d / size is a delay of d samples."""
    layer = SourceFilter(64, 16, 2)
    excitation = np.zeros((1, 320, 2), np.float32)
    excitation[0, 150, 0] = 1
    filters = np.zeros((1, 20, 3, 33), np.float32)
    filters[:, :, 1] = -2 * np.pi * np.arange(33) * 3 / 64
    filters[:, :, 2] = -50.0
    wave = layer((filters.reshape(1, 10, -1), excitation)).numpy()[0, :, 0]
    assert np.argmax(np.abs(wave)) == 153


def test_the_network_looks_ahead_as_far_as_its_settings_say() -> None:
    model = source_filter.filter_network(FEATURES, 10, SMALL, seed=0)
    rng = np.random.default_rng(0)
    values = rng.standard_normal((1, 40, 10)).astype(np.float32)
    excitation = rng.standard_normal((1, 40 * 32, 2)).astype(np.float32)
    before = model([values, excitation]).numpy()[0, :, 0]
    values[0, 20] += 1
    changed = np.flatnonzero(np.abs(model([values, excitation]).numpy()[0, :, 0] - before) > 1e-7)
    # Frame 18 sees frame 20. Half a window less half a hop reaches back from its first part.
    assert 18 * 32 - 24 <= changed[0] <= 18 * 32 + 8
    assert changed[-1] < (20 + 4 + 2 * 6 + 1) * 32 + 24


def test_the_pitch_network_decodes_what_it_is_to_learn() -> None:
    f0_hz = np.array([0.0, 71.0, 103.3, 186.0, 700.0, 60.0])
    targets = pitch_classes.targets(f0_hz)
    scores = np.log(targets + 1e-9)
    scores[:, -1] = np.where(targets[:, -1] > 0, 3.0, -3.0)
    np.testing.assert_allclose(pitch_classes.decode(scores), f0_hz, rtol=2e-3)
    np.testing.assert_allclose(targets[1:, :-1].sum(1), 1.0, rtol=1e-6)
    assert not targets[0].any()


def test_two_voices_do_not_pull_each_other() -> None:
    """The estimate averages near the most likely class alone, so an octave has no weight."""
    one, other = (pitch_classes.targets(np.array([f0]))[0] for f0 in (100.0, 200.0))
    scores = np.log(0.6 * one + 0.4 * other + 1e-9)[np.newaxis]
    scores[:, -1] = 1.0
    assert pitch_classes.decode(scores)[0] == pytest.approx(100.0, rel=2e-3)


def test_seeds_make_the_initial_weights() -> None:
    first, again, other = (
        source_filter.pitch_network(10, SMALL, seed).get_weights() for seed in (0, 0, 1)
    )
    assert all(np.array_equal(x, y) for x, y in zip(first, again, strict=True))
    assert not all(np.array_equal(x, y) for x, y in zip(first, other, strict=True))


def test_models_are_rebuilt_from_their_settings() -> None:
    model = source_filter.filter_network(FEATURES, 10, SMALL, seed=0)
    again = type(model).from_config(model.get_config())
    again.set_weights(model.get_weights())
    inputs = [tf.ones((1, 4, 10)), tf.ones((1, 128, 2))]
    np.testing.assert_array_equal(model(inputs), again(inputs))
