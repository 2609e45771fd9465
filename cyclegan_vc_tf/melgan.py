"""MelGAN, a vocoder: speaks log-mel spectra, and is kept in a file of this package.

Weights of the public PyTorch implementation are brought here by `melgan_public`.
"""

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf import files
from cyclegan_vc_tf.errors import InputError, listed
from cyclegan_vc_tf.melgan_network import Architecture, Shape, melgan_generator

FORMAT = 1
"""Raised when a file of this package's holds something else."""

HEAD = ("melgan", "bins", "channels", "ratios", "dilations")
"""What stands in such a file beside the weights: the format, and the architecture."""


@dataclass(frozen=True)
class Analysis:
    """Of the spectra that a generator was trained on, what its shape does not tell.

    Attributes:
        sample_rate_hz: Of the recordings.
        fft_samples: Of the window.
    """

    sample_rate_hz: int = 22_050
    fft_samples: int = 1024


CHUNK_FRAMES = 512
"""How many frames `synthesize` takes at a time, beside the frames around them."""


def hop_samples(model: keras.Model) -> int:
    """Samples that a generator makes of a frame."""
    return Architecture.of(model).hop_samples


def synthesize(
    model: keras.Model, log_mel: np.ndarray, *, chunk_frames: int = CHUNK_FRAMES
) -> np.ndarray:
    """Samples of a log-mel spectrum of any length.

    A long one is taken in chunks, each with all the frames around it that its samples depend on:
    the samples are those of the whole, to rounding. One that is too short for the reflection
    padding is made longer by its last frame; the samples of that are cut.

    Args:
        model: A generator.
        log_mel: (frames, bins), scaled as for the model's training.
        chunk_frames: Frames in a chunk.

    Returns:
        (frames · hop,) float32 in [-1, 1].

    Raises:
        InputError: `log_mel` has another number of bins than the model takes.
    """
    architecture = Architecture.of(model)
    if log_mel.ndim != 2 or log_mel.shape[1] != architecture.bins:
        raise InputError(
            f"the log-mel spectrum is {list(log_mel.shape)}; the vocoder takes (frames, "
            f"{architecture.bins}): use the mel settings that the vocoder was trained with"
        )
    frames, hop, context = len(log_mel), architecture.hop_samples, architecture.context
    if 0 < frames < architecture.shortest:
        log_mel = np.pad(log_mel, ((0, architecture.shortest - frames), (0, 0)), mode="edge")
    pieces = [np.zeros(0, np.float32)]
    for start in range(0, frames, chunk_frames):
        stop, first = min(start + chunk_frames, frames), max(start - context, 0)
        samples = model(log_mel[np.newaxis, first : stop + context], training=False)[0, :, 0]
        pieces.append(samples[(start - first) * hop : (stop - first) * hop].numpy())
    return np.concatenate(pieces).astype(np.float32)


def save(model: keras.Model, path: Path, analysis: Analysis = Analysis()) -> None:
    """Writes a generator to a file, whole or not at all.

    The file is NumPy's .npz: arrays in Keras' layouts by address, such as `up_1_conv/kernel`, what
    the generator is built from, and of what spectra it was trained on.
    """
    architecture = Architecture.of(model)
    arrays = dict(zip(HEAD, map(np.array, (FORMAT, *astuple(architecture))), strict=True))
    arrays |= {name: np.array(value) for name, value in asdict(analysis).items()}
    for address in architecture.weight_shapes():
        arrays[address] = _variable(model, address).numpy()
    with files.replacing(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)


def load(path: Path) -> tuple[keras.Model, Analysis]:
    """The generator in a file that `save` wrote, and of what spectra it was trained on.

    Raises:
        InputError: The file is not there, is damaged, or is another file.
    """
    remedy = "make it with `python -m cyclegan_vc_tf import_vocoder`"
    if not path.is_file():
        raise InputError(f"{path} is not there or no file; expected a vocoder: {remedy}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in stored.files}
        head, rest = (
            [arrays.pop(key).astype(np.int64, casting="safe").tolist() for key in keys]
            for keys in (HEAD, asdict(Analysis()))
        )
    # What is raised by damage or another file is up to zipfile, zlib and NumPy.
    except Exception as error:
        raise InputError(f"{path} is no vocoder, or damaged; {remedy}") from error
    format_number, bins, channels, ratios, dilations = head
    if format_number != FORMAT:
        raise InputError(f"{path} is a vocoder of format {format_number}, not {FORMAT}; {remedy}")
    try:
        architecture = Architecture(bins, channels, tuple(ratios), tuple(dilations))
        expected = {key: (key, shape) for key, shape in architecture.weight_shapes().items()}
        faults = misfit(expected, arrays) or (
            "" if min(dilations, default=1) > 0 else f"dilations {dilations}"
        )
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} is of no size that a vocoder can be of; {remedy}") from error
    if faults:
        raise InputError(f"{path} is no whole vocoder; {faults}; {remedy}")
    return build(architecture, arrays), Analysis(*rest)


def misfit(expected: Mapping[str, tuple[str, Shape]], stored: Mapping[str, np.ndarray]) -> str:
    """What of stored weights is not as a generator needs it; empty where they fit.

    Args:
        expected: For the address of each weight, its key in `stored` and its shape there.
        stored: What there is, by key.
    """
    unset, wrong = [], []
    for address, (key, shape) in expected.items():
        received = stored.get(key)
        if received is None:
            unset.append(address if address == key else f"{address} ({key})")
        elif received.shape != shape or received.dtype.kind != "f" or not received.size:
            wrong.append(
                f"{key} is {received.dtype}{list(received.shape)}, expected float{list(shape)}"
            )
        elif not np.isfinite(received).all():
            wrong.append(f"{key} holds a value that is not finite")
    unread = sorted(set(stored) - {key for key, _ in expected.values()})
    faults = {"keys unread": unread, "variables unset": unset, "of another kind": wrong}
    return "; ".join(f"{fault}: {listed(names)}" for fault, names in faults.items() if names)


def build(architecture: Architecture, arrays: Mapping[str, np.ndarray]) -> keras.Model:
    """A generator with these weights.

    Args:
        architecture: What it is built from.
        arrays: All its weights by address, in Keras' layouts.
    """
    model = melgan_generator(**vars(architecture))
    for address, array in arrays.items():
        _variable(model, address).assign(array)
    return model


def _variable(model: keras.Model, address: str) -> tf.Variable:
    layer, _, kind = address.rpartition("/")
    return getattr(model.get_layer(layer), kind)
