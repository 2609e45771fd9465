"""Errors that name arguments of Python functions instead of flags of commands.

Commands and the Python API share their functions, which name settings as flags: `--run_dir`. The
package exports each function through `naming_arguments`, which spells them as arguments: `run_dir`.
"""

import re
from collections.abc import Callable, Collection
from functools import wraps
from inspect import signature
from typing import Any

from cyclegan_vc_tf.system.errors import InputError

OTHER_NAMES = {"run_dir": "run", "run_dirs": "runs"}
"""Name of an argument by that of the flag, where a function has no argument of the flag's name."""

_FLAG = re.compile(r"(?<![\w/.-])--([a-z][a-z0-9_]*)(?![\w-])")

_HELP_OF_A_COMMAND = "; see --help"


def naming_arguments(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of the package's API whose errors name arguments, not flags.

    Args:
        function: Function that raises `InputError` with names of flags.
    """
    names = signature(function).parameters.keys()

    @wraps(function)
    def call(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except InputError as error:
            error.args = (spell_as_arguments(str(error), names),)
            raise

    return call


def spell_as_arguments(message: str, names: Collection[str] = ()) -> str:
    """Return a message with names of arguments in place of flags.

    Args:
        message: Message with flags, such as `--steps is 3` or `--best_metric=mcd_db`.
        names: Names of the function's own arguments; further ones are settings.
    """

    def spell(match: re.Match[str]) -> str:
        name = match[1]
        return OTHER_NAMES[name] if name not in names and name in OTHER_NAMES else name

    return _FLAG.sub(spell, message.replace(_HELP_OF_A_COMMAND, ""))
