"""Summary of an inspection: the facts about a run folder as lines of text."""

from collections.abc import Mapping, Sequence
from typing import Any

LINE_COLUMNS = 100
LABEL_COLUMNS = 16

TOTAL_LOSSES = ("generator", "discriminator")

LOSS_GROUPS = ("adversarial", "cycle", "identity", "regularization", "teacher", "discriminator")
"""Prefixes of the losses that share a line, in their order; others follow."""

MAX_LISTED_STEPS = 8
"""Steps that a list of checkpoints or evaluations shows; of more, the last ones are shown."""

Line = tuple[str, str]
"""Label and text of a line."""


def summary_lines(facts: Mapping[str, Any]) -> list[str]:
    """Format facts as at most 24 lines of at most 100 columns.

    Args:
        facts: Facts of `inspector.inspect`; missing ones are left out.
    """
    lines: list[Line] = [("run folder", facts["path"])]
    if facts["in_use"]:
        lines.append(("", "a training is writing to it"))
    if "variant" in facts:
        lines.append(("variant", f"{facts['variant']} ({facts['paper']})"))
    lines += _corpus_lines(facts)
    if "features" in facts:
        lines.append(("features", _format_features(facts["features"])))
    if "parameters" in facts:
        lines.append(("networks", _format_networks(facts["parameters"])))
    lines.append(("steps", _format_steps(facts)))
    lines += _loss_lines(facts["losses"])
    if facts.get("evaluations"):
        lines.append(("evaluations", _format_evaluations(facts["evaluations"])))
    lines.append(("checkpoints", _format_checkpoints(facts)))
    lines += _version_lines(facts)
    lines.append(("on disk", _format_sizes(facts["bytes"])))
    return [_fit_line(f"{label:{LABEL_COLUMNS - 1}} ", text) for label, text in lines]


def _format_features(features: Mapping[str, Any]) -> str:
    rate = f"{features['sample_rate_hz']} Hz"
    if features["spectra"] == "log_mel":
        return (
            f"log-mel, {features['mel_bins']} bands, windows of {features['fft_samples']} and hops "
            f"of {features['hop_samples']} samples, {rate}"
        )
    return (
        f"{features['mel_cepstra']} mel-cepstra per {features['frame_period_ms']:g} ms, {rate}; "
        f"F0 by {features['f0_method']}, {features['f0_floor_hz']:g} to "
        f"{features['f0_ceiling_hz']:g} Hz"
    )


def _format_networks(parameters: Mapping[str, int]) -> str:
    """Format numbers of networks and parameters; networks of a kind have equal numbers."""
    parts = []
    for kind in ("generator", "discriminator"):
        counts = [count for name, count in parameters.items() if name.startswith(kind)]
        parts.append(f"{len(counts)} {kind}s of {counts[0]:,} parameters")
    return ", ".join(parts)


def _format_evaluations(evaluations: Mapping[int, Mapping[str, Mapping[str, Any]]]) -> str:
    """Format the evaluated steps, and the MCD of the last one in both directions."""
    last = max(evaluations)
    values = [
        f"{direction} {means['mcd_db']:.2f}"
        for direction, means in evaluations[last].items()
        if means.get("mcd_db") is not None
    ]
    mcd = f"; MCD (dB) at step {last}: {', '.join(values)}" if values else ""
    return f"of steps {_list_steps(sorted(evaluations))}{mcd}"


def _format_checkpoints(facts: Mapping[str, Any]) -> str:
    if facts["published"] is not None:
        return f"none; published generators of step {facts['published']}"
    steps, best = facts["checkpoints"]["steps"], facts["checkpoints"]["best"]
    if not steps:
        return "none yet"
    text = f"of steps {_list_steps(steps)}; last {steps[-1]}"
    return text if best is None else f"{text}, best {best}"


def _corpus_lines(facts: Mapping[str, Any]) -> list[Line]:
    if not facts.get("corpus"):
        return [("corpus", "no recordings")] if "corpus" in facts else []
    return [
        (
            f"speaker {speaker}",
            f"{counts['training']} recordings, {counts['held_out']} held out, {counts['folder']}",
        )
        for speaker, counts in facts["corpus"].items()
    ]


def _format_steps(facts: Mapping[str, Any]) -> str:
    step, steps = facts["step"], facts.get("steps")
    text = f"{step} of {steps}" if steps else str(step)
    if facts["published"] is not None:
        text += ", published"
    if facts.get("imported"):
        text += f"; imported at step {facts['imported']['step']}"
        untrained = facts["imported"]["untrained"]
        text += f" without {', '.join(untrained)}" if untrained else ""
    return text


def _loss_lines(losses: Mapping[str, Mapping[str, Any]]) -> list[Line]:
    """Format the losses, a line per group, with their relative changes."""
    if not losses:
        return [("losses", "none logged")]
    last = max(loss["step"] for loss in losses.values())
    lines = [("losses", f"at step {last} (change of their mean over the last tenth of all steps)")]
    totals = [f"{name} {_format_loss(losses[name])}" for name in TOTAL_LOSSES if name in losses]
    lines += [(" total", "  ".join(totals))] if totals else []
    prefixes = [name.partition("_")[0] for name in losses if name not in TOTAL_LOSSES]
    for group in dict.fromkeys([*LOSS_GROUPS, *prefixes]):
        parts = [
            f"{name.removeprefix(f'{group}_')} {_format_loss(loss)}"
            for name, loss in losses.items()
            if name.startswith(f"{group}_")
        ]
        if parts:
            lines.append((f" {group}", "  ".join(parts)))
    return lines


def _format_loss(loss: Mapping[str, Any]) -> str:
    change = "" if loss["change"] is None else f" ({100 * loss['change']:+.0f}%)"
    return f"{loss['value']:.3g}{change}"


def _version_lines(facts: Mapping[str, Any]) -> list[Line]:
    """Format the last versions that trained the run, and from which step on."""
    if "versions" not in facts:
        return []
    if not facts["versions"]:
        return [("versions", "not recorded")]
    versions = facts["versions"]
    last = max(versions)
    text = ", ".join(f"{name} {version}" for name, version in versions[last].items())
    lines = [("versions", text)]
    if last:
        others = f"; others before, from step {[*versions][-2]} on" if len(versions) > 1 else ""
        unknown = f"; before {min(versions)}: not recorded" if min(versions) else ""
        lines.append(("", f"from step {last} on{others}{unknown}"))
    return lines


def _format_sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {_format_size(size)}" for kind, size in sizes.items() if size)


def _format_size(size: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"


def _list_steps(steps: Sequence[int]) -> str:
    omission = "…, " if len(steps) > MAX_LISTED_STEPS else ""
    return omission + ", ".join(map(str, steps[-MAX_LISTED_STEPS:]))


def _fit_line(label: str, text: str) -> str:
    """Fit a line into `LINE_COLUMNS`; long text loses its middle, because a path's end matters."""
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    columns = LINE_COLUMNS - len(label)
    if len(text) > columns:
        head = columns // 2
        text = f"{text[:head]}…{text[len(text) - (columns - head - 1) :]}"
    return f"{label}{text}".rstrip()
