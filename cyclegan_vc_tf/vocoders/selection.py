"""From features back to samples: WORLD, Griffin-Lim or MelGAN, behind one interface."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.audio.resampling import fix_length
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import griffin_lim

Vocoder = Callable[[Features, int], np.ndarray]
"""From the features of a recording, and its number of samples, to as many: (samples,) float32."""


def make_vocoder(config: FeatureConfig, choice: VocoderConfig = VocoderConfig()) -> Vocoder:
    """What speaks the features of an analysis.

    A recording's last, incomplete hop is cut to the samples it had.

    Args:
        config: The analysis.
        choice: Of what speaks log-mel spectra; mel-cepstra are spoken by WORLD.

    Raises:
        InputError: What was chosen is not for them.
    """
    choice.validate(config.spectra)
    if config.spectra == "mel_cepstra":
        whole = _world(config)
    elif choice.vocoder == "griffin_lim":
        whole = _griffin_lim(config, choice.griffin_lim_iterations)
    else:
        whole = _melgan(config, choice.vocoder_checkpoint)
    return lambda spoken, samples: fix_length(whole(spoken).astype(np.float32), samples)


def _world(config: FeatureConfig) -> Callable[[Features], np.ndarray]:
    def speak(spoken: Features) -> np.ndarray:
        if not isinstance(spoken, WorldFeatures):
            raise TypeError(f"WORLD speaks WorldFeatures; received {type(spoken).__name__}")
        return world.synthesize(spoken, config)

    return speak


def _griffin_lim(config: FeatureConfig, iterations: int) -> Callable[[Features], np.ndarray]:
    return lambda spoken: griffin_lim.synthesize(spoken.spectra, config, iterations)


def _melgan(config: FeatureConfig, checkpoint: str) -> Callable[[Features], np.ndarray]:
    # TensorFlow takes seconds to import: workers speak the other two without it.
    from cyclegan_vc_tf.vocoders import melgan

    try:
        model, analysis = melgan.load(Path(checkpoint))
    except InputError as error:
        raise InputError(f"--vocoder_checkpoint: {error}, or give --vocoder=griffin_lim") from error
    speaks = (
        model.input_shape[-1], melgan.hop_samples(model), analysis.fft_samples,
        analysis.sample_rate_hz,
    )  # fmt: skip
    has = config.mel_bins, config.hop_samples, config.fft_samples, config.sample_rate_hz
    if speaks != has:
        said = "{} bands every {} of {} samples at {} Hz"
        raise InputError(
            f"--vocoder_checkpoint {checkpoint} speaks {said.format(*speaks)}; this run has "
            f"{said.format(*has)}: choose another, or --vocoder=griffin_lim"
        )
    return lambda spoken: melgan.synthesize(model, spoken.spectra)
