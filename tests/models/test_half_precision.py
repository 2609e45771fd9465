"""Weights in half precision, under the current and the old names of layers."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import SMALL_NETWORK

from cyclegan_vc_tf.inspection import damage
from cyclegan_vc_tf.models import half_precision
from cyclegan_vc_tf.models.generators import vc1_generator
from cyclegan_vc_tf.models.torch_weights import addresses
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.system.errors import InputError

WITH_SKIP = dataclasses.replace(SMALL_NETWORK, vtln_init=True)


def networks(seed: int) -> dict[str, keras.Model]:
    return {"generator_A2B": vc1_generator("generator_A2B", 24, WITH_SKIP, seed)}


def write_with_old_names(path: Path, seed: int) -> dict[str, np.ndarray]:
    """Write the file as it was before the layer `start` was renamed."""
    arrays = {
        f"generator_A2B/{address.replace('linear_skip/', 'start/')}": variable.numpy()
        for address, variable in addresses(networks(seed)["generator_A2B"]).items()
    }
    arrays["generator_A2B/start/kernel"] = arrays["generator_A2B/start/kernel"] + 0.5
    np.savez_compressed(path, **{key: value.astype(np.float16) for key, value in arrays.items()})
    return arrays


def test_a_file_with_the_old_name_of_the_linear_skip_is_read(tmp_path: Path) -> None:
    arrays = write_with_old_names(tmp_path / run_files.WEIGHTS, seed=1)
    read = networks(seed=0)
    half_precision.read(tmp_path / run_files.WEIGHTS, read)
    for address, variable in addresses(read["generator_A2B"]).items():
        key = f"generator_A2B/{address.replace('linear_skip/', 'start/')}"
        np.testing.assert_array_equal(variable, arrays[key].astype(np.float16).astype(np.float32))
    kernel = read["generator_A2B"].get_layer("linear_skip").get_weights()[0]
    np.testing.assert_array_equal(kernel[2], np.eye(24) + 0.5)
    assert damage.check_weights(tmp_path, read) == []


def test_a_new_file_has_the_current_names(tmp_path: Path) -> None:
    half_precision.write(tmp_path / "weights.npz", networks(seed=0))
    with np.load(tmp_path / "weights.npz", allow_pickle=False) as arrays:
        assert "generator_A2B/linear_skip/kernel" in arrays
        assert not [key for key in arrays if "start" in key]


def test_a_file_without_a_weight_is_refused_by_its_current_name(tmp_path: Path) -> None:
    arrays = write_with_old_names(tmp_path / "weights.npz", seed=1)
    del arrays["generator_A2B/start/kernel"]
    np.savez_compressed(tmp_path / "weights.npz", **arrays)
    with pytest.raises(InputError, match="generator_A2B/linear_skip/kernel"):
        half_precision.read(tmp_path / "weights.npz", networks(seed=0))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda kernel: np.full(kernel.shape, np.nan), "finite"),
        (lambda kernel: np.full(kernel.shape, 1e300), "finite"),
        (lambda kernel: kernel.astype(np.complex64), "finite"),
        (lambda kernel: kernel[:1], "shape"),
    ],
)
def test_weights_that_cannot_convert_are_refused(
    tmp_path: Path, change: Callable[[np.ndarray], np.ndarray], reason: str
) -> None:
    """A conversion failed for every recording; a large number became infinite in float32."""
    file, built = tmp_path / run_files.WEIGHTS, networks(seed=0)
    half_precision.write(file, built)
    with np.load(file) as stored:
        arrays = dict(stored)
    key = "generator_A2B/linear_skip/kernel"
    np.savez(file, **{**arrays, key: change(arrays[key])})
    with pytest.raises(InputError, match=f"{key} has .*{reason}"):
        half_precision.read(file, built)
    (problem,) = damage.check_weights(tmp_path, built)
    assert f"{key} has" in problem.what
