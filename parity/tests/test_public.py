"""Public checkpoints of PyTorch: imported, converted with, given back; and what is refused."""

import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import tensorflow as tf
import torch
from torch import nn

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop import exporting, importing, public_files, public_weights
from cyclegan_vc_tf.interop.public_layouts import LAYOUTS
from cyclegan_vc_tf.models.generators import generate
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training.trainer import Trainer
from parity.cases.public_cases import FILES, PublicModel, save, torch_networks
from parity.companion import public_torch
from parity.companion.vc1 import Discriminator, Generator
from parity.trainings.runs import match

REPOSITORY = Path(__file__).parents[2]

SIZES = {
    "karkirowle": PublicModel(24, 2, 1),
    "jackaduma_vc2": PublicModel(36, 2, 1),
    "mask_gantastic3": PublicModel(80, 2, 1),
}


def networks(layout: str) -> dict[str, nn.Module]:
    return torch_networks(layout, SIZES[layout], torch.float32)


def statistics(folder: Path, layout: str) -> list[str]:
    bins, rng = SIZES[layout].bins, np.random.default_rng(7)
    if layout == "mask_gantastic3":
        files = [folder / f"{each}_norm_stat.npz" for each in ("SF3", "TM1")]
        for path in files:
            np.savez(path, mean=rng.normal(-3, 1, (bins, 1)), std=rng.uniform(0.3, 1, (bins, 1)))
        return list(map(str, files))
    frames, log_f0 = (folder / f"{each}_normalization.npz" for each in ("mcep", "logf0s"))
    names = ("mean_A", "std_A", "mean_B", "std_B")
    np.savez(frames, **{each: rng.uniform(0.5, 1, (bins, 1)) for each in names})
    np.savez(log_f0, mean_A=4.7, std_A=0.2, mean_B=5.3, std_B=0.15)
    return [str(frames), str(log_f0)]


def as_it_is(base: RunConfig) -> RunConfig:
    return base


def imported(folder: Path, files: list[str], layout: str = "karkirowle") -> RunFolder:
    told = statistics(folder, layout)
    return importing.import_run(folder / "run", files, told, as_it_is, say=lambda line: None)


def command(*arguments: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.parametrize("layout", SIZES)
def test_a_checkpoint_converts_a_recording(
    layout: str, tmp_path: Path, python_without_torch: Callable[..., subprocess.CompletedProcess]
) -> None:
    """In processes of their own; that of the conversion cannot import torch."""
    files = save(layout, networks(layout), tmp_path)
    done = command(
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
    """Each of the four in a file has weights of its own."""
    pairs = [networks(layout) for _ in "AB"]
    made, judges = ([each[name] for each in pairs] for name in ("generator_A2B", "discriminator_A"))
    for seed, module in enumerate((*made, *judges)):
        public_torch.randomise(module, 10 + seed)
    torch.save(FILES[layout](*made, *judges), tmp_path / "all.pt")
    ours, step = imported(tmp_path, [str(tmp_path / "all.pt")], layout).load_networks()
    assert step == 0
    bins, rng = SIZES[layout].bins, np.random.default_rng(0)
    features = torch.from_numpy(rng.standard_normal((1, bins, 16), np.float32))
    flipped = features.mT.numpy()
    for direction, theirs in zip(("A2B", "B2A"), made, strict=True):
        expected = theirs(features).mT.detach().numpy()
        np.testing.assert_allclose(ours[f"generator_{direction}"](flipped), expected, atol=1e-5)
    for speaker, theirs in zip("AB", judges, strict=True):
        whole = layout == "jackaduma_vc2"
        scores = theirs(features).movedim(1, -1) if whole else theirs(features.unsqueeze(1))
        received = ours[f"discriminator_{speaker}"](flipped)
        np.testing.assert_allclose(received, scores.detach().numpy(), atol=1e-5)


def test_mask_files_tell_their_networks_by_name(tmp_path: Path) -> None:
    """The discriminators of the second step too, which are A2 and B2 there."""
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
    run = imported(tmp_path, files[::-1], "mask_gantastic3")
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
        np.testing.assert_allclose(received, expected, atol=2e-5)


def test_a_bare_state_a_trained_fork_and_several_devices(tmp_path: Path) -> None:
    """What karkirowle's convert.py reads: a file a generator; in double, and as DataParallel."""
    module = networks("karkirowle")["generator_A2B"].double()
    state = module.state_dict()
    named, other = tmp_path / "generator_A2B.pt", tmp_path / "best.pt"
    torch.save(state, named)
    torch.save({f"module.{key}": value for key, value in state.items()}, other)
    values = []
    for given in (str(named), f"generator_A2B={other}"):
        found = public_files.read([given])
        assert list(found) == ["generator_A2B"]
        told = public_weights.translate(
            LAYOUTS["karkirowle"], "generator_A2B", found["generator_A2B"].state
        )
        values.append(told.values)
    for address, value in values[0].items():
        np.testing.assert_array_equal(values[1][address], value)
    run = imported(tmp_path, [str(named)])
    assert run.load_generator("A2B")[0].dtype == "float32"
    with pytest.raises(InputError, match="was imported without generator_B2A"):
        run.load_generator("B2A")


def test_an_output_kernel_of_15_is_read_from_the_weights(tmp_path: Path) -> None:
    module = public_torch.KarkirowleGenerator(24, 2, 1, output_kernel=15)
    torch.save(module.state_dict(), tmp_path / "generator_B2A.pt")
    run = imported(tmp_path, [str(tmp_path / "generator_B2A.pt")])
    assert run.config.network.generator_kernels[-1] == "15"


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda state: state.pop(key)


def with_(key: str, value: torch.Tensor) -> Callable[[dict[str, Any]], object]:
    return lambda state: state.update({key: value})


@pytest.mark.parametrize(
    ("change", "said"),
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
    change: Callable[[dict[str, Any]], object], said: str, tmp_path: Path
) -> None:
    state = dict(networks("karkirowle")["generator_A2B"].state_dict())
    change(state)
    path = tmp_path / "generator_A2B.pt"
    torch.save(state, path)
    with pytest.raises(InputError, match=said) as refused:
        importing.import_run(tmp_path / "run", [str(path)], [], as_it_is)
    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == [path]


class Command:
    """Would make a file called `pwned` when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        """What unpickling is to do."""
        return os.system, (f"touch {self.folder}/pwned",)


def bomb(path: Path) -> None:
    """A state dictionary whose archive is packed: a thousand times as long when it is read."""
    torch.save({"block.0.conv.weight": torch.zeros(1 << 24)}, path)
    with zipfile.ZipFile(path) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("make", "said"),
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
    make: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "generator_A2B.pt"
    make(path)
    with pytest.raises(InputError, match=said) as refused:
        importing.import_run(tmp_path / "run", [str(path)], [], as_it_is)
    assert "\n" not in str(refused.value) and str(path) in str(refused.value)
    assert list(tmp_path.iterdir()) == [path], "nothing was run, and nothing is left"


def test_a_packed_archive_is_not_even_opened_by_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then it would have filled the memory."""
    bomb(tmp_path / "generator_A2B.pt")
    monkeypatch.setattr(torch, "load", None)
    with pytest.raises(InputError, match="would unfold to"):
        public_files.read([str(tmp_path / "generator_A2B.pt")])


def test_a_hostile_file_ends_the_command_with_one_line(tmp_path: Path) -> None:
    path = tmp_path / "generator_A2B.pt"
    torch.save({"a": Command(tmp_path)}, path)
    done = command(
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
    # What was hit otherwise is a weight, or a byte that nobody reads.
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
        importing.import_run(tmp_path / "run", [str(tmp_path / "discriminator_A.pt")], [], as_it_is)
    judge = networks("karkirowle")["discriminator_A"]
    torch.save(judge.state_dict(), tmp_path / "discriminator_A.pt")
    with pytest.raises(InputError, match="has discriminator_A and no generator; expected one"):
        alone = [str(tmp_path / "discriminator_A.pt")]
        importing.import_run(tmp_path / "run", alone, [], as_it_is, layout="karkirowle")
    torch.save(judge.state_dict(), tmp_path / "best.pt")
    files = [files[0], f"discriminator_cycled_A={tmp_path / 'best.pt'}"]
    with pytest.raises(InputError, match="holds discriminator_cycled_A, of which karkirowle has"):
        importing.import_run(tmp_path / "run", files, [], as_it_is)


PUBLIC = replace(LAYOUTS["karkirowle"].network, channels=2, residual_blocks=1)

SPEAKERS = {name: Statistics(np.zeros(24), np.ones(24), 4.7, 0.1) for name in "AB"}


def trained(folder: Path, config: RunConfig, steps: int = 2) -> RunFolder:
    """A run with a checkpoint of step 2, trained here on noise if `steps` says so."""
    trainer, rng = Trainer(config), np.random.default_rng(0)
    for _ in range(steps):
        trainer.train_step(*rng.standard_normal((2, 2, 16, 24)).astype(np.float32))
    recordings: dict[str, Any] = {name: {"training": {}} for name in "AB"}
    run = run_folder.create_run(folder / "trained", config, SPEAKERS, recordings)
    run.checkpoints.save(trainer.checkpoint, 2, keep=1)
    return run


def config_of(network: Any) -> RunConfig:
    return RunConfig(
        features=FeatureConfig(f0_method="dio"),
        network=network,
        training=TrainingConfig(crop_frames=16, generator_learning_rate=0.01),
    )


def load(path: Path) -> Mapping[str, Any]:
    return torch.load(path, weights_only=True)


def test_a_run_trained_here_goes_to_the_public_project_and_back(tmp_path: Path) -> None:
    run = trained(tmp_path, config_of(PUBLIC))
    done = command(
        "-m", "cyclegan_vc_tf", "export", f"--run_dir={run.path}", "--format=torch",
        "--layout=karkirowle", f"--output={tmp_path}/public.pt",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Step 2: generator_A2B_state_dict, generator_B2A_state_dict" in done.stdout
    states, (ours, _) = load(tmp_path / "public.pt"), run.load_networks()
    features = np.random.default_rng(1).standard_normal((2, 18, 24)).astype(np.float32)
    flipped = torch.from_numpy(features).mT
    for name in ("generator_A2B", "generator_B2A", "discriminator_A", "discriminator_B"):
        judges = name.startswith("disc")
        theirs: nn.Module = (
            public_torch.KarkirowleDiscriminator(2)
            if judges
            else public_torch.KarkirowleGenerator(24, 2, 1)
        )
        theirs.load_state_dict(states[f"{name}_state_dict"], strict=True)
        with torch.no_grad():
            expected = theirs(flipped.unsqueeze(1)) if judges else theirs(flipped).mT
        np.testing.assert_allclose(ours[name](features), expected.numpy(), rtol=1e-4, atol=1e-5)
    # And back: bit for bit.
    back, _ = imported(tmp_path, [str(tmp_path / "public.pt")]).load_networks()
    for name, model in ours.items():
        for before, after in zip(model.get_weights(), back[name].get_weights(), strict=True):
            np.testing.assert_array_equal(after, before)


def test_a_run_trained_here_goes_to_the_companion(tmp_path: Path) -> None:
    config = config_of(replace(RunConfig().network, channels=2, residual_blocks=1))
    run = trained(tmp_path, config, 0)
    step, names = exporting.export(run, "companion", tmp_path / "companion.pt")
    assert step == 2 and names[0] == "generator_A2B"
    states, (ours, _) = load(tmp_path / "companion.pt"), run.load_networks()
    features = np.random.default_rng(1).standard_normal((1, 18, 24)).astype(np.float32)
    for name, model in ours.items():
        kind = Generator if name.startswith("gen") else Discriminator
        twin, matched = kind(24, config.network), kind(24, config.network)
        twin.load_state_dict(states[name], strict=True)
        match(matched, model)
        for key, value in matched.state_dict().items():
            assert torch.equal(twin.state_dict()[key], value)
        with torch.no_grad():
            made = twin(torch.from_numpy(features).mT)
        expected = made.mT if kind is Generator else made.movedim(1, -1)
        received = tf.convert_to_tensor(model(features))
        np.testing.assert_allclose(received, expected.numpy(), rtol=1e-4, atol=1e-5)


def test_a_run_of_another_architecture_is_not_exported_to_a_layout(tmp_path: Path) -> None:
    run = trained(tmp_path, config_of(replace(PUBLIC, norm_affine="all", padding="same")), 0)
    output = tmp_path / "public.pt"
    with pytest.raises(InputError, match="trained with --padding=symmetric --norm_affine=down"):
        exporting.export(run, "karkirowle", output)
    assert not output.exists()
    done = command(
        "-m", "cyclegan_vc_tf", "export", f"--run_dir={run.path}", "--layout=karkirowle",
        f"--output={output}",
    )  # fmt: skip
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


def test_a_network_can_be_taken_out_of_a_file_with_several(tmp_path: Path) -> None:
    (path,) = save("karkirowle", networks("karkirowle"), tmp_path)
    assert list(public_files.read([f"generator_B2A={path}"])) == ["generator_B2A"]
    with pytest.raises(InputError, match="and no discriminator_cycled_B"):
        public_files.read([f"discriminator_cycled_B={path}"])


def test_an_export_replaces_files_alone_and_as_a_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(tmp_path, config_of(PUBLIC), 0)
    for output, said in (
        (run.path / "config.json", "lies in the run folder; expected another place"),
        (tmp_path, "is no file; expected a file to write"),
        (Path("/dev/null"), "is no file; expected a file to write"),
    ):
        done = command(
            "-m", "cyclegan_vc_tf", "export", f"--run_dir={run.path}", f"--output={output}"
        )
        assert done.returncode == 2 and said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    path = tmp_path / "there.pt"
    path.write_text("what was there")

    def full(stored: object, partial: Path) -> None:
        partial.write_bytes(b"half")
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(InputError, match=r"there\.pt cannot be written to; is the disk full"):
        exporting.export(run, "companion", path)
    assert path.read_text() == "what was there" and len(list(tmp_path.iterdir())) == 2


def test_an_older_step_is_exported(tmp_path: Path) -> None:
    run = trained(tmp_path, config_of(PUBLIC), 0)
    assert exporting.export(run, "companion", tmp_path / "a.pt", step=2)[0] == 2
    with pytest.raises(InputError, match="no checkpoint of step 1"):
        exporting.export(run, "companion", tmp_path / "a.pt", step=1)


def test_an_output_kernel_of_15_may_be_exported_too(tmp_path: Path) -> None:
    """Some versions of the project have it."""
    kernels = (*PUBLIC.generator_kernels[:-1], "15")
    run = trained(tmp_path, config_of(replace(PUBLIC, generator_kernels=kernels)), 0)
    exporting.export(run, "karkirowle", tmp_path / "public.pt")
    theirs = public_torch.KarkirowleGenerator(24, 2, 1, output_kernel=15)
    theirs.load_state_dict(load(tmp_path / "public.pt")["generator_A2B_state_dict"])


def test_a_state_with_a_variable_too_many_is_not_written(tmp_path: Path) -> None:
    run = trained(tmp_path, config_of(replace(PUBLIC, norm_affine="all")), 0)
    model = run.load_generator("A2B")
    with pytest.raises(ValueError, match="residual_1_norm/gamma"):
        exporting.public_state(LAYOUTS["karkirowle"], "generator_A2B", model[0])
