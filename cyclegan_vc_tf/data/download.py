"""Public corpora into folders that a training takes: downloaded, verified, unpacked."""

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
"""Folder of the downloads, which are kept: another speaker may be in them."""

PARTIAL_DIR = f".corpus{files.PARTIAL_SUFFIX}"
"""Folder of what is not finished; what a kill leaves in it, the next call removes."""

TIMEOUT_S = 60
"""How long a server may be silent."""

CHUNK_BYTES = 2**18


def download_corpus(corpus: Corpus, speakers: Sequence[str], folder: Path, url: str = "") -> None:
    """Brings the recordings of speakers to `folder`/train/SPEAKER and `folder`/held_out/SPEAKER.

    What is there is left as it is. What is not is made beside its place and renamed, so that it is
    there whole or not at all.

    Args:
        corpus: Where they are published.
        speakers: Of the corpus.
        folder: The corpus' folder.
        url: What the addresses of archives begin with, where it is not the corpus' own: a mirror.

    Raises:
        InputError: An archive cannot be had, is not what was published, is not safe to unpack or
            holds something else than expected; or the folder cannot be written.
    """
    url = url or corpus.url
    if not url.startswith(("http://", "https://")):
        raise InputError(f"--corpus_url is {url!r}; expected an address that begins with http")
    with _report_write_errors(folder), files.locked(folder / "lock", wait=True):
        missing = [each for each in speakers if not _is_complete(folder, each)]
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
    return all((folder / side / speaker).is_dir() for side in SIDES)


def _open_kept(archive: Archive, speakers: Sequence[str], path: Path) -> dict[str, dict[str, str]]:
    """The recordings in an archive that was downloaded before, or put there by hand."""
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
    """Downloads an archive, and keeps it at `path` when it is what was expected."""
    downloads = partial / ARCHIVES_DIR
    # What is expected of the file is checked below, with words that say what to do.
    pooch.get_logger().setLevel("WARNING")
    try:
        # The server's total takes the place of this one, without which pooch sees no bar.
        about = f"Downloading {archive.name}"
        with progress_bar(total=1, desc=about, unit="B", unit_scale=True) as progress:
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
    """Why a download failed, in a few words."""
    if error.response is not None:
        # pooch leaves it open.
        error.response.close()
        return f"the server answers {error.response.status_code} {error.response.reason}"
    # Silence in the midst of a download is no Timeout.
    if isinstance(error, requests.Timeout) or "timed out" in str(error):
        return f"the server is silent for {TIMEOUT_S} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection broke off before the end"
    if isinstance(error, requests.ConnectionError):
        return "the server cannot be reached"
    return str(error)


def _checksum_path(path: Path) -> Path:
    """The file beside an archive with its SHA-256, as `sha256sum` writes them."""
    return path.with_name(f"{path.name}.sha256")


def _verify(archive: Archive, file: Path, record: Path) -> str:
    """Checks that a file has the published SHA-256, or the first download's, and returns it."""
    found = pooch.file_hash(str(file), alg="sha256")
    expected, whose = archive.sha256, "what is published"
    if expected is None and record.exists():
        expected, _, _ = record.read_text(encoding="utf-8").partition(" ")
        whose = f"the first download's, in {record}"
    if expected not in (None, found):
        raise InputError(f"its SHA-256 is {found}; expected {expected}, {whose}")
    return found


def _find_recordings(
    archive: Archive, speakers: Sequence[str], file: Path, path: Path
) -> dict[str, dict[str, str]]:
    """Verifies an archive and finds each speaker's recordings in it.

    Args:
        archive: What it should be.
        speakers: Whose recordings are wanted.
        file: The archive's file.
        path: Where it is kept, or will be.

    Returns:
        By speaker, each recording's name in the archive by its own, `NAME.wav`.
    """
    sha256 = _verify(archive, file, _checksum_path(path))
    names = archives.list_files(file)
    found = {
        each: _speaker_recordings(archive, each, names)
        for each in speakers
        if each in archive.speakers
    }
    if archive.sha256 is None:
        files.write_text(_checksum_path(path), f"{sha256}  {archive.name}\n")
    return found


def _speaker_recordings(archive: Archive, speaker: str, names: Sequence[str]) -> dict[str, str]:
    folder = archive.folder or speaker
    found: dict[str, str] = {}
    for name in names:
        path = PurePosixPath(name)
        # Other systems' archivers add files whose names begin with a dot.
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
    """Unpacks recordings to `partial`/train/SPEAKER and `partial`/held_out/SPEAKER."""
    for speaker, recordings in found.items():
        outputs = {}
        for name, member in recordings.items():
            output = partial / archive.side_of(Path(name).stem) / speaker / name
            output.parent.mkdir(parents=True, exist_ok=True)
            outputs[member] = output
        archives.unpack(path, outputs, f"Unpacking {speaker}")


def _move_into_place(folder: Path, partial: Path, speaker: str) -> None:
    # A kill between the two leaves one, and both are made anew.
    for side in SIDES:
        place = folder / side / speaker
        place.parent.mkdir(exist_ok=True)
        if place.exists():
            place.rename(partial / f"{side}.{speaker}.old")
        (partial / side / speaker).rename(place)


@contextmanager
def _report_write_errors(folder: Path) -> Iterator[None]:
    """Says which folder it is that cannot be written."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"--corpus_dir {folder} cannot be written ({error.strerror or error}); what was "
            "half done is removed"
        ) from error
