"""Generator of a stream by overlapping windows: blocks of frames in, blocks of frames out."""

from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.models import streaming_norm
from cyclegan_vc_tf.models.generators import generate
from cyclegan_vc_tf.models.streaming_norm import Moments
from cyclegan_vc_tf.streaming.frozen_graph import FrozenGraph

REPEATED_FRAMES = 8
"""Copies of the newest frame behind a window, in place of frames that are not known yet.

Without them, convolutions would see zeros there.
"""


class WindowGenerator:
    """Generator with a constant delay of `lookahead_frames`.

    Each block is converted with the frames around it. Blocks begin at multiples of four frames, so
    that the generator's strides fall on equal frames in every window.

    Args:
        generator: Generator of any variant.
        moments: Statistics of its norms; empty lets them run along.
        config: Sizes of windows.
        hop_s: Time between two frames, in seconds.
    """

    def __init__(
        self, generator: keras.Model, moments: Moments, config: StreamConfig, hop_s: float
    ) -> None:
        block_s = config.block_frames * hop_s
        model = streaming_norm.replace_norms(generator, moments, block_s / config.norm_seconds)
        self._model = model
        frames = config.context_frames + config.block_frames + config.lookahead_frames
        bins = generator.inputs[0].shape[2]
        dtype = generator.compute_dtype
        # One trace with a fixed shape: most of the time of a small window is overhead.
        graph = tf.function(
            lambda inputs: generate(model, inputs, training=False),
            input_signature=[tf.TensorSpec((1, frames + REPEATED_FRAMES, bins), dtype)],
            autograph=False,
        ).get_concrete_function()
        # Statistics that run along are variables, which a frozen graph does not have.
        self._call: Callable[[np.ndarray], np.ndarray] = (
            FrozenGraph(graph)
            if moments
            else lambda window: graph(tf.constant(window, dtype)).numpy()
        )
        self._block = slice(config.context_frames, config.context_frames + config.block_frames)
        self._frames = frames
        self._window: np.ndarray | None = None

    def push(self, normalized: np.ndarray) -> np.ndarray:
        """Convert a block.

        Args:
            normalized: Normalised spectra of the next block, (block_frames, bins).

        Returns:
            Generated spectra `lookahead_frames` earlier, (block_frames, bins). Before the first
            frame, they are generated from copies of it.
        """
        if self._window is None:
            self._window = np.repeat(normalized[:1], self._frames, axis=0)
        self._window = np.concatenate([self._window, normalized])[-self._frames :]
        window = np.pad(self._window, ((0, REPEATED_FRAMES), (0, 0)), mode="edge")
        return self._call(window[np.newaxis])[0, self._block]

    def reset(self) -> None:
        """Forget all frames, and statistics that ran along."""
        self._window = None
        streaming_norm.reset(self._model)
