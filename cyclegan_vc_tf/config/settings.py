"""Settings classes as flags, as flag files and as JSON.

A settings class is a frozen dataclass whose fields are flags. Name, type, default and help of a
flag are written once, at the field.
"""

import dataclasses
import math
import os
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from absl import flags

from cyclegan_vc_tf.config import flag_files
from cyclegan_vc_tf.system import packaged_models, remote_files
from cyclegan_vc_tf.system.errors import InputError

Settings = TypeVar("Settings")

FLAG_ALIASES = {"frequency_warp": "vtln_init", "pairing_rounds": "inca_iterations"}
"""Current name by old name of a flag. Flags, flag files and `config.json` accept both names."""

SECTION_ALIASES = {"judges": "metrics"}
"""Current name by old name of a section of `config.json`."""

SHARED_SECTIONS = ("features", "network", "training", "augmentation")
"""Sections of the settings of a run that are equal on all workers of a training."""

ALIASES_MODULE = "old names"
"""Name of the help section that lists the old names."""

GIVEN_WITH_FLAGS: tuple[str, ...] = ()
"""Choices of a field that `define_flags` is given, because its module cannot know them."""


def setting(
    default: Any,
    text: str,
    *,
    minimum: float | None = None,
    maximum: float | None = None,
    choices: tuple[str, ...] | None = None,
    is_path: bool = False,
    allows_url: bool = False,
    or_folder: bool = False,
    resumable: bool = False,
) -> Any:
    """Return a dataclass field that is also a flag.

    Args:
        default: Default value, of the field's type.
        text: Help text of the flag.
        minimum: Smallest allowed value.
        maximum: Largest allowed value.
        choices: Allowed values, where they can be listed; `GIVEN_WITH_FLAGS` where `define_flags`
            is given them.
        is_path: Whether the value is a path of a folder or file, which is kept as an absolute path.
        allows_url: Whether the path may be in object storage, such as `s3://bucket/folder`.
        or_folder: Whether the value may also be a folder, kept as an absolute path, or
            "pretrained:NAME", beside the choices.
        resumable: Whether the value may change when a run is resumed.
    """
    about = {"text": text, "minimum": minimum, "maximum": maximum, "choices": choices}
    return dataclasses.field(
        default=default,
        metadata={
            **about, "is_path": is_path, "allows_url": allows_url, "or_folder": or_folder,
            "resumable": resumable,
        },
    )  # fmt: skip


def iterate_fields(cls: type) -> Iterator[tuple[str, dataclasses.Field, Any]]:
    """Yield section, field and type of each flag of a settings class.

    The section is empty for a field of the class itself.
    """
    for field, kind in _typed_fields(cls):
        if dataclasses.is_dataclass(kind):
            for inner, inner_kind in _typed_fields(kind):
                yield field.name, inner, inner_kind
        else:
            yield "", field, kind


def define_flags(
    cls: type,
    values: flags.FlagValues,
    choices: Mapping[str, tuple[str, ...]] | None = None,
) -> None:
    """Define one flag for each field of a settings class.

    Args:
        cls: Settings class.
        values: Flags that the new ones are added to.
        choices: Allowed values by flag, for fields declared with `GIVEN_WITH_FLAGS`; see
            `presets.FLAG_CHOICES`.

    Raises:
        ValueError: The choices of such a field are missing.
    """
    old_names = {name: old for old, name in FLAG_ALIASES.items()}
    for section, field, kind in iterate_fields(cls):
        about: dict[str, Any] = dict(field.metadata)
        if about["choices"] == GIVEN_WITH_FLAGS:
            about["choices"] = (choices or {}).get(field.name)
            if not about["choices"]:
                raise ValueError(f"--{field.name} has no choices; pass them to define_flags")
        default: Any = field.default
        parser, serializer = _make_parser(kind, about)
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
    """Return `base` with the values of the flags that were given.

    Args:
        cls: Settings class.
        values: Parsed flags.
        base: Settings that hold for flags that were not given.
    """
    changed: dict[str, dict[str, Any]] = {}
    for section, field, kind in iterate_fields(cls):
        if values[field.name].present:
            value: Any = values[field.name].value
            is_path = field.metadata["is_path"]
            if typing.get_origin(kind) is tuple:
                value = tuple(map(absolute_path, filter(None, value)) if is_path else value)
            elif is_path or (field.metadata["or_folder"] and _is_folder(value, field)):
                value = absolute_path(value, allows_url=field.metadata["allows_url"])
            changed.setdefault(section, {})[field.name] = value
    own = changed.pop("", {})
    for section, inner in changed.items():
        own[section] = dataclasses.replace(getattr(base, section), **inner)
    return dataclasses.replace(base, **own)  # type: ignore[type-var]


def _is_folder(value: str, field: dataclasses.Field) -> bool:
    """Return whether the value of a setting with `or_folder` is a path."""
    return value not in field.metadata["choices"] and not value.startswith(packaged_models.PREFIX)


def absolute_path(path: str, *, allows_url: bool = False) -> str:
    """Return a path as an absolute path; an empty text, which means no path, stays empty.

    Args:
        path: Path, also as `file://` and a path.
        allows_url: Whether the path may be in object storage, such as `s3://bucket/folder`.

    Raises:
        InputError: The path begins with the home folder of an unknown user, has a character that
            no path can have, or is a URL that is not allowed or names no folder.
    """
    refuse_unusable_path(path)
    path = remote_files.without_file_protocol(path)
    if remote_files.is_url(path):
        if not allows_url:
            raise InputError(
                f"received {path}; expected a folder or file of this machine, or of storage that "
                "is mounted here"
            )
        return str(remote_files.to_path(path))
    try:
        return str(Path(path).expanduser().absolute()) if path else ""
    except RuntimeError as error:
        raise InputError(f"{path}: {error}; give the folder's whole path") from error


def refuse_unusable_path(path: str) -> None:
    """Refuse a text that cannot be a path.

    Raises:
        InputError: The text has a NUL character, or one that cannot be written as bytes.
    """
    try:
        is_usable = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        is_usable = False
    if not is_usable:
        raise InputError(f"{path!r:.100} has a character that no path can have; expected a path")


def to_flags(config: Any) -> str:
    """Return settings as the text of a flag file: one `--name=value` per line."""
    lines = []
    for section, field, _ in iterate_fields(type(config)):
        value = _get(config, section, field.name)
        if isinstance(value, bool):
            value = str(value).lower()
        lines.append(flag_files.format_line(field.name, _join(value)))
    return "".join(lines)


def flag_values(config: Any) -> dict[str, bool | int | float | str]:
    """Return every setting by the name of its flag; several values are one text with commas."""
    return {
        field.name: _join(_get(config, section, field.name))
        for section, field, _ in iterate_fields(type(config))
    }


def from_dict(cls: type[Settings], data: Mapping[str, Any]) -> Settings:
    """Return settings from the output of `dataclasses.asdict`, directly or read back from JSON.

    A name that is missing has its default.

    Args:
        cls: Settings class.
        data: Values by name, current or old; sections are dictionaries.

    Raises:
        InputError: A name in `data` is not a setting, is given twice under its old and its current
            name, or has a value of another type or beyond the bounds of its flag.
    """
    known = {field.name: (field, kind) for field, kind in _typed_fields(cls)}
    if not isinstance(data, Mapping):
        raise InputError(f"received {data!r:.100}; expected settings by name")
    aliases = {**FLAG_ALIASES, **SECTION_ALIASES}
    values: dict[str, Any] = {}
    for received, value in data.items():
        name = aliases.get(received, received)
        if name not in known:
            raise InputError(
                f"{received} is not a setting of this version; expected {', '.join(known)}"
            )
        if name != received and name in data:
            raise InputError(f"{received} is an old name of {name}, and both are given; remove one")
        field, kind = known[name]
        if dataclasses.is_dataclass(kind):
            values[name] = from_dict(typing.cast(type, kind), value)
        else:
            values[name] = _check_value(field, kind, value)
    return cls(**values)


def _check_value(field: dataclasses.Field, kind: Any, value: Any) -> Any:
    """Return the value of a setting; a list becomes a tuple.

    Raises:
        InputError: The value has another type than the setting, or its flag would refuse it.
    """
    if typing.get_origin(kind) is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{field.name} is {value!r:.100}; expected a list")
        (one,) = set(typing.get_args(kind)) - {...}
        # Kernel sizes of old runs are numbers instead of texts.
        values = (str(each) if (type(each), one) == (int, str) else each for each in value)
        return tuple(_check_value(field, one, each) for each in values)
    if type(value) is not kind and (type(value), kind) != (int, float):
        raise InputError(f"{field.name} is {value!r:.100}; expected {kind.__name__}")
    if kind is bool:
        return value
    about: dict[str, Any] = dict(field.metadata)
    if about["choices"] == GIVEN_WITH_FLAGS:
        about["choices"] = None
    if field.metadata["is_path"]:
        absolute_path(value, allows_url=field.metadata["allows_url"])
    parser, _ = _make_parser(kind, about)
    try:
        parser.parse(value)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{field.name} is {value!r:.100}; {error}") from error
    return value


def resume_differences(old: Any, new: Any) -> list[str]:
    """Return one text per setting that differs and may not change when a run is resumed."""
    found = []
    for section, field, _ in iterate_fields(type(old)):
        before, after = (_get(config, section, field.name) for config in (old, new))
        if before != after and not field.metadata["resumable"]:
            found.append(f"--{field.name} was {before!r} and is {after!r}")
    return found


def worker_differences(chief: Any, own: Any) -> list[str]:
    """Return one text per setting that differs and has to be equal on all workers of a training.

    Folders and numbers of processes may differ from machine to machine.
    """
    found = []
    for section, field, _ in iterate_fields(type(chief)):
        theirs, ours = (_get(config, section, field.name) for config in (chief, own))
        if theirs != ours and section in SHARED_SECTIONS:
            found.append(f"--{field.name} is {ours!r} and the chief's is {theirs!r}")
    return found


def _get(config: Any, section: str, name: str) -> Any:
    """Return the value of a setting; an empty section means the class itself."""
    return getattr(getattr(config, section) if section else config, name)


def _join(value: Any) -> Any:
    """Return several values as one text with commas, and any other value as it is."""
    return ",".join(map(str, value)) if isinstance(value, tuple) else value


def _typed_fields(cls: Any) -> list[tuple[dataclasses.Field, Any]]:
    """Return the fields of a dataclass with their types."""
    kinds = typing.get_type_hints(cls)
    return [(field, kinds[field.name]) for field in dataclasses.fields(cls)]


def _make_parser(kind: Any, about: Mapping[str, Any]) -> tuple[flags.ArgumentParser, Any]:
    """Return the parser and the serializer of a flag.

    Args:
        kind: Type of the field.
        about: Metadata of the field.
    """
    limits = {"lower_bound": about["minimum"], "upper_bound": about["maximum"]}
    if kind is int:
        return flags.IntegerParser(**limits), flags.ArgumentSerializer()
    if kind is float:
        return _FiniteFloatParser(**limits), flags.ArgumentSerializer()
    if typing.get_origin(kind) is tuple:
        one, _ = _make_parser(typing.get_args(kind)[0], about)
        return _TupleParser(one), flags.CsvListSerializer(",")
    if about.get("or_folder"):
        return _ChoiceOrFolderParser(about["choices"]), flags.ArgumentSerializer()
    if about["choices"]:
        return flags.EnumParser(about["choices"]), flags.ArgumentSerializer()
    return flags.ArgumentParser(), flags.ArgumentSerializer()


class _FiniteFloatParser(flags.FloatParser):
    """Parser of finite numbers. It refuses NaN, which no bound excludes, and infinity."""

    def convert(self, argument: Any) -> float:
        value = float(super().convert(argument))
        if not math.isfinite(value):
            raise ValueError(f"{argument} is not a finite number")
        return value


class _ChoiceOrFolderParser(flags.EnumParser):
    """Parser of a choice, a folder or the name of a pretrained model.

    A text without a separator is a folder only if it exists, so that a misspelt choice is refused.
    """

    def parse(self, argument: Any) -> str:
        if isinstance(argument, str) and argument and argument not in self.enum_values:
            refuse_unusable_path(argument)
            if (
                argument.startswith(packaged_models.PREFIX)
                or os.sep in argument
                or Path(argument).is_dir()
            ):
                return argument
        try:
            return super().parse(argument)
        except ValueError as error:
            raise ValueError(f"{error}, or a folder, or {packaged_models.PREFIX}NAME") from error


class _TupleParser(flags.ArgumentParser):
    """Parser of several values with commas between them."""

    def __init__(self, one: flags.ArgumentParser) -> None:
        self.one = one
        self.syntactic_help = "values with commas between them"

    def parse(self, argument: Any) -> tuple[Any, ...]:
        parts = argument.split(",") if isinstance(argument, str) else argument
        return tuple(self.one.parse(part) for part in parts)

    def flag_type(self) -> str:
        return "comma separated list"
