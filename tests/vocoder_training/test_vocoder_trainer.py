"""Training step of a vocoder: textbook gradients, schedules, crops."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from conftest import voice

from cyclegan_vc_tf.config.vocoder_training import (
    VocoderNetworkConfig,
    VocoderRunConfig,
    VocoderScheduleConfig,
)
from cyclegan_vc_tf.features import log_mel
from cyclegan_vc_tf.vocoder_training import examples, waveform_losses
from cyclegan_vc_tf.vocoder_training.examples import Batch, Crops
from cyclegan_vc_tf.vocoder_training.spectrum_discriminators import spectrum_input
from cyclegan_vc_tf.vocoder_training.trainer import VocoderTrainer

SMALL = VocoderRunConfig(
    network=VocoderNetworkConfig(
        channels=6, blocks=1, pitch_channels=4, pitch_blocks=1, synthesis_fft_samples=256,
        discriminator_channels=2, discriminator_ffts=(256, 128),
    ),
    schedule=VocoderScheduleConfig(
        crop_frames=12, batch_size=2, adversarial_start=1, stft_ffts=(256, 128)
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def crops() -> Crops:
    recordings = [
        examples.analyse(Path(f"{f0_hz}.wav"), voice(f0_hz, 0.7, 1), SMALL.features)
        for f0_hz in (110.0, 210.0)
    ]
    return Crops(recordings, SMALL, *examples.statistics(recordings))


def weights(trainer: VocoderTrainer) -> list[np.ndarray]:
    models = {**trainer.networks, **trainer.discriminators}.values()
    return [array for model in models for array in model.get_weights()]


def test_recordings_are_analysed_frame_by_frame(crops: Crops) -> None:
    recording = crops.recordings[1]
    assert recording.samples.shape == (44 * 256,) and recording.values.shape == (44, 80)
    voiced = recording.f0_hz[recording.f0_hz > 0]
    # The made-up voice moves by a tenth around its F0.
    assert len(voiced) > 30 and 185 < voiced.min() < voiced.max() < 235


def test_crops_are_a_function_of_the_step(crops: Crops) -> None:
    first, again, other = crops.batch(3), crops.batch(3), crops.batch(4)
    for name in vars(first):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    assert not np.array_equal(first.samples, other.samples)
    assert first.samples.shape == (2, 12 * 256) and first.excitation.shape == (2, 12 * 256, 2)


def test_the_values_of_a_crop_are_those_of_its_samples(crops: Crops) -> None:
    """The level changes both alike. The first and last frames see beyond the crop."""
    for number in range(3):
        batch = crops.batch(number)
        values = batch.values[0] * crops.std + crops.mean
        again = log_mel.log_mel(batch.samples[0], SMALL.features)
        np.testing.assert_allclose(values[2:-2], again[2:-2], atol=2e-3)


def test_a_short_recording_is_filled_with_silence() -> None:
    short = examples.analyse(Path("short.wav"), voice(110.0, 0.1, 1), SMALL.features)
    filled = Crops([short], SMALL, *examples.statistics([short])).batch(0)
    assert filled.samples.shape == (2, 12 * 256) and not filled.samples[:, 8 * 256 :].any()
    assert not filled.pitch[:, 8:].any()


def as_float64(batch: Batch) -> Batch:
    return Batch(**{name: array.astype(np.float64) for name, array in vars(batch).items()})


def test_the_step_is_the_textbook_step(crops: Crops) -> None:
    """One tape per optimizer, with fakes detached by hand, gives equal weights."""
    keras.mixed_precision.set_global_policy("float64")
    keras.backend.set_floatx("float64")
    try:
        schedule = replace(SMALL.schedule, adversarial_start=0)
        config = replace(SMALL, schedule=schedule)
        ours, theirs = VocoderTrainer(config), VocoderTrainer(config)
        batch = as_float64(crops.batch(0))
        report, finite = ours.train_step(batch)
        samples = tf.constant(batch.samples)
        filters = log_mel.mel_filters(SMALL.features)
        names = list(theirs.discriminators)

        def judge(waves: tf.Tensor) -> list[list[tf.Tensor]]:
            return [
                theirs.discriminators[name](spectrum_input(waves, int(name.split("_")[1])))
                for name in names
            ]

        variables = [v for m in theirs.networks.values() for v in m.trainable_variables]
        with tf.GradientTape() as tape:
            fake = theirs.networks["vocoder"]([batch.values, batch.excitation])[:, :, 0]
            reals, fakes = judge(samples), judge(fake)
            total = tf.reduce_mean(
                waveform_losses.multi_resolution_stft_loss(samples, [fake] * 2, (256, 128))
                + 4 * waveform_losses.mel_loss(samples, fake, filters, 1024, 256)
                + waveform_losses.pitch_loss(theirs.networks["pitch"](batch.values), batch.pitch)
                + sum(tf.reduce_mean((each[-1] - 1) ** 2, (1, 2, 3)) for each in fakes) / 2
                + 2
                * sum(
                    waveform_losses.feature_matching_loss(real[:-1], each[:-1])
                    for real, each in zip(reals, fakes, strict=True)
                )
                / 2
            )
        gradients = tape.gradient(total, variables)
        judges = [v for m in theirs.discriminators.values() for v in m.trainable_variables]
        with tf.GradientTape() as tape:
            reals, fakes = judge(samples), judge(tf.stop_gradient(fake))
            loss = sum(
                tf.reduce_mean((real[-1] - 1) ** 2) + tf.reduce_mean(each[-1] ** 2)
                for real, each in zip(reals, fakes, strict=True)
            )
        judge_gradients = tape.gradient(loss, judges)
        theirs.optimizer.apply(gradients, variables, tf.constant(1e-3, tf.float64))
        theirs.discriminator_optimizer.apply(judge_gradients, judges, tf.constant(5e-4, tf.float64))
        assert bool(finite) and float(report["loss/vocoder"]) == pytest.approx(float(total))
        for mine, other in zip(weights(ours), weights(theirs), strict=True):
            np.testing.assert_allclose(mine, other, atol=1e-9)
    finally:
        keras.mixed_precision.set_global_policy("float32")
        keras.backend.set_floatx("float32")


def test_discriminators_wait_for_their_first_step(
    crops: Crops, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without a graph, which would take most of the time.
    monkeypatch.setattr(VocoderTrainer, "_train", VocoderTrainer._train.python_function)
    trainer = VocoderTrainer(SMALL)
    judges = list(trainer.discriminators.values())
    before = [model.get_weights() for model in judges]
    report, _ = trainer.train_step(crops.batch(0))
    assert "loss/adversarial" not in report
    unmoved = zip(before, judges, strict=True)
    assert all(
        np.array_equal(x, y)
        for old, model in unmoved
        for x, y in zip(old, model.get_weights(), strict=True)
    )
    report, _ = trainer.train_step(crops.batch(1))
    assert "loss/adversarial" in report
    assert not np.array_equal(before[0][0], judges[0].get_weights()[0])


def test_two_trainings_are_equal_bit_for_bit(crops: Crops) -> None:
    found = []
    for _ in range(2):
        trainer = VocoderTrainer(SMALL)
        for step in range(3):
            trainer.train_step(crops.batch(step))
        found.append(weights(trainer))
    assert all(np.array_equal(x, y) for x, y in zip(*found, strict=True))
