"""Tell whether a release of TensorFlow or Keras exists that pyproject.toml does not allow yet.

    python .ci/next_tensorflow.py

It asks pip for the releases that fit this Python, which has to be 3.12 or later. The exit status is
0 if there is none, 1 if there is one. Then see docs/develop/next_tensorflow.md.
"""

import re
import subprocess
import sys
from pathlib import Path

import tomllib
from packaging.requirements import Requirement
from packaging.version import Version

PACKAGES = ("tensorflow", "keras")


def allowed() -> dict[str, Requirement]:
    """Return the requirements of this Python by package."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    found = map(Requirement, tomllib.loads(text)["project"]["dependencies"])
    return {
        each.name: each
        for each in found
        if each.name in PACKAGES and (each.marker is None or each.marker.evaluate())
    }


def newest(package: str) -> Version:
    """Return the newest release or candidate of a package that has a wheel for this Python."""
    command = [sys.executable, "-m", "pip", "index", "versions", "--pre", package]
    done = subprocess.run(command, capture_output=True, text=True)
    match = re.match(rf"{package} \((\S+)\)", done.stdout)
    if match is None:
        sys.exit(f"pip knows no release of {package}: {done.stderr.strip()}")
    return Version(match[1])


def main() -> int:
    """Print one line per package."""
    requirements = allowed()
    if set(requirements) != set(PACKAGES):
        sys.exit("this Python is of the reference stack, which stays; use Python 3.12 or later")
    new = False
    for package, requirement in requirements.items():
        version = newest(package)
        fits = requirement.specifier.contains(version, prereleases=True)
        new |= not fits
        state = "allowed" if fits else "NOT YET ALLOWED"
        print(f"{package} {version}: {state} by {requirement.specifier}")
    return int(new)


if __name__ == "__main__":
    sys.exit(main())
