"""Synthesis by a vocoder that was trained here, and its files.

FOLDER/vocoder.json   settings of the features and of the networks
FOLDER/vocoder.npz    weights, statistics of the features, and the step of the training

A run folder of `train_vocoder` has both files, and so has a published vocoder.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig
from cyclegan_vc_tf.models import stack
from cyclegan_vc_tf.models.torch_weights import addresses
from cyclegan_vc_tf.system import array_archives, device, files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import conditioning, source_filter, vocoder_folders
from cyclegan_vc_tf.vocoders.source_filter_vocoder import SourceFilterVocoder
from cyclegan_vc_tf.vocoders.vocoder_folders import FORMAT, SETTINGS, WEIGHTS


def build_networks(
    features: FeatureConfig, config: VocoderNetworkConfig, seed: int
) -> dict[str, keras.Model]:
    """Build the networks of a vocoder by name: "vocoder", and "pitch" for log-mel spectra.

    Args:
        features: Settings of the features.
        config: Sizes of the networks.
        seed: Seed of the initial weights.
    """
    device.configure_gpu()
    count = conditioning.count_values(features)
    networks = {"vocoder": source_filter.filter_network(features, count, config, seed)}
    if features.spectra == "log_mel":
        networks["pitch"] = source_filter.pitch_network(count, config, seed)
    return networks


@dataclass(frozen=True)
class NeuralVocoder(SourceFilterVocoder):
    """A trained vocoder, computed by TensorFlow.

    Attributes:
        features: Settings of the features that it takes.
        config: Sizes of the networks.
        networks: Networks by name.
        mean: Mean of each value of a frame.
        std: Standard deviation of each value of a frame.
        step: Step of the training.
    """

    features: FeatureConfig
    config: VocoderNetworkConfig
    networks: Mapping[str, keras.Model]
    mean: np.ndarray
    std: np.ndarray
    step: int = 0

    def score_pitch(self, values: np.ndarray) -> np.ndarray:
        """Return scores of the classes of F0, as `SourceFilterVocoder` does."""
        inputs = self.normalize(values)[np.newaxis]
        return self.networks["pitch"](inputs, training=False)[0].numpy()

    def filter(self, values: np.ndarray, excitation: np.ndarray) -> np.ndarray:
        """Return samples, as `SourceFilterVocoder` does."""
        inputs = [self.normalize(values)[np.newaxis], excitation[np.newaxis]]
        return self.networks["vocoder"](inputs, training=False)[0, :, 0].numpy()

    def normalize(self, values: np.ndarray) -> np.ndarray:
        """Return the inputs of the networks, (frames, values), from the values of frames."""
        return ((values - self.mean) / self.std).astype(np.float32)


def save(folder: Path, vocoder: NeuralVocoder, *, half: bool = False) -> None:
    """Write a vocoder's files; each is whole or not there.

    Args:
        folder: Folder to write to.
        vocoder: The vocoder.
        half: Whether to write weights as 16-bit floating-point numbers, for a smaller file.

    Raises:
        InputError: A weight is larger than half precision can hold, 65504.
    """
    arrays: dict[str, Any] = {
        "step": np.array(vocoder.step), "mean": vocoder.mean, "std": vocoder.std,
    }  # fmt: skip
    for name, network in vocoder.networks.items():
        for address, variable in addresses(network).items():
            with np.errstate(over="ignore"):
                weight = variable.numpy().astype(np.float16 if half else np.float32)
            if not np.isfinite(weight).all():
                raise InputError(f"{name}/{address} has a weight that half precision cannot hold")
            arrays[f"{name}/{address}"] = weight
    description = {
        "format": FORMAT, "features": asdict(vocoder.features), "network": asdict(vocoder.config),
    }  # fmt: skip
    files.write_json(folder / SETTINGS, description)
    with files.replacing(folder / WEIGHTS) as partial, partial.open("wb") as file:
        np.savez_compressed(file, **arrays)


def load(folder: Path) -> NeuralVocoder:
    """Load a vocoder from the folder of a run or of a published vocoder.

    Raises:
        InputError: The folder holds no vocoder, or it is damaged.
    """
    if not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{folder} is not the folder of a vocoder (no {WEIGHTS}); expected one made by "
            "python -m cyclegan_vc_tf train_vocoder"
        )
    try:
        features, config = vocoder_folders.read_settings(folder)
        with array_archives.open_arrays(folder / WEIGHTS) as stored:
            arrays = dict(stored)
        _check_shapes(features, config, arrays)
        networks = build_networks(features, config, seed=0)
        mean, std = (
            _take(arrays, name, (conditioning.count_values(features),)) for name in ("mean", "std")
        )
        if not (std > 0).all():
            raise ValueError("a standard deviation is not above 0")
        step = int(arrays.pop("step"))
        for name, network in networks.items():
            for address, variable in addresses(network).items():
                variable.assign(_take(arrays, f"{name}/{address}", tuple(variable.shape)))
        if arrays:
            raise ValueError(f"{next(iter(arrays))} belongs to no network")
    except (InputError, *files.DAMAGE_ERRORS) as error:
        raise InputError(
            f"the vocoder {folder} is damaged: {error}; train or get it anew"
        ) from error
    return NeuralVocoder(features, config, networks, mean, std, step)


def _check_shapes(
    features: FeatureConfig, config: VocoderNetworkConfig, arrays: Mapping[str, np.ndarray]
) -> None:
    """Refuse sizes that the weights do not have, before the networks take memory.

    Networks without values take no memory.

    Raises:
        ValueError: A weight is missing or has another shape.
    """
    with stack.without_values():
        for name, network in build_networks(features, config, seed=0).items():
            for address, variable in addresses(network).items():
                stored = arrays.get(f"{name}/{address}")
                if stored is None or stored.shape != tuple(variable.shape):
                    found = "missing" if stored is None else f"of shape {stored.shape}"
                    raise ValueError(
                        f"{name}/{address} is {found}; expected {tuple(variable.shape)}"
                    )


def _take(arrays: dict[str, np.ndarray], key: str, shape: tuple[int, ...]) -> np.ndarray:
    """Remove an array from those of a file, and return it as float32."""
    array = arrays.pop(key)
    if array.shape != shape:
        raise ValueError(f"{key} has shape {array.shape}; expected {shape}")
    if not array_archives.fits_float32(array):
        raise ValueError(f"{key} has values that are not finite numbers")
    return array.astype(np.float32)
