"""The page about adding a loss, carried out on a copy of the repository."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "develop" / "add_a_loss.md"

BLOCK = re.compile(r'^```python title="([^"]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)

CODE = ("benchmarks", "cyclegan_vc_tf", "parity", "tests")

pytestmark = pytest.mark.parity


def insert(text: str, block: str) -> str:
    """Insert a block into a file, as the page tells its readers.

    A first or last line that the file has exactly once shows the place. A block without such a
    line goes to the end of the file.

    Args:
        text: Text of the file.
        block: Lines to insert, with or without a line that shows the place.
    """
    lines, file_lines = block.splitlines(), text.splitlines()
    if file_lines.count(lines[0]) == 1:
        place = file_lines.index(lines[0]) + 1
        return "\n".join([*file_lines[:place], *lines[1:], *file_lines[place:], ""])
    if file_lines.count(lines[-1]) == 1:
        place = file_lines.index(lines[-1])
        return "\n".join([*file_lines[:place], *lines[:-1], *file_lines[place:], ""])
    return "\n".join([*file_lines, "", "", *lines, ""])


def test_a_block_is_inserted_beside_its_known_line() -> None:
    text = "a\nb\nb\nc\n"
    assert insert(text, "a\nnew\n") == "a\nnew\nb\nb\nc\n"
    assert insert(text, "new\nnew\nc\n") == "a\nb\nb\nnew\nnew\nc\n"
    assert insert(text, "new\nb\n") == "a\nb\nb\nc\n\n\nnew\nb\n", "b is there twice"
    assert insert(text, "new\n") == "a\nb\nb\nc\n\n\nnew\n"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with the page's blocks inserted."""
    pytest.importorskip("torch")
    folder = tmp_path_factory.mktemp("copy")
    for name in CODE:
        ignored = shutil.ignore_patterns("__pycache__", "*.npz")
        shutil.copytree(REPOSITORY / name, folder / name, ignore=ignored)
    shutil.copy(REPOSITORY / "pyproject.toml", folder)
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) == 11
    for name, block in blocks:
        path = folder / name
        path.write_text(insert(path.read_text(encoding="utf-8"), block), encoding="utf-8")
    return folder


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Run Python on the copy's code."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )


CHECK = '''"""Parity of the Huber loss: it has a case, which notices both faults."""

from parity.mutation import mutants
from parity.tests.test_cases import uncovered_names


def test_faults_of_the_huber_loss_are_noticed() -> None:
    assert "losses.huber_loss" not in uncovered_names()
    broken = [mutant for mutant in mutants.mutants_of_parts() if "huber" in mutant.name]
    assert [len(mutant.cases) for mutant in broken] == [1, 1]
    assert not any(mutants.survives(mutant) for mutant in broken)
'''
"""Test of the faults alone: the suite's own takes minutes, for it breaks every layer."""


def test_the_new_loss_is_reported_and_equals_its_twin(copy: Path) -> None:
    (copy / "parity" / "tests" / "test_page.py").write_text(CHECK, encoding="utf-8")
    done = run(
        copy, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", "-k", "huber or Huber",
        "tests/training/test_losses.py", "tests/training/test_trainer.py",
        "parity/tests/test_cases.py", "parity/tests/test_page.py",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    # By hand; in the report of a step; the case in two precisions; the twin's step; the faults.
    assert re.search(r"\b6 passed", done.stdout), done.stdout


def test_the_new_code_has_the_projects_style(copy: Path) -> None:
    pytest.importorskip("ruff", reason="ruff is in the extra dev")
    names = sorted({name for name, _ in BLOCK.findall(PAGE.read_text(encoding="utf-8"))})
    for command in (["check"], ["format", "--check"]):
        done = run(copy, "-m", "ruff", *command, "--no-cache", *names)
        assert done.returncode == 0, done.stdout + done.stderr
