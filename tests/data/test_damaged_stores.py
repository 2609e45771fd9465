"""Feature stores with damaged files are repaired."""

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conftest import write_voices

from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import corpus_summary, preparation, utterances
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.data.utterances import Recording
from cyclegan_vc_tf.system import pool


def analyse_here(task, items, processes, **options):  # type: ignore[no-untyped-def]
    """Analyse in this process, in place of `pool.map_tasks`."""
    for item in items:
        yield pool.Outcome(item, True, task(item))


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], FeatureStore]:
    """Return a function that prepares a folder of one recording."""
    monkeypatch.setattr(preparation.pool, "map_tasks", analyse_here)
    recordings = write_voices(tmp_path / "voice", 150.0, 1, 0.2)
    corpus = CorpusConfig(features_dir=str(tmp_path / "features"), workers=1)

    def prepare() -> FeatureStore:
        config = FeatureConfig(f0_method="dio")
        return preparation.prepare_store(recordings, ["00.wav"], corpus, config)

    return prepare


def empty(path: Path) -> None:
    path.write_bytes(b"")


def state_a_giant_array(path: Path) -> None:
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776, 24), }\n"
    head = b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header.encode()
    path.write_bytes(head + bytes(96))


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 64
    path.write_bytes(content)


def nest_deeply(path: Path) -> None:
    path.write_text("[" * 100_000)


def change_the_power(path: Path) -> None:
    path.write_text(re.sub(r'"power": [\d.]+', '"power": 0.5', path.read_text()))


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        *product(("spectra-*.npy", "f0_hz-*.npy"), (empty, state_a_giant_array, flip_a_bit)),
        ("index.json", nest_deeply),
        ("index.json", change_the_power),
    ],
)
def test_a_damaged_store_is_made_again(
    prepare: Callable[[], FeatureStore], name: str, damage: Callable[[Path], None]
) -> None:
    before = prepare()
    spectra, f0_hz, power = (
        np.array(before.spectra),
        np.array(before.f0_hz),
        before.utterances[0].power,
    )
    (path,) = before.folder.glob(name)
    damage(path)
    after = prepare()
    np.testing.assert_array_equal(after.spectra, spectra)
    np.testing.assert_array_equal(after.f0_hz, f0_hz)
    assert after.utterances[0].power == power


def test_a_store_without_checksums_is_read(prepare: Callable[[], FeatureStore]) -> None:
    """Stores of older versions have none."""
    index = prepare().folder / "index.json"
    text = index.read_text()
    index.write_text(text[: text.index(', "crc32"')] + "}")
    assert [each.name for each in FeatureStore(index.parent).utterances] == ["00.wav"]


def test_a_damaged_part_is_analysed_again(
    prepare: Callable[[], FeatureStore], tmp_path: Path
) -> None:
    store = prepare()
    spectra = np.array(store.spectra)
    (store.folder / "index.json").unlink()
    part = utterances.part_path(store.folder, Recording.from_file(tmp_path / "voice", "00.wav"))
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(b"PK")
    np.testing.assert_array_equal(prepare().spectra, spectra)


def test_a_damaged_summary_is_made_again(prepare: Callable[[], FeatureStore]) -> None:
    folder = prepare().folder
    expected = corpus_summary.format_table(corpus_summary.read(folder))
    path = folder / corpus_summary.SUMMARY_FILE
    path.write_text(path.read_text().replace('"utterances": 1', '"utterances": 7'))
    prepare()
    assert corpus_summary.format_table(corpus_summary.read(folder)) == expected
