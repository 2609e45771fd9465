"""Summary of a feature store: numbers as a file and a table, histograms as a picture.

    STORE/summary.json
    STORE/summary.png

Both are written again after every change of the store.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data.feature_store import FeatureStore
from cyclegan_vc_tf.data.utterances import Utterance, content_key
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import join_names, single_line

SUMMARY_FILE, PICTURE_FILE = "summary.json", "summary.png"

CHECK = "check"
"""Key of the hash of the rest of a summary."""

MAX_EXAMPLES = 5
"""Largest number of names in a list of examples."""

LEVEL_EDGES_DBFS = np.arange(-90.0, 1.0)
"""Edges of the level histogram, in dB below full scale."""

F0_STEP_HZ = 10.0
"""Width of a bin of the F0 histogram, in Hz."""

LENGTH_BINS = 30
"""Number of bins of the length histogram."""

MAX_FRAMES = 2**16
"""Largest number of frames in memory at once."""

Summary = Mapping[str, Any]
"""Summary as it is in JSON; see `summarize`."""


def write(store: FeatureStore, config: FeatureConfig) -> None:
    """Write the summary and the picture of a store, unless both exist."""
    path = store.folder / SUMMARY_FILE
    if (store.folder / PICTURE_FILE).exists() and read(store.folder).get("store") == store.key:
        return
    summary = summarize(store, config)
    draw(store.folder / PICTURE_FILE, summary)
    # Written last, because its key tells which store both files belong to.
    files.write_json(path, {**summary, CHECK: content_key(summary)})


def read(folder: Path) -> Summary:
    """Read the summary of the store in a folder; empty if there is none, or if it is damaged."""
    try:
        found = files.read_json(folder / SUMMARY_FILE)
        check = found.pop(CHECK)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}
    return found if check == content_key(found) else {}


def summarize(store: FeatureStore, config: FeatureConfig) -> Summary:
    """Summarize a store.

    Returns:
        Summary that JSON can hold. Lengths are in seconds. Levels are RMS around the mean, in dB
        relative to full scale: a full-scale sine has -3. A histogram has `edges`, one more than
        `counts`; its first and last bins also count all values beyond them.
    """
    used = store.utterances
    lengths_s = np.array([utterance.seconds for utterance in used])
    powers = np.array([utterance.power for utterance in used])
    levels_dbfs = 10 * np.log10(np.maximum(powers, 10 ** (LEVEL_EDGES_DBFS[0] / 10)))
    samples, clipped = (
        sum(getattr(utterance, name) for utterance in used) for name in ("samples", "clipped")
    )
    with_clipping = _file_names([utterance for utterance in used if utterance.clipped])
    return {
        "store": store.key,
        "recordings": len(_file_names(used)),
        "utterances": len(used),
        "hours": float(lengths_s.sum()) / 3600,
        "length_s": {**_describe(lengths_s), **_histogram(lengths_s, _length_edges(lengths_s))},
        "f0_hz": _summarize_f0(store, config),
        "level_dbfs": {**_describe(levels_dbfs), **_histogram(levels_dbfs, LEVEL_EDGES_DBFS)},
        "clipping": {
            "share_of_samples": clipped / samples if samples else 0.0,
            "recordings": len(with_clipping),
            "examples": with_clipping[:MAX_EXAMPLES],
        },
        "skipped": _summarize_skipped(store.skipped),
    }


def format_table(summary: Summary) -> str:
    """Format a summary as lines of text."""
    length, level, clipping = (summary[name] for name in ("length_s", "level_dbfs", "clipping"))
    rows = [
        ("recordings", f"{summary['recordings']}"),
        ("utterances", f"{summary['utterances']}"),
        ("hours", f"{summary['hours']:.2f}"),
    ]
    if summary["utterances"]:
        rows += [
            ("length", _format_spread(length, "s")),
            ("F0", _format_f0(summary["f0_hz"])),
            ("level", _format_spread(level, "dBFS")),
            ("clipping", _format_clipping(clipping)),
        ]
    rows += [
        (
            "skipped",
            f"{skipped['count']} {reason}: {_format_names(skipped['examples'], skipped['count'])}",
        )
        for reason, skipped in summary["skipped"].items()
    ] or [("skipped", "none")]
    return "\n".join(f"  {name:<12}{text}" for name, text in rows)


def draw(path: Path, summary: Summary) -> None:
    """Draw histograms of length, F0 and level to a picture."""
    # Imported here, because workers do not draw.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [
        (name, label, counted)
        for name, label, counted in (
            ("length_s", "length, s", "utterances"),
            ("f0_hz", "F0, Hz", "voiced frames"),
            ("level_dbfs", "level, dBFS", "utterances"),
        )
        if summary[name] and sum(summary[name]["counts"])
    ]
    figure = Figure(figsize=(4 * max(1, len(panels)), 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (name, label, counted) in enumerate(panels, 1):
        axes = figure.add_subplot(1, len(panels), number)
        counts, edges = np.array(summary[name]["counts"]), np.array(summary[name]["edges"])
        axes.stairs(counts, edges, fill=True)
        filled = np.flatnonzero(counts)
        axes.set_xlim(edges[filled[0]], edges[filled[-1] + 1])
        axes.set(xlabel=label, ylabel=counted)
    figure.suptitle(
        f"{summary['hours']:.2f} h, {summary['utterances']} utterances, "
        f"{_format_clipping({**summary['clipping'], 'examples': []})}",
        fontsize=9,
    )
    with files.replacing(path) as partial:
        figure.savefig(partial, format="png", dpi=100)


def _summarize_f0(store: FeatureStore, config: FeatureConfig) -> dict[str, Any] | None:
    """Summarize the F0 of voiced frames; None if F0 is not analysed."""
    if config.spectra != "mel_cepstra":
        return None
    first, last = config.f0_floor_hz // F0_STEP_HZ, math.ceil(config.f0_ceiling_hz / F0_STEP_HZ)
    edges = F0_STEP_HZ * np.arange(first, last + 1)
    counts, log_sum = np.zeros(len(edges) - 1, np.int64), 0.0
    for f0_hz in store.read("f0_hz", store.utterances, MAX_FRAMES):
        voiced = f0_hz[f0_hz > 0].astype(np.float64)
        counts += _count(voiced, edges)
        log_sum += float(np.log(voiced).sum())
    voiced_frames = int(counts.sum())
    frames = sum(utterance.frames for utterance in store.utterances)
    return {
        "mean": math.exp(log_sum / voiced_frames) if voiced_frames else 0.0,
        "voiced_share": voiced_frames / max(1, frames),
        "edges": edges.tolist(),
        "counts": counts.tolist(),
    }


def _summarize_skipped(skipped: Sequence[Utterance]) -> dict[str, dict[str, Any]]:
    """Count skipped utterances by reason without its details, the most frequent reason first."""
    found: dict[str, list[str]] = {}
    for utterance in skipped:
        reason = utterance.skipped.partition(" (")[0].partition(",")[0]
        found.setdefault(reason, []).append(utterance.name)
    return {
        reason: {"count": len(names), "examples": names[:MAX_EXAMPLES]}
        for reason, names in sorted(found.items(), key=lambda item: (-len(item[1]), item[0]))
    }


def _file_names(utterances: Sequence[Utterance]) -> list[str]:
    """List the file names of utterances without repetition, in order."""
    return list(dict.fromkeys(utterance.recording.name for utterance in utterances))


def _describe(values: np.ndarray) -> dict[str, float]:
    """Return mean, median, minimum and maximum by name; empty without values."""
    if not len(values):
        return {}
    return {
        "mean": float(values.mean()),
        "median": float(np.median(values)),
        "least": float(values.min()),
        "most": float(values.max()),
    }


def _length_edges(lengths_s: np.ndarray) -> np.ndarray:
    return np.linspace(0.0, max(1.0, float(lengths_s.max(initial=0.0))), LENGTH_BINS + 1)


def _count(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Count values per bin; the first and last bins also count values beyond them."""
    return np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]


def _histogram(values: np.ndarray, edges: np.ndarray) -> dict[str, list[float]]:
    return {"edges": edges.tolist(), "counts": _count(values, edges).tolist()}


def _format_spread(values: Mapping[str, float], unit: str) -> str:
    return (
        f"mean {values['mean']:.1f} {unit}, median {values['median']:.1f}, "
        f"{values['least']:.1f} to {values['most']:.1f}"
    )


def _format_f0(f0: Mapping[str, Any] | None) -> str:
    if f0 is None:
        return "not analysed for log-mel spectra"
    return f"mean {f0['mean']:.0f} Hz, {100 * f0['voiced_share']:.0f} % of frames voiced"


def _format_clipping(clipping: Mapping[str, Any]) -> str:
    if not clipping["recordings"]:
        return "no sample clipped"
    share = f"{100 * clipping['share_of_samples']:.2g} % of samples clipped"
    names = _format_names(clipping["examples"], clipping["recordings"])
    return f"{share}, in {clipping['recordings']} recordings" + (f": {names}" if names else "")


def _format_names(examples: Sequence[str], count: int) -> str:
    """Join example names, and the number of names that are not shown."""
    shown = join_names([single_line(name) for name in examples])
    more = f" and {count - len(examples)} more" if examples and count > len(examples) else ""
    return shown + more
