"""What the commands have in common: flags in, one line of error out, an exit status."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from absl import flags

from cyclegan_vc_tf.system import signals
from cyclegan_vc_tf.system.errors import InputError, TrainingError, single_line

# TensorFlow reports every accelerator it does not find; what fails still raises.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

DONE, SOME_FAILED, REFUSED = 0, 1, 2


def run(
    about: str | None,
    define: Callable[[flags.FlagValues], None],
    main: Callable[[flags.FlagValues], int],
) -> NoReturn:
    """Runs a command and exits.

    Args:
        about: What `--help` says first.
        define: Defines its flags.
        main: Does its work; returns the exit status.
    """
    program = Path(sys.argv[0]).name
    values = flags.FlagValues()
    define(values)
    flags.DEFINE_boolean(
        "debug", False, "Show the traceback of an error.", flag_values=values, module_name="debug"
    )
    if {"-h", "--help", "--helpfull"} & set(sys.argv[1:]):
        sections = [values.module_help(name) for name in values.flags_by_module_dict()]
        print(
            about, "\n\n".join(sections), "  --flagfile: File with flags, one a line.", sep="\n\n"
        )
        sys.exit(DONE)
    # A file's name may hold bytes that are no text.
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    signals.raise_on_signals()
    try:
        unexpected = values(sys.argv)[1:]
        if unexpected:
            raise InputError(f"unexpected arguments {unexpected}; expected --flags alone")
        sys.exit(main(values))
    except (flags.Error, InputError, TrainingError, OSError, UnicodeDecodeError) as error:
        if values.is_parsed() and values.debug:
            raise
        print(f"{program}: {single_line(str(error))}", file=sys.stderr)
        sys.exit(REFUSED)
    except signals.StopSignal as stopped:
        print(f"{program}: stopped; what is finished is kept", file=sys.stderr)
        sys.exit(128 + stopped.number)
