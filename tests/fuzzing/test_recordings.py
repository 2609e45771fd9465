"""Recordings in many containers, whole and damaged: they are read right, or refused in a line."""

from pathlib import Path

import numpy as np
import soundfile
from fuzz_harness import bounded, case_folder, fuzz, list_tree
from fuzz_recordings import Case, cases

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.conversion.converter import Converter, convert_file
from cyclegan_vc_tf.data import analysis_worker, utterances
from cyclegan_vc_tf.data.utterances import Recording
from cyclegan_vc_tf.features.normalization import Statistics

FEATURES = FeatureConfig(f0_method="dio")

STATISTICS = Statistics(np.zeros(24), np.ones(24), 5.0, 0.2)


def check_case(case: Case) -> None:
    """Read, convert and analyse a recording; each ends with a right result or with a reason."""
    with case_folder() as folder:
        path = folder / f"a{case.ending}"
        path.write_bytes(case.content)
        with bounded():
            samples = check_read(path, case)
            check_conversion(path, samples is not None)
            check_analysis(folder, path.name)


def check_read(path: Path, case: Case) -> np.ndarray | None:
    """Read a recording, and compare it with its samples where they are known."""
    try:
        samples, rate_hz = audio_files.read(path)
    except audio_files.AudioError as error:
        assert str(error) and "\n" not in str(error)
        assert case.samples is None or len(case.samples) == 0, f"refused: {error}"
        return None
    assert np.isfinite(samples).all() and len(samples)
    if case.samples is not None:
        assert rate_hz == case.rate_hz
        np.testing.assert_allclose(samples, case.samples, atol=2**-15, rtol=1e-6)
    return samples


def check_conversion(path: Path, is_readable: bool) -> None:
    """Convert a recording with a generator that changes nothing."""
    converter = Converter(lambda spectra: spectra, STATISTICS, STATISTICS, FEATURES)
    output = path.with_name("out.wav")
    try:
        convert_file(converter, path, output)
    except audio_files.AudioError as error:
        assert str(error) and "\n" not in str(error)
        assert [each.name for each in path.parent.iterdir()] == [path.name]
        return
    assert is_readable
    converted, rate_hz = soundfile.read(output)
    assert rate_hz == 16_000 and converted.ndim == 1 and len(converted)
    output.unlink()


def check_analysis(folder: Path, name: str) -> None:
    """Analyse a recording for training; its part says what was wrong."""
    recording = Recording.from_file(folder, name)
    store = folder / "store"
    analysis_worker.analyse_file(folder, store, FEATURES, CorpusConfig(), recording)
    (entry,) = utterances.read_part_entries(store, recording)
    assert bool(entry.skipped) != bool(entry.frames)
    for f0_hz, spectra in utterances.read_part(store, recording):
        assert np.isfinite(f0_hz).all() and np.isfinite(spectra).all()
    assert len(list_tree(store)) == 2


def test_recordings_are_read_right_or_refused() -> None:
    fuzz(cases(), check_case, examples=60)
