"""What a run folder holds, as a screenful of lines."""

from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = 100
LABEL = 16

TOTALS = ("generator", "discriminator")

KINDS = ("adversarial", "cycle", "identity", "regularization", "discriminator")
"""Of losses, one line each."""

SHOWN_STEPS = 8
"""Of checkpoints or evaluations; where there are more, the first are left out."""


def lines_of(facts: Mapping[str, Any]) -> list[str]:
    """At most 24 lines of at most 100 columns.

    Args:
        facts: As `inspection.inspect` finds them; what is not in them is left out.
    """
    told: list[tuple[str, str]] = [("run folder", facts["path"])]
    if facts["in_use"]:
        told.append(("", "a training is writing to it"))
    if "variant" in facts:
        told.append(("variant", f"{facts['variant']} ({facts['paper']})"))
    told += _corpus(facts)
    if "features" in facts:
        told.append(("features", features(facts["features"])))
    if "parameters" in facts:
        told.append(("networks", networks(facts["parameters"])))
    told.append(("steps", _steps(facts)))
    told += _losses(facts["losses"])
    if facts.get("evaluations"):
        told.append(("evaluations", evaluations(facts)))
    told.append(("checkpoints", checkpoints(facts)))
    told += _versions(facts)
    told.append(("on disk", _sizes(facts["bytes"])))
    return [_fitting(f"{label:{LABEL - 1}} ", text) for label, text in told]


def features(used: Mapping[str, Any]) -> str:
    """What speech is made into."""
    rate = f"{used['sample_rate_hz']} Hz"
    if used["spectra"] == "log_mel":
        return (
            f"log-mel, {used['mel_bins']} bands, windows of {used['fft_samples']} and hops of "
            f"{used['hop_samples']} samples, {rate}"
        )
    return (
        f"{used['mel_cepstra']} mel-cepstra each {used['frame_period_ms']:g} ms, {rate}; F0 by "
        f"{used['f0_method']}, {used['f0_floor_hz']:g} to {used['f0_ceiling_hz']:g} Hz"
    )


def networks(parameters: Mapping[str, int]) -> str:
    """How many parameters a network has; those of a kind are alike."""
    told = []
    for kind in ("generator", "discriminator"):
        counts = [count for name, count in parameters.items() if name.startswith(kind)]
        told.append(f"{len(counts)} {kind}s of {counts[0]:,} parameters")
    return ", ".join(told)


def evaluations(facts: Mapping[str, Any]) -> str:
    """How many there are, and both directions' MCD of the last."""
    known = facts["evaluations"]
    last = max(known)
    values = [
        f"{direction} {means['mcd_db']:.2f}"
        for direction, means in known[last].items()
        if means.get("mcd_db") is not None
    ]
    shown = f"; MCD (dB) at step {last}: {', '.join(values)}" if values else ""
    return f"of steps {_listed(sorted(known))}{shown}"


def checkpoints(facts: Mapping[str, Any]) -> str:
    """Which there are, which is the last and which the best."""
    if facts["published"] is not None:
        return f"none but the published generators, of step {facts['published']}"
    steps, best = facts["checkpoints"]["steps"], facts["checkpoints"]["best"]
    if not steps:
        return "none yet"
    shown = f"of steps {_listed(steps)}; last {steps[-1]}"
    return shown if best is None else f"{shown}, best {best}"


def _corpus(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not facts.get("corpus"):
        return [("corpus", "no recordings")] if "corpus" in facts else []
    return [
        (
            f"speaker {speaker}",
            f"{each['training']} recordings, {each['held_out']} held out, {each['folder']}",
        )
        for speaker, each in facts["corpus"].items()
    ]


def _steps(facts: Mapping[str, Any]) -> str:
    step, steps = facts["step"], facts.get("steps")
    told = f"{step} of {steps}" if steps else str(step)
    if facts["published"] is not None:
        told += ", published"
    if facts.get("imported"):
        told += f"; imported at step {facts['imported']['step']}"
        untrained = facts["imported"]["untrained"]
        told += f" without {', '.join(untrained)}" if untrained else ""
    return told


def _losses(losses: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """A line a kind of loss, with the change over the last tenth of all steps."""
    if not losses:
        return [("losses", "none logged")]
    last = max(each["step"] for each in losses.values())
    told = [("losses", f"at step {last} (change of their mean over the last tenth of all steps)")]
    totals = [f"{name} {_loss(losses[name])}" for name in TOTALS if name in losses]
    told += [("  total", "  ".join(totals))] if totals else []
    for kind in KINDS:
        parts = [
            f"{name.removeprefix(f'{kind}_')} {_loss(each)}"
            for name, each in losses.items()
            if name.startswith(f"{kind}_")
        ]
        if parts:
            told.append((f"  {kind}", "  ".join(parts)))
    return told


def _loss(each: Mapping[str, Any]) -> str:
    change = "" if each["change"] is None else f" ({100 * each['change']:+.0f}%)"
    return f"{each['value']:.3g}{change}"


def _versions(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Those that trained it last, and from which step on."""
    if "versions" not in facts:
        return []
    if not facts["versions"]:
        return [("versions", "not recorded")]
    known = facts["versions"]
    last = max(known)
    text = ", ".join(f"{name} {version}" for name, version in known[last].items())
    told = [("versions", text)]
    if last:
        others = f"; others before, from step {[*known][-2]} on" if len(known) > 1 else ""
        unknown = f"; before {min(known)}: not recorded" if min(known) else ""
        told.append(("", f"from step {last} on{others}{unknown}"))
    return told


def _sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {_size(size)}" for kind, size in sizes.items() if size)


def _size(size: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"


def _listed(steps: Sequence[int]) -> str:
    left_out = "…, " if len(steps) > SHOWN_STEPS else ""
    return left_out + ", ".join(map(str, steps[-SHOWN_STEPS:]))


def _fitting(label: str, text: str) -> str:
    """In one line; what is too long loses its middle, for a path's end says most."""
    text, room = "".join(each if each.isprintable() else "?" for each in text), COLUMNS - len(label)
    if len(text) > room:
        head = room // 2
        text = f"{text[:head]}…{text[len(text) - (room - head - 1) :]}"
    return f"{label}{text}".rstrip()
