"""What is raised when a person has something to mend, and how a list is said in a line."""

from collections.abc import Sequence

MAX_NAMES = 6
"""How many names an error lists, where nothing else is said."""


class InputError(Exception):
    """A flag, folder or file is not what it has to be.

    The message is one line: what was received, what was expected, what to do. The commands print
    it without a traceback and exit with status 2.
    """


def join_names(names: Sequence[object], most: int = MAX_NAMES) -> str:
    """The first of `names` in a line, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


class TrainingError(Exception):
    """A training cannot go on; the message names the quantity and the step, and what to do."""


def single_line(text: str) -> str:
    """A text without line breaks, and without what would move a terminal's cursor."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode()
        for each in " ".join(text.split())
    )
