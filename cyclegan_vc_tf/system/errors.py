"""Errors that a user can correct, and text that fits on one line."""

from collections.abc import Callable, Sequence

MAX_LINE = 4000
"""Largest number of characters of an error's line."""

MAX_NAMES = 6
"""Default number of names that an error lists."""


class InputError(Exception):
    """Error of a flag, a folder or a file.

    The message is one line: the value received, the value expected, the action to take. Commands
    print it without a traceback and exit with status 2.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> try:
        ...     vc.preset("slow")
        ... except vc.InputError as error:
        ...     print(str(error)[:21])
        received preset slow;
    """


def join_names(names: Sequence[object], most: int = MAX_NAMES) -> str:
    """Return the first `most` names in one line, and the number of further names."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


class TrainingError(Exception):
    """Error that ends a training; the message names quantity, step and action to take.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> issubclass(vc.TrainingError, vc.InputError)
        False
    """


class StopTraining(Exception):
    """Request of a callback or of `on_step` to end a training after its step, which is saved.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> def stop_at_low_loss(step, report):
        ...     if report["loss/cycle_A"] < 0.5:
        ...         raise vc.StopTraining
    """


def escape_bytes(text: str) -> str:
    """Return a text with escapes for bytes that are not UTF-8, which names of files may hold."""
    return text.encode(errors="backslashreplace").decode()


def escaping(say: Callable[[str], None]) -> Callable[[str], None]:
    """Return a function that prints a text after `escape_bytes`."""
    return lambda text: say(escape_bytes(text))


def single_line(text: str) -> str:
    """Return a text with spaces for line breaks and escapes for control characters.

    A text of more than `MAX_LINE` characters loses its middle.
    """
    line = escape_controls(" ".join(text.split()))
    if len(line) <= MAX_LINE:
        return line
    return f"{line[: MAX_LINE // 2]} … {line[-MAX_LINE // 2 :]}"


def escape_controls(text: str) -> str:
    """Return a text with escapes for line breaks and control characters, as names may hold."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
