"""MelGAN and its PyTorch companion make equal samples from equal public weights."""

import os
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from absl import flags
from torch import nn

from cyclegan_vc_tf.cli import import_vocoder as command
from cyclegan_vc_tf.interop import public_melgan, torch_files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import melgan
from cyclegan_vc_tf.vocoders.melgan import Architecture
from parity.companion.melgan import MelGanGenerator, NormedConv, randomise
from parity.precision import precision
from parity.tolerances import tolerance

REPOSITORY = Path(__file__).parents[2]

SMALL = Architecture(bins=5, channels=2, ratios=(3, 5), dilations=(1, 3))

DTYPES = ("float64", "float32")


def companion(architecture: Architecture = SMALL, dtype: str = "float32") -> MelGanGenerator:
    module = MelGanGenerator(**vars(architecture)).to(getattr(torch, dtype))
    randomise(module, seed=3)
    return module


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    return {key: value.numpy() for key, value in module.state_dict().items()}


def log_mel(frames: int, bins: int = SMALL.bins, batch: int = 1) -> np.ndarray:
    return np.random.default_rng(frames).standard_normal((batch, frames, bins))


def synthesize(module: nn.Module, spectra: np.ndarray) -> np.ndarray:
    """(batch, frames, bins) → (batch, samples, 1)."""
    with torch.no_grad():
        return module(torch.from_numpy(spectra).movedim(-1, 1)).movedim(1, -1).numpy()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("architecture", "batch", "frames"),
    [
        (Architecture(), 1, 16),
        (SMALL, 3, 9),
        (SMALL, 1, 4),
        (Architecture(3, 2, (2, 7, 4), (1, 3, 9)), 2, 6),
        (Architecture(4, 3, (8,), (1,)), 1, 5),
    ],
    ids=str,
)
def test_the_samples_are_the_companions(
    architecture: Architecture, batch: int, frames: int, dtype: str
) -> None:
    module = companion(architecture, dtype)
    spectra = log_mel(frames, architecture.bins, batch).astype(dtype)
    with precision(dtype):
        model = public_melgan.from_public_state(arrays(module))
        ours = model(spectra).numpy()
    twin = synthesize(module, spectra)
    assert Architecture.from_model(model) == architecture
    assert ours.dtype == twin.dtype == dtype
    assert ours.shape == twin.shape == (batch, frames * architecture.hop_samples, 1)
    assert 0.05 < np.std(twin) < 0.95, "neither silent nor clipped"
    assert np.max(np.abs(ours - twin)) <= tolerance(dtype, network=True) * np.max(np.abs(twin))


@pytest.mark.parametrize("kind", [nn.Conv1d, nn.ConvTranspose1d])
def test_the_companion_normalises_as_torch_does(kind: Any) -> None:
    """The oracle is torch's weight norm, and its keys are read as well."""
    normed = NormedConv(kind, 4, 6, 3, stride=2)
    randomise(normed, seed=1)
    plain = nn.Module()
    plain.add_module("1", torch.nn.utils.parametrizations.weight_norm(kind(4, 6, 3, stride=2)))
    plain.load_state_dict(
        {
            "1.parametrizations.weight.original0": normed.weight_g.detach(),
            "1.parametrizations.weight.original1": normed.weight_v.detach(),
            "1.bias": normed.bias.detach(),
        }
    )
    inputs = torch.randn(2, 4, 7, generator=torch.Generator().manual_seed(0))
    expected = plain.get_submodule("1")(inputs)
    torch.testing.assert_close(normed(inputs), expected, rtol=1e-6, atol=1e-6)
    weights = [public_melgan.fold_weight_norm(arrays(each)) for each in (normed, plain)]
    assert [set(each) for each in weights] == [{"weight", "bias"}, {"1.weight", "1.bias"}]
    for weight in (weights[0]["weight"], weights[1]["1.weight"]):
        theirs = plain.get_submodule("1").weight.detach().numpy()
        np.testing.assert_allclose(weight, theirs, rtol=1e-6)


def test_the_companion_has_the_public_keys() -> None:
    """Keys of mel2wav's Generator(80, 32, 3), counted along its list of modules."""
    parts = ("bias", "weight_g", "weight_v")
    stages = [3, 8, 13, 18]
    modules = [f"model.{number}" for number in (1, *stages, 24)]
    for stage in stages:
        for block in (stage + 1, stage + 2, stage + 3):
            modules += [f"model.{block}.{inner}" for inner in ("block.2", "block.4", "shortcut")]
    state = MelGanGenerator().state_dict()
    assert set(state) == {f"{module}.{part}" for module in modules for part in parts}
    assert state["model.3.weight_v"].shape == (512, 256, 16)
    assert state["model.3.weight_g"].shape == (512, 1, 1)
    assert state["model.20.block.2.weight_v"].shape == (32, 32, 3)
    # Kumar et al., 2019: 4.26 million, and a length for each of the first axes of 42 kernels.
    assert sum(value.numel() for value in state.values()) == 4_260_257 + 5_793


def import_vocoder(*flags: str) -> subprocess.CompletedProcess:
    """Run the command in a separate process."""
    return subprocess.run(
        [sys.executable, "-m", "cyclegan_vc_tf", "import_vocoder", *flags],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )


def test_a_public_file_becomes_a_vocoder_that_speaks_the_same(tmp_path: Path) -> None:
    module = companion()
    checkpoint, output = tmp_path / "best_netG.pt", tmp_path / "vocoder.npz"
    # The public files are older than torch's zip files.
    torch.save(module.state_dict(), checkpoint, _use_new_zipfile_serialization=False)
    done = import_vocoder(f"--checkpoint={checkpoint}", f"--output={output}")
    assert (done.returncode, done.stderr) == (0, "")
    # Ends: 7 · 5 · 8 + 8 and 7 · 2 + 1. Rates of 3 and 5: 6 · 8 · 4 + 4 and 10 · 4 · 2 + 2. Two
    # blocks of 5 · w · w + 3 · w for widths of 4 and 2.
    assert 288 + 15 + 196 + 82 + 2 * (92 + 26) == 817
    assert done.stdout == (
        f"MelGAN of 5 mel bins, hop 15 samples, 22050 Hz, 817 parameters: {output}\n"
    )
    spectra = log_mel(12).astype(np.float32)
    samples = melgan.synthesize(melgan.load(output)[0], spectra[0])
    np.testing.assert_allclose(samples, synthesize(module, spectra)[0, :, 0], rtol=0, atol=1e-5)


class Payload:
    """An object that writes a file when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        """Return the call that unpickling makes."""
        return Path.touch, (self.trace,)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_a_file_with_code_is_not_opened(tmp_path: Path, zipped: bool) -> None:
    trace, checkpoint = tmp_path / "trace", tmp_path / "public.pt"
    state = {**companion().state_dict(), "more": Payload(trace)}
    torch.save(state, checkpoint, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match=r"holds more than weights \(.*\), and is not opened"):
        torch_files.read(checkpoint)
    assert not trace.exists()
    torch.load(checkpoint, weights_only=False)
    assert trace.exists(), "so the payload works where it is let"


def test_the_command_refuses_code_in_a_line(tmp_path: Path) -> None:
    checkpoint, output, trace = (tmp_path / name for name in ("a.pt", "vocoder.npz", "trace"))
    torch.save({"model.1.bias": torch.zeros(8), "more": Payload(trace)}, checkpoint)
    done = import_vocoder(f"--checkpoint={checkpoint}", f"--output={output}")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{checkpoint} holds more than weights" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == [checkpoint]


def test_the_command_says_which_file_is_of_another_model(tmp_path: Path) -> None:
    checkpoint = tmp_path / "a.pt"
    torch.save({"encoder.weight": torch.zeros(3, 3)}, checkpoint)
    values = flags.FlagValues()
    command.define(values)
    values(["", f"--checkpoint={checkpoint}", f"--output={tmp_path / 'vocoder.npz'}"])
    with pytest.raises(InputError, match=f"--checkpoint {checkpoint}: .* not those of a MelGAN"):
        command.import_vocoder(values)
    assert list(tmp_path.iterdir()) == [checkpoint]


def numpy_file(path: Path) -> None:
    with path.open("wb") as file:
        np.savez(file, a=np.zeros(3))


def truncated(path: Path, zipped: bool) -> None:
    torch.save({"a": torch.zeros(100)}, path, _use_new_zipfile_serialization=zipped)
    path.write_bytes(path.read_bytes()[:150])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: None, "is not there or no file"),
        (lambda path: path.mkdir(), "is not there or no file"),
        (lambda path: path.write_bytes(b""), "is no file of PyTorch, or damaged"),
        (lambda path: path.write_bytes(bytes(range(255, 0, -1))), "is no file of PyTorch"),
        (lambda path: truncated(path, True), "is no file of PyTorch, or damaged"),
        (lambda path: truncated(path, False), "is no file of PyTorch, or damaged"),
        (numpy_file, "is no file of PyTorch, or damaged"),
        (lambda path: torch.save(nn.Linear(2, 3), path), r"\(torch\.nn\.modules\.linear\.Linear\)"),
        (lambda path: torch.save({"a": np.zeros(3)}, path), "holds more than weights"),
        (lambda path: torch.save({}, path), "holds no tensors; expected"),
        (lambda path: torch.save([torch.zeros(2)], path), "holds no tensors; expected"),
        (
            lambda path: torch.save({"generator": {"a": torch.zeros(2)}, "step": 3}, path),
            "holds no tensors; it holds generator, step; expected",
        ),
        (
            lambda path: torch.save({"a": torch.zeros(2), "step": 3}, path),
            r"holds tensors and others \(step\)",
        ),
        (
            lambda path: torch.save({"a": torch.zeros(2, 2).to_sparse()}, path),
            r"a is no plain tensor \(torch\.float32, torch\.sparse_coo\)",
        ),
    ],
)
def test_wrong_files_are_refused(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "public.pt"
    make(path)
    with pytest.raises(InputError, match=message) as refused:
        torch_files.read(path)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_state_is_read_bare_and_from_under_a_key(tmp_path: Path) -> None:
    path = tmp_path / "public.pt"
    values = [-1.5, 0.25, 3.0]
    state = OrderedDict(
        half=torch.tensor(values, dtype=torch.float16),
        brain=torch.tensor(values, dtype=torch.bfloat16),
        double=nn.Parameter(torch.tensor(values, dtype=torch.float64)),
        single=torch.tensor(values).expand(2, 3),
        count=torch.tensor(3),
    )
    kinds = {
        "half": "float32", "brain": "float32", "double": "float64", "single": "float32",
        "count": "int64",
    }  # fmt: skip
    torch.save({"generator": state, "step": 3}, path)
    nested = torch_files.read(path, "generator")
    torch.save(state, path)
    for received in (nested, torch_files.read(path)):
        assert {name: array.dtype.name for name, array in received.items()} == kinds
        for name in ("half", "brain", "double"):
            np.testing.assert_array_equal(received[name], values)
        np.testing.assert_array_equal(received["single"], [values, values])
        assert received["single"].flags.owndata
    with pytest.raises(InputError, match="holds no tensors under 'discriminator'; it holds half"):
        torch_files.read(path, "discriminator")
