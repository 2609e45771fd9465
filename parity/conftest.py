"""Fixtures and the marker `parity` of all tests in this folder."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from parity import demo

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

if importlib.util.find_spec("torch") is None:
    raise pytest.UsageError(
        "PyTorch is not installed; tests in parity/ need it; "
        "run pip install -e '.[dev,parity]', or pytest tests for all other tests"
    )

REPOSITORY = Path(__file__).parents[1]

WITHOUT_TORCH = """
import runpy, sys
class Missing:
    def find_spec(self, name, *rest):
        if name == "torch":
            raise ImportError("there is no torch")
sys.meta_path.insert(0, Missing())
sys.argv = sys.argv[1:]
if sys.argv[0] == "-m":
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__")
else:
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


def pytest_configure() -> None:
    """Let torch use one thread in each of several processes.

    Its threads wait for each other without sleeping. Where there are more of them than cores, that
    doubles the processor time.
    """
    if "PYTEST_XDIST_WORKER" in os.environ:
        import torch

        torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder: `pytest -m parity` runs them, `-m "not parity"` the others."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.parity)


@pytest.fixture(scope="session")
def corpus() -> demo.Demo:
    """Load the demo corpus, analysed once per session."""
    return demo.load()


@pytest.fixture
def python_without_torch() -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs Python with arguments and without torch."""

    def run(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, *arguments],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=240,
        )

    return run
