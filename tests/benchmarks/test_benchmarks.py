"""The benchmarks of variants and of corpus size."""

import json
import re
from pathlib import Path

import soundfile
from conftest import REPOSITORY, run_command

from benchmarks import corpus_size


def test_the_table_of_a_variant() -> None:
    done = run_command("-m", "benchmarks.variants", "--variant=vc1", "--steps=1", timeout_s=1200)
    assert done.returncode == 0, done.stderr
    *_, line, _, about = done.stdout.splitlines()
    found = re.fullmatch(
        r"\| vc1 \| 128 x 24 \| 38\.1 M \| 21\.8 M x 2 \| (\d+) \| (\S+) \| (\S+) \|", line
    )
    assert found, line
    # Calculated by hand in test_step_benchmark.
    assert int(found[1]) == 86
    assert 0 < float(found[2]) <= 60
    assert about.startswith("Medians of 1 steps in float32. Device: CPU:0")


def test_what_cannot_be_measured_is_refused() -> None:
    done = run_command("-m", "benchmarks.variants", "--steps=0")
    assert done.returncode == 2
    assert "--steps: '0'; expected a whole number of at least 1" in done.stderr


def test_the_memory_of_a_preparation(tmp_path: Path) -> None:
    audio_dir = REPOSITORY / "data/demo/train/heart"
    corpus_size.write_corpus(tmp_path / "long", audio_dir, corpus_size.LONG, 0.03)
    corpus_size.write_corpus(tmp_path / "short", audio_dir, corpus_size.SHORT, 0.01)
    long, short = (sorted((tmp_path / name).iterdir()) for name in ("long", "short"))
    assert len(long) == 3 and len(short) == 4
    # 0.03 hours in three files, each with up to 5 s more.
    for path in long:
        assert 36 <= soundfile.info(path).duration <= 41
    done = run_command("-m", "benchmarks.corpus_size", f"--prepare={tmp_path}/long", "--split")
    cost = json.loads(done.stdout.splitlines()[-1])
    # 80 recordings of 2.4 to 4.3 s, each followed by a pause of 0.5 s.
    assert cost["files"] == 3 and 3 * 36 / 4.8 < cost["utterances"] < 3 * 41 / 2.9
    assert 40 < cost["worker_mb"] < 400 and 40 < cost["main_mb"] < 400
