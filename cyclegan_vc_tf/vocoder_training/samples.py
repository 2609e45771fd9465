"""Held-out recordings, synthesized from their own features during a training."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.features import frontend, log_mel
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.vocoder_training.examples import Recording
from cyclegan_vc_tf.vocoders.conditioning import first_sample
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder


def write_samples(vocoder: NeuralVocoder, recordings: Sequence[Recording], step: int) -> str:
    """Write sounds of held-out recordings and their errors to TensorBoard; return a line.

    Errors are the mean distance of log-mel spectra in dB, the share of frames whose voicing is
    wrong, and the mean error of ln F0 where both are voiced.

    Args:
        vocoder: Vocoder of the step.
        recordings: Held-out recordings.
        step: Step of the training.
    """
    distances, voicing, pitch = [], [], []
    config = vocoder.features
    mel = config if config.spectra == "log_mel" else None
    for recording in recordings:
        samples = recording.samples[first_sample(config) :]
        features = frontend.analyse(samples, config)
        wave = vocoder.synthesize(features)[: len(samples)]
        name = f"held_out/{recording.path.parent.name}/{recording.path.stem}"
        tf.summary.audio(name, _limit(wave)[np.newaxis, :, np.newaxis], config.sample_rate_hz, step)
        if mel is not None and isinstance(features, MelFeatures):
            again = log_mel.log_mel(wave, mel)
            distances.append(20 * np.abs(again - features.spectra).mean())
            f0_hz = vocoder.estimate_f0(features)
            both = (f0_hz > 0) & (recording.f0_hz > 0)
            voicing.append(np.mean((f0_hz > 0) != (recording.f0_hz > 0)))
            pitch.append(np.abs(np.log(f0_hz[both] / recording.f0_hz[both])).mean())
    if not distances:
        return f"Step {step}: {len(recordings)} held-out recordings synthesized."
    scores = {
        "log_mel_db": np.mean(distances), "voicing_error": np.mean(voicing),
        "log_f0_error": np.mean(pitch),
    }  # fmt: skip
    for name, value in scores.items():
        tf.summary.scalar(f"held_out/{name}", value, step)
    numbers = ", ".join(f"{name} {value:.3f}" for name, value in scores.items())
    return f"Step {step}, held-out recordings: {numbers}"


def _limit(wave: np.ndarray) -> np.ndarray:
    """Scale a waveform that would clip."""
    return wave / max(1.0, float(np.max(np.abs(wave), initial=0.0)))
