"""The benchmarks count and measure what they say."""

import re

from conftest import run_command


def test_the_table_of_a_variant() -> None:
    done = run_command("-m", "benchmarks.variants", "--variant=vc1", "--steps=1")
    assert done.returncode == 0, done.stderr
    line = done.stdout.splitlines()[-1]
    found = re.fullmatch(
        r"\| vc1 \| 128 x 24 \| 38\.1 M \| 21\.8 M x 2 \| (\d+) \| (\S+) \| (\S+) \|", line
    )
    assert found, line
    # Worked out by hand in test_step_benchmark.
    assert int(found[1]) == 86
    assert 0 < float(found[2]) <= 60


def test_what_cannot_be_measured_is_refused() -> None:
    done = run_command("-m", "benchmarks.variants", "--steps=0")
    assert done.returncode == 2
    assert "--steps: '0'; expected a whole number of at least 1" in done.stderr
