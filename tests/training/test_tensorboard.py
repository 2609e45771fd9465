"""Pictures of tones with known positions, and events written for TensorBoard."""

from pathlib import Path

import matplotlib._pylab_helpers
import numpy as np
import tensorflow as tf
from conftest import voice
from tensorboard.plugins.hparams import plugin_data_pb2

from cyclegan_vc_tf.audio import plots
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.features import frontend, world
from cyclegan_vc_tf.runs import events
from cyclegan_vc_tf.training import tensorboard
from cyclegan_vc_tf.vocoders import selection


def test_a_tone_is_at_its_frequency_in_the_spectrogram() -> None:
    time_s = np.arange(16_000) / 16_000
    waves = {
        "loud": np.sin(2 * np.pi * 3000 * time_s),
        "soft": 0.01 * np.sin(2 * np.pi * 1000 * time_s),
        "short": np.ones(3),
    }
    figure = plots.plot_spectrograms(waves, 16_000)
    loud, soft, _ = (axes.get_images()[0] for axes in figure.axes[:3])
    for image, frequency_hz in ((loud, 3000), (soft, 1000)):
        level = np.asarray(image.get_array())
        # 257 rows from 0 to 8 kHz.
        row_hz = np.argmax(level.mean(axis=1)) * 8000 / 256
        assert abs(row_hz - frequency_hz) <= 8000 / 256
        assert image.get_extent() == [0, 1.0, 0, 8.0]
    assert loud.get_clim() == soft.get_clim(), "all on the scale of the loudest"
    peaks = [np.max(np.asarray(image.get_array())) for image in (loud, soft)]
    assert abs(peaks[0] - peaks[1] - 40) < 1, "a hundredth of the amplitude is 40 dB less"


def test_unvoiced_frames_are_not_drawn() -> None:
    figure = plots.plot_f0_contours({"source": np.array([0.0, 100.0, 110.0, 0.0])}, 5.0)
    [line] = figure.axes[0].get_lines()
    np.testing.assert_allclose(line.get_xdata(), [0, 0.005, 0.010, 0.015])
    np.testing.assert_array_equal(line.get_ydata(), [np.nan, 100.0, 110.0, np.nan])


def test_pictures_are_pixels_and_no_figure_stays_open() -> None:
    pixels = plots.render_pixels(plots.plot_f0_contours({"source": np.full(9, 100.0)}, 5.0))
    assert pixels.dtype == np.uint8 and pixels.shape == (350, 1000, 3)
    assert pixels.min() < 100 < 250 < pixels.max()
    assert matplotlib._pylab_helpers.Gcf.get_all_fig_managers() == []


def test_every_kind_is_written_under_its_own_name(tmp_path: Path) -> None:
    config = FeatureConfig(f0_method="dio")
    kinds = {
        name: frontend.analyse(voice(f0_hz, 0.3, seed=index), config)
        for index, (name, f0_hz) in enumerate({"source": 110.0, "converted": 220.0}.items())
    }
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        tensorboard.write_example("A2B/x.wav", kinds, config, selection.make_vocoder(config), 7)
    writer.close()
    found = {}
    for path in tmp_path.iterdir():
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            found.update(
                {value.tag: tf.make_ndarray(value.tensor) for value in event.summary.value}
            )
            assert event.step == (7 if event.summary.value else 0)
    assert set(found) == {f"A2B/x.wav/{kind}" for kind in (*kinds, "spectrograms", "f0")}
    for name, features in kinds.items():
        wave, sample_rate_hz = tf.audio.decode_wav(found[f"A2B/x.wav/{name}"][0, 0])
        assert int(sample_rate_hz) == 16_000
        f0_hz, _ = world.f0(wave.numpy()[:, 0], config)
        expected = np.median(features.f0_hz[features.f0_hz > 0])
        assert abs(np.median(f0_hz[f0_hz > 0]) / expected - 1) < 0.03


def steps_in(folder: Path) -> list[int]:
    steps = []
    for path in folder.glob("events*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            steps += [event.step] if event.HasField("summary") else []
    return sorted(steps)


def test_events_of_steps_that_are_repeated_are_purged(tmp_path: Path) -> None:
    for first in (1, 4):
        writer = tf.summary.create_file_writer(str(tmp_path), filename_suffix=f".{first}")
        with writer.as_default():
            for step in range(first, first + 3):
                tf.summary.scalar("loss", float(step), step)
        writer.close()
    assert steps_in(tmp_path) == [1, 2, 3, 4, 5, 6]
    events.purge_events(tmp_path, 4)
    assert steps_in(tmp_path) == [1, 2, 3, 4]
    # A killed process left a file that ends in the middle of an event.
    path = max(tmp_path.glob("events*"), key=lambda file: file.stat().st_size)
    path.write_bytes(path.read_bytes()[:-7])
    events.purge_events(tmp_path, 4)
    assert steps_in(tmp_path) in ([1, 2, 4], [1, 2, 3])
    events.purge_events(tmp_path, -1)
    assert steps_in(tmp_path) == []


def test_settings_can_be_compared_in_tensorboard(tmp_path: Path) -> None:
    """Every setting is in the event file with its type, also a folder that is not text."""
    config = RunConfig(
        corpus=CorpusConfig(source_dir="/voices/\udce4nna"),
        network=NetworkConfig(channels=4, discriminator_sigmoid=True),
        training=TrainingConfig(cycle_weight=7.5, seed=3),
    )
    with tf.summary.create_file_writer(str(tmp_path)).as_default() as writer:
        tensorboard.write_settings(config)
    writer.close()
    [found] = [
        value.metadata.plugin_data.content
        for path in tmp_path.iterdir()
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
        for value in tf.compat.v1.Event.FromString(record).summary.value
        if value.metadata.plugin_data.plugin_name == "hparams"
    ]
    shown = plugin_data_pb2.HParamsPluginData.FromString(found).session_start_info.hparams
    fields = [field for _, field, _ in settings.iterate_fields(RunConfig)]
    assert set(shown) == {field.name for field in fields}
    assert shown["cycle_weight"].number_value == 7.5 and shown["seed"].number_value == 3
    assert shown["discriminator_sigmoid"].bool_value and shown["variant"].string_value == "vc1"
    assert shown["deterministic"].WhichOneof("kind") == "bool_value"
    assert shown["discriminator_widths"].string_value == "1,2,4,8"
    assert shown["source_dir"].string_value == "/voices/\\udce4nna"
