"""Live conversion of one direction with log-mel spectra: blocks of samples in and out."""

import numpy as np

from cyclegan_vc_tf.audio.audio_files import AudioError
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.features.log_mel import MelFeatures
from cyclegan_vc_tf.features.mel_windows import StreamingMelAnalyser
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.streaming.pipeline import BlockVocoder
from cyclegan_vc_tf.streaming.stream_adaptation import StreamAdaptation
from cyclegan_vc_tf.streaming.window_generator import WindowGenerator


class MelPipeline:
    """Analysis, generator and neural vocoder of a stream at the model's sample rate.

    Args:
        generator: Generator of the direction, with windows as `stream` says.
        vocoder: Vocoder of blocks as long as the generator's.
        source: Statistics of the source speaker.
        target: Statistics of the target speaker.
        config: Settings of the analysis.
        stream: Sizes of blocks and windows.
        adaptation: Map of another voice's spectra to the source speaker's.

    Attributes:
        block_samples: Number of samples of a block.
        lookahead_samples: Samples that the output stays behind the input, at the end of a block.
        shift_samples: Samples of the output before the conversion of the first input sample.
    """

    def __init__(
        self,
        generator: WindowGenerator,
        vocoder: BlockVocoder,
        source: Statistics,
        target: Statistics,
        config: FeatureConfig,
        stream: StreamConfig,
        adaptation: StreamAdaptation,
    ) -> None:
        self.source, self.target = source, target
        self.adaptation = adaptation
        self._generator, self._vocoder = generator, vocoder
        self._analyser = StreamingMelAnalyser(config, stream.block_frames)
        self.block_samples = stream.block_frames * config.hop_samples
        self.lookahead_samples = self._analyser.lookahead_samples
        frames = stream.lookahead_frames + vocoder.context_frames
        self.shift_samples = frames * config.hop_samples

    @property
    def needed_samples(self) -> int:
        """Number of samples that the next block needs."""
        return self._analyser.needed_samples

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Convert the next block.

        Args:
            samples: Next samples, (needed_samples,) float32.

        Returns:
            Converted samples, (block_samples,) float32.

        Raises:
            AudioError: The generator's output has NaN or infinite values.
        """
        spectra = self.adaptation.apply(MelFeatures(self._analyser.push(samples))).spectra
        generated = self._generator.push(normalization.normalize(spectra, self.source))
        if not np.isfinite(generated).all():
            raise AudioError("came out with NaN or infinite values; the model is not usable")
        converted = self._vocoder.push(normalization.denormalize(generated, self.target))
        return self.adaptation.restore_level(converted, self.shift_samples).astype(np.float32)
