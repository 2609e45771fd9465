"""NumPy archives that are damaged or forged are refused with a reason, in little memory."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cyclegan_vc_tf.system import array_archives


def forge(path: Path, header: str, entries: int = 1, compression: int = 0) -> None:
    """Write an archive with array files of a header and no values."""
    content = b"\x93NUMPY\x01\0" + len(header).to_bytes(2, "little") + header.encode()
    with zipfile.ZipFile(path, "w", compression) as archive:
        for number in range(entries):
            archive.writestr(f"a{number}.npy", content)


def test_arrays_are_those_that_numpy_wrote(tmp_path: Path) -> None:
    arrays = {
        "a/b": np.arange(6.0).reshape(2, 3), "fortran": np.asfortranarray(np.eye(3)),
        "scalar": np.float64(2.5), "empty": np.zeros((0, 4)), "half": np.ones(3, np.float16),
    }  # fmt: skip
    np.savez(tmp_path / "plain.npz", **arrays)
    np.savez_compressed(tmp_path / "packed.npz", **arrays)
    for name in ("plain.npz", "packed.npz"):
        with array_archives.open_arrays(tmp_path / name) as found:
            assert set(found) == set(arrays)
            for key, array in arrays.items():
                np.testing.assert_array_equal(found[key], array)
                assert found[key].dtype == array.dtype


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ("{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }", "states 8,796,"),
        ("(" * 5000, "header is damaged"),
        ("-" * 5000 + "1", "header is damaged"),
        ("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", "Python objects"),
    ],
)
def test_a_forged_header_is_refused(tmp_path: Path, header: str, reason: str) -> None:
    """The first one made NumPy allocate 8 TB."""
    forge(tmp_path / "a.npz", header)
    with (
        array_archives.open_arrays(tmp_path / "a.npz") as found,
        pytest.raises(array_archives.ArrayArchiveError, match=reason),
    ):
        found["a0"]


def test_damaged_archives_are_refused(tmp_path: Path) -> None:
    file = io.BytesIO()
    np.savez_compressed(file, a=np.arange(1000))
    content = file.getvalue()
    entry = content.find(b"PK\1\2")
    damaged = {
        "empty": b"",
        "cut": content[:-30],
        "encrypted": content[: entry + 8] + b"\1" + content[entry + 9 :],
        "unknown_compression": content[: entry + 10] + b"\x63" + content[entry + 11 :],
        "flipped": content[:200] + bytes([content[200] ^ 1]) + content[201:],
    }
    for name, damage in damaged.items():
        (tmp_path / name).write_bytes(damage)
        with (
            pytest.raises(array_archives.ArrayArchiveError),
            array_archives.open_arrays(tmp_path / name) as found,
        ):
            found["a"]


def test_an_archive_that_expands_without_measure_is_refused(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(1 << 22))
    assert (tmp_path / "bomb.npz").stat().st_size < 100_000
    with (
        pytest.raises(array_archives.ArrayArchiveError, match="33,554,560 bytes"),
        array_archives.open_arrays(tmp_path / "bomb.npz"),
    ):
        pass
