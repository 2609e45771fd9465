"""The benchmarks of steps where TensorFlow sees a GPU, with a GPU that is made up."""

import re
from collections.abc import Callable

import gpu_stand_in
import pytest
import tensorflow as tf
from gpu_stand_in import A100, T4
from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XPlane, XSpace
from test_step_benchmark import RATES, result, turns

from benchmarks import step_profile, train_step, variants
from benchmarks.harness import machine, port, sizes, worker
from benchmarks.harness.rounds import Measured
from benchmarks.harness.worker import Turn


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A GPU, and a list that grows with each wait for it."""
    found: list[str] = []
    gpu_stand_in.install(monkeypatch, A100)
    monkeypatch.setattr(tf.test.experimental, "sync_devices", lambda: found.append("waited"))
    memory = {"GPU:0": {"current": 0, "peak": 3_000_000_000}}
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", memory.__getitem__)
    return found


def small(*flags: str) -> object:
    """Settings of a step that takes a moment."""
    parser = sizes.parser("port", None)
    sizes.add_flags(parser)
    return sizes.to_config(parser.parse_args(["--channels=2", "--frames=16", *flags]))


def test_a_step_ends_when_the_gpu_has_finished(waited: list[str]) -> None:
    step, facts = port.training_step(small())
    assert waited == []
    turn = worker.timed(step, 2, port.peak_gpu_mb)
    assert waited == ["waited"] * 2
    assert turn.peak_gpu_mb == 3000.0
    assert facts["device"] == "GPU:0, NVIDIA A100-SXM4-40GB, compute capability 8.0"


def test_without_a_gpu_there_is_none_of_its_memory() -> None:
    assert port.peak_gpu_mb() is None
    assert worker.timed(lambda: None, 1, port.peak_gpu_mb).peak_gpu_mb is None


def test_a_gpu_s_rates_are_measured_to_the_end_of_the_work(
    waited: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each measured call waits once: 3 sizes in both precisions, and a copy."""

    def once(work: Callable[[], object], seconds: float) -> float:
        work()
        return 0.5

    monkeypatch.setattr(machine, "median_s", once)
    monkeypatch.setattr(machine, "GPU_MATRIX_SIZES", (2, 3, 4))
    monkeypatch.setattr(machine, "COPY_BYTES", 4000)
    rates = machine.measure()
    assert len(waited) == 7
    # 4³ multiplications and additions, in half a second.
    assert rates.float32_gflop_s == rates.bfloat16_gflop_s == 2 * 4**3 / 0.5 / 1e9
    assert machine.gpu_copy_byte_s(size=4000) == 2 * 4000 / 0.5
    gpu_stand_in.install(monkeypatch, T4)
    assert machine.measure().bfloat16_gflop_s == 0.0


def gpu_turn(seconds: float) -> list[Turn]:
    """One turn of one step on a GPU."""
    return [Turn([seconds], [seconds], peak_mb=100.0, peak_gpu_mb=2000.0)]


def test_the_table_names_each_contender_s_device() -> None:
    port_facts = {"device": "GPU:0, NVIDIA L4, compute capability 8.9"}
    found = result(
        port_float32=Measured(dict(port_facts), gpu_turn(0.05)),
        companion_eager=Measured({"device": "cpu"}, turns(2.0)),
        companion_compile=Measured(failed="no compiler"),
    )
    lines = train_step.table(found).splitlines()
    assert lines[0].endswith("| peak MB | peak GPU MB |")
    assert len({line.count("|") for line in lines[:5]}) == 1
    assert "| port, float32 | 0.050 | 0.050 | 40.00 (40.00 to 40.00) | 100 | 2000 |" in lines
    assert any(line.startswith("| companion, float32 |") and "| - |" in line for line in lines)
    assert "port, float32: on GPU:0, NVIDIA L4, compute capability 8.9." in lines
    assert "companion, float32: on cpu." in lines
    kept = train_step.as_json(found)["contenders"]["port_float32"]
    assert (kept["peak_gpu_mb"], kept["device"]) == (2000.0, port_facts["device"])
    assert RATES.product_gflop_s("float32") == 100.0


def test_the_table_of_variants_has_memory_and_device(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = {
        "parameters": {"generators": [2_000_000] * 2, "discriminators": [1_000_000] * 2},
        "work": {"flops": 5 * 10**9}, "device": "GPU:0, NVIDIA L4", "versions": {"tensorflow": "3"},
    }  # fmt: skip
    asked = []

    def training_step(config: object, jit: bool) -> tuple[Callable[[], None], dict]:
        asked.append((config.training.precision, jit))
        return lambda: None, facts

    monkeypatch.setattr(port, "training_step", training_step)
    monkeypatch.setattr(port, "peak_gpu_mb", lambda: 1234.5)
    variants.main(["--variant=vc1", "--variant=mask", "--precision=mixed_bfloat16", "--jit"])
    assert asked == [("mixed_bfloat16", True)] * 2
    header, rule, vc1, mask, _, about = capsys.readouterr().out.splitlines()
    assert header.endswith("| CPU s/step | peak GPU MB |")
    assert header.count("|") == rule.count("|") == vc1.count("|") == mask.count("|")
    assert re.fullmatch(r"\| vc1 \| .* \| 2.0 M \| 1.0 M x 2 \| 5 \| \S+ \| \S+ \| 1234 \|", vc1)
    assert about.startswith("Medians of 7 steps in mixed_bfloat16, compiled by XLA. Device: GPU:0,")
    assert "TensorFlow 3, 20" in about


def gpu_plane() -> XPlane:
    """Profile of a GPU: two kernels of a convolution, 2 and 4 ms, and a copy of 1 ms.

    Kernels name their operation in the statistic tf_op: its text, or a reference to it.
    """
    plane = XPlane(name="/device:GPU:0")
    plane.stat_metadata[1].name = "tf_op"
    plane.stat_metadata[2].name = "step/conv/Conv2D:Conv2D"
    plane.event_metadata[1].name = "cudnn_kernel"
    plane.event_metadata[2].name = "MemcpyH2D"
    line = plane.lines.add(name="Stream #7(Compute)")
    one, two = (line.events.add(metadata_id=1, duration_ps=ms * 10**9) for ms in (2, 4))
    one.stats.add(metadata_id=1, ref_value=2)
    two.stats.add(metadata_id=1, str_value="step/conv/Conv2D:Conv2D")
    line.events.add(metadata_id=2, duration_ps=10**9)
    return plane


def test_a_profile_with_a_gpu_counts_its_kernels_alone() -> None:
    host = XPlane(name="/host:CPU")
    host.event_metadata[1].name = "step/conv/Conv2D:Conv2D"
    host.lines.add().events.add(metadata_id=1, duration_ps=5 * 10**9)
    assert step_profile.sum_by_kind(XSpace(planes=[host]), 1) == {"Conv2D": (5.0, 1.0)}
    both = XSpace(planes=[host, gpu_plane()])
    assert step_profile.sum_by_kind(both, 2) == {
        "Conv2D": (3.0, 1.0), step_profile.NO_OPERATION: (0.5, 0.5)
    }  # fmt: skip
