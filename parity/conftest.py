"""Marks all tests of this folder with `parity`, and keeps TensorFlow quiet."""

import importlib.util
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

if importlib.util.find_spec("torch") is None:
    raise pytest.UsageError(
        "the tests in parity/ need PyTorch: pip install -e '.[dev,parity]'; "
        "without it, pytest tests runs all others"
    )

from parity import demo


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`pytest -m parity` runs these, `pytest -m "not parity"` all others."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.parity)


@pytest.fixture(scope="session")
def corpus() -> demo.Demo:
    """The demo corpus, analysed once."""
    return demo.load()
