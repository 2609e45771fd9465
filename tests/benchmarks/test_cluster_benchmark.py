"""Estimates of large corpora, by hand."""

import json

import pytest

from benchmarks import cluster


def test_estimates(capsys: pytest.CaptureFixture[str]) -> None:
    """At 90 s per hour, 3 ms per file, 300 bytes of index and 2000 of memory per utterance.

    100 hours: 100 · 90 / 3600 = 2.5 core hours, 2.5 · 60 / 32 = 4.7 min; 90,000 files of 4 s keep
    the scheduler 270 s busy, 600 files 1.8 s; 72 million frames of 24 mel-cepstra and F0 in 4 bytes
    each are 7.2 GB; 90,000 utterances have 27 MB of index.
    """
    cluster.estimate(90.0, 3.0, {"index_bytes": 300.0, "peak_bytes": 2000.0})
    rows = capsys.readouterr().out.splitlines()
    sizes = "7.2 GB | 0.03 GB | 0.18 GB |"
    assert rows[2] == f"| 100 h, files of 4 s | 2.5 | 4.5 min | 4.7 min | 4.5 min | {sizes}"
    assert rows[3] == (
        f"| 100 h, files of 10 min, split | 2.5 | 0.0 min | 4.7 min | 0.5 min | {sizes}"
    )
    assert rows[4].startswith(
        "| 10,000 h, files of 4 s | 250.0 | 450.0 min | 468.8 min | 450.0 min | 720.0 GB |"
    )


def test_bytes_of_the_index() -> None:
    """An index of JSON: names, a hash of 64 digits and twelve fields per utterance."""
    few, more = cluster.measure_index(50), cluster.measure_index(100)
    assert few["index_bytes"] == pytest.approx(more["index_bytes"], rel=0.05)
    assert 64 + len("p00000/p00000_00000000.wav") < few["index_bytes"] < 600
    assert few["index_bytes"] < few["held_bytes"] < few["peak_bytes"] < 10_000
    assert json.dumps(few)
