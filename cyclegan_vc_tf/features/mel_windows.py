"""Log-mel analysis as a stream: new samples in, spectra of a few frames out."""

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.features import log_mel


class StreamingMelAnalyser:
    """Analyser of a stream, whose frames equal those of a whole recording.

    Only the frames at the very beginning differ: silence precedes the stream, where `log_mel`
    mirrors samples.

    Args:
        config: Settings of the analysis.
        block_frames: New frames per block.

    Attributes:
        lookahead_samples: Samples of the last window of a block behind the end of the block.
    """

    def __init__(self, config: FeatureConfig, block_frames: int) -> None:
        before, self.lookahead_samples = log_mel.margin_samples(config)
        self._config = config
        self._block_samples = block_frames * config.hop_samples
        self._kept = before + self.lookahead_samples
        self._samples = np.zeros(before)
        self._is_first = True

    @property
    def needed_samples(self) -> int:
        """Number of samples that the next block needs."""
        return self._block_samples + (self.lookahead_samples if self._is_first else 0)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Analyse the next block.

        Args:
            samples: Next samples, (needed_samples,) float32.

        Returns:
            Spectra of the next frames, (block_frames, bins) float32.
        """
        self._is_first = False
        window = np.concatenate([self._samples, samples])
        self._samples = window[len(window) - self._kept :].copy()
        return log_mel.log_mel_of_windows(window, self._config)
