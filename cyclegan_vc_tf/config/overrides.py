"""Settings changed one by one, by the names of their flags."""

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from absl import flags

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.system.errors import InputError

Settings = TypeVar("Settings")


def given_settings(cls: type, values: flags.FlagValues) -> dict[str, Any]:
    """Return the settings that were given as flags, by name.

    Args:
        cls: Settings class.
        values: Parsed flags.
    """
    names = [field.name for _, field, _ in settings.iterate_fields(cls)]
    return {name: values[name].value for name in names if values[name].present}


def override(base: Settings, changes: Mapping[str, object]) -> Settings:
    """Return settings with some of them changed.

    Values pass through the parsers of the flags, which check types, bounds and choices.

    Args:
        base: Settings to change; they stay as they are.
        changes: New values by the names of their flags, such as `{"steps": 1000}`.

    Raises:
        InputError: A name is not a setting, or a value is not allowed.

    Example:
        >>> from cyclegan_vc_tf.config.run import RunConfig
        >>> override(RunConfig(), {"steps": 1000}).training.steps
        1000
    """
    values = flags.FlagValues()
    settings.define_flags(type(base), values)
    for name in changes:
        if name not in values:
            close = difflib.get_close_matches(name, list(values), n=1)
            hint = f"did you mean {close[0]}?" if close else "see the help of the command"
            raise InputError(f"received {name}; expected the name of a setting; {hint}")
    try:
        values(["settings", *(f"--{name}={_to_text(value)}" for name, value in changes.items())])
    except flags.Error as error:
        raise InputError(str(error)) from None
    return settings.from_flags(type(base), values, base)


def _to_text(value: object) -> str:
    """Write a value as on a command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value)
