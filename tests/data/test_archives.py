"""Tests of archives: complete and safe ones are read, others refused before any writing."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cyclegan_vc_tf.data import archives
from cyclegan_vc_tf.system.errors import InputError

FILES = {"corpus/b.wav": b"bbb" * 500, "corpus/a.wav": b"aaa" * 700, "corpus/etc/text": b"words"}

KINDS = ("a.zip", "a.tar", "a.tar.bz2")


def write(path: Path, files: dict[str, bytes], link: tuple[str, str] | None = None) -> Path:
    """Make an archive with files, a folder and optionally a symbolic link."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("corpus/", b"")
            for name, data in files.items():
                archive.writestr(name, data)
            if link:
                entry = zipfile.ZipInfo(link[0])
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
                archive.writestr(entry, link[1])
        return path
    with tarfile.open(path, "w:bz2" if path.suffix == ".bz2" else "w") as archive:
        for name, kind, target in [("corpus", tarfile.DIRTYPE, "")] + (
            [(link[0], tarfile.SYMTYPE, link[1])] if link else []
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            archive.addfile(entry)
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_plain_files_are_listed_and_unpacked_where_they_are_told_to_be(
    tmp_path: Path, kind: str
) -> None:
    path = write(tmp_path / kind, FILES, ("corpus/etc/again", "../a.wav"))
    assert archives.list_files(path) == list(FILES)
    outputs = {"corpus/a.wav": tmp_path / "1", "corpus/b.wav": tmp_path / "2"}
    archives.unpack(path, outputs, "Unpacking")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["1", "2", kind]
    for name, output in outputs.items():
        assert output.read_bytes() == FILES[name]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "name", ["../out.wav", "corpus/../../out.wav", "/tmp/out.wav", "..\\out.wav", "C:\\out.wav"]
)
def test_a_member_outside_of_the_folder_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    path = write(tmp_path / kind, FILES | {name: b"x"})
    with pytest.raises(InputError, match="has a member outside of its folder"):
        archives.list_files(path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["../out", "/etc/passwd", "inner/../../../out", "..\\..\\out"])
def test_a_link_out_of_the_folder_is_refused(tmp_path: Path, kind: str, target: str) -> None:
    # One that stays at the archive's top leads nowhere else.
    inside = write(tmp_path / f"inside-{kind}", FILES, ("corpus/link", "../corpus/a.wav"))
    archives.list_files(inside)
    path = write(tmp_path / kind, FILES, ("link", target))
    with pytest.raises(InputError, match="has a link that leads out of its folder, 'link'"):
        archives.list_files(path)


def test_a_hard_link_is_seen_from_the_top(tmp_path: Path) -> None:
    for target, refused in (("corpus/a.wav", False), ("../a.wav", True), ("/etc/passwd", True)):
        path = tmp_path / "a.tar"
        with tarfile.open(path, "w") as archive:
            entry = tarfile.TarInfo("corpus/deep/link")
            entry.type, entry.linkname = tarfile.LNKTYPE, target
            archive.addfile(entry)
        if refused:
            with pytest.raises(InputError, match="a link that leads out"):
                archives.list_files(path)
        else:
            assert archives.list_files(path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_cut_off_or_damaged_is_no_whole_archive(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / kind, FILES)
    whole = path.read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", b"RIFF" * 100):
        path.write_bytes(damaged)
        with pytest.raises(InputError, match="it is not a complete archive"):
            archives.list_files(path)
    path.write_bytes(b"\n<!DOCTYPE html><html>busy</html>")
    with pytest.raises(InputError, match="it is a web page, not an archive"):
        archives.list_files(path)
    if kind != "a.tar":
        # Plain tar has no checksums of contents.
        middle = whole.index(b"corpus/b.wav") + 20 if kind == "a.zip" else len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
        with pytest.raises(InputError, match="it is not a complete archive"):
            archives.list_files(path)


@pytest.mark.parametrize("place", [0.3, 0.5, 0.7])
def test_damage_in_a_later_block_of_bzip2_is_seen(tmp_path: Path, place: float) -> None:
    """Damage in a header, which tarfile treats as the end of the archive, is detected too."""
    noise = np.random.default_rng(0).bytes(3_000_000)
    path = write(tmp_path / "a.tar.bz2", {f"{each}.wav": noise for each in range(2)})
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="it is not a complete archive"):
        archives.list_files(path)


def test_a_damaged_header_of_a_tar_file_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tar", FILES)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"corpus/a.wav", b"corpus/x.wav", 1))
    with pytest.raises(InputError, match=r"it is not a complete archive \(a damaged header\)"):
        archives.list_files(path)


def test_a_zip_file_that_asks_for_a_password_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", FILES)
    data = bytearray(path.read_bytes())
    # The flag of encryption, in the local header and in the directory of the last file.
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.rindex(signature) + offset] |= 1
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match="password required"):
        archives.list_files(path)


def write_tar(path: Path, mode: str, name: str, content: bytes, /, **headers: str) -> Path:
    """Write a tar file with one member."""
    with tarfile.open(path, mode, format=tarfile.PAX_FORMAT) as archive:
        member = tarfile.TarInfo(name)
        member.size, member.pax_headers = len(content), headers
        archive.addfile(member, io.BytesIO(content))
    return path


def test_archives_that_unpack_without_measure_are_refused(tmp_path: Path) -> None:
    zeros = bytes(40 << 20)
    bombs = [
        write_tar(tmp_path / f"a.tar.{kind}", f"w:{kind}", "wav/a.wav", zeros)
        for kind in ("gz", "bz2", "xz")
    ]
    bombs.append(tmp_path / "a.zip")
    with zipfile.ZipFile(bombs[-1], "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("wav/a.wav", zeros)
    # A header that Python reads whole before it knows of any file.
    bombs.append(write_tar(tmp_path / "b.tar.gz", "w:gz", "a", b"", comment="x" * (40 << 20)))
    for path in bombs:
        with pytest.raises(InputError, match=r"would unpack to .* more than 30 times its size"):
            archives.list_files(path)


def test_archives_of_odd_headers_are_refused(tmp_path: Path) -> None:
    """They ended in errors of six types: of recursion, of LZMA, of numbers, of paths."""
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 10
    (tmp_path / "chain.tar").write_bytes((name.tobuf() + bytes(512)) * 3000)
    write_tar(tmp_path / "sparse.tar", "w", "a", b"", **{"GNU.sparse.map": "0,x"})
    for kind, compression in (("zip", zipfile.ZIP_LZMA),):
        with zipfile.ZipFile(tmp_path / f"damaged.{kind}", "w", compression) as archive:
            archive.writestr("wav/a.wav", bytes(range(256)) * 100)
    damaged = bytearray((tmp_path / "damaged.zip").read_bytes())
    damaged[50:60] = b"\xff" * 10
    (tmp_path / "damaged.zip").write_bytes(damaged)
    for path in ("chain.tar", "sparse.tar", "damaged.zip"):
        with pytest.raises(InputError, match="not a complete archive"):
            archives.list_files(tmp_path / path)
    write_tar(tmp_path / "nul.tar", "w", "x", b"", path="wav/a\0.wav")
    with pytest.raises(InputError, match="NUL"):
        archives.list_files(tmp_path / "nul.tar")
