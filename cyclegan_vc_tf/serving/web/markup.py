"""Pieces of HTML: tables, status lines, progress, the page of an evaluation."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from cyclegan_vc_tf.serving.web.conversions import Outcome
from cyclegan_vc_tf.serving.web.training_view import TrainingView
from cyclegan_vc_tf.serving.web.trainings import TrainingState

PAGE_TITLE = "cyclegan_vc_tf"

ICON = Path(__file__).parent / "icon.svg"


def header() -> str:
    """Return the head of the page."""
    return (
        f'<div class="masthead">{ICON.read_text(encoding="utf-8")}<h1>cyclegan_vc_tf</h1>'
        "<p>Voice conversion between two speakers, on this machine.</p></div>"
    )


def consent() -> str:
    """Return the line about consent at the page's end."""
    return (
        '<p class="consent">A voice belongs to a person. Convert to a voice only with its '
        "owner's informed consent, and label converted speech as converted.</p>"
    )


def status(text: str, kind: str = "info") -> str:
    """Return a line of text that screen readers announce.

    Args:
        text: The text.
        kind: "info", "done" or "problem".
    """
    return f'<p class="status {kind}" role="status">{escape(text)}</p>' if text else ""


def preformatted(text: str, label: str) -> str:
    """Return text in columns, which scrolls inside its box where it is too wide."""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}">'
        f"<pre>{escape(text)}</pre></div>"
    )


def outcome_table(outcomes: Sequence[Outcome]) -> str:
    """Return a table of conversions: recording, state, remarks."""
    if not outcomes:
        return ""
    rows = "".join(
        f'<tr class="{"done" if outcome.converted else "problem"}">'
        f'<th scope="row">{escape(outcome.name)}</th>'
        f"<td>{'converted' if outcome.converted else 'not converted'}</td>"
        f"<td>{escape('; '.join(outcome.notes) or outcome.reason)}</td></tr>"
        for outcome in outcomes
    )
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="Results">'
        '<table class="outcomes"><thead><tr><th scope="col">recording</th>'
        '<th scope="col">state</th><th scope="col">remarks</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def training_progress(state: TrainingState, view: TrainingView) -> str:
    """Return state, progress bar and speed of a training."""
    if state.running and not view.steps:
        text = "preparing the recordings"
    elif state.running and not view.step:
        text = f"running: beginning; {view.steps} steps"
    elif state.running and view.step >= view.steps:
        text = f"running: step {view.step} of {view.steps}, converting held-out recordings"
    elif state.running:
        text = f"running: step {view.step} of {view.steps}{_format_rest(view)}"
    elif view.steps and view.step >= view.steps:
        text = f"finished: {view.steps} steps"
    elif view.steps:
        text = f"stopped at step {view.step} of {view.steps}"
    else:
        text = "not running"
    kind = "info" if state.running else "done" if view.steps and view.step else "problem"
    bar = ""
    if view.steps:
        bar = (
            f'<progress max="{view.steps}" value="{min(view.step, view.steps)}" '
            f'aria-label="Steps of {escape(state.name)}"></progress>'
        )
    return f"{status(f'{state.name}: {text}', kind)}{bar}"


def report_frame(path: Path) -> str:
    """Return the page of an evaluation inside a frame that runs no scripts."""
    page = escape(path.read_text(encoding="utf-8"), quote=True)
    return f'<iframe class="report" title="Evaluation" sandbox="" srcdoc="{page}"></iframe>'


def link(address: str, text: str) -> str:
    """Return a link that opens a new tab."""
    return (
        f'<p class="status info" role="status"><a href="{escape(address, quote=True)}" '
        f'target="_blank" rel="noopener noreferrer">{escape(text)}</a></p>'
    )


def _format_rest(view: TrainingView) -> str:
    """Return speed and remaining time of a training that runs."""
    if view.steps_per_second <= 0:
        return ""
    rest_s = (view.steps - view.step) / view.steps_per_second
    text = f"{rest_s:.0f} seconds"
    for unit, seconds in (("minutes", 60), ("hours", 3600), ("days", 86_400)):
        if rest_s >= 2 * seconds:
            text = f"{rest_s / seconds:.0f} {unit}"
    return f", {view.steps_per_second:.2g} per second, about {text} left"
