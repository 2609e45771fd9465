"""Settings as flags and as files: the machinery behind `config`.

A field of a settings class, a frozen dataclass, is a flag: its name, type, default and help are
written once, at the field.
"""

import dataclasses
import math
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from absl import flags

from cyclegan_vc_tf.system.errors import InputError

Settings = TypeVar("Settings")

FLAG_ALIASES = {"frequency_warp": "vtln_init", "pairing_rounds": "inca_iterations"}
"""Old name of a flag: its name today. Both are accepted in flag files and in `config.json`."""

SECTION_ALIASES = {"judges": "metrics"}
"""Old name of a section of `config.json`: its name today."""

ALIASES_MODULE = "old names"
"""Name of the help section that lists the old names."""


def setting(
    default: Any,
    text: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
    is_path: bool = False,
    resumable: bool = False,
) -> Any:
    """A field that is also a flag.

    Args:
        default: Its default, of the field's type.
        text: What the flag's help says.
        minimum: Smallest value allowed.
        maximum: Largest value allowed.
        choices: The values allowed, where they can be listed.
        is_path: Whether it names a folder or a file; it is then kept as an absolute path.
        resumable: Whether it may change when a run is resumed.
    """
    about = {"text": text, "minimum": minimum, "maximum": maximum, "choices": choices}
    return dataclasses.field(
        default=default, metadata={**about, "is_path": is_path, "resumable": resumable}
    )


def iterate_fields(cls: type) -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """The flags of a settings class: section (empty for its own), field and type."""
    for field, kind in _typed_fields(cls):
        if dataclasses.is_dataclass(kind):
            for inner, inner_kind in _typed_fields(kind):
                yield field.name, inner, inner_kind
        else:
            yield "", field, kind


def define_flags(cls: type, values: flags.FlagValues) -> None:
    """Defines one flag for each field of a settings class."""
    old_names = {name: old for old, name in FLAG_ALIASES.items()}
    for section, field, kind in iterate_fields(cls):
        about: Any = field.metadata
        default: Any = field.default
        parser, serializer = _parser(kind, about)
        if isinstance(default, tuple):
            default = ",".join(map(str, default))
        options: dict[str, Any] = {"flag_values": values, "module_name": section or cls.__name__}
        if kind is bool:
            flags.DEFINE_boolean(field.name, default, about["text"], **options)
        else:
            flags.DEFINE(
                parser, field.name, default, about["text"], serializer=serializer, **options
            )
        if old := old_names.get(field.name):
            flags.DEFINE_alias(old, field.name, flag_values=values, module_name=ALIASES_MODULE)


def from_flags(cls: type[Settings], values: flags.FlagValues, base: Settings) -> Settings:
    """`base`, changed by the flags that were given.

    Args:
        cls: The settings class.
        values: Parsed flags.
        base: What holds for flags that were not given.
    """
    changed: dict[str, dict[str, Any]] = {}
    for section, field, kind in iterate_fields(cls):
        if values[field.name].present:
            value: Any = values[field.name].value
            if field.metadata["is_path"]:
                value = absolute_path(value)
            if typing.get_origin(kind) is tuple:
                value = tuple(value)
            changed.setdefault(section, {})[field.name] = value
    own = changed.pop("", {})
    for section, inner in changed.items():
        own[section] = dataclasses.replace(getattr(base, section), **inner)
    return dataclasses.replace(base, **own)  # type: ignore[type-var]


def absolute_path(path: str) -> str:
    """A path as it can be kept; an empty one, which means none, stays empty.

    Raises:
        InputError: It begins with the home folder of somebody unknown.
    """
    try:
        return str(Path(path).expanduser().absolute()) if path else ""
    except RuntimeError as error:
        raise InputError(f"{path}: {error}; give the folder's whole path") from error


def to_flags(config: Any) -> str:
    """Settings as a flag file: one `--name=value` a line."""
    lines = []
    for section, field, _ in iterate_fields(type(config)):
        value = getattr(getattr(config, section) if section else config, field.name)
        if isinstance(value, tuple):
            value = ",".join(map(str, value))
        elif isinstance(value, bool):
            value = str(value).lower()
        lines.append(f"--{field.name}={value}\n")
    return "".join(lines)


def flag_values(config: Any) -> dict[str, bool | int | float | str]:
    """Every setting by its flag's name; those with several values as text with commas."""
    found = {}
    for section, field, _ in iterate_fields(type(config)):
        value = getattr(getattr(config, section) if section else config, field.name)
        found[field.name] = ",".join(map(str, value)) if isinstance(value, tuple) else value
    return found


def from_dict(cls: type[Settings], data: dict[str, Any]) -> Settings:
    """Settings from what `dataclasses.asdict` made of them, also after a way through JSON.

    Raises:
        InputError: A name in `data` is no setting, or its value is of another type; a name that
            is missing has its default.
    """
    known = dict((field.name, kind) for field, kind in _typed_fields(cls))
    values = {}
    for written, value in data.items():
        name = {**FLAG_ALIASES, **SECTION_ALIASES}.get(written, written)
        if name not in known:
            raise InputError(f"{name} is no setting of this version; expected {', '.join(known)}")
        if dataclasses.is_dataclass(known[name]):
            value = from_dict(typing.cast(type, known[name]), value)
        elif typing.get_origin(known[name]) is tuple:
            value = tuple(map(typing.get_args(known[name])[0], value))
        elif type(value) is not known[name] and (type(value), known[name]) != (int, float):
            raise InputError(f"{name} is {value!r}; expected {known[name].__name__}")
        values[name] = value
    return cls(**values)


def resume_differences(old: Any, new: Any) -> list[str]:
    """One text for each setting that differs and may not when a run is resumed."""
    found = []
    for section, field, _ in iterate_fields(type(old)):
        before, after = (
            getattr(getattr(each, section) if section else each, field.name) for each in (old, new)
        )
        if before != after and not field.metadata["resumable"]:
            found.append(f"--{field.name} was {before!r} and is {after!r}")
    return found


def _typed_fields(cls: Any) -> list[tuple[dataclasses.Field, Any]]:
    kinds = typing.get_type_hints(cls)
    return [(field, kinds[field.name]) for field in dataclasses.fields(cls)]


def _parser(kind: Any, about: Any) -> tuple[flags.ArgumentParser, Any]:
    limits = {"lower_bound": about["minimum"], "upper_bound": about["maximum"]}
    if kind is int:
        return flags.IntegerParser(**limits), flags.ArgumentSerializer()
    if kind is float:
        return _FiniteFloatParser(**limits), flags.ArgumentSerializer()
    if typing.get_origin(kind) is tuple:
        one, _ = _parser(typing.get_args(kind)[0], about)
        return _TupleParser(one), flags.CsvListSerializer(",")
    if about["choices"]:
        return flags.EnumParser(about["choices"]), flags.ArgumentSerializer()
    return flags.ArgumentParser(), flags.ArgumentSerializer()


class _FiniteFloatParser(flags.FloatParser):
    """Parses numbers; NaN, which is within all bounds, and infinity are none."""

    def convert(self, argument: Any) -> float:
        value = float(super().convert(argument))
        if not math.isfinite(value):
            raise ValueError(f"{argument} is not a finite number")
        return value


class _TupleParser(flags.ArgumentParser):
    """Parses values with commas between them."""

    def __init__(self, one: flags.ArgumentParser) -> None:
        self.one = one
        self.syntactic_help = "values with commas between them"

    def parse(self, argument: Any) -> tuple[Any, ...]:
        parts = argument.split(",") if isinstance(argument, str) else argument
        return tuple(self.one.parse(part) for part in parts)

    def flag_type(self) -> str:
        return "comma separated list"
