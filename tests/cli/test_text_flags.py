"""Text files that flags name: the flag and the path stand in the error of each fault."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import run_here

from cyclegan_vc_tf.cli import paths
from cyclegan_vc_tf.system import text_files
from cyclegan_vc_tf.system.errors import InputError

COMMANDS = {
    "publish --about": ("publish", "--run_dir=pretrained:vc1-demo", "--output=OUT", "--about=FILE"),
    "export --about": (
        "export", "--run_dir=pretrained:vc1-demo", "--output=OUT.onnx", "--format=onnx",
        "--about=FILE",
    ),
    "convert --flagfile": ("convert", "--flagfile=FILE"),
    "train --flagfile": ("train", "--flagfile=FILE"),
}  # fmt: skip
"""Command lines by command and flag. `--transcripts` is read with the recordings of an evaluation:
tests/evaluation/test_evaluation_sets.py."""

FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "does not exist"),
    "folder": (lambda path: path.mkdir(), "is a folder"),
    "inside a file": (lambda path: path.parent.rmdir() or path.parent.touch(), "cannot be read"),
    "encoding": (lambda path: path.write_bytes("# Größe".encode("latin-1")),
                 "is not text in UTF-8 (invalid start byte at byte 4); save it in UTF-8"),
    "utf-16": (lambda path: path.write_bytes("# Voices".encode("utf-16-le")),
               "has a NUL character"),
    "large": (lambda path: path.write_bytes(b"#" * (1 + (1 << 20))),
              "has more than 1,048,576 bytes"),
}  # fmt: skip
"""Maker of each faulty file, and its error."""


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("fault", FAULTS)
def test_the_flag_and_the_path_are_named(name: str, fault: str, tmp_path: Path) -> None:
    make, expected = FAULTS[fault]
    path = tmp_path / "folder" / "notes.md"
    path.parent.mkdir()
    make(path)
    command, *given = COMMANDS[name]
    arguments = [
        each.replace("FILE", str(path)).replace("OUT", f"{tmp_path}/out") for each in given
    ]
    done = run_here(command, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    flag = name.split()[1]
    assert done.stderr.startswith(f"{command}: {flag} {path} {expected}"), done.stderr
    assert done.stderr.count("\n") == 1
    assert [each.name for each in tmp_path.iterdir()] == ["folder"]


def test_a_text_is_read_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes("\ufeff# Größe\r\nend".encode())
    assert paths.read_text("about", str(tmp_path / "a.md")) == "# Größe\r\nend"
    assert paths.read_text("about", "") == ""
    assert text_files.read("about", tmp_path / "a.md", 17) == "\ufeff# Größe\r\nend"
    with pytest.raises(InputError, match="more than 16 bytes"):
        text_files.read("about", tmp_path / "a.md", 16)


def test_a_pipe_is_read_to_its_end() -> None:
    """A shell gives `--about=<(command)` as a pipe."""
    reading, writing = os.pipe()
    with open(reading, closefd=False), io.FileIO(writing, "w") as pipe:
        pipe.write(b"# Voices\n")
    assert paths.read_text("about", f"/dev/fd/{reading}") == "# Voices\n"
    os.close(reading)
