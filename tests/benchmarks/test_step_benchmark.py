"""The benchmark of the training step: counts, ratios, workers and wrong flags."""

import json
import os
import resource
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import keras
import pytest
import tensorflow as tf
from conftest import run_command

from benchmarks import step_profile, train_step
from benchmarks.harness import machine, rounds, sizes, worker
from benchmarks.harness.machine import Machine, Rates
from benchmarks.harness.rounds import Measured, Ratio
from benchmarks.harness.work import Work
from benchmarks.harness.worker import Turn, Worker, WorkerError
from benchmarks.operations import Forward, forward, step_flops, step_work
from benchmarks.train_step import Result
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.models import registry


def turns(*wall_s: float) -> list[Turn]:
    """Make turns of one step, whose processor seconds are twice the seconds."""
    return [Turn([seconds], [2 * seconds], peak_mb=100.0) for seconds in wall_s]


def test_products_of_layers_are_those_of_the_formula() -> None:
    """2 · positions out · kernel sizes · channels in · channels out; by hand."""
    inputs = keras.Input((None, 3))
    hidden = keras.layers.Conv1D(8, 5, strides=2, padding="same", name="one")(inputs)
    hidden = keras.layers.Reshape((-1, 8, 1))(hidden)
    hidden = keras.layers.Conv2D(4, (3, 2), padding="same", name="two")(hidden)
    model = keras.Model(inputs, keras.layers.Dense(1, name="three")(hidden))
    one, two, three = 2 * 8 * 5 * 3 * 8, 2 * (8 * 8) * 6 * 4, 2 * (8 * 8) * 4
    assert forward(model, 16) == Forward(one + two + three, one)


def test_every_layer_that_sees_no_weight_before_it_is_a_first_one() -> None:
    inputs = keras.Input((None, 3))
    both = [keras.layers.Conv1D(2, 1)(inputs), keras.layers.Conv1D(2, 1)(inputs)]
    model = keras.Model(inputs, keras.layers.Conv1D(2, 1)(keras.layers.Add()(both)))
    assert forward(model, 10) == Forward(2 * 120 + 80, 2 * 120)


def test_weights_of_another_kind_are_not_passed_over() -> None:
    inputs = keras.Input((None, 3))
    model = keras.Model(inputs, keras.layers.LSTM(2)(inputs))
    with pytest.raises(ValueError, match=r"lstm.* has 2 weight matrices; expected one"):
        forward(model, 16)


def test_operations_of_a_step() -> None:
    """The generator has 10 operations, 4 in its first layer; the discriminator has 5 and 1.

    The generator has 3 forward passes, 3 gradients of kernels and 3 of inputs, without the first
    layer's for the two real inputs. The discriminator has 2 of each, without the first layer's for
    its inputs, and one more gradient of the fake.
    """
    assert step_flops([Forward(10, 4)], [], 1) == 30 + 30 + 30 - 8
    assert step_flops([], [Forward(5, 1)], 1) == 10 + 10 + 10 - 2 + 5
    assert step_flops([Forward(10, 4)] * 2, [Forward(5, 1)] * 2, 3) == 3 * 2 * (82 + 33)


@pytest.mark.parametrize("variant", PRESETS)
def test_a_step_of_every_variant_is_counted(variant: str) -> None:
    paper = PRESETS[variant]
    config = replace(paper, network=replace(paper.network, channels=2, residual_blocks=1))
    generators = list(registry.build_generators(config).values())
    discriminators = list(registry.build_discriminators(config).values())
    work, doubled = (step_work(generators, discriminators, batch, 16) for batch in (1, 2))
    weights = sum(model.count_params() for model in (*generators, *discriminators))
    assert work.adam_bytes == doubled.adam_bytes == 28 * weights
    assert doubled.flops == 2 * work.flops > 0


def test_a_step_of_the_first_paper_at_full_width() -> None:
    """Calculated by hand: kernel size times positions of each layer of figure 4, in products."""
    frames, bins = 128, 24
    down = frames * 15 * bins * 256 + 64 * 5 * 128 * 512 + 32 * 5 * 256 * 1024
    residual = 32 * 3 * (512 * 2048 + 1024 * 512)
    up = 32 * 5 * 512 * 2048 + 64 * 5 * 512 * 1024 + 128 * 15 * 256 * bins
    generator = Forward(2 * (down + 6 * residual + up), 2 * frames * 15 * bins * 256)
    blocks = (
        24 * 64 * 9 * 256, 12 * 32 * 9 * 128 * 512, 6 * 16 * 9 * 256 * 1024,
        6 * 8 * 18 * 512 * 2048, 6 * 8 * 1024,
    )  # fmt: skip
    discriminator = Forward(2 * sum(blocks), 2 * blocks[0])
    config = PRESETS["vc1"]
    assert forward(registry.build_generators(config)["A2B"], frames) == generator
    assert forward(registry.build_discriminators(config)["A"], frames) == discriminator
    assert round(step_flops([generator] * 2, [discriminator] * 2, 1) / 1e9, 1) == 85.8


def test_the_limit_is_products_and_then_adam() -> None:
    assert Work(flops=300, adam_bytes=40).limit_s(100.0, 20.0) == 3.0 + 2.0


def test_a_ratio_is_of_the_medians_and_its_spread_is_of_the_rounds() -> None:
    """Ratios by round are 2, 1, 2, 2 and 4, with medians 4 and 2; then 1, 2 and 3."""
    assert rounds.ratio([4, 1, 4, 6, 8], [2, 1, 2, 3, 2]) == Ratio(2.0, 2.0, 2.0)
    assert rounds.ratio([1, 2, 3], [1, 1, 1]) == Ratio(2.0, 1.5, 2.5)


def test_a_turn_counts_with_its_median() -> None:
    measured = Measured(turns=[Turn([9.0, 1.0, 2.0], [5.0, 3.0, 4.0], 7.0)])
    assert (measured.wall_s, measured.cpu_s, measured.peak_mb) == ([2.0], [4.0], 7.0)


class Sleeper:
    """A contender in this process, which logs its turns and fails in turn `fails_at`."""

    def __init__(self, name: str, log: list[str], fails_at: int = -1) -> None:
        self.name, self.log, self.fails_at = name, log, fails_at

    def ready(self) -> worker.Facts:
        """Stand in for `Worker.ready`."""
        if self.fails_at == 0:
            raise WorkerError("no compiler")
        return {"name": self.name}

    def measure(self, steps: int) -> Turn:
        """Stand in for `Worker.measure`."""
        self.log.append(self.name)
        if self.log.count(self.name) == self.fails_at:
            raise WorkerError("no memory")
        return Turn([1.0] * steps, [1.0] * steps, 1.0)


def test_contenders_go_in_turn_and_one_that_fails_is_out() -> None:
    log: list[str] = []
    contenders = {
        "a": Sleeper("a", log), "b": Sleeper("b", log, 2), "c": Sleeper("c", log, 0),
        "d": Sleeper("d", log),
    }  # fmt: skip
    found = rounds.measure(contenders, rounds=3, steps=2)  # type: ignore[arg-type]
    assert "".join(log) == "abdabdad"
    assert [len(one.turns) for one in found.values()] == [3, 0, 0, 3]
    assert [one.failed for one in found.values()] == ["", "no memory", "no compiler", ""]
    assert rounds.wall_ratio(found["a"], found["d"]) == Ratio(1.0, 1.0, 1.0)
    assert rounds.wall_ratio(found["a"], found["b"]) is None
    assert rounds.wall_ratio(None, found["a"]) is None


COUNTING = """
import sys
from benchmarks.harness import worker
made = []
def make():
    print("a library says something")
    return lambda: made.append(1), {"steps_before": len(made)}
worker.serve(make)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Path of a module that can be started as `python -m a_worker`."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "a_worker.py"


def test_a_worker_makes_the_steps_it_is_asked_for(module: Path) -> None:
    module.write_text(COUNTING)
    with Worker("a_worker") as counting:
        assert counting.ready() == {"steps_before": 0}
        turn = counting.measure(3)
        assert len(turn.wall_s) == len(turn.cpu_s) == 3
        assert all(0 <= seconds < 1 for seconds in (*turn.wall_s, *turn.cpu_s))
        assert 1 < turn.peak_mb < 1000
        assert len(counting.measure(1).wall_s) == 1


def test_what_another_process_measures_once_is_its_last_line(module: Path) -> None:
    module.write_text("import os, sys\nprint('{}')\nprint(f'[{sys.argv[1]}, {os.getpid()}]')\n")
    number, process = worker.measure_once("a_worker", "7")
    assert number == 7 and process != os.getpid()
    module.write_text("print(1)\nraise SystemExit(3)\n")
    with pytest.raises(subprocess.CalledProcessError, match="exit status 3"):
        worker.measure_once("a_worker")


def test_a_worker_that_gives_no_answer_is_ended(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module.write_text(COUNTING.replace("made.append(1)", "__import__('time').sleep(20)"))
    monkeypatch.setattr(worker, "MAX_ANSWER_S", 0.2)
    monkeypatch.setattr(worker, "MAX_END_S", 0.2)
    with Worker("a_worker") as sleeping, pytest.raises(WorkerError, match="no answer within"):
        sleeping.ready()
    assert sleeping._process.returncode == -signal.SIGKILL


def test_a_step_that_sleeps_takes_no_processor_time() -> None:
    turn = worker.timed(lambda: time.sleep(0.1), 2)
    assert min(turn.wall_s) >= 0.1 and max(turn.cpu_s) < 0.05


def test_memory_is_in_millions_of_bytes() -> None:
    """The system call gives the peak memory of this process in KiB."""
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    assert worker.memory_mb("VmHWM") == pytest.approx(peak_mb, rel=0.01)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("import a_package_that_is_not_there", "No module named 'a_package_that_is_not_there'"),
        ("raise SystemExit(3)", "ended with status 3"),
        (COUNTING.replace("made.append(1)", "1 / 0"), "ZeroDivisionError: division by zero"),
        (COUNTING.replace("made.append(1)", "made[2:]()"), "TypeError: 'list' object is not"),
        (
            COUNTING.replace('print("a', 'raise OSError("no\\ncompiler ' + "x" * 500),
            "no compiler x",
        ),
    ],
)
def test_a_worker_that_fails_says_why_in_a_line(module: Path, source: str, message: str) -> None:
    module.write_text(source)
    with Worker("a_worker") as failing, pytest.raises(WorkerError) as found:
        failing.ready()
    assert message in str(found.value)
    assert "\n" not in str(found.value)
    assert len(str(found.value)) <= worker.MAX_REASON + 1


def test_a_worker_that_ends_between_two_turns_says_so(module: Path) -> None:
    module.write_text(
        COUNTING.replace("made.append(1)", "len(made) > 1 and sys.exit(4) or made.append(1)")
    )
    with Worker("a_worker") as failing:
        failing.ready()
        with pytest.raises(WorkerError, match="ended with status 4"):
            failing.measure(1)
        with pytest.raises(WorkerError, match="ended with status 4"):
            failing.measure(1)


RATES = Rates(float32_gflop_s=100.0, bfloat16_gflop_s=50.0, copy_gb_s=10.0)


def result(**contenders: Measured) -> Result:
    """Make a result of contenders whose work takes 1 s of products and 1 s of copies."""
    for name, measured in contenders.items():
        if name in train_step.PRECISIONS:
            measured.facts["work"] = vars(Work(100 * 10**9, 10 * 10**9))
    about = Machine("a processor", 2, [], "Linux", "3.11")
    return Result(contenders, RATES, about, {"batch": 1})


def test_what_is_kept_of_a_run() -> None:
    found = train_step.as_json(
        result(
            port_float32=Measured(turns=turns(3.0, 4.0, 5.0)),
            port_mixed_bfloat16=Measured(turns=turns(2.0, 2.0, 2.0)),
            companion_eager=Measured(turns=turns(6.0, 6.0, 5.0)),
            companion_compile=Measured(failed="no compiler"),
        )
    )
    assert found["ratio_float32"] == 6.0 / 4.0
    assert found["ratio_mixed_bfloat16"] == 3.0
    assert found["limit_ratio_float32"] == 4.0 / 2.0
    assert found["limit_ratio_mixed_bfloat16"] == 1.0, "emulated bfloat16 is not faster"
    assert found["contenders"]["port_float32"] == {
        "failed": None, "wall_s": 4.0, "cpu_s": 8.0, "peak_mb": 100.0, "peak_gpu_mb": None,
        "device": None,
        "ratio": {"median": 1.5, "low": 1.25, "high": 1.75},
        "wall_s_of_rounds": [3.0, 4.0, 5.0], "cpu_s_of_rounds": [6.0, 8.0, 10.0],
    }  # fmt: skip
    assert found["contenders"]["companion_compile"]["failed"] == "no compiler"
    assert found["contenders"]["companion_compile"]["wall_s"] is None
    assert json.loads(json.dumps(found)) == found


def test_without_a_companion_ratios_are_null_and_it_says_why() -> None:
    found = result(
        port_float32=Measured(turns=turns(4.0)), companion_eager=Measured(failed="no torch")
    )
    kept, table = train_step.as_json(found), train_step.table(found)
    assert kept["ratio_float32"] is kept["ratio_mixed_bfloat16"] is None
    assert kept["limit_ratio_float32"] == 2.0
    assert kept["limit_ratio_mixed_bfloat16"] is None
    assert "companion, float32 was not measured: no torch" in table.splitlines()
    assert "| port, float32 | 4.000 | 8.000 | - | 100 |" in table.splitlines()


def test_bfloat16_counts_where_it_is_faster() -> None:
    assert RATES.product_gflop_s("float32") == RATES.product_gflop_s("mixed_bfloat16") == 100.0
    faster = replace(RATES, bfloat16_gflop_s=400.0)
    assert faster.product_gflop_s("mixed_bfloat16") == 400.0
    assert faster.product_gflop_s("float32") == 100.0
    assert Rates(1.0, 5.0, 3.0).best_of(Rates(2.0, 4.0, 3.0)) == Rates(2.0, 5.0, 3.0)


def test_the_processor_is_named_with_its_instructions(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(
        "model name\t: A B (R)  C\nflags\t\t: fpu avx512_bf16 avx512_bf16x\n\nprocessor : 1\n"
    )
    about = machine.describe(tmp_path / "cpuinfo")
    assert (about.processor, about.bfloat16) == ("A B (R)  C", ["avx512_bf16"])
    assert machine.describe(tmp_path / "missing").bfloat16 == []


def test_rates_are_of_the_size_of_a_machine_s() -> None:
    assert 1e8 < machine.product_flop_s("float32", 0.01, (256,)) < 1e14
    assert 1e8 < machine.copy_byte_s(0.01, 2**22) < 1e13


def test_rates_are_what_is_done_over_what_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Operations are n³ multiplications and n³ additions; bytes are read and written."""
    monkeypatch.setattr(machine, "median_s", lambda work, seconds: seconds)
    assert machine.product_flop_s("float32", 0.5, (10, 20)) == 2 * 20**3 / 0.5
    assert machine.copy_byte_s(0.5, 1000) == 2 * 1000 / 0.5


def test_the_first_time_does_not_count() -> None:
    taken_s = iter([0.5, 0.0, 0.0, 0.0])
    assert machine.median_s(lambda: time.sleep(next(taken_s)), 0.0) < 0.1
    assert next(taken_s, None) is None


def test_settings_reach_the_worker_as_they_are() -> None:
    flags = sizes.parser("port", None)
    sizes.add_flags(flags)
    given = flags.parse_args(["--variant=vc3", "--batch=2", "--frames=64", "--channels=8"])
    config = sizes.to_config(given, "mixed_bfloat16")
    assert config.training.precision == "mixed_bfloat16"
    again = sizes.to_config(flags.parse_args(sizes.to_arguments(config)), "mixed_bfloat16")
    assert again == config
    assert sizes.to_config(flags.parse_args([])) == PRESETS["vc1"]


def test_one_contender_from_the_command_to_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(machine, "measure_elsewhere", lambda: RATES)
    path = tmp_path / "found.json"
    train_step.main(
        ["--channels=4", "--frames=16", "--rounds=1", "--steps=1", "--only=port_float32",
         f"--json={path}"]
    )  # fmt: skip
    found = json.loads(path.read_text())
    assert found["settings"] == {
        "variant": "vc1", "channels": 4, "batch": 1, "frames": 16, "rounds": 1, "steps": 1
    }  # fmt: skip
    assert found["limit_ratio_float32"] > 0
    assert found["ratio_float32"] is None
    assert found["versions"]["tensorflow"] == tf.__version__
    assert list(found["contenders"]) == ["port_float32"]
    assert "| port, float32 | " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--rounds=0", "--rounds: '0'; expected a whole number of at least 1"),
        ("--frames=10", "--frames: '10'; expected a multiple of 4 of at least 4"),
        ("--batch=-1", "--batch: '-1'; expected a whole number of at least 1"),
        ("--only=tensorflow", "--only: invalid choice: 'tensorflow'"),
        ("--variant=vc9", "--variant: invalid choice: 'vc9'"),
    ],
)
def test_wrong_flags_are_refused_in_a_line(
    flag: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        train_step.main([flag])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_without_tensorflow_loaded_the_benchmark_starts() -> None:
    """The benchmark's process must not take the machine from its workers."""
    code = "import sys, benchmarks.train_step; sys.exit('tensorflow' in sys.modules)"
    assert run_command("-c", code).returncode == 0


def test_a_profile_knows_which_operations_ran() -> None:
    """Two matrix products per step take more time than any other kind of operation."""
    matrix = tf.random.stateless_normal((512, 512), (0, 1))
    step = tf.function(lambda: matrix @ (matrix @ tf.random.stateless_uniform((512, 512), (0, 2))))
    step()
    begin_s = time.perf_counter()
    found = step_profile.profile_operations(step, steps=20)
    passed_ms = 1e3 * (time.perf_counter() - begin_s)
    kind, (taken_ms, count) = next(iter(found.items()))
    assert kind.endswith("MatMul")
    assert count == 2
    # The products run one after the other, in less than the measured time.
    assert 0.1 < taken_ms < passed_ms / 20
