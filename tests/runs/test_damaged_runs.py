"""Run folders with damaged or forged files are refused in one line."""

import json
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from conftest import REPOSITORY

from cyclegan_vc_tf.runs import events, run_folder
from cyclegan_vc_tf.system.errors import InputError

RUN = REPOSITORY / "tests" / "end_to_end" / "data" / "version_0.1" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    shutil.copytree(RUN, tmp_path / "run")
    return tmp_path / "run"


def change_json(path: Path, *keys: str, value: object) -> None:
    """Replace a value in a JSON file."""
    data = json.loads(path.read_text())
    inner = data
    for key in keys[:-1]:
        inner = inner[key]
    inner[keys[-1]] = value
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    ("keys", "value", "reason"),
    [
        (("network", "channels"), -1, "channels is -1"),
        (("network", "variant"), "vc9", "vc9"),
        (("network", "generator_kernels"), ["9" * 5000] * 7, "expected the form"),
        (("network", "norm_epsilon"), float("nan"), "norm_epsilon is nan"),
        (("features", "sample_rate_hz"), 0, "sample_rate_hz is 0"),
        (("features", "f0_ceiling_hz"), float("inf"), "f0_ceiling_hz is inf"),
        (("features", "f0_method"), "guess", "f0_method is 'guess'"),
        (("corpus", "source_dir"), "a\0b", "no path can have"),
        (("training",), [], "expected settings by name"),
    ],
)
def test_settings_beyond_the_bounds_of_their_flags_are_refused(
    run: Path, keys: tuple[str, ...], value: object, reason: str
) -> None:
    """A rate of 0 divided by zero; other values ended in tracebacks of Keras or of WORLD."""
    change_json(run / "config.json", *keys, value=value)
    with pytest.raises(InputError, match=f"is damaged.*{reason}"):
        run_folder.open_run(run)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("published.json", '{"step": 1e999}'),
        ("published.json", '{"step": -1}'),
        ("imported.json", '{"step": 1e999, "untrained": []}'),
        ("imported.json", '{"step": 4, "untrained": [5]}'),
        ("corpus.json", "[" * 100_000),
        ("corpus.json", '{"A": {"training": {}, "held_out": 5}, "B": {"training": {}}}'),
        ("corpus.json", '{"A": {"training": {"a\\u0000b": ""}}, "B": {"training": {}}}'),
        ("config.json", "{" + '"network":{' * 50_000),
    ],
)
def test_damaged_json_is_refused(run: Path, name: str, content: str) -> None:
    (run / name).write_text(content)
    with pytest.raises(InputError, match="is damaged"):
        run_folder.open_run(run)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("A_mean", np.zeros(80)),
        ("B_deviation", np.full(24, np.nan)),
        ("B_deviation", -np.ones(24)),
        ("A_mean", np.zeros(24, "U3")),
        ("A_log_f0_mean", 1e6),
        ("A_log_f0_deviation", -0.1),
    ],
)
def test_statistics_of_another_run_are_refused(run: Path, key: str, value: object) -> None:
    with np.load(run / "statistics.npz") as arrays:
        changed = {**arrays, key: value}
    np.savez(run / "statistics.npz", **changed)
    with pytest.raises(InputError, match=f"statistics.npz: {key}"):
        run_folder.open_run(run)


@pytest.mark.parametrize("means", ['{"A2B": 5}', '{"A2B": {"mcd_db": "x"}}'])
def test_the_best_step_of_damaged_evaluations_is_refused(run: Path, means: str) -> None:
    (run / "evaluations.json").write_text(f'{{"4": {means}}}')
    with pytest.raises(InputError, match=r"evaluations\.json is damaged"):
        run_folder.open_run(run).pick("best")


def test_a_step_of_very_many_digits_is_refused(run: Path) -> None:
    with pytest.raises(InputError, match="expected a number"):
        run_folder.open_run(run).pick("9" * 5000)


def mask_crc32c(data: bytes) -> int:
    """Return the masked CRC-32C that protects a record's length."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (crc >> 15 | crc << 17) + 0xA282EAD8 & 0xFFFFFFFF


def test_a_forged_length_in_an_event_file_ends_its_records(run: Path) -> None:
    """TensorFlow allocates the stated bytes before it reads them, which killed the process."""
    (file,) = run.glob(events.EVENT_FILES)
    records = list(events.read_records(file))
    length = struct.pack("<Q", 1 << 40)
    with file.open("ab") as opened:
        opened.write(length + struct.pack("<I", mask_crc32c(length)) + b"abc")
    assert list(events.read_records(file)) == records and len(records) > 10


def test_records_that_are_no_events_are_left_out(run: Path) -> None:
    (file,) = run.glob(events.EVENT_FILES)
    expected = list(events.iterate_scalars(run))
    with tf.io.TFRecordWriter(str(file.with_name("events.out.tfevents.other"))) as writer:
        writer.write(b"\xff\xff\xff")
    assert list(events.iterate_scalars(run)) == expected
    (run / "events.out.tfevents.folder").mkdir()
    assert list(events.iterate_scalars(run)) == expected
