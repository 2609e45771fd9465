"""Live conversion of one direction with WORLD's features: blocks of samples in and out."""

import numpy as np

from cyclegan_vc_tf.audio.audio_files import AudioError
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.features import normalization, world
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.features.world_windows import StreamingAnalyser
from cyclegan_vc_tf.streaming.stream_adaptation import StreamAdaptation
from cyclegan_vc_tf.streaming.window_generator import WindowGenerator
from cyclegan_vc_tf.vocoders.world_stream import StreamingSynthesizer


class WorldPipeline:
    """Analysis, generator and synthesis of a stream at the model's sample rate.

    Args:
        generator: Generator of the direction, with windows as `stream` says.
        source: Statistics of the source speaker.
        target: Statistics of the target speaker.
        config: Settings of the analysis.
        stream: Sizes of blocks and windows.
        adaptation: Map of another voice's features to the source speaker's.
        limit_power: Whether converted frames are no louder than their source.
        convert_f0: Whether F0 is mapped to the target speaker's range.
        semitones: Shift of F0 after that, in semitones.

    Attributes:
        block_samples: Largest number of samples of a block.
        lookahead_samples: Samples that the output stays behind the input, at the end of a block.
        shift_samples: Samples of the output before the conversion of the first input sample.
    """

    def __init__(
        self,
        generator: WindowGenerator,
        source: Statistics,
        target: Statistics,
        config: FeatureConfig,
        stream: StreamConfig,
        adaptation: StreamAdaptation,
        *,
        limit_power: bool,
        convert_f0: bool = True,
        semitones: float = 0.0,
    ) -> None:
        self.source, self.target, self.config = source, target, config
        self.adaptation = adaptation
        self._generator, self._limit_power = generator, limit_power
        self._convert_f0, self._ratio = convert_f0, 2.0 ** (semitones / 12.0)
        self.lookahead_samples = round(stream.analysis_lookahead_ms * config.sample_rate_hz / 1000)
        self._analyser = StreamingAnalyser(config, stream.block_frames, self.lookahead_samples)
        self._synthesizer = StreamingSynthesizer(
            config.sample_rate_hz, config.frame_period_ms, world.fft_size(config)
        )
        self.block_samples = int(np.ceil(stream.block_frames * self._analyser.frame_samples))
        self.shift_samples = round(stream.lookahead_frames * self._analyser.frame_samples)
        bins = world.fft_size(config) // 2 + 1
        delayed = stream.lookahead_frames
        # Frames before the first one are silent.
        self._f0_hz = np.zeros(delayed)
        self._aperiodicity = np.ones((delayed, bins))
        self._power_limit = np.full(delayed, -np.inf)

    @property
    def needed_samples(self) -> int:
        """Number of samples that the next block needs."""
        return self._analyser.needed_samples

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Convert the next block.

        Args:
            samples: Next samples, (needed_samples,) float32.

        Returns:
            Converted samples, float32; over time as many as received, less `lookahead_samples`.

        Raises:
            AudioError: The generator's output has NaN or infinite values.
        """
        features = self._analyser.push(samples)
        adapted = self.adaptation.apply(features)
        generated = self._generator.push(normalization.normalize(adapted.spectra, self.source))
        if not np.isfinite(generated).all():
            raise AudioError("came out with NaN or infinite values; the model is not usable")
        spectra = normalization.denormalize(generated, self.target)
        f0_hz, aperiodicity, power_limit = self._delay(adapted, self._find_silence(features))
        is_silent = np.isneginf(power_limit)
        if self._limit_power:
            limit = np.where(is_silent, np.inf, power_limit)
            spectra = world.limit_power(spectra, limit, self.config)
        power = world.decode(spectra, self.config)
        power[is_silent] = 0.0
        if self._convert_f0:
            f0_hz = normalization.convert_f0(f0_hz, self.source, self.target)
        converted = self._synthesizer.push(f0_hz * self._ratio, power, aperiodicity)
        return self.adaptation.restore_level(converted, self.shift_samples).astype(np.float32)

    def _find_silence(self, features: WorldFeatures) -> np.ndarray:
        """Return which frames are digitally silent, (frames,)."""
        bins = self._aperiodicity.shape[1]
        floor = np.log(2 * world.ENVELOPE_FLOOR * (bins - 1))
        return world.log_power(features.spectra, self.config) <= floor + 0.01

    def _delay(
        self, features: WorldFeatures, is_silent: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return F0, aperiodicity and power limit of the frames that the generator returned now.

        The limit of a digitally silent frame is minus infinity.
        """
        power_limit = world.log_power(features.spectra, self.config)
        power_limit = np.where(is_silent, -np.inf, power_limit)
        frames = len(power_limit)
        f0_hz = np.concatenate([self._f0_hz, features.f0_hz])
        aperiodicity = np.concatenate([self._aperiodicity, features.aperiodicity])
        limit = np.concatenate([self._power_limit, power_limit])
        self._f0_hz, self._aperiodicity, self._power_limit = (
            each[frames:].copy() for each in (f0_hz, aperiodicity, limit)
        )
        return f0_hz[:frames], aperiodicity[:frames], limit[:frames]
