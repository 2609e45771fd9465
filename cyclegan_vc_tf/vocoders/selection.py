"""Choice of the vocoder for a run's features, with one interface for all vocoders."""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cyclegan_vc_tf.audio.resampling import fix_length
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.system import onnx_sessions, startup
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import griffin_lim, vocoder_folders
from cyclegan_vc_tf.vocoders.chunks import FrameSizes
from cyclegan_vc_tf.vocoders.exported_source_filter import ExportedSourceFilter
from cyclegan_vc_tf.vocoders.exported_vocoder import ExportedVocoder
from cyclegan_vc_tf.vocoders.source_filter_vocoder import SourceFilterVocoder

if TYPE_CHECKING:
    import keras

    from cyclegan_vc_tf.vocoders.neural import NeuralVocoder

Vocoder = Callable[[Features, int], np.ndarray]
"""Function of the features and the sample count of a recording: returns (samples,) float32."""

Synthesis = Callable[[Features], np.ndarray]
"""Function of features that returns whole hops of samples, (frames · hop,)."""


def make_vocoder(config: FeatureConfig, choice: VocoderConfig = VocoderConfig()) -> Vocoder:
    """Make the vocoder for the features of an analysis.

    WORLD synthesizes mel-cepstra; Griffin-Lim or MelGAN synthesize log-mel spectra. A vocoder that
    was trained here synthesizes the features that it was trained on. The vocoder cuts a
    recording's last, incomplete hop to the recording's length.

    Args:
        config: Settings of the analysis.
        choice: Settings of the vocoder.

    Raises:
        InputError: The chosen vocoder cannot synthesize these features.
    """
    choice.validate(config.spectra)
    if choice.is_trained_here:
        synthesize: Synthesis = load_trained(config, choice.vocoder).synthesize
    elif config.spectra == "mel_cepstra":
        synthesize = _make_world(config)
    elif choice.vocoder == "griffin_lim":
        synthesize = _make_griffin_lim(config, choice.griffin_lim_iterations)
    else:
        synthesize = _make_melgan(config, choice.vocoder_checkpoint)
    return lambda features, samples: fix_length(synthesize(features).astype(np.float32), samples)


def _make_world(config: FeatureConfig) -> Synthesis:
    """Make WORLD's synthesis for an analysis."""

    def synthesize(features: Features) -> np.ndarray:
        if not isinstance(features, WorldFeatures):
            raise TypeError(f"WORLD needs WorldFeatures; received {type(features).__name__}")
        return world.synthesize(features, config)

    return synthesize


def _make_griffin_lim(config: FeatureConfig, iterations: int) -> Synthesis:
    """Make the Griffin-Lim synthesis for an analysis."""
    return lambda features: griffin_lim.synthesize(features.spectra, config, iterations)


def _make_melgan(config: FeatureConfig, checkpoint: str) -> Synthesis:
    """Make the synthesis by a MelGAN generator from a vocoder file, or from its ONNX export.

    Raises:
        InputError: The file cannot be loaded, or the vocoder was trained on other spectra.
    """
    if Path(checkpoint).suffix.lower() == onnx_sessions.ENDING:
        exported = ExportedVocoder(Path(checkpoint))
        check_analysis(config, exported.about.sizes, exported.about, checkpoint)
        return lambda features: exported.synthesize(features.spectra)
    model = load_melgan(config, checkpoint)
    from cyclegan_vc_tf.vocoders import melgan

    return lambda features: melgan.synthesize(model, features.spectra)


def load_melgan(config: FeatureConfig, checkpoint: str) -> "keras.Model":
    """Load a MelGAN generator for the features of an analysis from a vocoder file.

    Raises:
        InputError: The file cannot be loaded, it was trained on other spectra, or TensorFlow is not
            installed.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            f"--vocoder_checkpoint {checkpoint} needs TensorFlow, which is not installed; expected "
            "an ONNX file of python -m cyclegan_vc_tf export --vocoder_checkpoint, or give "
            "--vocoder=griffin_lim"
        )
    # Importing TensorFlow takes seconds, and worker processes use the other vocoders without it.
    with startup.fast_import():
        from cyclegan_vc_tf.vocoders import melgan

    try:
        model, analysis = melgan.load(Path(checkpoint))
    except InputError as error:
        raise InputError(f"--vocoder_checkpoint: {error}, or give --vocoder=griffin_lim") from error
    check_analysis(config, melgan.frame_sizes(model), analysis, checkpoint)
    return model


def check_analysis(
    config: FeatureConfig, sizes: FrameSizes, analysis: Any, checkpoint: str
) -> None:
    """Refuse a vocoder that was trained on other spectra than those of a run.

    Args:
        config: Settings of the run's analysis.
        sizes: Sizes of the vocoder's frames.
        analysis: Object with the attributes `sample_rate_hz` and `fft_samples` of its spectra.
        checkpoint: File of the vocoder, for the error.

    Raises:
        InputError: The spectra differ.
    """
    trained_on = sizes.bins, sizes.hop_samples, analysis.fft_samples, analysis.sample_rate_hz
    needed = config.mel_bins, config.hop_samples, config.fft_samples, config.sample_rate_hz
    if trained_on != needed:
        description = "{} bands every {} of {} samples at {} Hz"
        raise InputError(
            f"--vocoder_checkpoint {checkpoint} synthesizes {description.format(*trained_on)}; "
            f"this run has {description.format(*needed)}: choose another file, or "
            "--vocoder=griffin_lim"
        )


def load_trained(config: FeatureConfig, name: str) -> SourceFilterVocoder:
    """Load a vocoder that was trained here, for the features of an analysis.

    Args:
        config: Settings of the analysis.
        name: What `load_neural` takes, or the ONNX file of such a vocoder.

    Raises:
        InputError: The vocoder cannot be loaded, or it was trained on other features.
    """
    if Path(name).suffix.lower() != onnx_sessions.ENDING:
        return load_neural(config, name)
    exported = ExportedSourceFilter(Path(name))
    check_features(exported.features, config, name)
    return exported


def load_neural(config: FeatureConfig, name: str) -> "NeuralVocoder":
    """Load a vocoder that was trained here into TensorFlow, for the features of an analysis.

    Args:
        config: Settings of the analysis.
        name: Folder of a run or of a published vocoder, or "pretrained:NAME".

    Raises:
        InputError: The vocoder cannot be loaded, it was trained on other features, or TensorFlow is
            not installed.
    """
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            f"--vocoder {name} needs TensorFlow, which is not installed; expected an ONNX file of "
            f"python -m cyclegan_vc_tf export --vocoder_checkpoint={name}, or leave --vocoder out"
        )
    with startup.fast_import():
        from cyclegan_vc_tf.vocoders import neural

    try:
        vocoder = neural.load(vocoder_folders.find(name))
    except InputError as error:
        raise InputError(f"--vocoder: {error}, or leave --vocoder out") from error
    check_features(vocoder.features, config, name)
    return vocoder


def check_features(trained_on: FeatureConfig, config: FeatureConfig, name: str) -> None:
    """Refuse a vocoder that was trained on other features than those of a run.

    Raises:
        InputError: The features differ.
    """
    if differences := vocoder_folders.list_differences(trained_on, config):
        raise InputError(
            f"--vocoder {name} synthesizes other features: {'; '.join(differences)}; choose "
            "another vocoder, or leave --vocoder out"
        )
