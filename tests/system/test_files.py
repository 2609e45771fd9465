"""Atomic writes, also of files with the longest names."""

import os
from pathlib import Path

import pytest

from cyclegan_vc_tf.system import files


def test_a_file_is_replaced_at_the_end_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    files.write_text(path, "old")
    with files.replacing(path) as partial:
        partial.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    files.write_text(path, "old")
    with pytest.raises(RuntimeError), files.replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_use_different_temporary_files(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with files.replacing(path) as first, files.replacing(path) as second:
        assert first != second
        first.write_text("1")
        second.write_text("2")
    assert path.read_text() == "1", "the writer that ends last wins"


@pytest.mark.parametrize("replaces", [False, True])
def test_a_folder_appears_at_the_end_and_whole(tmp_path: Path, replaces: bool) -> None:
    path = tmp_path / "new" / "model"
    leftover = files.partial_folder(path) / "leftover"
    leftover.mkdir(parents=True)
    with files.building(path, replaces=replaces) as partial:
        (partial / "a").write_text("1")
        assert not path.exists()
    assert [each.name for each in path.iterdir()] == ["a"]
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_with_files_is_replaced_only_where_it_is_said(tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.mkdir()
    (path / "old").write_text("0")
    with pytest.raises(OSError, match="not empty"), files.building(path) as partial:
        (partial / "a").write_text("1")
    with pytest.raises(RuntimeError), files.building(path, replaces=True):
        raise RuntimeError
    assert [each.name for each in tmp_path.rglob("*")] == ["model", "old"]
    with files.building(path, replaces=True) as partial:
        (partial / "a").write_text("1")
    assert [each.name for each in tmp_path.rglob("*")] == ["model", "a"]


@pytest.mark.parametrize("characters", ["a", "é", "語", "😀", "\udcff"])
@pytest.mark.parametrize("length", [237, 238, 254, 255])
def test_the_longest_names_are_written(tmp_path: Path, characters: str, length: int) -> None:
    """A name may have 255 bytes (NAME_MAX in Linux' limits.h), which are fewer characters."""
    count, rest = divmod(length, len(os.fsencode(characters)))
    path = tmp_path / ("b" * rest + characters * count)
    assert len(os.fsencode(path.name)) == length
    with files.replacing(path) as partial:
        partial.write_text("new")
        assert 230 < len(os.fsencode(partial.name)) <= 255 or characters == "\udcff"
        assert partial.name.startswith(".") and partial.name.endswith(files.PARTIAL_SUFFIX)
        assert [each.name for each in tmp_path.glob(f".*{files.PARTIAL_SUFFIX}")] == [partial.name]
        if characters != "\udcff":
            partial.name.encode("utf-8")
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("allowed", "visible"), [(143, 125), (20, 2)])
def test_names_are_as_long_as_the_file_system_allows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, allowed: int, visible: int
) -> None:
    """Encrypted folders allow 143 bytes (eCryptfs); 18 of them are not the file's own name."""
    monkeypatch.setattr(os, "pathconf", lambda path, name: {"PC_NAME_MAX": allowed}[name])
    with files.replacing(tmp_path / ("a" * 140)) as partial:
        partial.touch()
    assert len(partial.name) == allowed
    assert partial.name.startswith("." + "a" * visible + ".")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": 1, "b": 2, "a": 3}', "'a' twice"),
        ('{"a": 1}'.encode("utf-16"), "utf-8"),
        (b"", "Expecting value"),
    ],
)
def test_json_that_is_not_clear_is_refused(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=reason):
        files.read_json(tmp_path / "a.json")


def test_json_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'\xef\xbb\xbf{"a": [1]}')
    assert files.read_json(tmp_path / "a.json") == {"a": [1]}
