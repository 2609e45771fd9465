"""What the tabs of the page share: folders, runs, trainings, loaded voices."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import gradio as gr

from cyclegan_vc_tf.config.web import WebConfig
from cyclegan_vc_tf.serving.web.conversions import LoadedVoices
from cyclegan_vc_tf.serving.web.live_session import LiveSessions
from cyclegan_vc_tf.serving.web.run_list import RunList
from cyclegan_vc_tf.serving.web.tensorboard_server import TensorBoardServer
from cyclegan_vc_tf.serving.web.training_view import EventReader
from cyclegan_vc_tf.serving.web.trainings import Trainings
from cyclegan_vc_tf.serving.web.workspace import Workspace
from cyclegan_vc_tf.system.errors import InputError, TrainingError, single_line

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Services:
    """Objects behind the page, shared by all sessions.

    Args:
        config: Settings of the page.
        workspace: Temporary files.

    Attributes:
        runs: List of runs.
        trainings: Trainings that the page started.
        tensorboard: TensorBoard of all runs.
        voices: Runs in memory.
        live: Live conversions.
        events: Reader of event files.
    """

    def __init__(self, config: WebConfig, workspace: Workspace) -> None:
        self.config, self.workspace = config, workspace
        runs_dir = Path(config.runs_dir)
        self.runs = RunList(runs_dir)
        self.trainings = Trainings(self.runs, config.max_trainings)
        self.tensorboard = TensorBoardServer(runs_dir)
        self.voices = LoadedVoices()
        self.live = LiveSessions(config.max_live, config.max_live_seconds)
        self.events = EventReader()

    def update_voices(self, current: str | None) -> Any:
        """Return the list of voices as it is now, for a widget that chooses one of them.

        Args:
            current: Voice that is chosen.
        """
        voices = self.runs.voices()
        return gr.update(choices=voices, value=current if current in voices else voices[0])


def show_errors(handler: Handler) -> Handler:
    """Show errors that a user can correct as a message on the page, in one line."""

    @functools.wraps(handler)
    def handle(*arguments: Any, **options: Any) -> Any:
        try:
            return handler(*arguments, **options)
        except (InputError, TrainingError, OSError) as error:
            raise page_error(error) from None

    return handle  # type: ignore[return-value]


def page_error(error: Exception) -> gr.Error:
    """Return an error as a message on the page."""
    return gr.Error(single_line(str(error)), duration=20, title="Not done", print_exception=False)
