"""Common part of all commands: parsing of flags, errors in one line, exit statuses."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from absl import flags

from cyclegan_vc_tf.cli import system_errors
from cyclegan_vc_tf.config import flag_files, preset_files, settings
from cyclegan_vc_tf.system import signals, startup
from cyclegan_vc_tf.system.errors import InputError, TrainingError, single_line

DONE, SOME_FAILED, REFUSED = 0, 1, 2

DefineFlags = Callable[[flags.FlagValues], None]


def run(
    about: str | None, define: DefineFlags, main: Callable[[flags.FlagValues], int]
) -> NoReturn:
    """Run a command and exit.

    Args:
        about: First text of `--help`.
        define: Defines the flags of the command.
        main: Does the work and returns the exit status.
    """
    startup.quiet_tensorflow()
    startup.hide_optional_packages()
    program = Path(sys.argv[0]).name
    values = _define_all(define)
    if {"-h", "--help", "--helpfull"} & set(sys.argv[1:]):
        print(about, _help_text(values), sep="\n\n")
        sys.exit(DONE)
    # A file's name may hold bytes that are not text.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    signals.raise_on_signals()
    try:
        given = flag_files.expand(sys.argv[1:])
        unexpected = values([sys.argv[0], *given])[1:]
        if unexpected:
            raise InputError(f"unexpected arguments {unexpected}; expected --flags alone")
        if "preset" in values and values.preset:
            # Flags of the preset come first: a later flag overrides an earlier one.
            arguments = [*preset_files.preset_arguments(values.preset), *given]
            values = _define_all(define)
            values([sys.argv[0], *arguments])
        sys.exit(main(values))
    except (
        flags.Error, InputError, TrainingError, OSError, UnicodeDecodeError, MemoryError,
        ModuleNotFoundError,
    ) as error:  # fmt: skip
        if values.is_parsed() and values.debug:
            raise
        text = system_errors.describe(error, values) or "there is not enough memory"
        print(f"{program}: {single_line(text)}", file=sys.stderr)
        sys.exit(REFUSED)
    except signals.StopSignal as stopped:
        print(f"{program}: stopped; what is finished is kept", file=sys.stderr)
        sys.exit(128 + stopped.number)


def _define_all(define: DefineFlags) -> flags.FlagValues:
    """Return the flags of a command, and those of all commands."""
    values = flags.FlagValues()
    define(values)
    flags.DEFINE_boolean(
        "debug", False, "Show the traceback of an error.", flag_values=values, module_name="debug"
    )
    return values


def _help_text(values: flags.FlagValues) -> str:
    """Return the help of all flags by section; old names of flags come last."""
    names = sorted(values.flags_by_module_dict(), key=lambda name: name == settings.ALIASES_MODULE)
    sections = [values.module_help(name) for name in names]
    return "\n\n".join(["  --flagfile: File with one flag per line.", *sections])
