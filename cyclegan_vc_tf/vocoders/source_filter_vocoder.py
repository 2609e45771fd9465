"""Synthesis with a source-filter vocoder, whatever computes its networks."""

from abc import ABC, abstractmethod

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig, hop_samples
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.vocoders import conditioning, pitch_classes
from cyclegan_vc_tf.vocoders.excitation import excite

KERNEL = 7
"""Kernel size of the first convolution and of the blocks of the networks, in frames."""

CHUNK_FRAMES = 1024
"""Frames that `synthesize` processes at a time, without the context around them."""

NOISE_SEED = 0
"""Seed of the noise in a synthesis."""


def context_frames(features: FeatureConfig, config: VocoderNetworkConfig) -> tuple[int, int]:
    """Return the frames before and after a frame that its samples depend on.

    Args:
        features: Settings of the features.
        config: Sizes of the networks.
    """
    window = -(-config.synthesis_fft_samples // hop_samples(features))
    blocks = max(config.blocks, config.pitch_blocks)
    ahead = config.lookahead_frames
    return (KERNEL - 1) * (1 + blocks) - ahead + window, ahead + window


class SourceFilterVocoder(ABC):
    """A trained vocoder.

    Attributes:
        features: Settings of the features that it takes.
        config: Sizes of the networks.
    """

    features: FeatureConfig
    config: VocoderNetworkConfig

    @abstractmethod
    def score_pitch(self, values: np.ndarray) -> np.ndarray:
        """Return scores of the classes of F0, (frames, pitch_classes.COUNT + 1).

        Args:
            values: Values of frames, (frames, values) float32.
        """

    @abstractmethod
    def filter(self, values: np.ndarray, excitation: np.ndarray) -> np.ndarray:
        """Return samples, (frames · hop,) float32.

        Args:
            values: Values of frames, (frames, values) float32.
            excitation: Harmonics and noise, (frames · hop, 2) float32.
        """

    @property
    def context_frames(self) -> tuple[int, int]:
        """Frames before and after a frame that its samples depend on."""
        return context_frames(self.features, self.config)

    def estimate_f0(self, features: Features) -> np.ndarray:
        """Return F0 in Hz, (frames,), of features; of log-mel spectra by the pitch network."""
        if isinstance(features, WorldFeatures):
            return features.f0_hz
        values = conditioning.conditioning_values(features, self.features)
        parts = [
            self.score_pitch(values[first:last])[keep]
            for first, last, keep in self._chunks(len(values))
        ]
        scores = np.concatenate(parts or [np.zeros((0, pitch_classes.COUNT + 1))])
        return pitch_classes.decode(scores)

    def synthesize(self, features: Features) -> np.ndarray:
        """Synthesize the samples of features of any length.

        A long recording is processed in chunks. Each chunk includes the frames around it that its
        samples depend on, so the result equals that of the whole recording up to rounding.

        Args:
            features: Features of a recording.

        Returns:
            Samples from the recording's first on, (about frames · hop,) float32.
        """
        values = conditioning.conditioning_values(features, self.features)
        hop = hop_samples(self.features)
        random = np.random.Generator(np.random.PCG64(NOISE_SEED))
        f0_hz = self.estimate_f0(features)
        excitation = excite(f0_hz, hop, self.features.sample_rate_hz, random)
        chunks = [np.zeros(0, np.float32)]
        for first, last, keep in self._chunks(len(values)):
            samples = self.filter(values[first:last], excitation[first * hop : last * hop])
            chunks.append(samples[keep.start * hop : keep.stop * hop])
        return np.concatenate(chunks)[conditioning.first_sample(self.features) :]

    def _chunks(self, frames: int) -> list[tuple[int, int, slice]]:
        """Return first and last frame of each chunk with context, and its own frames in it."""
        before, after = self.context_frames
        found = []
        for start in range(0, frames, CHUNK_FRAMES):
            stop, first = min(start + CHUNK_FRAMES, frames), max(start - before, 0)
            found.append((first, min(stop + after, frames), slice(start - first, stop - first)))
        return found
