"""Pieces of HTML of the tab Live: state, levels and measurements."""

from cyclegan_vc_tf.serving.web import markup

MEASUREMENTS = (
    ("delay", "Delay, microphone to player", "ms"),
    ("device", "Devices, as the browser reports them", "ms"),
    ("busy", "Conversion time per second of speech", "s"),
    ("dropped", "Left out: this machine was too slow", "ms"),
    ("skipped", "Left out: it came too late", "ms"),
    ("underruns", "Gaps in the player", ""),
)
"""Name, label and unit of each measurement."""

LOWEST_LEVEL_DB = -60


def panel() -> str:
    """Return the panel that `live_page.js` fills in."""
    levels = "".join(_level(name, label) for name, label in (("in", "Input"), ("out", "Output")))
    rows = "".join(
        f'<div><dt>{label}</dt><dd><span id="live-{name}">-</span> {unit}</dd></div>'
        for name, label, unit in MEASUREMENTS
    )
    return (
        '<p class="status info">Use headphones: a loudspeaker that the microphone hears feeds '
        "back.</p>"
        '<p class="status" role="status" id="live-state">Not running. Choose a voice, and '
        "start.</p>"
        '<p class="status problem" role="status" id="live-warning" hidden></p>'
        f'<div class="levels">{levels}</div><dl class="measurements">{rows}</dl>'
    )


def refusal(reason: str) -> str:
    """Return the line about a run that does not convert live; empty without a reason."""
    return markup.status(reason, "problem")


def _level(name: str, label: str) -> str:
    """Return the meter of a level, in dB of full scale."""
    return (
        f'<label for="live-{name}-level">{label}</label>'
        f'<meter id="live-{name}-level" min="{LOWEST_LEVEL_DB}" max="0" low="-50" high="-6" '
        f'optimum="-20" value="{LOWEST_LEVEL_DB}"></meter>'
        f'<span id="live-{name}-text">- dB</span>'
    )
