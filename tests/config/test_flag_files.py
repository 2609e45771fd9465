"""Flag files in other encodings are refused by name, also where another file includes them."""

from pathlib import Path

import pytest
from conftest import run_here

from cyclegan_vc_tf.config import flag_files
from cyclegan_vc_tf.system.errors import InputError


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("--steps=5\n".encode("utf-16"), "not text in UTF-8"),
        ("# Größe\n--steps=5\n".encode("latin-1"), "not text in UTF-8"),
        ("# first\n--steps=5\n".encode("utf-8-sig"), "a byte order mark"),
        (b"--run_dir=a\0b\n", "a NUL character"),
        (b"#" * (2 << 20), "more than 1,048,576 bytes"),
    ],
)
def test_a_flag_file_that_is_not_text_is_refused(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    """A NUL in a path ended in a traceback; a byte order mark in `unexpected arguments`."""
    inner, outer = tmp_path / "inner.flags", tmp_path / "outer.flags"
    inner.write_bytes(content)
    outer.write_text(f"--flagfile={outer}\n--flagfile={inner}\n")
    for arguments in ([f"--flagfile={outer}"], ["--flagfile", str(inner)]):
        with pytest.raises(InputError, match=f"--flagfile {inner} .*{reason}"):
            flag_files.check(arguments)
    done = run_here("convert.py", f"--flagfile={inner}")
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr


def test_flag_files_in_utf_8_are_left_to_absl(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes("# Größe\r\n--run_dir=ä\r".encode())
    flag_files.check([f"--flagfile={tmp_path}/a", "--flagfile=missing", "--flagfile"])
