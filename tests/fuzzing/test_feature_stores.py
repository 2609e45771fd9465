"""Feature stores with damaged files: preparation repairs them, or refuses in a line."""

import io
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from conftest import write_voices
from fuzz_harness import bounded, case_folder, fuzz
from fuzz_mutations import Contents, damaged_bytes, damaged_json
from hypothesis import strategies as st

from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data import corpus_summary, feature_store, preparation
from cyclegan_vc_tf.data.utterances import Recording

FEATURES = FeatureConfig(f0_method="dio")


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a folder of recordings and its feature store."""
    folder = tmp_path_factory.mktemp("stores")
    recordings = write_voices(folder / "voice", 150.0, 2, 0.2)
    return recordings, prepare(recordings, folder / "features").folder


def prepare(recordings: Path, features_dir: Path) -> feature_store.FeatureStore:
    """Prepare the store of a folder in this process."""
    corpus = CorpusConfig(features_dir=str(features_dir), workers=1)
    names = sorted(path.name for path in recordings.iterdir())
    return preparation.prepare_store(recordings, names, corpus, FEATURES)


def test_damaged_stores_are_repaired(
    prepared: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    recordings, folder = prepared
    expected = feature_store.FeatureStore(folder)
    names = [path.name for path in folder.iterdir() if path.is_file() and path.stat().st_size]

    def analyse_here(task, items, processes, **options):  # type: ignore[no-untyped-def]
        """Analyse in this process: starting another takes longer than a case."""
        from cyclegan_vc_tf.system.pool import Outcome

        for item in items:
            yield Outcome(item, True, task(item))

    monkeypatch.setattr(preparation.pool, "map_tasks", analyse_here)

    @st.composite
    def damages(draw: st.DrawFn) -> Contents:
        changed = Contents()
        for _ in range(draw(st.integers(1, 2))):
            name = draw(st.sampled_from(names))
            content = (folder / name).read_bytes()
            kind = draw(st.sampled_from(("damaged", "damaged", "damaged", "missing", "swapped")))
            if kind == "missing":
                changed[name] = None
            elif kind == "swapped":
                changed[name] = (folder / draw(st.sampled_from(names))).read_bytes()
            elif name.endswith(".json"):
                changed[name] = draw(damaged_json(content.decode()))
            else:
                changed[name] = draw(damaged_bytes(content))
        if draw(st.integers(0, 2)) == 0:
            part = io.BytesIO()
            with zipfile.ZipFile(part, "w") as archive:
                archive.writestr("utterances.json", draw(st.sampled_from((b"[]", b"{", b"[{}]"))))
            key = Recording.from_file(recordings, "00.wav").key
            changed[f"parts/{key}.npz"] = draw(st.just(b"") | st.just(part.getvalue()))
            changed["index.json"] = None
        return changed

    def check(changed: Contents) -> None:
        with case_folder() as case:
            shutil.copytree(folder, case / folder.name)
            changed.write(case / folder.name)
            with bounded():
                found = prepare(recordings, case)
                corpus_summary.format_table(corpus_summary.read(found.folder))
            assert [each.name for each in found.utterances] == ["00.wav", "01.wav"]
            np.testing.assert_array_equal(found.spectra, expected.spectra)
            np.testing.assert_array_equal(found.f0_hz, expected.f0_hz)

    fuzz(damages(), check, examples=15)
