"""Flags of a training that are typed into the page."""

import shlex

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system import packaged_models
from cyclegan_vc_tf.system.errors import InputError

PATHS = frozenset(
    field.name for _, field, _ in settings.iterate_fields(RunConfig) if field.metadata["is_path"]
)
"""Settings that are paths: a page must not choose files on the machine."""

CHOICES_OR_FOLDER = {
    field.name: field.metadata["choices"]
    for _, field, _ in settings.iterate_fields(RunConfig)
    if field.metadata["or_folder"]
}
"""Choices of the settings that may be a folder instead; the page takes the choices alone."""

SCHEDULER = "scheduler"
"""Address of another machine: a page must not choose whom this machine trusts."""

SWITCHES = frozenset(
    field.name for _, field, kind in settings.iterate_fields(RunConfig) if kind is bool
)
"""Settings that are on or off."""


def parse_flags(text: str) -> dict[str, str]:
    """Return the values of flags by name.

    Args:
        text: Flags as on a command line, such as "--steps=2000 --limit_power".

    Raises:
        InputError: The text has another form, or a flag is a path or an address.
    """
    try:
        words = shlex.split(text or "")
    except ValueError as error:
        raise InputError(f"received the flags {text!r} ({error}); expected --name=value") from None
    values = {}
    for word in words:
        name, equals, value = word.removeprefix("--").partition("=")
        if not word.startswith("--") or not name:
            raise InputError(f"received {word!r}; expected --name=value")
        if not equals:
            name, value = _switch(name)
        is_folder = name in CHOICES_OR_FOLDER and not (
            value in CHOICES_OR_FOLDER[name] or value.startswith(packaged_models.PREFIX)
        )
        if name in PATHS or is_folder:
            raise InputError(f"--{name} is a path, which the page does not take; leave it out")
        if name == SCHEDULER:
            raise InputError(f"--{name} is an address, which the page does not take; leave it out")
        values[name] = value
    return values


def _switch(name: str) -> tuple[str, str]:
    """Return name and value of a flag without a value: --name or --noname."""
    name = settings.FLAG_ALIASES.get(name, name)
    if name in SWITCHES:
        return name, "true"
    if name.removeprefix("no") in SWITCHES:
        return name.removeprefix("no"), "false"
    raise InputError(f"--{name} has no value; expected --{name}=value")
