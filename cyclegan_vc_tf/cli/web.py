r"""Open a web page on this machine to convert, train and look after runs.

python -m cyclegan_vc_tf web
python -m cyclegan_vc_tf web --runs_dir=runs --port=8000
python -m cyclegan_vc_tf web --host=0.0.0.0 --auth=USER:PASSWORD

The extra `web` has to be installed. Ctrl-C ends the page; trainings that it started go on.
"""

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
    config = settings.from_flags(WebConfig, values, WebConfig())
    try:
        server.serve(replace(config, runs_dir=settings.absolute_path(config.runs_dir)))
    except signals.StopSignal:
        print("Stopped.")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, web)
