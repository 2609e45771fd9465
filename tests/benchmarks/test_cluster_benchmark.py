"""Estimates of large corpora, by hand."""

import json

import pytest

from benchmarks import cluster


def test_estimates(capsys: pytest.CaptureFixture[str]) -> None:
    """At 90 processor seconds per hour and 300 bytes of index per utterance of 4 s.

    100 hours: 100 · 90 / 3600 = 2.5 core hours, 2.5 · 60 / 32 = 4.7 min; 72 million frames of 24
    mel-cepstra and F0 in 4 bytes each, 7.2 GB; 90,000 utterances, 27 MB of index.
    """
    cluster.estimate(90.0, {"index_bytes": 300.0, "peak_bytes": 2000.0})
    rows = capsys.readouterr().out.splitlines()
    assert rows[2] == "| 100 | 90,000 | 2.5 | 4.7 min | 0.5 min | 7.2 GB | 0.03 GB | 0.18 GB |"
    assert rows[3].startswith("| 10,000 | 9,000,000 | 250.0 | 468.8 min | 46.9 min | 720.0 GB |")


def test_bytes_of_the_index() -> None:
    """An index of JSON: names, a hash of 64 digits and twelve fields per utterance."""
    few, more = cluster.measure_index(50), cluster.measure_index(100)
    assert few["index_bytes"] == pytest.approx(more["index_bytes"], rel=0.05)
    assert 64 + len("p00000/p00000_00000000.wav") < few["index_bytes"] < 600
    assert few["index_bytes"] < few["held_bytes"] < few["peak_bytes"] < 10_000
    assert json.dumps(few)
