"""The notebook for beginners: committed without outputs, and executed in a kernel of Jupyter."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import soundfile
from conftest import REPOSITORY, write_voices

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
QUICKSTART = REPOSITORY / "notebooks" / "quickstart.ipynb"

SMALL = """
from pathlib import Path

source_dir, target_dir, run_dir = "anna", "ben", "run"
recording = Path("anna", "00.wav")
settings = {
    "steps": 2, "channels": 4, "crop_frames": 16, "batch_size": 1, "inca_iterations": 0,
    "features_dir": "features", "workers": 2, "convert_every": 0,
}
"""
"""Cell after the parameters of the notebook: small recordings and few steps."""

STOPPED = """
import os

from cyclegan_vc_tf.system import progress

print("twice per second:", progress._is_notebook_cell())
vc.train(
    run_dir, steps=100_000, on_step=lambda step, report: Path("pid").write_text(str(os.getpid()))
)
"""
"""Cell that the test interrupts."""


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_committed_without_outputs(path: Path) -> None:
    for cell in read(path)["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == [] and cell["execution_count"] is None, cell["source"]
        assert set(cell["metadata"]) <= {"tags"}
    assert set(read(path)["metadata"]) == {"kernelspec", "language_info"}


def test_there_is_a_notebook() -> None:
    assert QUICKSTART in NOTEBOOKS


class Executed:
    """Notebook after its execution.

    Attributes:
        folder: Folder in which it ran.
        cells: Code cells; the last one is `STOPPED`.
    """

    def __init__(self, folder: Path, cells: list[Any]) -> None:
        self.folder, self.cells = folder, cells

    def find(self, source: str) -> Any:
        """Return the only cell that holds a piece of source."""
        [cell] = [cell for cell in self.cells if source in cell.source]
        return cell


def stop_training(pid_file: Path) -> None:
    """Send Ctrl-C, as the interrupt button does, to the process that a file names."""
    while not (pid_file.exists() and (pid := pid_file.read_text())):
        time.sleep(0.05)
    os.kill(int(pid), signal.SIGINT)


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executed]:
    nbclient = pytest.importorskip("nbclient")
    nbformat = pytest.importorskip("nbformat")
    folder = tmp_path_factory.mktemp("notebook")
    for name, f0_hz in (("anna", 210.0), ("ben", 110.0)):
        write_voices(folder / name, f0_hz, 3)
    notebook = nbformat.read(QUICKSTART, as_version=4)
    [index] = [
        i for i, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", ())
    ]
    notebook.cells.insert(index + 1, nbformat.v4.new_code_cell(SMALL))
    notebook.cells.append(nbformat.v4.new_code_cell(STOPPED))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(REPOSITORY))
        # The kernel decides as it does for a user.
        patch.delenv("TF_CPP_MIN_LOG_LEVEL")
        for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR"):
            patch.setenv(name, str(folder / "jupyter"))
        helper = threading.Thread(target=stop_training, args=(folder / "pid",), daemon=True)
        helper.start()
        nbclient.NotebookClient(
            notebook, timeout=None, kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
        ).execute()  # fmt: skip
        helper.join()
    yield Executed(folder, [cell for cell in notebook.cells if cell.cell_type == "code"])


def texts(cell: Any, name: str) -> str:
    """Return the text that a cell wrote to a stream, stdout or stderr."""
    return "".join(each.text for each in cell.outputs if each.get("name") == name)


def shown(cell: Any, kind: str) -> list[str]:
    """Return all outputs of a cell of a MIME type."""
    return [each.data[kind] for each in cell.outputs if kind in each.get("data", {})]


def test_the_notebook_converts_plots_and_plays(executed: Executed) -> None:
    assert "anna: 3 training utterances" in texts(executed.find("vc.prepare"), "stdout")
    for source in ("vc.prepare", "plt.subplots", "voices.plot"):
        assert len(shown(executed.find(source), "image/png")) == 1, source
    [result] = shown(executed.find("on_step=keep_losses"), "text/plain")
    assert "step=2, finished=True" in result
    for source, players in (("vc.load(", 2), ('Audio("converted.wav")', 1)):
        found = shown(executed.find(source), "text/html")
        assert len(found) == players and all("<audio" in each for each in found)
    converted = soundfile.info(executed.folder / "converted.wav")
    assert converted.frames == soundfile.info(executed.folder / "anna" / "00.wav").frames


def test_cells_show_progress_and_no_noise(executed: Executed) -> None:
    """Without widgets, bars are text on standard error; nothing else is there."""
    bars = [texts(cell, "stderr") for cell in executed.cells]
    for line in "\r".join(bars).replace("\n", "\r").split("\r"):
        assert not line.strip() or "%|" in line or "file" in line or "step" in line, line


def test_the_interrupt_button_stops_a_training_and_saves(executed: Executed) -> None:
    cell = executed.cells[-1]
    text = texts(cell, "stdout")
    assert "twice per second: True" in text
    assert "saved; the same command goes on from there." in text
    [result] = shown(cell, "text/plain")
    assert "finished=False" in result
    step = int(result.split("step=")[1].split(",")[0])
    assert step > 2
    assert (executed.folder / "run" / "checkpoints" / f"ckpt-{step}.index").is_file()


def run_install_cell(folder: Path, *, source: str = "") -> subprocess.CompletedProcess:
    """Run the first code cell in a process that does not find the package.

    Pip installs without network and dependencies, into the folder `installed`.
    """
    cell = next(cell for cell in read(QUICKSTART)["cells"] if cell["cell_type"] == "code")
    code = "".join(cell["source"]).replace('SOURCE = ""', f"SOURCE = {source!r}")
    hide = (
        "import importlib.util\n"
        "real = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name: None if 'cyclegan' in name else real(name)\n"
    )
    options = {
        "PIP_NO_DEPS": "1", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_TARGET": str(folder / "installed"),
    }  # fmt: skip
    return subprocess.run(
        [sys.executable, "-c", hide + code],
        cwd=folder,
        env={**os.environ, **options},
        capture_output=True,
        text=True,
    )


def test_the_notebook_installs_the_project_around_it(tmp_path: Path) -> None:
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tmp_path)
    for name in ("cyclegan_vc_tf", "configs", "notebooks"):
        shutil.copytree(
            REPOSITORY / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    (tmp_path / "data" / "demo").mkdir(parents=True)
    done = run_install_cell(tmp_path / "notebooks")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "notebooks" / "installed" / "cyclegan_vc_tf" / "api.py").is_file()


def test_the_notebook_says_what_is_missing_elsewhere(tmp_path: Path) -> None:
    done = run_install_cell(tmp_path)
    assert "set SOURCE to its folder or address" in done.stderr
    assert run_install_cell(tmp_path, source=str(tmp_path / "nowhere")).returncode != 0
