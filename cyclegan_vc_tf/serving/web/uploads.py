"""Uploaded recordings: safe names, checks, and copies in the session's folder."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.web import WebConfig
from cyclegan_vc_tf.system.errors import InputError, single_line

MAX_NAME_CHARACTERS = 100


@dataclass(frozen=True)
class Upload:
    """One uploaded recording.

    Attributes:
        name: Name to show: the file's own, without a folder.
        path: Copy in the session's folder; None if the file cannot be used.
        reason: Reason why it cannot be used; empty if it can.
        seconds: Duration that its header states, in seconds.
    """

    name: str
    path: Path | None
    reason: str = ""
    seconds: float = 0.0


def safe_name(name: str) -> str:
    """Return the last part of a path as a file name that leads nowhere else.

    Args:
        name: Name that a browser sent; it may be any text.
    """
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(letter if letter.isprintable() else "_" for letter in last)
    stem, dot, ending = printable.lstrip(". ").rpartition(".")
    stem, ending = (stem, f".{ending[:10]}") if dot else (ending, "")
    return f"{stem[:MAX_NAME_CHARACTERS] or 'recording'}{ending}"


def take(paths: Iterable[str | Path], folder: Path, config: WebConfig) -> list[Upload]:
    """Copy uploaded files into a folder, and check each.

    Args:
        paths: Uploaded files.
        folder: Folder of the copies.
        config: Limits.

    Returns:
        One entry per file, in order; those that cannot be used have a reason.

    Raises:
        InputError: There are more files than the limit.
    """
    uploaded = [Path(path) for path in paths]
    if len(uploaded) > config.max_files:
        raise InputError(
            f"received {len(uploaded)} files; expected at most {config.max_files} (--max_files)"
        )
    folder.mkdir(parents=True, exist_ok=True)
    taken: list[Upload] = []
    for path in uploaded:
        name = _distinct(safe_name(path.name), {upload.name for upload in taken})
        seconds = audio_files.duration_s(path)
        if reason := _refusal(path, name, seconds, config):
            taken.append(Upload(name, None, reason, seconds))
        else:
            taken.append(Upload(name, Path(shutil.copyfile(path, folder / name)), "", seconds))
    return taken


def take_training_folder(paths: Iterable[str | Path], folder: Path, config: WebConfig) -> Path:
    """Copy uploaded training recordings into a folder.

    Preparation reports recordings that cannot be used, so only formats and sizes are checked.

    Args:
        paths: Uploaded files.
        folder: Folder to make.
        config: Limits; recordings may be longer than those to convert.

    Raises:
        InputError: No file can be used.
    """
    unlimited = WebConfig(
        max_seconds=86_400, max_upload_mb=config.max_upload_mb, max_files=config.max_files
    )
    taken = take(paths, folder, unlimited)
    if not any(upload.path for upload in taken):
        reasons = "; ".join(f"{upload.name} {upload.reason}" for upload in taken[:3])
        raise InputError(f"no uploaded recording can be used; {reasons or 'received none'}")
    return folder


def _refusal(path: Path, name: str, seconds: float, config: WebConfig) -> str:
    """Return the reason why a file cannot be used; empty if it can."""
    ending = Path(name).suffix.lower()
    if ending not in audio_files.readable_extensions():
        kind = f"ends in {single_line(ending)}" if ending else "has no file name ending"
        return f"{kind}; expected wav, flac, mp3, ogg or another format that libsndfile reads"
    if not path.is_file():
        return "is not on the server any more; upload it again"
    size_mb = path.stat().st_size / 1e6
    if size_mb > config.max_upload_mb:
        return f"has {size_mb:.0f} MB; expected at most {config.max_upload_mb} (--max_upload_mb)"
    if seconds > config.max_seconds:
        return f"lasts {seconds:.0f} s; expected at most {config.max_seconds} s (--max_seconds)"
    return ""


def _distinct(name: str, used: set[str]) -> str:
    """Return a name that is not in use: the name, or the name with a number."""
    stem, suffix = Path(name).stem, Path(name).suffix
    number, wanted = 1, name
    while wanted in used:
        number += 1
        wanted = f"{stem} ({number}){suffix}"
    return wanted
