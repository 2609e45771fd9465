"""Compare the steps that `replica_steps.py` saved; print the largest differences from one device.

python step_differences.py ONE_PROCESS.npz [WORKERS_2.npz WORKERS_3.npz ...]

The first file has every variant on device numbers such as `vc1/1/`; each further one has the steps
of the chief of several workers.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

Values = Mapping[str, np.ndarray]

KINDS = ("losses", "scores", "weights")


def kind_of(name: str) -> str:
    """Return the kind of a saved value; empty for one that is not compared here.

    Biases in front of a norm have gradients of rounding noise alone, of which Adam makes full
    steps: they and their moments cannot be compared.
    """
    if name.startswith("variable/"):
        return "" if "bias" in name or "Variable" in name else "weights"
    if "score" in name:
        return "scores"
    return "losses" if "loss/" in name else ""


def largest_differences(found: Values, expected: Values) -> dict[str, float]:
    """Return the largest difference of each kind of values.

    Differences of losses are relative to the largest expected value. Weights and scores are of the
    order of 1, and scores cancel in their means.
    """
    assert found.keys() == expected.keys()
    largest = dict.fromkeys(KINDS, 0.0)
    for name, value in expected.items():
        if kind := kind_of(name):
            scale = max(float(np.max(np.abs(value))), 1e-3) if kind == "losses" else 1.0
            difference = float(np.max(np.abs(found[name] - value))) / scale
            largest[kind] = max(largest[kind], difference)
    return largest


def select(values: Values, prefix: str) -> dict[str, np.ndarray]:
    """Return values whose names begin with a prefix, without it."""
    return {
        key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)
    }


def load(file: Path) -> dict[str, np.ndarray]:
    """Return the values of a file."""
    with np.load(file, allow_pickle=False) as values:
        return dict(values)


def main() -> None:
    """Print a table."""
    flags = argparse.ArgumentParser()
    flags.add_argument("files", type=Path, nargs="+")
    first, *others = flags.parse_args().files
    here, workers = load(first), {path.stem: load(path) for path in others}
    print(f"| variant | replicas | {' | '.join(KINDS)} |\n|---|---|---|---|---|")
    for variant in dict.fromkeys(key.split("/")[0] for key in here):
        expected = select(here, f"{variant}/1/")
        places = dict.fromkeys(key.split("/")[1] for key in here if key.startswith(f"{variant}/"))
        steps = {name: select(here, f"{variant}/{name}/") for name in places if name != "1"}
        steps |= {name: select(values, f"{variant}/") for name, values in workers.items()}
        for name, found in steps.items():
            cells = [f"{each:.1e}" for each in largest_differences(found, expected).values()]
            print(f"| {variant} | {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
