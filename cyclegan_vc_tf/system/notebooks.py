"""HTML of results in a notebook: tables and audio players, which load nothing from elsewhere."""

import base64
import html
from collections.abc import Iterable, Sequence
from pathlib import Path

from cyclegan_vc_tf.system.errors import escape_bytes

MAX_PLAYED_BYTES = 4_000_000
"""Largest wav file that a player holds, in bytes; a notebook keeps all of them in memory."""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in HTML.

    Args:
        header: Titles of the columns.
        rows: Cells of each row. Text is escaped, except for `Markup`.
    """
    head = "".join(f"<th>{escape(title)}</th>" for title in header)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def player(wav: Path) -> Markup:
    """Return an audio player that holds a wav file; empty for a large or missing file."""
    try:
        if wav.stat().st_size > MAX_PLAYED_BYTES:
            return Markup("")
        content = base64.b64encode(wav.read_bytes()).decode("ascii")
    except OSError:
        return Markup("")
    return Markup(f'<audio controls src="data:audio/wav;base64,{content}"></audio>')


def escape(cell: object) -> str:
    """Return text for HTML; a file's name may hold bytes that are not valid text."""
    if isinstance(cell, Markup):
        return cell
    return html.escape(escape_bytes(str(cell)))
