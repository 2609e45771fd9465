"""Source-filter vocoder of a stream: blocks of log-mel spectra in, samples out."""

import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config.vocoder_training import hop_samples
from cyclegan_vc_tf.streaming.frozen_graph import FrozenGraph
from cyclegan_vc_tf.vocoders import pitch_classes, source_filter_vocoder
from cyclegan_vc_tf.vocoders.excitation import Excitation
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder


class SourceFilterStream:
    """Vocoder that was trained here, with a constant delay of `context_frames`.

    Each block is synthesized with all frames that its samples depend on. F0 is estimated once per
    frame, and the phases of the pulses go on from block to block, so the samples equal those of the
    whole recording up to rounding.

    Args:
        vocoder: Vocoder of log-mel spectra.
        block_frames: Frames per block.
    """

    def __init__(self, vocoder: NeuralVocoder, block_frames: int) -> None:
        before, after = vocoder.context_frames
        # The last frame with excitation is followed by one whose F0 is known.
        self.context_frames = after + 1
        self._vocoder, self._block = vocoder, block_frames
        self._hop = hop_samples(vocoder.features)
        self._frames = before + block_frames + self.context_frames
        self._samples = slice(before * self._hop, (before + block_frames) * self._hop)
        self._ahead = vocoder.config.lookahead_frames
        self._estimate, self._filter = (
            FrozenGraph(self._trace(name)) for name in ("pitch", "vocoder")
        )
        self.reset()

    def _trace(self, name: str) -> tf.types.experimental.ConcreteFunction:
        """Trace a network with a fixed shape: most of the time of a small window is overhead."""
        network = self._vocoder.networks[name]
        shapes = [(1, self._frames, each.shape[2]) for each in network.inputs]
        if len(shapes) > 1:
            shapes[1] = (1, self._frames * self._hop, shapes[1][2])
        return tf.function(
            lambda *inputs: network(inputs if len(inputs) > 1 else inputs[0], training=False),
            input_signature=[tf.TensorSpec(shape, network.compute_dtype) for shape in shapes],
            autograph=False,
        ).get_concrete_function()

    def reset(self) -> None:
        """Forget all frames."""
        self._window: np.ndarray | None = None
        self._early: int = self._ahead
        self._sources: np.ndarray = np.zeros((self._frames * self._hop, 2), np.float32)
        random = np.random.Generator(np.random.PCG64(source_filter_vocoder.NOISE_SEED))
        self._excitation: Excitation = Excitation(
            self._hop, self._vocoder.features.sample_rate_hz, random
        )

    def push(self, spectra: np.ndarray) -> np.ndarray:
        """Synthesize a block.

        Args:
            spectra: Log-mel spectra of the next block, (block_frames, bins).

        Returns:
            Samples of the block `context_frames` earlier, (block_frames · hop,) float32.
        """
        values = self._vocoder.normalize(spectra)
        earlier = (
            np.repeat(values[:1], self._frames, axis=0) if self._window is None else self._window
        )
        self._window = window = np.concatenate([earlier, values])[-self._frames :]
        made = self._excitation.push(self._estimate_f0(window))
        length = self._frames * self._hop
        self._sources = np.concatenate([self._sources, made])[-length:]
        # Frames whose excitation is not known yet are beyond the block and its context.
        unknown = np.zeros(((self._ahead + 1) * self._hop, 2), np.float32)
        sources = np.concatenate([self._sources, unknown])[-length:]
        samples = self._filter(window[np.newaxis], sources[np.newaxis])
        return samples[0, self._samples, 0].astype(np.float32)

    def _estimate_f0(self, window: np.ndarray) -> np.ndarray:
        """Return F0 in Hz of the newest frames whose look-ahead is known; none before the first."""
        scores = self._estimate(window[np.newaxis])[0]
        known = self._frames - self._ahead
        found = pitch_classes.decode(scores[known - self._block : known])
        begun, self._early = self._early, max(self._early - self._block, 0)
        return found[begun:]
