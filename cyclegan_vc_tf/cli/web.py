r"""Open a web page on this machine to convert, train and look after runs.

python -m cyclegan_vc_tf web
python -m cyclegan_vc_tf web --runs_dir=runs --port=8000
python -m cyclegan_vc_tf web --host=0.0.0.0 --auth=USER:PASSWORD

The extra `web` has to be installed. Ctrl-C ends the page; trainings that it started go on.
"""

import atexit
import os
import sys
from contextlib import suppress
from dataclasses import replace

from absl import flags

from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.web import WebConfig
from cyclegan_vc_tf.serving.web import server
from cyclegan_vc_tf.system import signals


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(WebConfig, values)


def web(values: flags.FlagValues) -> int:
    """Serve the page until a signal ends it."""
    status: list[int] = []
    # What is registered first runs last.
    atexit.register(_leave, status)
    config = settings.from_flags(WebConfig, values, WebConfig())
    try:
        server.serve(replace(config, runs_dir=settings.absolute_path(config.runs_dir)))
    except signals.StopSignal:
        print("Stopped.")
    status.append(command.DONE)
    return command.DONE


def _leave(status: list[int]) -> None:
    """End this process without Python's finalization, if the page has ended.

    TensorBoard's threads go on until the process ends, and may be inside TensorFlow's C++ code.
    Python before 3.14 ends a thread that comes back from there during the finalization; C++ then
    ends the whole process with SIGABRT.

    Args:
        status: Exit status in a list; empty if the page did not end as it should.
    """
    if not status:
        return
    for stream in (sys.stdout, sys.stderr):
        # It may be closed, or nobody reads it any more.
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(status[0])


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, web)
