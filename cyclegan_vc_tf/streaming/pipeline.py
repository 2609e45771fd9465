"""What a stream needs of a conversion."""

from typing import Protocol

import numpy as np

from cyclegan_vc_tf.streaming.stream_adaptation import StreamAdaptation


class BlockVocoder(Protocol):
    """Vocoder of a stream of log-mel spectra.

    Attributes:
        context_frames: Frames that the samples stay behind the spectra.
    """

    context_frames: int

    def push(self, spectra: np.ndarray) -> np.ndarray:
        """Synthesize a block, (block_frames · hop,) float32, of (block_frames, bins)."""

    def reset(self) -> None:
        """Forget all frames."""


class Pipeline(Protocol):
    """Conversion of a stream at the model's sample rate, block by block.

    Attributes:
        block_samples: Largest number of samples of a block.
        lookahead_samples: Samples that the output stays behind the input, at the end of a block.
        shift_samples: Samples of the output before the conversion of the first input sample.
        adaptation: Map of another voice's features to the source speaker's.
    """

    block_samples: int
    lookahead_samples: int
    shift_samples: int
    adaptation: StreamAdaptation

    @property
    def needed_samples(self) -> int:
        """Number of samples that the next block needs."""

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Convert the next block of `needed_samples` samples."""
