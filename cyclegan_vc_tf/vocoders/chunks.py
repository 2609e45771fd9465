"""Synthesis of long spectra in chunks, each with the context that its samples depend on."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cyclegan_vc_tf.system.errors import InputError

CHUNK_FRAMES = 512
"""Frames that are processed at a time, without the context around them."""


@dataclass(frozen=True)
class FrameSizes:
    """Sizes of a vocoder that turns every frame into a hop of samples.

    Attributes:
        bins: Bins per frame of the log-mel spectrum.
        hop_samples: Samples per frame.
        min_frames: Smallest number of frames that the vocoder takes.
        context_frames: Number of frames on either side of a frame that its samples depend on.
    """

    bins: int
    hop_samples: int
    min_frames: int
    context_frames: int


def synthesize(
    run: Callable[[np.ndarray], np.ndarray],
    log_mel: np.ndarray,
    sizes: FrameSizes,
    chunk_frames: int = CHUNK_FRAMES,
) -> np.ndarray:
    """Synthesize the samples of a log-mel spectrum of any length.

    A long spectrum is processed in chunks. Each chunk includes the context frames that its samples
    depend on, so the result equals that of the whole spectrum up to rounding. A spectrum that is
    too short is extended by copies of its last frame; their samples are cut off.

    Args:
        run: Function of the vocoder from (frames, bins) to (frames · hop,) samples.
        log_mel: Log-mel spectrum, (frames, bins), scaled as in the vocoder's training.
        sizes: Sizes of the vocoder.
        chunk_frames: Frames per chunk.

    Returns:
        Samples, (frames · hop,) float32.

    Raises:
        InputError: The number of bins is not the vocoder's.
    """
    if log_mel.ndim != 2 or log_mel.shape[1] != sizes.bins:
        raise InputError(
            f"the log-mel spectrum is {list(log_mel.shape)}; the vocoder takes (frames, "
            f"{sizes.bins}): use the mel settings that the vocoder was trained with"
        )
    frames, hop, context = len(log_mel), sizes.hop_samples, sizes.context_frames
    if 0 < frames < sizes.min_frames:
        log_mel = np.pad(log_mel, ((0, sizes.min_frames - frames), (0, 0)), mode="edge")
    chunks = [np.zeros(0, np.float32)]
    for start in range(0, frames, chunk_frames):
        stop, first = min(start + chunk_frames, frames), max(start - context, 0)
        samples = run(log_mel[first : stop + context])
        chunks.append(samples[(start - first) * hop : (stop - first) * hop])
    return np.concatenate(chunks).astype(np.float32)
