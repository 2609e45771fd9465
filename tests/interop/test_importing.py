"""Import of TensorFlow 1 checkpoints, which needs no PyTorch, and refusals of all imports.

The suite in parity/ compares the outputs of imported networks with those of the projects.
"""

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import run_command, run_here, variables

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.interop import importing, public_files, public_melgan, public_statistics
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training.trainer import Trainer

SMALL = ("--crop_frames=16", "--f0_method=dio", "--steps=2", "--log_every=1", "--workers=1")


def shapes_of_tensorflow_1(channels: int, blocks: int, bins: int) -> dict[str, tuple[int, ...]]:
    """Return name and shape of each variable of the project's networks."""
    c, shapes = channels, {}

    def convolution(name: str, *sizes: int) -> None:
        shapes[f"{name}/kernel"], shapes[f"{name}/bias"] = sizes, sizes[-1:]

    def norms(scope: str, channels_of_each: list[int]) -> None:
        for number, each in enumerate(channels_of_each):
            norm = f"{scope}/InstanceNorm" + (f"_{number}" if number else "")
            shapes[f"{norm}/beta"] = shapes[f"{norm}/gamma"] = (each,)

    for scope in ("generator_A2B", "generator_B2A"):
        for name in ("h1_conv", "h1_conv_gates"):
            convolution(f"{scope}/{name}", 15, bins, c)
        for kind in ("conv", "gates"):
            convolution(f"{scope}/downsample1d_block1_h1_{kind}", 5, c, 2 * c)
            convolution(f"{scope}/downsample1d_block2_h1_{kind}", 5, 2 * c, 4 * c)
            for number in range(1, blocks + 1):
                convolution(f"{scope}/residual1d_block{number}_h1_{kind}", 3, 4 * c, 8 * c)
            convolution(f"{scope}/upsample1d_block1_h1_{kind}", 5, 4 * c, 8 * c)
            convolution(f"{scope}/upsample1d_block2_h1_{kind}", 5, 4 * c, 4 * c)
        for number in range(1, blocks + 1):
            convolution(f"{scope}/residual1d_block{number}_h2_conv", 3, 8 * c, 4 * c)
        convolution(f"{scope}/o1_conv", 15, 2 * c, bins)
        down, up = [2 * c] * 2 + [4 * c] * 2, [4 * c] * 2 + [2 * c] * 2
        norms(scope, down + blocks * [8 * c, 8 * c, 4 * c] + up)
    for scope in ("discriminator_A", "discriminator_B"):
        for name in ("h1_conv", "h1_conv_gates"):
            convolution(f"{scope}/{name}", 3, 3, 1, c)
        for number, rows in ((1, 3), (2, 3), (3, 6)):
            for kind in ("conv", "gates"):
                name = f"{scope}/downsample2d_block{number}_h1_{kind}"
                convolution(name, rows, 3, 2 ** (number - 1) * c, 2**number * c)
        convolution(f"{scope}/dense", 8 * c, 1)
        norms(scope, [2 * c] * 2 + [4 * c] * 2 + [8 * c] * 2)
    return shapes


def values_of_tensorflow_1() -> dict[str, np.ndarray]:
    """Return random variables of a small run, with those of the project's Adam."""
    rng, values = np.random.default_rng(3), {}
    for name, shape in shapes_of_tensorflow_1(2, 1, 24).items():
        for each in (name, f"{name}/Adam", f"{name}/Adam_1"):
            values[each] = rng.standard_normal(shape, np.float32)
    for name in ("beta1_power", "beta2_power", "beta1_power_1", "beta2_power_1"):
        values[name] = np.float32(0.0)
    return values


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("leimao") / "sf1_tm1.ckpt", values_of_tensorflow_1())


def save_statistics(folder: Path, bins: int = 24) -> dict[str, np.ndarray]:
    """Write the TensorFlow 1 project's files: (bins, 1) arrays, and scalars of ln F0."""
    rng = np.random.default_rng(7)
    frames = {
        "mean_A": rng.normal(-5, 2, (bins, 1)), "std_A": rng.uniform(0.5, 2, (bins, 1)),
        "mean_B": rng.normal(-5, 2, (bins, 1)), "std_B": rng.uniform(0.5, 2, (bins, 1)),
    }  # fmt: skip
    log_f0 = {"mean_A": 4.7, "std_A": 0.2, "mean_B": 5.3, "std_B": 0.15}
    np.savez(folder / "mcep_normalization.npz", **frames)
    np.savez(folder / "logf0s_normalization.npz", **log_f0)
    return {**frames, **{f"log_f0_{name}": np.float64(value) for name, value in log_f0.items()}}


def statistics_files(folder: Path) -> list[str]:
    return [str(folder / f"{each}_normalization.npz") for each in ("mcep", "logf0s")]


def imported(folder: Path, checkpoint: Path, **options: object) -> run_folder.RunFolder:
    save_statistics(folder)
    run_dir = folder / "run"
    files = statistics_files(folder)
    return importing.import_run(run_dir, [str(checkpoint)], files, as_it_is, **options)  # type: ignore[arg-type]


def as_it_is(base: RunConfig) -> RunConfig:
    return base


def write(prefix: Path, values: Mapping[str, np.ndarray]) -> Path:
    """Write variables as a checkpoint in TensorFlow 1's format."""
    names = list(values)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(values[name]) for name in names],
    )
    return prefix


def test_training_continues_from_the_given_step(checkpoint: Path, tmp_path: Path) -> None:
    run = imported(tmp_path, checkpoint, step=250_000)
    assert run.checkpoints.steps() == [250_000]
    assert variables(run.path, 250_000)["step/.ATTRIBUTES/VARIABLE_VALUE"] == 250_000
    origin = json.loads((run.path / "imported.json").read_text())
    assert origin["layout"] == "leimao" and origin["step"] == 250_000 and not origin["untrained"]


def test_a_run_without_recordings_asks_for_them(checkpoint: Path, tmp_path: Path) -> None:
    run = imported(tmp_path, checkpoint)
    done = run_here("train.py", f"--run_dir={run.path}")
    assert done.returncode == 2 and "--source_dir is not given" in done.stderr


def test_statistics_can_be_computed(checkpoint: Path, corpus: Path, tmp_path: Path) -> None:
    done = run_here(
        "import_run.py", f"--checkpoint={checkpoint}", f"--run_dir={tmp_path}/run",
        f"--source_dir={corpus}/low", f"--target_dir={corpus}/high", "--held_out_fraction=0",
        f"--features_dir={tmp_path}/features", *SMALL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run = run_folder.open_run(tmp_path / "run")
    assert abs(np.exp(run.statistics["A"].log_f0_mean) - 110) < 8
    assert abs(np.exp(run.statistics["B"].log_f0_mean) - 210) < 15
    assert len(run.recordings["A"]) == 6
    # Statistics that are given hold where there are recordings too.
    save_statistics(tmp_path)
    given = statistics_files(tmp_path)
    given_statistics = public_statistics.read(given, 24, has_f0=True)
    done = run_here(
        "import_run.py", f"--checkpoint={checkpoint}", f"--run_dir={tmp_path}/given_statistics",
        f"--source_dir={corpus}/low", f"--target_dir={corpus}/high", "--held_out_fraction=0",
        f"--features_dir={tmp_path}/features", f"--statistics={','.join(given)}", *SMALL,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    run_statistics = run_folder.open_run(tmp_path / "given_statistics").statistics
    np.testing.assert_array_equal(run_statistics["A"].mean, given_statistics["A"].mean)
    # It keeps to these recordings.
    done = run_here("train.py", f"--run_dir={run.path}", f"--target_dir={corpus}/low")
    assert done.returncode == 2 and "other training recordings than the run began" in done.stderr


def test_a_direction_that_was_not_imported_is_not_converted(corpus: Path, tmp_path: Path) -> None:
    """An untrained network would turn speech into noise."""
    every = values_of_tensorflow_1()
    half = {name: value for name, value in every.items() if name.startswith("generator_A2B/")}
    run = imported(tmp_path, write(tmp_path / "half", half))
    assert run.imported["untrained"] == ["generator_B2A", "discriminator_A", "discriminator_B"]
    assert list(run.load_networks()[0]) == ["generator_A2B"]
    run.load_generator("A2B")
    done = run_here(
        "convert.py", f"--run_dir={run.path}", "--direction=B2A", f"--input={corpus}/high",
        f"--output={tmp_path}/out",
    )  # fmt: skip
    assert done.returncode == 2 and "was imported without generator_B2A" in done.stderr
    assert not (tmp_path / "out").exists()
    # After more training, all networks are trained.
    run.checkpoints.save(Trainer(run.config).checkpoint, 5, keep=2)
    run.load_generator("B2A")
    with pytest.raises(InputError, match="was imported without generator_B2A"):
        run.load_generator("B2A", step=0)


def changed(name: str, value: np.ndarray | None) -> Callable[[dict[str, np.ndarray]], None]:
    def change(values: dict[str, np.ndarray]) -> None:
        values.pop(name, None)
        if value is not None:
            values[name] = value

    return change


KERNEL, BIAS = "generator_A2B/o1_conv/kernel", "generator_B2A/h1_conv/bias"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(KERNEL, None), r"variables unset: output_conv/kernel \(o1_conv/kernel\)"),
        (
            changed("generator_A2B/h9_conv/kernel", np.zeros((3, 4, 5), np.float32)),
            "keys unread: h9_conv/kernel",
        ),
        (
            changed(KERNEL, np.zeros((15, 3, 24), np.float32)),
            r"output_conv/kernel \(o1_conv/kernel\) is \[15, 3, 24\], expected \[15, 4, 24\]",
        ),
        (changed(KERNEL, np.zeros((15, 4, 24), np.int32)), "o1_conv/kernel is of int32"),
        (changed(KERNEL, np.zeros((), np.float32)), r"o1_conv/kernel is of shape \[\]"),
        (changed(KERNEL, np.zeros((15, 0, 24), np.float32)), r"shape \[15, 0, 24\]"),
        (changed(KERNEL, np.array("rm -rf")), "o1_conv/kernel is of .S6"),
        (changed(BIAS, np.array([np.nan, 1], np.float32)), "h1_conv/bias has NaN or infinite"),
        (changed(BIAS, np.array([-np.inf, 1], np.float32)), "h1_conv/bias has NaN or infinite"),
        (changed(BIAS, np.array([1e300, 1])), "h1_conv/bias has NaN or infinite"),
        (
            changed("generator_A2B/upsample1d_block1_h1_gates/bias", np.zeros(3, np.float32)),
            r"\[16\] and \[3\], do not go together",
        ),
        (
            # These inconsistent widths would make networks of half a terabyte.
            lambda values: [
                changed(f"generator_A2B/downsample1d_block2_h1_{kind}/{weight}", each)(values)
                for kind in ("conv", "gates")
                for weight, each in (
                    ("kernel", np.zeros((1, 1, 1 << 17), np.float32)),
                    ("bias", np.zeros(1 << 17, np.float32)),
                )
            ],
            r"of another shape: down_2_conv/kernel .* is \[1, 1, 262144\], expected \[1, 4, 2621",
        ),
        (
            changed("generator_A2B/residual1d_block1_h2_conv/bias", np.ones(5, np.float32)),
            r"of another shape: residual_1_out_conv/bias \(.*\) is \[5\], expected \[8\]",
        ),
        (
            changed("generator_A2B/residual1d_block1_h1_conv/kernel", np.ones((3, 8, 9), "f4")),
            "generator_A2B has widths of 2, 4, 8, 12.5, 8, 4 channels; expected whole",
        ),
    ],
)
def test_variables_that_do_not_fit_are_refused(
    change: Callable[[dict[str, np.ndarray]], None],
    message: str,
    tmp_path: Path,
) -> None:
    values = values_of_tensorflow_1()
    change(values)
    (tmp_path / "inside").mkdir()
    with pytest.raises(InputError, match=message) as refused:
        imported(tmp_path / "inside", write(tmp_path / "model.ckpt", values))
    assert "\n" not in str(refused.value) and "--checkpoint" in str(refused.value)
    assert_nothing_is_left(tmp_path / "inside")


def assert_nothing_is_left(folder: Path) -> None:
    left = {path.name for path in folder.iterdir()}
    assert left <= {"mcep_normalization.npz", "logf0s_normalization.npz"}


def cut(name: str, size: int) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / name
        path.write_bytes(path.read_bytes()[:size])

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        cut("model.ckpt.index", 300),
        cut("model.ckpt.index", 0),
        cut("model.ckpt.data-00000-of-00001", 1000),
        lambda folder: (folder / "model.ckpt.data-00000-of-00001").unlink(),
        lambda folder: (folder / "model.ckpt.index").write_bytes(b"\x80\x04." * 400),
    ],
)
def test_damaged_checkpoints_are_refused(damage: Callable[[Path], object], tmp_path: Path) -> None:
    for name in ("inside", "model"):
        (tmp_path / name).mkdir()
    prefix = write(tmp_path / "model" / "model.ckpt", values_of_tensorflow_1())
    damage(tmp_path / "model")
    with pytest.raises(InputError, match=r"is not a TensorFlow checkpoint, or is damaged"):
        imported(tmp_path / "inside", prefix)
    assert_nothing_is_left(tmp_path / "inside")


def test_an_index_must_not_exceed_its_data(tmp_path: Path) -> None:
    """Before memory is allocated for the sizes in a forged index."""
    prefix = write(tmp_path / "model.ckpt", values_of_tensorflow_1())
    data = tmp_path / "model.ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(InputError) as refused:
        importing.import_run(tmp_path / "run", [str(prefix)], [], as_it_is)
    assert re.search(r"(\d+) bytes are promised", str(refused.value.__cause__))


def test_a_checkpoint_is_known_by_each_of_its_files(tmp_path: Path) -> None:
    prefix = write(tmp_path / "model.ckpt", values_of_tensorflow_1())
    parts = [f"{prefix}.index", f"{prefix}.data-00000-of-00001", str(prefix)]
    assert len(public_files.read(parts)) == 4
    only = public_files.read([f"generator_B2A={prefix}"])
    assert list(only) == ["generator_B2A"]
    with pytest.raises(InputError, match=r"holds .*generator_A2B.* and no discriminator_cycled_A"):
        public_files.read([f"discriminator_cycled_A={prefix}"])
    with pytest.raises(InputError, match=r"by its prefix: model\.ckpt"):
        public_files.read([str(tmp_path)])
    odd = tmp_path / "take [2]"
    odd.mkdir()
    copy = write(tmp_path / "copy.ckpt", {"generator_A2B/h1_conv/bias": np.zeros(2, np.float32)})
    for path in tmp_path.glob("copy.ckpt.*"):
        path.rename(odd / path.name)
    with pytest.raises(InputError, match="takes for a pattern; copy it to another path"):
        public_files.read([str(odd / copy.name)])


def test_a_fuzzed_index_is_refused(tmp_path: Path) -> None:
    prefix = write(tmp_path / "model.ckpt", values_of_tensorflow_1())
    index = tmp_path / "model.ckpt.index"
    whole, rng = index.read_bytes(), np.random.default_rng(11)
    for _ in range(60):
        bytes_ = np.frombuffer(whole, np.uint8).copy()
        bytes_[rng.integers(len(bytes_), size=rng.choice([1, 4, 64]))] ^= np.uint8(
            rng.integers(1, 256)
        )
        index.write_bytes(bytes_.tobytes())
        with pytest.raises(InputError, match="is not a TensorFlow checkpoint, or is damaged"):
            importing.import_run(tmp_path / "run", [str(prefix)], [], as_it_is)
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    other = tf.train.Checkpoint(kernel=tf.Variable([1.0])).write(str(tmp_path / "other"))
    with pytest.raises(InputError, match="holds no network that is known"):
        importing.import_run(tmp_path / "run", [other], [], as_it_is)
    assert not (tmp_path / "run").exists()


def test_flags_must_not_contradict_the_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    save_statistics(tmp_path)
    given = (
        f"--checkpoint={checkpoint}", f"--run_dir={tmp_path}/run",
        f"--statistics={','.join(statistics_files(tmp_path))}",
    )  # fmt: skip
    for flag, message in (
        ("--variant=vc2", "--variant is vc2; the checkpoint is one of vc1"),
        ("--mel_cepstra=36", "36 values per frame, but the checkpoint's generators have 24"),
        ("--layout=karkirowle", "read as --layout=karkirowle: generator_A2B does not fit"),
        ("--norm_affine=down", "generator_A2B does not fit the layout; keys unread: InstanceNorm_"),
        ("--crop_frames=18", "--crop_frames is 18; expected a multiple of 4"),
        ("--vocoder=melgan", "--vocoder and its settings cannot be given"),
        ("--step=-1", "--step"),
        ("--step=99999999999999999999999", "--step"),
        ("--step=500000", "--step is 500000; expected at most --steps, 400000"),
        (
            "--channels=64",
            "--channels is 64, but the checkpoint's weights have 2; leave --channels out",
        ),
        ("--generator_kernels=1,2", "--generator_kernels is ('1', '2'), but the checkpoint's"),
    ):
        done = run_here("import_run.py", *given, flag)
        assert done.returncode == 2 and message in done.stderr, done.stderr
        assert not (tmp_path / "run").exists()
    done = run_here("import_run.py", *given[:2])
    assert done.returncode == 2 and "--statistics is not given" in done.stderr
    done = run_here("import_run.py", given[1])
    assert done.returncode == 2 and "--checkpoint is not given" in done.stderr


def test_flags_give_settings_that_weights_do_not_show(checkpoint: Path, tmp_path: Path) -> None:
    """A fork may differ in settings that do not affect its weights."""
    save_statistics(tmp_path)
    done = run_here(
        "import_run.py", f"--checkpoint={checkpoint}", f"--run_dir={tmp_path}/run",
        f"--statistics={','.join(statistics_files(tmp_path))}", "--norm_epsilon=1e-3",
        "--nodiscriminator_sigmoid",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    network = run_folder.open_run(tmp_path / "run").config.network
    assert (network.norm_epsilon, network.discriminator_sigmoid) == (1e-3, False)


def test_an_existing_folder_is_not_changed(checkpoint: Path, tmp_path: Path) -> None:
    run = imported(tmp_path, checkpoint)
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    with pytest.raises(InputError, match="is a run already; expected a new or empty folder"):
        imported(tmp_path, checkpoint)
    files = statistics_files(tmp_path)
    with pytest.raises(InputError, match=r"cannot be created: .*config\.json is a file"):
        inside = run.path / "config.json" / "run"
        importing.import_run(inside, [str(checkpoint)], files, as_it_is)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").touch()
    with pytest.raises(InputError, match="has files but no config"):
        importing.import_run(tmp_path / "thesis", [str(checkpoint)], files, as_it_is)
    assert before == {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}


def test_a_missing_checkpoint_is_refused_in_its_own_process(tmp_path: Path) -> None:
    done = run_command(
        "-m", "cyclegan_vc_tf", "import", f"--checkpoint={tmp_path}/no.ckpt",
        f"--run_dir={tmp_path}/run", "--statistics=a.npz",
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1 and "no.ckpt is not there" in done.stderr
    assert not (tmp_path / "run").exists()


PAIR = {"mean_A": np.zeros(3), "std_A": np.ones(3), "mean_B": np.ones(3), "std_B": np.ones(3)}
LOG_F0 = {"mean_A": 4.0, "std_A": 0.1, "mean_B": 5.0, "std_B": 0.2}


def saved(folder: Path, *contents: Mapping[str, object]) -> list[str]:
    paths = [folder / f"{index}.npz" for index in range(len(contents))]
    for path, each in zip(paths, contents, strict=True):
        np.savez(path, **each)  # type: ignore[arg-type]
    return list(map(str, paths))


def test_statistics_of_one_file_a_speaker(tmp_path: Path) -> None:
    """Log-mel projects keep (bins, 1) arrays; the file of A comes first."""
    files = saved(
        tmp_path,
        {"mean": np.array([[1.0], [2.0]]), "std": np.array([[3.0], [4.0]])},
        {"mean": np.array([[5.0], [6.0]]), "std": np.array([[7.0], [8.0]])},
    )
    given_statistics = public_statistics.read(files, 2, has_f0=False)
    np.testing.assert_array_equal(given_statistics["A"].mean, [1, 2])
    np.testing.assert_array_equal(given_statistics["B"].std, [7, 8])
    assert given_statistics["A"].log_f0_mean == given_statistics["B"].log_f0_std == 0.0


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        ([PAIR], "none of ln F0 of A or B"),
        ([LOG_F0], "none of frames of 3 values of A or B"),
        ([{**PAIR, "mean_A": np.zeros(4)}, LOG_F0], "4 means and 3 deviations of A; expected 1 or"),
        (
            [{**PAIR, "std_B": np.array([1, -1, 1])}, LOG_F0],
            "NaN or infinite values of B, or deviations",
        ),
        ([{**PAIR, "mean_B": np.array([1, np.nan, 1])}, LOG_F0], "has NaN or infinite values of B"),
        ([{**LOG_F0, "mean_A": np.inf}, PAIR], "has NaN or infinite values of A"),
        ([PAIR, PAIR, LOG_F0], r"1\.npz gives the statistics of A a second time"),
        ([{"weights": np.zeros(3)}], "has weights; expected mean_A"),
        ([{**PAIR, "std_A": np.array(["1", "2", "x"])}], "has arrays of kind U; expected numbers"),
        ([{**PAIR, "std_A": np.array([None, 1, 2])}], "is not a NumPy archive, or is damaged"),
        ([{**PAIR, "mean_A": np.zeros(1 << 20)}], r"has mean_A\.npy of more than 1,048,576 bytes"),
        ([{"mean": np.zeros(3), "std": np.ones(3)}] * 3, "gives the statistics of B a second time"),
        ([{**PAIR, "std_B": np.zeros(3)}, LOG_F0], "no deviation of B above zero"),
        ([PAIR, {**LOG_F0, "mean_A": 110.0}], "has 110 for A's mean ln F0; expected the natural"),
        ([{**PAIR, "mean_A": np.zeros(3, complex)}, LOG_F0], "has arrays of kind c; expected numb"),
    ],
)
def test_wrong_statistics_are_refused(contents: list[dict], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        public_statistics.read(saved(tmp_path, *contents), 3, has_f0=True)


def test_ln_f0_is_not_taken_where_spectra_hold_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has ln F0, which log-mel spectra hold"):
        public_statistics.read(saved(tmp_path, PAIR, LOG_F0), 3, has_f0=False)


def test_damaged_statistics_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    with pytest.raises(InputError, match=r"a\.npz is missing"):
        public_statistics.read([str(path)], 3, has_f0=True)
    (good,) = saved(tmp_path, PAIR)
    whole, rng = Path(good).read_bytes(), np.random.default_rng(5)
    for damaged in (b"", whole[:200], rng.bytes(300)):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="is not a NumPy archive, or is damaged"):
            public_statistics.read([str(path)], 3, has_f0=True)
    for _ in range(200):
        damaged_ = np.frombuffer(whole, np.uint8).copy()
        damaged_[rng.integers(len(whole), size=rng.choice([1, 8]))] ^= np.uint8(
            rng.integers(1, 256)
        )
        path.write_bytes(damaged_.tobytes())
        with pytest.raises(InputError):
            # Without ln F0 it is refused even if the damage hit nothing important.
            public_statistics.read([str(path)], 3, has_f0=True)


def test_a_key_with_a_number_of_very_many_digits_is_refused() -> None:
    with pytest.raises(InputError, match="not those of a MelGAN generator"):
        public_melgan.from_public_state({f"model.{'9' * 5000}.weight": np.ones((2, 2, 2))})
