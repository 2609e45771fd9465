"""Strategy of NumPy archives with odd arrays, forged headers and damaged bytes."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np
from fuzz_mutations import damaged_bytes
from hypothesis import strategies as st


def npz_bytes(**arrays: Any) -> bytes:
    """Return the bytes of a NumPy archive."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


_CHANGES: tuple[Callable[[np.ndarray], np.ndarray], ...] = (
    lambda array: np.full(array.shape, np.nan),
    lambda array: np.full(array.shape, -np.inf),
    lambda array: np.full(array.shape, 1e300),
    lambda array: np.full(array.shape, 65_504.0, np.float16),
    lambda array: array.astype(np.complex64),
    lambda array: array.astype(np.int8),
    lambda array: array.astype("U8"),
    lambda array: array.astype("M8[D]" if array.dtype.kind == "i" else ">f8"),
    lambda array: array.T,
    lambda array: array[None],
    lambda array: array.ravel()[:0],
)
"""Changes of an array that mostly keep its shape."""


@st.composite
def array_archives(draw: st.DrawFn, arrays: dict[str, np.ndarray]) -> bytes:
    """Return a NumPy archive with some arrays changed, or with its bytes damaged."""
    changed: dict[str, Any] = dict(arrays)
    odd = st.sampled_from((
        np.zeros(0), np.zeros((2, 3)), np.array("text"), np.array([b"bytes"]), np.array(1j),
        np.full(3, np.nan), np.full(24, 1e300), np.array(-(2**62)), np.arange(2**16), np.array([]),
        np.zeros(1 << 22), np.array(True), np.zeros(3, "f2,i4"), np.array("2020", "M8[D]"),
    ))  # fmt: skip
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from((*sorted(arrays), "other")))
        changed[name] = draw(odd)
        if name in arrays and draw(st.booleans()):
            changed[name] = draw(st.sampled_from(_CHANGES))(arrays[name])
    content = npz_bytes(**changed)
    kind = draw(st.sampled_from(("none", "bytes", "header", "object", "encrypted")))
    if kind == "bytes":
        return draw(damaged_bytes(content))
    if kind == "header":
        headers = (
            "(" * 5000, "-" * 5000 + "1", "{'descr': '<f8', 'shape': (10**12,)}", "[]", "\0",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }",
        )  # fmt: skip
        text = draw(st.sampled_from(headers)).encode()
        npy = b"\x93NUMPY\x01\0" + (len(text) % 65_536).to_bytes(2, "little") + text
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            for name in arrays:
                archive.writestr(f"{name}.npy", npy)
        return file.getvalue()
    if kind == "object":
        return npz_bytes(**{**arrays, draw(st.sampled_from(sorted(arrays))): np.array([None, {}])})
    if kind == "encrypted":
        place = content.find(b"PK\1\2") + 8
        return content[:place] + b"\1" + content[place + 1 :]
    return content
