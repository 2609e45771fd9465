"""Flag files in other encodings are refused by name, also where another file includes them."""

from pathlib import Path

import pytest
from conftest import run_here

from cyclegan_vc_tf.config import flag_files
from cyclegan_vc_tf.system import files
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
            flag_files.expand(arguments)
    done = run_here("convert.py", f"--flagfile={inner}")
    assert done.returncode == 2 and done.stderr.count("\n") == 1, done.stderr


def test_lines_stand_in_the_place_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Comments are left out; a flag without a path is absl's."""
    outer, inner = tmp_path / "a", tmp_path / "b"
    outer.write_bytes(f"# Größe\r\n--run_dir=ä\r--flagfile={inner}\n\n//\n --seed 3 ".encode())
    inner.write_text(f"--steps=\u2028 5\n-flagfile={outer}")
    given = flag_files.expand(["--seed=1", f"--flagfile={outer}", "--flagfile=", "--flagfile"])
    assert given == [
        "--seed=1", "--run_dir=ä", "--steps=\u2028 5", "--seed 3", "--flagfile=", "--flagfile"
    ]  # fmt: skip
    assert capsys.readouterr().err == (
        f"warning: --flagfile {outer} includes itself; it is read once\n"
    )


@pytest.mark.parametrize(
    "name", ["a", "ä b", "caf\udce9", "a\nb", "a\r", "a ", "a\x85", '"a"', "\\"]
)
def test_a_line_gives_back_any_value(tmp_path: Path, name: str) -> None:
    """Bytes that are not text made the run's own flag file unreadable; line ends made two flags."""
    path = tmp_path / "flags.txt"
    lines = [flag_files.format_line("run_dir", value) for value in (name, f"/x/{name}", 5)]
    files.write_text(path, "".join(lines))
    path.read_text(encoding="utf-8")
    given = flag_files.expand([f"--flagfile={path}"])
    assert given == [f"--run_dir={name}", f"--run_dir=/x/{name}", "--run_dir=5"]


@pytest.mark.parametrize("value", ['"a"b"', '"a', '"\\ud800"', '"\\u0000"', '"\\x"'])
def test_other_quotes_are_part_of_the_value(tmp_path: Path, value: str) -> None:
    (tmp_path / "a").write_text(f"--run_dir={value}\n")
    assert flag_files.expand([f"--flagfile={tmp_path}/a"]) == [f"--run_dir={value}"]
