"""Strategies of damage: bytes of files, and values in JSON."""

import json
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

ODD_INTEGERS = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Values at the limits of fields of one, two and four bytes."""

ODD_NUMBERS = (
    -1, 0, 1, 2, 3, 7, 65, 10**6, 2**31, 2**63, 10**30, 0.5, -0.0, 1e-300, 1e300,
    float("nan"), float("inf"), float("-inf"),
)  # fmt: skip

ODD_TEXTS = (
    "", "a", "0", "5x15", "\0", "a\0b", "\ud800", "ä\n\x1b[31m", "../..", "/dev/null", "x" * 5000,
    "9" * 5000, "nan", "mel_cepstra", "log_mel", "vc2", "mask",
)  # fmt: skip


class Contents(dict[str, bytes | None]):
    """Contents of files by name, None for a missing file; long ones are shortened in messages."""

    def __repr__(self) -> str:
        """Return names and the beginnings of the contents."""
        shown = {name: content if content is None else content[:300]
                 for name, content in self.items()}  # fmt: skip
        return f"Contents({shown})"

    def write(self, folder: Path) -> None:
        """Write the files into a folder, and remove the missing ones."""
        for name, content in self.items():
            path = folder / name
            if content is None:
                path.unlink(missing_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)


@st.composite
def damaged_bytes(draw: DrawFn, data: bytes, most: int = 3) -> bytes:
    """Return bytes of a file after one to `most` pieces of damage."""
    for _ in range(draw(st.integers(1, most))):
        data = draw(_damage(data))
    return data


@st.composite
def _damage(draw: DrawFn, data: bytes) -> bytes:
    """Return bytes after one piece of damage."""
    kind = draw(st.sampled_from(
        ("flip", "flip", "field", "field", "cut", "empty", "remove", "repeat", "insert", "append")
    ))  # fmt: skip
    # Headers are at the beginning or at the end of most formats.
    size = len(data)
    near = st.integers(0, min(size, 200)) | st.integers(max(0, size - 200), size)
    place = draw(near | st.integers(0, size))
    length = draw(st.sampled_from((1, 2, 4, 8, 16, 100, 512, 5000)))
    if kind == "flip":
        if place < size:
            flipped = data[place] ^ (1 << draw(st.integers(0, 7)))
            data = data[:place] + bytes([flipped]) + data[place + 1 :]
    elif kind == "field":
        width, order = draw(st.sampled_from((1, 2, 4, 8))), draw(st.sampled_from(("little", "big")))
        value = draw(st.sampled_from(ODD_INTEGERS)) % 256**width
        data = data[:place] + value.to_bytes(width, order) + data[place + width :]
    elif kind == "cut":
        data = data[:place]
    elif kind == "empty":
        data = b""
    elif kind == "remove":
        data = data[:place] + data[place + length :]
    elif kind == "repeat":
        data = data[:place] + data[place : place + length] * 2 + data[place + length :]
    elif kind == "insert":
        data = data[:place] + draw(st.binary(min_size=1, max_size=16)) + data[place:]
    else:
        data += draw(st.sampled_from((b"\0", b"\xff" * 100, b"\0" * 5000, data[:5000], b"junk")))
    return data


def odd_values() -> SearchStrategy[Any]:
    """Return a strategy of JSON values that no file of the package holds."""
    leaves = (
        st.sampled_from(ODD_NUMBERS) | st.sampled_from(ODD_TEXTS) | st.none() | st.booleans()
        | st.integers() | st.floats() | st.text(max_size=8)
    )  # fmt: skip
    return leaves | st.lists(leaves, max_size=3) | st.dictionaries(
        st.text(max_size=4) | st.sampled_from(("A", "step", "0")), leaves, max_size=3
    )  # fmt: skip


@st.composite
def damaged_json(draw: DrawFn, text: str) -> bytes:
    """Return a JSON file after damage of its values, its keys, its text or its encoding."""
    data = json.loads(text)
    for _ in range(draw(st.integers(0, 3))):
        data = draw(_changed(data))
    text = json.dumps(data, indent=draw(st.sampled_from((None, 1))))
    kind = draw(st.sampled_from(("none", "none", "none", "twice", "deep", "bytes", "encoding")))
    if kind == "twice":
        text = text.replace("{", '{"A": 1, "A": 2, ', 1) if draw(st.booleans()) else text * 2
    elif kind == "deep":
        depth = draw(st.sampled_from((100, 2000, 100_000)))
        text = draw(st.sampled_from(("[" * depth, "[" * depth + "]" * depth, '{"a":' * depth)))
    encoding = "utf-8"
    if kind == "encoding":
        encoding = draw(st.sampled_from(("utf-16", "utf-8-sig", "utf-32-le", "latin-1", "cp037")))
    content = text.encode(encoding, "backslashreplace")
    return draw(damaged_bytes(content)) if kind == "bytes" else content


@st.composite
def _changed(draw: DrawFn, data: Any) -> Any:
    """Return JSON data with one value replaced, removed or added somewhere."""
    if isinstance(data, dict) and data and draw(st.integers(0, 5)):
        key = draw(st.sampled_from(sorted(data)))
        kind = draw(st.sampled_from(("inside", "inside", "inside", "remove", "add", "rename")))
        rest = {name: value for name, value in data.items() if name != key}
        if kind == "inside":
            return {**data, key: draw(_changed(data[key]))}
        if kind == "remove":
            return rest
        if kind == "add":
            return {**data, draw(st.sampled_from(ODD_TEXTS)): draw(odd_values())}
        return {**rest, draw(st.sampled_from(ODD_TEXTS) | st.text(max_size=4)): data[key]}
    if isinstance(data, list) and data and draw(st.integers(0, 3)):
        place = draw(st.integers(0, len(data) - 1))
        return [*data[:place], draw(_changed(data[place])), *data[place + 1 :]]
    return draw(odd_values())
