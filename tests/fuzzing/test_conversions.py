"""The command convert with damaged recordings: each is converted, or listed with its reason."""

import re
from pathlib import Path

import numpy as np
import soundfile
from conftest import REPOSITORY
from fuzz_harness import Outcome, case_folder, fuzz, list_tree, run_command
from fuzz_recordings import Case, cases
from hypothesis import strategies as st

RUN = REPOSITORY / "tests" / "end_to_end" / "data" / "version_0.1" / "run"

MIN_GOOD_S = 0.1
"""Duration from which an undamaged recording has to be converted, in seconds."""


def is_good(case: Case) -> bool:
    """Return whether a recording has to be converted."""
    return case.samples is not None and len(case.samples) >= MIN_GOOD_S * case.rate_hz


def run_convert(source: Path, output: Path) -> Outcome:
    """Convert a recording or a folder with the run of version 0.1."""
    return run_command("convert", f"--run_dir={RUN}", f"--input={source}", f"--output={output}")


def check_wav(path: Path, case: Case | None) -> None:
    """Check a converted recording, and its length where it is known."""
    samples, rate_hz = soundfile.read(path)
    assert rate_hz == 16_000 and samples.ndim == 1 and len(samples) and np.isfinite(samples).all()
    if case is not None and case.samples is not None:
        assert abs(len(samples) - len(case.samples) * 16_000 / case.rate_hz) <= 1


def test_a_recording_is_converted_or_refused() -> None:
    def check(case: Case) -> None:
        with case_folder() as folder:
            path, output = folder / f"a{case.ending}", folder / "out.wav"
            path.write_bytes(case.content)
            before = list_tree(folder)
            outcome = run_convert(path, output)
            if outcome.status == 0:
                assert "Converted 1 of 1 with step 4" in outcome.output
                check_wav(output, case)
                output.unlink()
            else:
                assert outcome.status == 2 and not is_good(case), outcome
                assert f"--input {path} " in outcome.errors
            assert list_tree(folder) == before

    fuzz(cases(), check, examples=10)


def test_of_many_recordings_each_is_converted_or_listed() -> None:
    def check(found: list[Case]) -> None:
        with case_folder() as folder:
            source, output = folder / "in", folder / "out"
            source.mkdir()
            recordings = {f"{index}{case.ending}": case for index, case in enumerate(found)}
            for name, case in recordings.items():
                (source / name).write_bytes(case.content)
            before = list_tree(source)
            outcome = run_convert(source, output)
            listed = re.findall(r"^failed: (\S+) (.+)$", outcome.output, re.MULTILINE)
            failed = {Path(path).name for path, _ in listed}
            assert len(listed) == len(failed) and failed <= set(recordings), outcome
            assert not failed & {name for name, case in recordings.items() if is_good(case)}
            assert outcome.status == (1 if failed else 0), outcome
            converted = len(recordings) - len(failed)
            assert f"Converted {converted} of {len(recordings)} with step 4" in outcome.output
            wavs = {Path(name).with_suffix(".wav").name for name in set(recordings) - failed}
            assert {path.name for path in output.glob("*")} == wavs
            for name, case in recordings.items():
                if name not in failed:
                    check_wav(output / Path(name).with_suffix(".wav"), case)
            assert list_tree(source) == before

    fuzz(st.lists(cases(), min_size=2, max_size=5), check, examples=5)
