"""Download, verification and unpacking of public corpora into folders for training."""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import pooch
import requests

from cyclegan_vc_tf.data import archives
from cyclegan_vc_tf.data.corpora import SIDES, Archive, Corpus
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, join_names
from cyclegan_vc_tf.system.progress import progress_bar

ARCHIVES_DIR = "archives"
"""Folder of downloaded archives, kept because other speakers may be in them."""

PARTIAL_DIR = f".corpus{files.PARTIAL_SUFFIX}"
"""Folder of unfinished files; the next call removes leftovers of a killed one."""

TIMEOUT_S = 60
"""Longest wait for a server's next bytes, in seconds."""

CHUNK_BYTES = 2**18
"""Bytes per chunk of a download."""


def download_corpus(corpus: Corpus, speakers: Sequence[str], folder: Path, url: str = "") -> None:
    """Download recordings to `folder`/train/SPEAKER and `folder`/held_out/SPEAKER.

    Existing folders of a speaker are not changed. Missing ones are made under another name and then
    renamed, so they exist completely or not at all.

    Args:
        corpus: Corpus to download from.
        speakers: Speakers of the corpus.
        folder: Folder of the corpus.
        url: Common beginning of the addresses of archives at a mirror; empty for the corpus' own.

    Raises:
        InputError: An archive cannot be downloaded, is not the published file, is not safe to
            unpack, or lacks expected recordings; or the folder cannot be written.
    """
    url = url or corpus.url
    if not url.startswith(("http://", "https://")):
        raise InputError(f"--corpus_url is {url!r}; expected an address that begins with http")
    with _report_write_errors(folder), files.locked(folder / "lock", wait=True):
        missing = [speaker for speaker in speakers if not _is_complete(folder, speaker)]
        partial = folder / PARTIAL_DIR
        shutil.rmtree(partial, ignore_errors=True)
        try:
            for archive in corpus.archives_of(missing):
                path = folder / ARCHIVES_DIR / archive.name
                if path.exists():
                    found = _open_kept(archive, missing, path)
                else:
                    address = f"{url.rstrip('/')}/{archive.name}"
                    found = _download(corpus, archive, missing, path, partial, address)
                _unpack(archive, found, path, partial)
            for speaker in missing:
                _move_into_place(folder, partial, speaker)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _is_complete(folder: Path, speaker: str) -> bool:
    """Return whether both folders of a speaker exist."""
    return all((folder / side / speaker).is_dir() for side in SIDES)


def _open_kept(archive: Archive, speakers: Sequence[str], path: Path) -> dict[str, dict[str, str]]:
    """Find the recordings in an archive that was downloaded before, or added by the user."""
    try:
        return _find_recordings(archive, speakers, path, path)
    except InputError as error:
        raise InputError(f"{path}: {error}; delete it to download it anew") from error


def _download(
    corpus: Corpus,
    archive: Archive,
    speakers: Sequence[str],
    path: Path,
    partial: Path,
    address: str,
) -> dict[str, dict[str, str]]:
    """Download an archive, keep it at `path` if it is the expected one, and find its recordings."""
    downloads = partial / ARCHIVES_DIR
    # The file is checked below, with error messages that say what to do.
    pooch.get_logger().setLevel("WARNING")
    try:
        # The server's total replaces this one; without any total, pooch ignores the bar.
        description = f"Downloading {archive.name}"
        with progress_bar(total=1, desc=description, unit="B", unit_scale=True) as progress:
            downloader = pooch.HTTPDownloader(progress, CHUNK_BYTES, timeout=TIMEOUT_S)
            pooch.retrieve(address, None, fname=archive.name, path=downloads, downloader=downloader)
        found = _find_recordings(archive, speakers, downloads / archive.name, path)
    except (requests.RequestException, InputError) as error:
        reason = _failure_reason(error) if isinstance(error, requests.RequestException) else error
        raise InputError(
            f"{address}: {reason}; try later, or put the file of {corpus.page} at {path}"
        ) from error
    path.parent.mkdir(exist_ok=True)
    files.rename_into_place(downloads / archive.name, path)
    return found


def _failure_reason(error: requests.RequestException) -> str:
    """Describe why a download failed."""
    if error.response is not None:
        # pooch does not close the response.
        error.response.close()
        return f"the server answers {error.response.status_code} {error.response.reason}"
    # A pause in the middle of a download does not raise Timeout.
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"the server sent nothing for {TIMEOUT_S} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection ended before the file was complete"
    if isinstance(error, requests.ConnectionError):
        return "the server cannot be reached"
    return str(error)


def _checksum_path(path: Path) -> Path:
    """Return the path of an archive's SHA-256 file, in the format of `sha256sum`."""
    return path.with_name(f"{path.name}.sha256")


def _verify(archive: Archive, file: Path, record: Path) -> str:
    """Return a file's SHA-256, after comparing it with the published or the first one."""
    found = pooch.file_hash(str(file), alg="sha256")
    expected, origin = archive.sha256, "the published value"
    if expected is None and record.exists():
        expected, _, _ = record.read_text(encoding="utf-8").partition(" ")
        origin = f"the first download's value, in {record}"
    if expected not in (None, found):
        raise InputError(f"its SHA-256 is {found}; expected {expected}, {origin}")
    return found


def _find_recordings(
    archive: Archive, speakers: Sequence[str], file: Path, path: Path
) -> dict[str, dict[str, str]]:
    """Verify an archive and find the recordings of speakers in it.

    Args:
        archive: Expected archive.
        speakers: Wanted speakers.
        file: File to read.
        path: Final path of the archive.

    Returns:
        By speaker, the path of each recording in the archive by its file name, `NAME.wav`.
    """
    sha256 = _verify(archive, file, _checksum_path(path))
    names = archives.list_files(file)
    found = {
        speaker: _speaker_recordings(archive, speaker, names)
        for speaker in speakers
        if speaker in archive.speakers
    }
    if archive.sha256 is None:
        files.write_text(_checksum_path(path), f"{sha256}  {archive.name}\n")
    return found


def _speaker_recordings(archive: Archive, speaker: str, names: Sequence[str]) -> dict[str, str]:
    """Return the path of each recording of a speaker in an archive, by its file name."""
    folder = archive.folder or speaker
    found: dict[str, str] = {}
    for name in names:
        path = PurePosixPath(name)
        # Archivers of some systems add files with names that begin with a dot.
        if path.parent.name != folder or path.suffix != ".wav" or path.name.startswith("."):
            continue
        if path.name in found:
            raise InputError(f"it has two files {folder}/{path.name}; expected one")
        found[path.name] = name
    lacking = archive.sides - {archive.side_of(Path(name).stem) for name in found}
    if lacking:
        raise InputError(
            f"it lacks {' and '.join(sorted(lacking))} recordings of {speaker}; expected "
            f".../{folder}/*.wav, found {len(names)} files: {join_names(names, 3)}"
        )
    return found


def _unpack(
    archive: Archive, found: Mapping[str, Mapping[str, str]], path: Path, partial: Path
) -> None:
    """Unpack recordings to `partial`/train/SPEAKER and `partial`/held_out/SPEAKER."""
    for speaker, recordings in found.items():
        outputs = {}
        for name, member in recordings.items():
            output = partial / archive.side_of(Path(name).stem) / speaker / name
            output.parent.mkdir(parents=True, exist_ok=True)
            outputs[member] = output
        archives.unpack(path, outputs, f"Unpacking {speaker}")


def _move_into_place(folder: Path, partial: Path, speaker: str) -> None:
    """Move the unpacked folders of a speaker into the corpus."""
    # If the process is killed between the two, one is missing and both are made again.
    for side in SIDES:
        place = folder / side / speaker
        place.parent.mkdir(exist_ok=True)
        if place.exists():
            place.rename(partial / f"{side}.{speaker}.old")
        (partial / side / speaker).rename(place)


@contextmanager
def _report_write_errors(folder: Path) -> Iterator[None]:
    """Turn errors of writing into InputError with the name of the folder."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"--corpus_dir {folder} cannot be written ({error.strerror or error}); "
            "unfinished files are removed"
        ) from error
