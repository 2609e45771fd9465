"""Runs that the page knows: listed, found by name, described, deleted."""

import re
import shutil
import uuid
from pathlib import Path

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.hub import pretrained
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.system import files, packaged_models
from cyclegan_vc_tf.system.errors import InputError

PAGE_FOLDER = ".web"
"""Folder inside the folder of runs that the page keeps its own files in, one folder per run."""

NEW_NAME = re.compile(r"[^\W_][\w .+-]{0,59}")
"""Form of the name of a run that the page makes."""


class RunList:
    """Run folders inside one folder, and the pretrained models.

    A name that comes from a browser is looked up in the list, and never joined to a path unseen.

    Args:
        runs_dir: Folder of the runs; made if it does not exist.
    """

    def __init__(self, runs_dir: Path) -> None:
        self.runs_dir = runs_dir
        runs_dir.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """Return the names of all runs, sorted."""
        return sorted(
            path.name
            for path in self.runs_dir.iterdir()
            if not path.name.startswith(".") and run_files.exists(path)
        )

    def voices(self) -> list[str]:
        """Return the names of all runs and pretrained models, runs first."""
        return [*self.names(), *(f"{packaged_models.PREFIX}{name}" for name in pretrained.names())]

    def find(self, name: str | None) -> Path:
        """Return the folder of a run or of a pretrained model.

        Args:
            name: Name of a run, or "pretrained:NAME".

        Raises:
            InputError: There is no run of that name.
        """
        if not name:
            raise InputError("no run is chosen; choose one")
        if name.startswith(packaged_models.PREFIX):
            return pretrained.find(name)
        if name not in self.names():
            raise InputError(f"{name!r} is not a run in {self.runs_dir}; choose one of the list")
        return self.runs_dir / name

    def new_path(self, name: str | None) -> Path:
        """Return the folder of a new run.

        Args:
            name: Name of the run: letters, digits, spaces and . + - _

        Raises:
            InputError: The name has another form, or is taken.
        """
        name = (name or "").strip()
        if not NEW_NAME.fullmatch(name) or name.endswith("."):
            raise InputError(
                f"received the name {name!r}; expected letters, digits, spaces and . + - _, "
                "beginning with a letter or digit, at most 60"
            )
        path = self.runs_dir / name
        if path.exists() or path.is_symlink():
            raise InputError(f"{name!r} exists already in {self.runs_dir}; give another name")
        return path

    def page_folder(self, name: str) -> Path:
        """Return the folder of the page's own files about a run: log, process, uploads."""
        return self.runs_dir / PAGE_FOLDER / name

    def delete(self, name: str) -> None:
        """Delete a run, with the recordings that were uploaded for it.

        Args:
            name: Name of a run; a pretrained model cannot be deleted.

        Raises:
            InputError: There is no such run, it is in use, or it is a link.
        """
        path = self.find(name)
        if path.parent != self.runs_dir:
            raise InputError(f"{name} comes with the package; only runs can be deleted")
        if path.is_symlink():
            raise InputError(f"{path} is a link; remove it by hand")
        if files.is_locked(path / run_files.LOCK):
            raise InputError(f"{name!r} is in use by a training; stop it first")
        hidden = path.with_name(f".deleted-{uuid.uuid4().hex[:8]}")
        path.rename(hidden)
        shutil.rmtree(hidden)
        shutil.rmtree(self.page_folder(name), ignore_errors=True)

    def size_bytes(self, name: str) -> int:
        """Return the size of a run folder, in bytes."""
        sizes = (path.stat().st_size for path in self.find(name).rglob("*") if path.is_file())
        return sum(sizes)


def read_config(path: Path) -> RunConfig:
    """Read the settings of a run.

    Raises:
        InputError: They are damaged.
    """
    try:
        return run_files.read_settings(path)
    except files.DAMAGE_ERRORS as error:
        raise InputError(f"{path.name} is damaged: {error}; see the tab Runs") from error


def direction_labels(config: RunConfig) -> list[tuple[str, str]]:
    """Return a label and a direction for each direction of a run.

    Speakers are named after their folders, where the run has them.
    """
    names = {}
    for speaker, folder in (("A", config.corpus.source_dir), ("B", config.corpus.target_dir)):
        names[speaker] = f"{speaker} ({Path(folder).name})" if folder else speaker
    return [
        (f"{names[direction.source]} to {names[direction.target]}", direction.value)
        for direction in Direction
    ]
