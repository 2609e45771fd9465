"""Neural vocoder of a stream by overlapping windows: blocks of frames in, samples out."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.streaming.frozen_graph import FrozenGraph


class WindowVocoder:
    """Vocoder with a constant delay of `context_frames`.

    Each block is synthesized with all frames that its samples depend on, so the samples equal those
    of the whole recording up to rounding.

    Args:
        model: Network from (batch, frames, bins) to (batch, frames · hop, 1).
        context_frames: Frames on either side of a frame that its samples depend on.
        block_frames: Frames per block.
        hop_samples: Samples per frame.
    """

    def __init__(
        self, model: keras.Model, context_frames: int, block_frames: int, hop_samples: int
    ) -> None:
        self.context_frames = context_frames
        self._frames = 2 * context_frames + block_frames
        begin = context_frames * hop_samples
        self._block = slice(begin, begin + block_frames * hop_samples)
        # One trace with a fixed shape: most of the time of a small window is overhead.
        graph = tf.function(
            lambda inputs: model(inputs, training=False),
            input_signature=[
                tf.TensorSpec((1, self._frames, model.inputs[0].shape[2]), model.compute_dtype)
            ],
            autograph=False,
        ).get_concrete_function()
        self._call: Callable[[np.ndarray], np.ndarray] = FrozenGraph(graph)
        self._window: np.ndarray | None = None

    def push(self, spectra: np.ndarray) -> np.ndarray:
        """Synthesize a block.

        Args:
            spectra: Log-mel spectra of the next block, (block_frames, bins).

        Returns:
            Samples of the block `context_frames` earlier, (block_frames · hop,) float32. Before the
            first frame, they are synthesized from copies of it.
        """
        if self._window is None:
            self._window = np.repeat(spectra[:1], self._frames, axis=0)
        self._window = np.concatenate([self._window, spectra])[-self._frames :]
        return self._call(self._window[np.newaxis])[0, self._block, 0].astype(np.float32)

    def reset(self) -> None:
        """Forget all frames."""
        self._window = None
