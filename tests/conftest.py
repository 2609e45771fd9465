"""What several tests need: quiet TensorFlow, small settings, small made-up voices."""

import contextlib
import gc
import importlib
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from tensorflow.python.framework import config as tf_config

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.runs import events
from cyclegan_vc_tf.system import processor, signals
from cyclegan_vc_tf.training.trainer import Trainer

REPOSITORY = Path(__file__).parents[1]

# Threads and graphs of a training, so that what runs in this process equals it bit for bit.
processor.set_thread_pools()
processor.choose_graph_optimizers()

SMALL_NETWORK = NetworkConfig(channels=4, residual_blocks=1)


LONGEST = (
    "test_web_page", "test_end_to_end", "test_variants_end_to_end", "test_web_live",
    "test_determinism", "test_workers", "test_distribution", "test_trajectories", "test_mutants",
)  # fmt: skip
"""Files that take longest, in their order.

Those of a browser mostly wait, and would leave the cores idle if they ran side by side.
"""


STACK_INDEPENDENT = {
    "audio/": "reads, cuts and resamples recordings with soundfile and soxr",
    "benchmarks/": "starts many processes; benchmarks are run by hand",
    "cli/test_commands.py": "prints help, presets and errors of commands",
    "cli/test_recording_warnings.py": "reads recordings through subprocesses",
    "cli/test_stopped_conversions.py": "sends signals, as to trainings of workers",
    "cli/test_system_errors.py": "starts commands in read-only folders",
    "config/": "parses flags and files",
    "conversion/test_adaptation.py": "estimates statistics of voices with NumPy and WORLD",
    "data/test_archives.py": "unpacks archives",
    "data/test_corpora.py": "lists public corpora",
    "data/test_corpus_summary.py": "counts lengths, levels and F0 with NumPy and WORLD",
    "data/test_download.py": "downloads from a local server, with waits",
    "data/test_preparation.py": "analyses recordings, as features/ does on both stacks",
    "data/test_preparation_cluster.py": "starts a cluster of processes without TensorFlow",
    "data/test_preparation_workers.py": "starts and kills processes that do not import TensorFlow",
    "data/test_splitting.py": "cuts long recordings",
    "develop/": "follows pages of the documentation",
    "docs/": "reads documents",
    "end_to_end/test_odd_names.py": "starts commands in folders with odd names",
    "end_to_end/test_read_only_user.py": "starts commands as another user",
    "end_to_end/test_variants_end_to_end.py::test_a_flag_file_of_a_training": "prepares only",
    "end_to_end/test_end_to_end.py": "minutes of trainings that are killed and resumed; "
    "test_stacks.py resumes runs of both stacks",
    "end_to_end/test_variants_end_to_end.py::test_a_variant_from_recordings_to_converted_speech"
    "[": "starts commands, as test_stacks.py does; models/ and training/ compute all variants",
    "end_to_end/test_variants_end_to_end.py::test_a_resumed_mask_training": "resumes a run, as "
    "test_stacks.py does; test_dataset.py draws masks by seed and step",
    "fuzzing/": "damages files at random, which the project's own checks refuse",
    "evaluation/test_comparison.py": "makes pages of runs; test_api.py evaluates one",
    "evaluation/test_evaluating.py": "measures conversions with NumPy; test_api.py evaluates one",
    "evaluation/test_report.py": "writes tables and pages of measurements",
    "evaluation/test_recognizers.py": "runs a recognizer, which has no TensorFlow",
    "hub/test_publishing.py": "packs and opens run folders; test_stacks.py reads runs of both",
    "inspection/": "reads and damages run folders; test_stacks.py reads runs of both",
    "interop/test_page.py": "drives a browser; test_exports.py runs the files of the page",
    "notebooks/": "starts Jupyter's kernels",
    "serving/web/": "drives a browser; the page calls the Python API, whose tests run",
    "runs/test_evaluation_history.py": "keeps scores and the best checkpoint",
    "runs/test_resume_recordings.py": "compares names and hashes of recordings",
    "streaming/test_adapted_stream.py": "scales features with NumPy; test_stream.py converts them",
    "streaming/test_mel_stream.py::test_a_run_is_converted_live": "starts a command; the file's "
    "other tests convert the same streams",
    "streaming/test_stream_adaptation.py": "estimates maps of voices with NumPy; test_stream.py "
    "converts the same streams",
    "streaming/test_source_filter_stream.py::test_a_run_is_converted_live": "starts a command; the "
    "file's other tests convert the same streams",
    "system/test_dask_cluster.py": "starts a cluster of processes without TensorFlow",
    "system/test_remote_files.py": "lists and reads files of a local server",
    "system/test_pool.py": "starts and kills processes that do not import TensorFlow",
    "system/test_scripts.py": "starts scripts that start processes",
    "system/test_signals.py": "sends signals to processes",
    "training/test_callbacks.py": "calls functions of Python before and after steps",
    "training/test_determinism.py::test_two_trainings_are": "trains beside load, as the steps of "
    "the same file",
    "training/test_feature_plots.py": "draws features with matplotlib",
    "training/test_teacher.py": "converts recordings and computes their features, as conversion/ "
    "and features/ do on both stacks",
    "training/test_workers.py": "starts, stops and kills workers; test_distribution.py "
    "compares their steps",
    "vocoder_training/test_cycles.py": "prepares and resumes trainings; test_vocoder_trainer.py "
    "trains and repeats one",
    "vocoder_training/test_train_vocoder.py": "starts and stops trainings; "
    "test_vocoder_trainer.py trains and repeats one",
    "test_api.py::test_the_examples": "follows docstrings and pages of the documentation; the "
    "file's other tests call the same functions",
    "test_architecture.py": "reads the sources",
    "test_lite.py": "installs and runs a package that has no TensorFlow",
    "test_packaging.py": "builds and installs packages",
}
"""Folders, files and tests that `--living` leaves out, with the reason why each is slow or says
nothing about the stack. The reference stack runs all of them."""


def is_stack_independent(name: str) -> bool:
    """Return whether `--living` leaves out a test or a whole path, named from the repository."""
    return name.removeprefix("tests/").startswith(tuple(STACK_INDEPENDENT))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import files that are left out, and what they need."""
    if not config.getoption("--living"):
        return None
    folder = "/" if collection_path.is_dir() else ""
    return is_stack_independent(collection_path.relative_to(REPOSITORY).as_posix() + folder) or None


def pytest_xdist_auto_num_workers() -> int:
    """One more process than cores: tests of pages, servers and commands mostly wait."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_finish() -> None:
    """Leave modules and tests, which stay until the end, out of each collection of garbage.

    Collections are fewer than Python's default, with which they take a twentieth of the tests'
    time.
    """
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--living",
        action="store_true",
        help="leave out tests that do not depend on TensorFlow, Keras or NumPy",
    )
    parser.addoption(
        "--busy", type=int, default=0, metavar="N", help="keep N processes busy beside the tests"
    )


@pytest.fixture(scope="session", autouse=True)
def busy_session(request: pytest.FixtureRequest, worker_id: str) -> Iterator[None]:
    """Processes of `--busy`, once however many workers pytest has."""
    count = request.config.getoption("--busy") if worker_id in ("master", "gw0") else 0
    with busy_processes(count):
        yield


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest files first: nobody is to wait for the last of them."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.stem, len(LONGEST)))
    if not config.getoption("--living"):
        return
    independent = [item for item in items if is_stack_independent(item.nodeid)]
    config.hook.pytest_deselected(items=independent)
    items[:] = [item for item in items if item not in set(independent)]


def voice(
    f0_hz: float, seconds: float, seed: int, sample_rate_hz: int = 16_000, formant_hz: float = 700
) -> np.ndarray:
    """A made-up voice: harmonics of a slowly moving F0 under one formant, in syllables."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * sample_rate_hz)) / sample_rate_hz
    bend = 1 + 0.1 * np.sin(2 * np.pi * (rng.uniform(0.7, 1.5) * time_s + rng.uniform()))
    phase = 2 * np.pi * np.cumsum(f0_hz * bend) / sample_rate_hz
    wave = np.zeros(len(time_s))
    for harmonic in range(1, int(0.45 * sample_rate_hz / (1.1 * f0_hz))):
        gain = 1 / (1 + ((harmonic * f0_hz - formant_hz) / 300) ** 2) + 0.02
        wave += gain * np.sin(harmonic * phase)
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 4 * time_s + rng.uniform(0, 6))
    wave = wave * syllables + 1e-3 * rng.standard_normal(len(wave))
    return (0.3 * wave / np.max(np.abs(wave))).astype(np.float32)


def write_voices(folder: Path, f0_hz: float, count: int, seconds: float = 0.6) -> Path:
    """Several utterances of a made-up voice, a little longer one after the other."""
    folder.mkdir(parents=True)
    for index in range(count):
        wave = voice(f0_hz, seconds + 0.05 * index, seed=index + int(f0_hz))
        soundfile.write(folder / f"{index:02}.wav", wave, 16_000)
    return folder


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two made-up voices, `low` (110 Hz) and `high` (210 Hz), of six utterances each."""
    folder = tmp_path_factory.mktemp("corpus")
    write_voices(folder / "low", 110.0, 6)
    write_voices(folder / "high", 210.0, 5)
    return folder


@pytest.fixture(scope="session")
def small_config() -> RunConfig:
    """Settings that build and train in a moment."""
    return RunConfig(
        features=FeatureConfig(f0_method="dio"),
        network=SMALL_NETWORK,
        training=TrainingConfig(crop_frames=16, steps=4),
    )


@contextlib.contextmanager
def steps_without_graph() -> Iterator[None]:
    """Train step by step, without a graph, in the block.

    For tests of what happens around a few steps: a graph of four networks takes as long to build
    as ten such steps. The graph and its numbers have tests of their own.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "train_step", Trainer.train_step.python_function)
        yield


@pytest.fixture
def without_graph() -> Iterator[None]:
    """Train without a graph in a test; see `steps_without_graph`."""
    with steps_without_graph():
        yield


BUSY_LOOP = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
"""Script that takes all the time it can get, and ends when the tests end."""


def missing_load() -> int:
    """Return the number of busy processes that load every core, and one more, beside a test.

    Pytest's other workers are such processes too. At least one is started in any case.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))
    return max(1, (os.cpu_count() or 1) + 1 - (workers - 1))


@contextlib.contextmanager
def busy_processes(count: int | None = None) -> Iterator[None]:
    """Run busy processes beside the block, which compete with it for the cores.

    Args:
        count: Number of processes; by default as many as `missing_load` says.
    """
    count = missing_load() if count is None else count
    running = [subprocess.Popen([sys.executable, "-c", BUSY_LOOP]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


@pytest.fixture
def busy() -> Iterator[None]:
    """Busy processes beside a test; see `missing_load`."""
    with busy_processes():
        yield


def run_command(*arguments: str | Path, timeout_s: float = 600) -> subprocess.CompletedProcess:
    """Runs Python with these arguments, from the repository's top, in a process of its own."""
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )


def run_here(door: str, *arguments: str | Path) -> subprocess.CompletedProcess:
    """Runs train.py or convert.py in this process, which has TensorFlow loaded already."""
    command = importlib.import_module(f"cyclegan_vc_tf.cli.{door.removesuffix('.py')}")
    streams = [io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2)]
    handlers = {number: signal.getsignal(number) for number in signals.SIGNALS}
    before, determinism = sys.argv, tf_config.is_op_determinism_enabled()
    sys.argv = [door, *map(str, arguments)]
    try:
        with (
            contextlib.redirect_stdout(streams[0]),
            contextlib.redirect_stderr(streams[1]),
            pytest.raises(SystemExit) as ended,
        ):
            command.main()
    finally:
        sys.argv = before
        # `--deterministic` is for the whole process, which other tests go on in.
        if not determinism:
            tf_config.disable_op_determinism()
        for number, handler in handlers.items():
            signal.signal(number, handler)
    output, errors = (stream.buffer.getvalue().decode() for stream in streams)
    return subprocess.CompletedProcess(sys.argv, ended.value.code, output, errors)


def finished(*arguments: str) -> str:
    """Runs a command to its end; gives what it printed."""
    return _output(run_command(*arguments))


def finished_here(*arguments: str | Path) -> str:
    """Runs a command to its end in this process; gives what it printed."""
    return _output(run_here(*arguments))


def _output(done: subprocess.CompletedProcess) -> str:
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def variables(run_dir: Path, step: int) -> dict[str, np.ndarray]:
    reader = tf.train.load_checkpoint(str(run_dir / "checkpoints" / f"ckpt-{step}"))
    names = reader.get_variable_to_shape_map()
    return {name: reader.get_tensor(name) for name in names if not name.startswith("_")}


def scalars(run_dir: Path, prefix: str = "") -> dict[tuple[str, int], float]:
    """Every scalar in the event files; one that is there twice is an error."""
    found: dict[tuple[str, int], float] = {}
    for name, step, value in events.iterate_scalars(run_dir):
        if name.startswith(prefix):
            assert (name, step) not in found, f"{name} is there twice at step {step}"
            found[name, step] = value
    return found


def other_events(run_dir: Path) -> dict[str, set[int]]:
    """Steps of pictures, sounds and text in the event files, by plugin and tag."""
    found: dict[str, set[int]] = {}
    for path in run_dir.glob("events.out.tfevents.*"):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                plugin = value.metadata.plugin_data.plugin_name
                found.setdefault(f"{plugin} {value.tag}", set()).add(event.step)
    return found
