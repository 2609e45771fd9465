"""Decisions by device, with lists of devices that are replaced."""

import time
from pathlib import Path

import gpu_stand_in
import pytest
import tensorflow as tf
from conftest import finished
from gpu_stand_in import A100, T4

from cyclegan_vc_tf.system import device, processor
from cyclegan_vc_tf.system.device import Device


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of NVIDIA's driver with one GPU, which TensorFlow does not list."""
    gpus = tmp_path / "gpus"
    (gpus / "0000:01:00.0").mkdir(parents=True)
    monkeypatch.setattr(device, "NVIDIA_FOLDERS", (gpus, tmp_path / "wsl"))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return gpus


def test_without_a_gpu_the_cpu_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    found = device.current()
    assert (found.name, found.convolves_by_matmul, found.capability) == ("CPU:0", True, None)
    assert found.peak_memory_mb() is None
    batches = tf.data.Dataset.range(3)
    assert found.prefetch(batches) is batches
    found.synchronize()
    for native in (False, True):
        monkeypatch.setattr(processor, "has_bfloat16", lambda native=native: native)
        assert device.current().has_bfloat16 is native


@pytest.mark.parametrize(
    ("details", "bfloat16"),
    [
        (A100, True),
        ({"device_name": "NVIDIA L4", "compute_capability": (8, 9)}, True),
        ({"device_name": "NVIDIA B200", "compute_capability": (10, 0)}, True),
        (T4, False),
        ({"device_name": "METAL"}, False),
        ({}, False),
    ],
)
@pytest.mark.parametrize("processor_has_it", [False, True])
def test_a_gpu_computes_whatever_the_processor_can(
    details: dict, bfloat16: bool, processor_has_it: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processor, "has_bfloat16", lambda: processor_has_it)
    gpu_stand_in.install(monkeypatch, details)
    found = device.current()
    assert (found.name, found.convolves_by_matmul) == ("GPU:0", False)
    assert found.has_bfloat16 is bfloat16


def refuse(*given: object) -> None:
    raise AssertionError("a setting for CPUs was made")


def test_a_gpu_gets_no_setting_of_a_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of two GPUs is hidden, the other takes memory as needed, threads stay as they are."""
    gpus, grown = gpu_stand_in.install(monkeypatch, A100, T4), []
    for name in ("configure_process", "keep_memory", "set_thread_pools"):
        monkeypatch.setattr(processor, name, refuse)
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda *given: grown.append(given)
    )
    device.configure_training()
    assert grown == [(gpus[0], True)]
    assert tf.config.get_visible_devices("GPU") == gpus[:1]
    assert device.current() == Device(gpus[0])


def test_a_training_on_all_gpus_hides_none(monkeypatch: pytest.MonkeyPatch) -> None:
    gpus, grown = gpu_stand_in.install(monkeypatch, A100, T4), []
    monkeypatch.setattr(
        tf.config.experimental, "set_memory_growth", lambda *given: grown.append(given)
    )
    device.configure_training(uses_all=True)
    assert grown == [(gpus[0], True), (gpus[1], True)]
    assert tf.config.get_visible_devices("GPU") == gpus


def test_a_cpu_gets_no_setting_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    monkeypatch.setattr(processor, "configure_process", lambda: called.append("configure_process"))
    for name in ("set_memory_growth", "get_device_details"):
        monkeypatch.setattr(tf.config.experimental, name, refuse)
    monkeypatch.setattr(tf.config, "set_visible_devices", refuse)
    device.configure_training()
    device.configure_gpu()
    assert called == ["configure_process"]


@pytest.mark.parametrize("error", [RuntimeError, ValueError])
def test_a_gpu_that_takes_no_settings_is_used_all_the_same(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """TensorFlow raises RuntimeError once it has begun, and ValueError for other kinds of GPU."""

    def fail(*given: object) -> None:
        raise error("no")

    gpus = gpu_stand_in.install(monkeypatch, A100, A100)
    monkeypatch.setattr(tf.config, "set_visible_devices", fail)
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", fail)
    device.configure_training()
    assert device.current() == Device(gpus[0])


def test_networks_are_built_after_the_gpu_s_settings() -> None:
    """In a process of its own: what is listed is set, and nothing has begun before."""
    code = """
import tensorflow as tf
from tensorflow.python.eager import context
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.vocoders import melgan
gpu = tf.config.PhysicalDevice("/physical_device:GPU:0", "GPU")
tf.config.get_visible_devices = lambda kind=None: [gpu]
def grow(device, enabled):
    print(device.name, enabled, context.context()._initialized)
    raise RuntimeError
tf.config.experimental.set_memory_growth = grow
melgan.build(melgan.Architecture(8, 4, (2,), (1,)), {})
registry.build_networks(RunConfig(network=NetworkConfig(channels=2)), ["generator_A2B"])
"""
    assert finished("-c", code).splitlines() == [
        "/physical_device:GPU:0 True False", "/physical_device:GPU:0 True True"
    ]  # fmt: skip


def test_what_a_training_says_about_its_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu_stand_in.install(monkeypatch, A100)
    for precision in ("float32", "mixed_bfloat16"):
        assert device.current().describe_training(precision) == [
            "Training on GPU:0, NVIDIA A100-SXM4-40GB, compute capability 8.0."
        ]
    gpu_stand_in.install(monkeypatch, T4, A100, A100)
    first, others, bfloat16 = device.current().describe_training("mixed_bfloat16")
    assert first == "Training on GPU:0, Tesla T4, compute capability 7.5."
    assert others == (
        "2 more GPUs are not used; --strategy=mirrored uses all, CUDA_VISIBLE_DEVICES=1 chooses "
        "the second."
    )
    assert bfloat16 == (
        "Tesla T4 has no bfloat16 (compute capability 7.5; expected at least 8.0): "
        "--precision=float32 is faster here."
    )
    device.configure_gpu()
    assert device.current().describe_training("float32") == [first, others]
    assert device.current().describe_training("float32", uses_all=True) == [first]
    gpu_stand_in.install(monkeypatch, {})
    assert device.current().describe_training("float32") == ["Training on GPU:0."]
    (_, unknown) = device.current().describe_training("mixed_bfloat16")
    assert unknown.startswith("It is unknown whether GPU:0 multiplies bfloat16: factors")


def test_a_gpu_without_its_libraries_is_named(driver: Path) -> None:
    (line,) = device.current().describe_training("float32")
    assert "does not see this machine's NVIDIA GPU and trains on the CPU" in line
    assert "[cuda]" in line and "CUDA_VISIBLE_DEVICES=-1" in line
    next(driver.iterdir()).rmdir()
    assert device.current().describe_training("float32") == []
    (driver.parent / "wsl").mkdir()
    (driver.parent / "wsl" / "libcuda.so.1").touch()
    assert device.current().describe_training("float32") == [line]


@pytest.mark.parametrize("hidden", ["", "-1", " "])
def test_a_gpu_that_is_hidden_on_purpose_is_not_named(
    hidden: str, driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
    assert device.current().describe_training("float32") == []


def test_a_gpu_that_is_hidden_in_python_is_not_named(
    driver: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu_stand_in.install(monkeypatch, A100)
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind=None: [])
    assert device.current().describe_training("float32") == []


def test_the_work_of_a_gpu_is_waited_for_and_its_memory_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited = []
    gpu_stand_in.install(monkeypatch, A100)
    monkeypatch.setattr(tf.test.experimental, "sync_devices", lambda: waited.append(1))
    memory = {"GPU:0": {"current": 1_000_000, "peak": 2_500_000}}
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", memory.__getitem__)
    device.current().synchronize()
    assert waited == [1]
    assert device.current().peak_memory_mb() == 2.5
    monkeypatch.undo()
    # TensorFlow refuses a device without counters of memory.
    assert Device(object()).peak_memory_mb() is None


def test_batches_are_copied_to_another_device_in_their_order() -> None:
    """To a second logical CPU in a process of its own; the end of an iterator comes at once."""
    code = """
import time
import numpy as np
import tensorflow as tf
cpu, = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from cyclegan_vc_tf.system import device
options = tf.data.Options()
options.autotune.enabled = False
def read(number):
    return tf.numpy_function(lambda n: np.float32(n), (number,), tf.float32, stateful=False)
batches = tf.data.Dataset.range(10).map(read).batch(2).prefetch(8).with_options(options)
copied = device._prefetch_to("CPU:1", batches)
assert copied.options().autotune.enabled is False
found = list(copied)
print([each.numpy().tolist() for each in found], {each.device[-5:] for each in found})
iterator = iter(copied)
next(iterator)
begin = time.perf_counter()
del iterator
assert time.perf_counter() - begin < 30
"""
    expected = "[[0.0, 1.0], [2.0, 3.0], [4.0, 5.0], [6.0, 7.0], [8.0, 9.0]] {'CPU:1'}"
    assert finished("-c", code).splitlines() == [expected]


def test_asking_for_the_device_costs_microseconds() -> None:
    """Each convolution asks once per trace, and once per call outside of a graph."""
    device.current()
    begin_s = time.process_time()
    for _ in range(1000):
        assert device.current().convolves_by_matmul
    assert time.process_time() - begin_s < 1.0
