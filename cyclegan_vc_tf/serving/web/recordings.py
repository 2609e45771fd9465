"""Recordings to train with: folders on this machine, or uploads."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.web import WebConfig
from cyclegan_vc_tf.serving.web import uploads
from cyclegan_vc_tf.system.errors import InputError

SPEAKERS = {"source_dir": "speaker A", "target_dir": "speaker B"}
"""Speaker of each folder, by the name of its flag."""


def accepts_folders(config: WebConfig) -> bool:
    """Return whether the page takes recordings from folders on this machine."""
    return config.is_loopback or bool(config.recordings_dir)


def check_folders(source: str, target: str, config: WebConfig) -> dict[str, str]:
    """Return both speakers' folders by the names of their flags.

    Args:
        source: Folder of speaker A, as it was typed.
        target: Folder of speaker B.
        config: Settings of the page; `recordings_dir` limits the folders.

    Raises:
        InputError: A folder is not given, does not exist, or is not allowed.
    """
    if not accepts_folders(config):
        raise InputError("this page takes no folders; upload the recordings")
    given = {"source_dir": source, "target_dir": target}
    return {flag: str(_check_folder(text, SPEAKERS[flag], config)) for flag, text in given.items()}


def store_uploads(
    source: Sequence[str], target: Sequence[str], folder: Path, config: WebConfig
) -> dict[str, str]:
    """Copy both speakers' uploads into folders, and return these by the names of their flags.

    Args:
        source: Uploaded files of speaker A.
        target: Uploaded files of speaker B.
        folder: Folder to make the speakers' folders in.
        config: Limits.

    Raises:
        InputError: A speaker has no usable recording; nothing is kept then.
    """
    uploaded = {"source_dir": source, "target_dir": target}
    for flag, paths in uploaded.items():
        if not paths:
            raise InputError(f"no recording of {SPEAKERS[flag]} was uploaded; upload some")
    folders = {"source_dir": folder / "speaker-A", "target_dir": folder / "speaker-B"}
    try:
        for flag, paths in uploaded.items():
            shutil.rmtree(folders[flag], ignore_errors=True)
            uploads.take_training_folder(paths, folders[flag], config)
    except InputError:
        for path in folders.values():
            shutil.rmtree(path, ignore_errors=True)
        raise
    return {flag: str(path) for flag, path in folders.items()}


def shown_lines(lines: Sequence[str]) -> list[str]:
    """Return what a preparation printed, without paths on this machine."""
    every = (line for text in lines for line in text.splitlines())
    return [line for line in every if not line.lstrip().startswith(("features in", "picture:"))]


def copy_picture(picture: Path, folder: Path) -> str:
    """Copy a picture of a feature store into a folder that the page may read; return its path."""
    copy = folder / f"{picture.parent.name}.png"
    shutil.copyfile(picture, copy)
    return str(copy)


def _check_folder(text: str, speaker: str, config: WebConfig) -> Path:
    """Return a folder that was typed, resolved and checked."""
    if not (text or "").strip():
        raise InputError(f"the folder of {speaker} is not given; type its path")
    path = Path(settings.absolute_path(text.strip()))
    if config.recordings_dir:
        top = Path(config.recordings_dir).resolve()
        path = (top / text.strip()).resolve()
        if top != path and top not in path.parents:
            raise InputError(f"{text.strip()} is not inside {top}; give a folder in it")
    if not path.is_dir():
        raise InputError(f"{path} is not a folder; expected the recordings of {speaker}")
    return path
