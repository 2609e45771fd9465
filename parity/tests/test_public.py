"""Public checkpoints of PyTorch: imported and converted with, or refused."""

import os
import pickle
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import nn

from cyclegan_vc_tf.interop import importing, public_files, public_weights
from cyclegan_vc_tf.interop.public_layouts import LAYOUTS
from cyclegan_vc_tf.models.generators import generate
from cyclegan_vc_tf.system.errors import InputError
from parity.cases.public_cases import FILES, save
from parity.companion import public_torch
from parity.tests.public_runs import (
    REPOSITORY,
    ROUNDED,
    SIZES,
    import_files,
    keep_settings,
    networks,
    run_command,
    statistics,
)


@pytest.mark.parametrize("layout", SIZES)
def test_a_checkpoint_converts_a_recording(
    layout: str, tmp_path: Path, python_without_torch: Callable[..., subprocess.CompletedProcess]
) -> None:
    """Import and conversion are separate processes; the conversion cannot import torch."""
    files = save(layout, networks(layout), tmp_path)
    done = run_command(
        "-m", "cyclegan_vc_tf", "import", f"--checkpoint={','.join(files)}",
        f"--statistics={','.join(statistics(tmp_path, layout))}", f"--run_dir={tmp_path}/run",
        *(["--griffin_lim_iterations=2"] if layout == "mask_gantastic3" else ["--f0_method=dio"]),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"{layout}: {LAYOUTS[layout].network.variant} of {SIZES[layout].bins} values" in (
        done.stdout
    )
    dropped = "builds and never calls: downSample4.0.bias" in done.stdout
    assert dropped == (layout != "karkirowle")
    source = REPOSITORY / "data/demo/held_out/heart"
    recording = sorted(source.iterdir())[0]
    done = python_without_torch(
        "convert.py", f"--run_dir={tmp_path}/run", f"--input={recording}",
        f"--output={tmp_path}/out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (converted,) = (tmp_path / "out").iterdir()
    assert soundfile.info(converted).duration == pytest.approx(soundfile.info(recording).duration)
    assert np.std(soundfile.read(converted)[0]) > 1e-4


@pytest.mark.parametrize("layout", ["karkirowle", "jackaduma_vc2"])
def test_every_network_finds_its_place(layout: str, tmp_path: Path) -> None:
    """Each of the four networks in a file has different weights."""
    pairs = [networks(layout) for _ in "AB"]
    generators, discriminators = (
        [pair[name] for pair in pairs] for name in ("generator_A2B", "discriminator_A")
    )
    for seed, module in enumerate((*generators, *discriminators)):
        public_torch.randomise(module, 10 + seed)
    torch.save(FILES[layout](*generators, *discriminators), tmp_path / "all.pt")
    ours, step = import_files(tmp_path, [str(tmp_path / "all.pt")], layout).load_networks()
    assert step == 0
    bins, rng = SIZES[layout].bins, np.random.default_rng(0)
    features = torch.from_numpy(rng.standard_normal((1, bins, 16), np.float32))
    flipped = features.mT.numpy()
    for direction, theirs in zip(("A2B", "B2A"), generators, strict=True):
        expected = theirs(features).mT.detach().numpy()
        np.testing.assert_allclose(ours[f"generator_{direction}"](flipped), expected, atol=ROUNDED)
    for speaker, theirs in zip("AB", discriminators, strict=True):
        whole = layout == "jackaduma_vc2"
        scores = theirs(features).movedim(1, -1) if whole else theirs(features.unsqueeze(1))
        received = ours[f"discriminator_{speaker}"](flipped)
        np.testing.assert_allclose(received, scores.detach().numpy(), atol=ROUNDED)


def test_mask_files_tell_their_networks_by_name(tmp_path: Path) -> None:
    """Names of the second step's discriminators are A2 and B2 there."""
    names = (
        "generator_A2B", "generator_B2A", "discriminator_A", "discriminator_B",
        "discriminator_A2", "discriminator_B2",
    )  # fmt: skip
    files, modules = [], []
    for seed, name in enumerate(names):
        kind = public_torch.MaskGenerator if "gen" in name else public_torch.MaskDiscriminator
        module = kind(80, 2, 1) if "gen" in name else kind(2)  # type: ignore[call-arg]
        public_torch.randomise(module, seed)
        files.append(str(tmp_path / f"00500_{name}.pth.tar"))
        torch.save(public_torch.mask_file(module), files[-1])
        modules.append(module)
    run = import_files(tmp_path, files[::-1], "mask_gantastic3")
    assert run.imported["untrained"] == []
    ours, _ = run.load_networks()
    features = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 80, 16), np.float32))
    for name, module in zip(names, modules, strict=True):
        known = {"discriminator_A2": "discriminator_cycled_A"}.get(name, name)
        known = {"discriminator_B2": "discriminator_cycled_B"}.get(known, known)
        if "gen" in name:
            expected = module(features, torch.ones_like(features)).mT.detach().numpy()
            received = generate(ours[known], features.mT.numpy())
        else:
            expected = module(features).movedim(1, -1).detach().numpy()
            received = ours[known](features.mT.numpy())
        np.testing.assert_allclose(received, expected, atol=ROUNDED)


def test_a_bare_state_a_trained_fork_and_several_devices(tmp_path: Path) -> None:
    """Files of karkirowle's convert.py: one per generator, in double, and of DataParallel."""
    module = networks("karkirowle")["generator_A2B"].double()
    state = module.state_dict()
    named, other = tmp_path / "generator_A2B.pt", tmp_path / "best.pt"
    torch.save(state, named)
    torch.save({f"module.{key}": value for key, value in state.items()}, other)
    values = []
    for given in (str(named), f"generator_A2B={other}"):
        found = public_files.read([given])
        assert list(found) == ["generator_A2B"]
        translated = public_weights.translate(
            LAYOUTS["karkirowle"], "generator_A2B", found["generator_A2B"].state
        )
        values.append(translated.values)
    for address, value in values[0].items():
        np.testing.assert_array_equal(values[1][address], value)
    run = import_files(tmp_path, [str(named)])
    assert run.load_generator("A2B")[0].dtype == "float32"
    with pytest.raises(InputError, match="was imported without generator_B2A"):
        run.load_generator("B2A")


def test_an_output_kernel_of_15_is_read_from_the_weights(tmp_path: Path) -> None:
    module = public_torch.KarkirowleGenerator(24, 2, 1, output_kernel=15)
    torch.save(module.state_dict(), tmp_path / "generator_B2A.pt")
    run = import_files(tmp_path, [str(tmp_path / "generator_B2A.pt")])
    assert run.config.network.generator_kernels[-1] == "15"


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda state: state.pop(key)


def with_(key: str, value: torch.Tensor) -> Callable[[dict[str, Any]], object]:
    return lambda state: state.update({key: value})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (without("block.0.conv.bias"), r"variables unset: input_conv/bias \(block\.0\.conv\.bias"),
        (with_("block.99.weight", torch.zeros(3)), r"keys unread: block\.99\.weight"),
        (with_("block.7.conv.bias", torch.zeros(24, dtype=torch.int64)), "is of int64, expected"),
        (with_("block.7.conv.bias", torch.full((24,), np.nan)), "has NaN or infinite values"),
        (with_("block.7.conv.bias", torch.zeros(24, dtype=torch.complex64)), "is of complex64"),
        (with_("block.7.conv.weight", torch.zeros(24, 5)), r"is of shape \[24, 5\]"),
        (with_("block.7.conv.weight", torch.zeros(24, 3, 5)), r"\[5, 3, 24\], expected \[5, 2"),
        (with_("block.7.conv.weight", torch.zeros(24, 2, 5, 1, 1)), "is of shape"),
        (
            with_("block.0.conv.weight", torch.zeros(5, 24, 15)),
            "--checkpoint: generator_A2B has widths of 2.5",
        ),
        (with_("block.7.conv.bias", "text"), r"holds tensors and others \(block.7.conv.bias\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(
    change: Callable[[dict[str, Any]], object], message: str, tmp_path: Path
) -> None:
    state = dict(networks("karkirowle")["generator_A2B"].state_dict())
    change(state)
    path = tmp_path / "generator_A2B.pt"
    torch.save(state, path)
    with pytest.raises(InputError, match=message) as refused:
        importing.import_run(tmp_path / "run", [str(path)], [], keep_settings)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == [path]


class Command:
    """An object that writes a file `pwned` when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        """Return the call that unpickling makes."""
        return os.system, (f"touch {self.folder}/pwned",)


def bomb(path: Path) -> None:
    """Write a state dictionary in a compressed archive, which is 1,000 times as long unpacked."""
    torch.save({"block.0.conv.weight": torch.zeros(1 << 24)}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda path: torch.save({"a": Command(path.parent)}, path),
            r"more than weights \(.*system",
        ),
        (
            lambda path: path.write_bytes(pickle.dumps(Command(path.parent), protocol=2)),
            r"more than weights \(.*system",
        ),
        (
            lambda path: path.write_bytes(pickle.dumps(Command(path.parent), protocol=4)),
            "no file of PyTorch, or damaged",
        ),
        (bomb, r"would unfold to 67,\d+,\d+ bytes"),
        (
            lambda path: torch.save({"a": torch.zeros(1).expand(1 << 20, 1 << 20)}, path),
            "would unfold to 4,398,046,511,104 bytes",
        ),
        (lambda path: path.write_bytes(b""), "no file of PyTorch, or damaged"),
        (lambda path: path.mkdir(), "is not there or no file"),
        (lambda path: torch.save(torch.zeros(3), path), "holds no network that is known"),
        (lambda path: torch.save({"epoch": 3}, path), "holds no network that is known"),
        (lambda path: torch.save({"a.weight": torch.zeros(3)}, path), "of no layout that is known"),
        (lambda path: torch.jit.save(torch.jit.script(nn.Linear(2, 2)), path), "TorchScript"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_hostile_files_are_refused(
    make: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "generator_A2B.pt"
    make(path)
    with pytest.raises(InputError, match=message) as refused:
        importing.import_run(tmp_path / "run", [str(path)], [], keep_settings)
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)
    assert list(tmp_path.iterdir()) == [path], "nothing was run, and nothing is left"


def test_a_packed_archive_is_not_even_opened_by_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Torch would unpack it and fill the memory."""
    bomb(tmp_path / "generator_A2B.pt")
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(InputError, match="would unfold to"):
        public_files.read([str(tmp_path / "generator_A2B.pt")])


def test_a_hostile_file_ends_the_command_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "generator_A2B.pt"
    torch.save({"a": Command(tmp_path)}, path)
    done = run_command(
        "-m", "cyclegan_vc_tf", "import", f"--checkpoint={path}", f"--run_dir={tmp_path}/run"
    )
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1 and "holds more than weights" in done.stderr
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("zipped", [True, False])
def test_fuzzed_files_are_refused_or_harmless(zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "generator_A2B.pt"
    module = public_torch.KarkirowleGenerator(4, 1, 1)
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=zipped)
    whole, rng, refused = path.read_bytes(), np.random.default_rng(3), 0
    for _ in range(300):
        damaged = np.frombuffer(whole, np.uint8).copy()
        if rng.uniform() < 0.2:
            damaged = damaged[: rng.integers(len(whole))]
        elif rng.uniform() < 0.9:
            places = rng.integers(len(whole), size=rng.choice([1, 2, 8, 64]))
            damaged[places] = rng.integers(256, size=len(places))
        path.write_bytes(damaged.tobytes())
        try:
            state = public_files.read([str(path)])["generator_A2B"].state
            public_weights.translate(LAYOUTS["karkirowle"], "generator_A2B", state)
        except InputError as error:
            refused += 1
            assert "\n" not in str(error)
    # Other changes hit a weight, or a byte that is not read.
    assert refused > 150


def test_files_that_hold_the_same_or_none_are_refused(tmp_path: Path) -> None:
    state = networks("karkirowle")["generator_A2B"].state_dict()
    for name in ("a_generator_A2B.pt", "b_generator_A2B.pt", "best.pt", "discriminator_A.pt"):
        torch.save(state, tmp_path / name)
    files = [str(tmp_path / name) for name in ("a_generator_A2B.pt", "b_generator_A2B.pt")]
    with pytest.raises(InputError, match=r"both hold generator_A2B; generator_A2B=FILE says"):
        public_files.read(files)
    with pytest.raises(InputError, match=r"best\.pt holds one network, and its name tells none"):
        public_files.read([str(tmp_path / "best.pt")])
    both = tmp_path / "generator_A2B_copy of generator_B2A.pt"
    torch.save(state, both)
    with pytest.raises(InputError, match="its name tells generator_A2B and generator_B2A"):
        public_files.read([str(both)])
    torch.save({"generator_A2B": state, "generator_A2B_state_dict": state}, both)
    with pytest.raises(InputError, match="holds a network twice: generator_A2B_state_dict, gen"):
        public_files.read([str(both)])
    with pytest.raises(InputError, match="has discriminator_A and no generator; expected one"):
        importing.import_run(
            tmp_path / "run", [str(tmp_path / "discriminator_A.pt")], [], keep_settings
        )
    discriminator = networks("karkirowle")["discriminator_A"]
    torch.save(discriminator.state_dict(), tmp_path / "discriminator_A.pt")
    with pytest.raises(InputError, match="has discriminator_A and no generator; expected one"):
        alone = [str(tmp_path / "discriminator_A.pt")]
        importing.import_run(tmp_path / "run", alone, [], keep_settings, layout="karkirowle")
    torch.save(discriminator.state_dict(), tmp_path / "best.pt")
    files = [files[0], f"discriminator_cycled_A={tmp_path / 'best.pt'}"]
    with pytest.raises(InputError, match="holds discriminator_cycled_A, of which karkirowle has"):
        importing.import_run(tmp_path / "run", files, [], keep_settings)


def test_a_network_can_be_taken_out_of_a_file_with_several(tmp_path: Path) -> None:
    (path,) = save("karkirowle", networks("karkirowle"), tmp_path)
    assert list(public_files.read([f"generator_B2A={path}"])) == ["generator_B2A"]
    with pytest.raises(InputError, match="and no discriminator_cycled_B"):
        public_files.read([f"discriminator_cycled_B={path}"])
