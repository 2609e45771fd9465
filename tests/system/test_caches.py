"""Folders for librosa's compiled code, and the only importer of librosa."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import REPOSITORY

from cyclegan_vc_tf.system import caches
from cyclegan_vc_tf.system.errors import InputError

PACKAGE = REPOSITORY / "cyclegan_vc_tf"


def imported_names(tree: ast.AST) -> set[str]:
    """Return the top-level packages that a module imports by statements."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def test_librosa_is_imported_by_its_loader_alone() -> None:
    """Everything else would fail for a user who may write neither the package nor a home folder."""
    importers = [
        path
        for path in PACKAGE.rglob("*.py")
        if imported_names(ast.parse(path.read_text())) & {"librosa", "numba"}
        or (path.name != "caches.py" and 'import_module("librosa' in path.read_text())
    ]
    assert importers == []


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every test decides anew, and leaves environment and numba as they were."""
    caches._prepare_numba_cache.cache_clear()
    monkeypatch.setenv(caches.NUMBA_CACHE_VARIABLE, "")
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    yield
    caches._prepare_numba_cache.cache_clear()


def refuse_folders(monkeypatch: pytest.MonkeyPatch, writable: tuple[Path, ...] = ()) -> None:
    monkeypatch.setattr(caches, "can_write", lambda folder: folder in writable)


def test_a_folder_that_can_be_written_is_left_to_numba(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refuse_folders(monkeypatch, (tmp_path,))
    monkeypatch.setenv(caches.NUMBA_CACHE_VARIABLE, str(tmp_path))
    caches.prepare_numba_cache()
    assert os.environ[caches.NUMBA_CACHE_VARIABLE] == str(tmp_path)


def test_a_chosen_folder_that_cannot_be_written_is_replaced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refuse_folders(monkeypatch)
    monkeypatch.setenv(caches.NUMBA_CACHE_VARIABLE, "/proc/nowhere")
    monkeypatch.setattr(caches.tempfile, "tempdir", str(tmp_path))
    caches.prepare_numba_cache()
    [folder] = tmp_path.iterdir()
    assert os.environ[caches.NUMBA_CACHE_VARIABLE] == str(folder)
    assert folder.stat().st_mode & 0o077 == 0, "compiled code of other users is not loaded"
    caches._remove(str(folder), os.getpid() + 1)
    assert folder.exists(), "a forked process leaves it"
    caches._remove(str(folder), os.getpid())
    assert not folder.exists()


def test_no_folder_at_all_is_refused_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_folders(monkeypatch)

    def refuse(**options: str) -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(caches.tempfile, "mkdtemp", refuse)
    with pytest.raises(
        InputError, match=r"No usable temporary directory.*set NUMBA_CACHE_DIR or T"
    ):
        caches.prepare_numba_cache()


def test_only_folders_that_take_a_file_can_be_written(tmp_path: Path) -> None:
    assert caches.can_write(tmp_path / "new" / "folder")
    (tmp_path / "file").touch()
    assert not caches.can_write(tmp_path / "file")
    assert not caches.can_write(Path("/proc/nowhere"))


def test_numba_that_is_imported_already_gets_the_folder(tmp_path: Path) -> None:
    """Numba reads the variable only when it is imported; the folder ends with the process."""
    script = (
        "import os, numba; from cyclegan_vc_tf.system import caches; "
        "caches.can_write = lambda folder: False; caches.load_librosa(); "
        "assert numba.config.CACHE_DIR == os.environ['NUMBA_CACHE_DIR']; "
        "assert os.path.isdir(numba.config.CACHE_DIR); print(numba.config.CACHE_DIR)"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=REPOSITORY, env=environment, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(tmp_path)) and list(tmp_path.iterdir()) == []
