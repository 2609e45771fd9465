"""Choice of the pipeline for a run's features."""

import numpy as np

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features.adaptation import Adaptation
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.streaming import norm_statistics
from cyclegan_vc_tf.streaming.mel_pipeline import MelPipeline
from cyclegan_vc_tf.streaming.pipeline import BlockVocoder, Pipeline
from cyclegan_vc_tf.streaming.source_filter_stream import SourceFilterStream
from cyclegan_vc_tf.streaming.stream_adaptation import StreamAdaptation
from cyclegan_vc_tf.streaming.window_generator import WindowGenerator
from cyclegan_vc_tf.streaming.window_vocoder import WindowVocoder
from cyclegan_vc_tf.streaming.world_pipeline import WorldPipeline
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import selection

WARM_UP_BLOCKS = 3
"""Blocks of silence that are converted before a stream begins."""


def for_run(
    run: RunFolder,
    direction: Direction,
    step: int | None,
    *,
    convert_f0: bool,
    semitones: float,
    config: StreamConfig,
    vocoder: VocoderConfig | None,
    adaptation: Adaptation | None,
) -> tuple[Pipeline, bool]:
    """Return the pipeline of a run, and whether its norms run along.

    Args:
        run: Run folder.
        direction: Direction of conversion.
        step: Step of the checkpoint; None is the last one.
        convert_f0: Whether F0 is mapped to the target speaker's range.
        semitones: Shift of F0 after that, in semitones.
        config: Sizes of windows, and statistics of norms.
        vocoder: Vocoder settings; None means those of the run.
        adaptation: Map of another voice's features to the source speaker's; None without one.

    Raises:
        InputError: The run or a setting is not usable for live conversion.
    """
    config.validate()
    features = run.config.features
    vocoder = run.config.vocoder if vocoder is None else vocoder
    vocoder.validate(features.spectra)
    block_vocoder = None
    if features.spectra == "log_mel":
        features.check_f0(convert=convert_f0, semitones=semitones)
        block_vocoder = _load_vocoder(run, vocoder, features, config)
    elif vocoder.is_trained_here:
        raise InputError(
            f"--vocoder is {vocoder.vocoder}; WORLD synthesizes live conversions: leave --vocoder "
            "out, or give --vocoder=griffin_lim if the run has another one"
        )
    generator, step = run.load_generator(direction, step)
    moments = {}
    if config.norms != "running":
        moments = norm_statistics.find(run, direction, generator, step)
        if config.norms == "fixed" and not moments:
            raise InputError(
                f"--norms=fixed: {run.path} has no {norm_statistics.FILE}, and the features of its "
                "training recordings were not found; leave --norms out"
            )
    windows = WindowGenerator(generator, moments, config, features.hop_s)
    source, target = (run.statistics[each] for each in (direction.source, direction.target))

    def make() -> Pipeline:
        own = StreamAdaptation(adaptation, source, features, config.adapt_after_s)
        if block_vocoder:
            block_vocoder.reset()
            return MelPipeline(windows, block_vocoder, source, target, features, config, own)
        return WorldPipeline(
            windows,
            source,
            target,
            features,
            config,
            own,
            limit_power=vocoder.limit_power,
            convert_f0=convert_f0,
            semitones=semitones,
        )

    # First calls take up to a second: TensorFlow optimizes its graph, libraries are loaded.
    trial = make()
    for _ in range(WARM_UP_BLOCKS):
        trial.push(np.zeros(trial.needed_samples, np.float32))
    windows.reset()
    return make(), not moments


def _load_vocoder(
    run: RunFolder, vocoder: VocoderConfig, features: FeatureConfig, config: StreamConfig
) -> BlockVocoder:
    """Load the neural vocoder of a run of log-mel spectra.

    Raises:
        InputError: The vocoder is Griffin-Lim, cannot be loaded, or does not fit the features.
    """
    if vocoder.is_trained_here:
        loaded = selection.load_neural(features, vocoder.vocoder)
        return SourceFilterStream(loaded, config.block_frames)
    if vocoder.vocoder != "melgan":
        raise InputError(
            f"--vocoder is {vocoder.vocoder} for {run.path}, which needs whole recordings; live, "
            "expected the folder of a vocoder made by python -m cyclegan_vc_tf train_vocoder, "
            "--vocoder=melgan with --vocoder_checkpoint, or a run that converts mel_cepstra, such "
            "as pretrained:vc1-demo"
        )
    from cyclegan_vc_tf.vocoders import melgan

    model = selection.load_melgan(features, vocoder.vocoder_checkpoint)
    architecture = melgan.Architecture.from_model(model)
    return WindowVocoder(
        model, architecture.context_frames, config.block_frames, architecture.hop_samples
    )
