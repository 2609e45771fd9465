"""What a run folder holds, in numbers; what is wrong with it, `damage` knows."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.inspection import damage
from cyclegan_vc_tf.inspection.damage import Problem
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.runs import events, run_files
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.evaluation_history import EvaluationHistory
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training.trainer import Trainer

EVENTS = "events.out.tfevents.*"
RECORD_BYTES = 16
"""What an event file has around each record: its length and two check sums."""


@dataclass(frozen=True)
class Inspection:
    """What there is to say of a run folder.

    Attributes:
        facts: What is known, as it is written as JSON; what cannot be read is not in it.
        problems: What is wrong.
    """

    facts: dict[str, Any]
    problems: list[Problem]

    def as_json(self) -> dict[str, Any]:
        """Everything, to be written as JSON."""
        return {**self.facts, "problems": [asdict(each) for each in self.problems]}


def inspect(path: Path) -> Inspection:
    """Looks through a run folder, and changes nothing in it.

    Args:
        path: The run folder; a published or an imported one too, and one that is damaged.

    Raises:
        InputError: There is nothing of a run at `path`.
    """
    traces = (run_files.CONFIG, run_files.CORPUS, run_files.STATISTICS, "checkpoints", EVENTS)
    if not path.is_dir() or not any(any(path.glob(each)) for each in traces):
        raise InputError(
            f"--run_dir {path} is not a run folder (no {run_files.CONFIG}); expected one made by "
            "train.py"
        )
    run_files.refuse_patterns(path)
    in_use = files.is_locked(path / run_files.LOCK)
    parts, problems = damage.read_parts(path)
    config: RunConfig | None = parts.get("settings")
    published = parts.get("published")
    checkpoints = Checkpoints(path / "checkpoints")
    steps = checkpoints.steps()
    facts: dict[str, Any] = {"path": str(path), "in_use": in_use, "published": published}
    facts |= {
        name: parts[name] for name in ("imported", "evaluations", "versions") if name in parts
    }
    facts["step"] = max(steps, default=published or 0)
    if config is not None:
        facts |= _settings_facts(config)
        if "statistics" in parts:
            problems += damage.check_statistics(path, parts["statistics"], config)
    if "corpus" in parts:
        facts["corpus"] = _corpus_facts(parts["corpus"], config)
        problems += damage.check_recordings(parts["corpus"], config)
    # Networks in a graph that is never run take no memory.
    with tf.Graph().as_default():
        trainer = None
        if config is not None:
            try:
                registry.validate_config(config)
                trainer = Trainer(config)
                facts["parameters"] = _count_parameters(trainer.networks)
            except (InputError, ValueError) as error:
                what = f"{path / run_files.CONFIG}: no networks can be built ({error})"
                problems.append(Problem(what.replace("\n", " "), damage.RESTORE_COPY))
        problems += damage.check_checkpoints(checkpoints, trainer, in_use)
        if published is not None and trainer is not None:
            generators = {f"generator_{way}": trainer.generators[way] for way in Direction}
            problems += damage.check_weights(path, generators)
    facts["checkpoints"] = {"steps": steps, "best": _best_step(path, config, steps, parts)}
    facts["losses"], cut = _loss_facts(path)
    if not in_use:
        problems += cut + damage.find_leftovers(path)
    facts["bytes"] = _disk_usage(path)
    return Inspection(facts, problems)


def relative_change(steps: Sequence[int], values: Sequence[float]) -> float | None:
    """How a curve changed over its last tenth, relatively.

    Args:
        steps: At which it was measured, ascending.
        values: Of as many points.

    Returns:
        The mean over the last tenth of all steps over the mean over the tenth before it, less 1;
        None where one of them has no value, or the second is zero.
    """
    means = []
    for first, last in ((0.9, 1.0), (0.8, 0.9)):
        bounds = first * steps[-1], last * steps[-1]
        within = [v for s, v in zip(steps, values, strict=True) if bounds[0] < s <= bounds[1]]
        means.append(sum(within) / len(within) if within else 0.0)
        if not within:
            return None
    return means[0] / means[1] - 1.0 if means[1] else None


def _settings_facts(config: RunConfig) -> dict[str, Any]:
    variant = config.network.variant
    known = {"variant": variant, "features": config.features.used, "steps": config.training.steps}
    return known | {
        "paper": registry.VARIANTS[variant].paper if variant in registry.VARIANTS else ""
    }


def _corpus_facts(corpus: Mapping[str, Any], config: RunConfig | None) -> dict[str, Any]:
    """Folders and how many recordings, by speaker; nothing of a speaker without recordings."""
    return {
        speaker: {
            "folder": corpus[speaker].get("folder", ""),
            "training": len(corpus[speaker]["training"]),
            "held_out": len(corpus[speaker].get("held_out", ())),
        }
        for speaker in SPEAKERS
        if corpus[speaker]["training"]
    }


def _count_parameters(networks: Mapping[str, keras.Model]) -> dict[str, int]:
    return {name: model.count_params() for name, model in networks.items()}


def _best_step(
    path: Path, config: RunConfig | None, steps: list[int], parts: Mapping[str, Any]
) -> int | None:
    if config is None or "evaluations" not in parts:
        return None
    evaluations = EvaluationHistory(path / run_files.EVALUATIONS)
    return evaluations.best(config.training.best_metric, steps)


def _loss_facts(path: Path) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Each loss's last value, its step and its trend; and the event files that are cut off."""
    points: dict[str, dict[int, float]] = {}
    problems = []
    for file in sorted(path.glob(EVENTS)):
        read, size = 0, file.stat().st_size
        for record in events.read_records(file):
            read += len(record) + RECORD_BYTES
            event = tf.compat.v1.Event.FromString(record)
            for value in event.summary.value:
                if value.tag.startswith("loss/"):
                    number = float(tf.make_ndarray(value.tensor))
                    points.setdefault(value.tag.removeprefix("loss/"), {})[event.step] = number
        if read < size:
            what = f"{file} is cut off or damaged after {read} of its {size} bytes"
            problems.append(Problem(what, "a training that goes on keeps what stands before that"))
    losses = {}
    for name, curve in sorted(points.items()):
        steps = sorted(curve)
        values = [curve[step] for step in steps]
        losses[name] = {
            "step": steps[-1],
            "value": values[-1],
            "change": relative_change(steps, values),
        }
    return losses, problems


def _disk_usage(path: Path) -> dict[str, int]:
    """Bytes by kind."""
    sizes = dict.fromkeys(("checkpoints", "events", "converted", "other"), 0)
    for file in path.rglob("*"):
        first = file.relative_to(path).parts[0]
        kind = "events" if "tfevents" in first else first if first in sizes else "other"
        # A training may have removed it by now.
        with suppress(FileNotFoundError):
            sizes[kind] += file.stat().st_size if file.is_file() else 0
    return sizes


LINE_COLUMNS = 100
LABEL_COLUMNS = 16

TOTAL_LOSSES = ("generator", "discriminator")

LOSS_GROUPS = ("adversarial", "cycle", "identity", "regularization", "discriminator")
"""Of losses, one line each."""

MAX_LISTED_STEPS = 8
"""Of checkpoints or evaluations; where there are more, the first are left out."""


def summary_lines(facts: Mapping[str, Any]) -> list[str]:
    """At most 24 lines of at most 100 columns.

    Args:
        facts: As `inspector.inspect` finds them; what is not in them is left out.
    """
    told: list[tuple[str, str]] = [("run folder", facts["path"])]
    if facts["in_use"]:
        told.append(("", "a training is writing to it"))
    if "variant" in facts:
        told.append(("variant", f"{facts['variant']} ({facts['paper']})"))
    told += _corpus_lines(facts)
    if "features" in facts:
        told.append(("features", _format_features(facts["features"])))
    if "parameters" in facts:
        told.append(("networks", _format_networks(facts["parameters"])))
    told.append(("steps", _format_steps(facts)))
    told += _loss_lines(facts["losses"])
    if facts.get("evaluations"):
        told.append(("evaluations", _format_evaluations(facts)))
    told.append(("checkpoints", _format_checkpoints(facts)))
    told += _version_lines(facts)
    told.append(("on disk", _format_sizes(facts["bytes"])))
    return [_fit_line(f"{label:{LABEL_COLUMNS - 1}} ", text) for label, text in told]


def _format_features(used: Mapping[str, Any]) -> str:
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


def _format_networks(parameters: Mapping[str, int]) -> str:
    """How many parameters a network has; those of a kind are alike."""
    told = []
    for kind in ("generator", "discriminator"):
        counts = [count for name, count in parameters.items() if name.startswith(kind)]
        told.append(f"{len(counts)} {kind}s of {counts[0]:,} parameters")
    return ", ".join(told)


def _format_evaluations(facts: Mapping[str, Any]) -> str:
    """How many there are, and both directions' MCD of the last."""
    known = facts["evaluations"]
    last = max(known)
    values = [
        f"{direction} {means['mcd_db']:.2f}"
        for direction, means in known[last].items()
        if means.get("mcd_db") is not None
    ]
    shown = f"; MCD (dB) at step {last}: {', '.join(values)}" if values else ""
    return f"of steps {_list_steps(sorted(known))}{shown}"


def _format_checkpoints(facts: Mapping[str, Any]) -> str:
    """Which there are, which is the last and which the best."""
    if facts["published"] is not None:
        return f"none but the published generators, of step {facts['published']}"
    steps, best = facts["checkpoints"]["steps"], facts["checkpoints"]["best"]
    if not steps:
        return "none yet"
    shown = f"of steps {_list_steps(steps)}; last {steps[-1]}"
    return shown if best is None else f"{shown}, best {best}"


def _corpus_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
    if not facts.get("corpus"):
        return [("corpus", "no recordings")] if "corpus" in facts else []
    return [
        (
            f"speaker {speaker}",
            f"{each['training']} recordings, {each['held_out']} held out, {each['folder']}",
        )
        for speaker, each in facts["corpus"].items()
    ]


def _format_steps(facts: Mapping[str, Any]) -> str:
    step, steps = facts["step"], facts.get("steps")
    told = f"{step} of {steps}" if steps else str(step)
    if facts["published"] is not None:
        told += ", published"
    if facts.get("imported"):
        told += f"; imported at step {facts['imported']['step']}"
        untrained = facts["imported"]["untrained"]
        told += f" without {', '.join(untrained)}" if untrained else ""
    return told


def _loss_lines(losses: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, str]]:
    """A line a kind of loss, with the change over the last tenth of all steps."""
    if not losses:
        return [("losses", "none logged")]
    last = max(each["step"] for each in losses.values())
    told = [("losses", f"at step {last} (change of their mean over the last tenth of all steps)")]
    totals = [f"{name} {_format_loss(losses[name])}" for name in TOTAL_LOSSES if name in losses]
    told += [("  total", "  ".join(totals))] if totals else []
    for kind in LOSS_GROUPS:
        parts = [
            f"{name.removeprefix(f'{kind}_')} {_format_loss(each)}"
            for name, each in losses.items()
            if name.startswith(f"{kind}_")
        ]
        if parts:
            told.append((f"  {kind}", "  ".join(parts)))
    return told


def _format_loss(each: Mapping[str, Any]) -> str:
    change = "" if each["change"] is None else f" ({100 * each['change']:+.0f}%)"
    return f"{each['value']:.3g}{change}"


def _version_lines(facts: Mapping[str, Any]) -> list[tuple[str, str]]:
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


def _format_sizes(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{kind} {_format_size(size)}" for kind, size in sizes.items() if size)


def _format_size(size: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"


def _list_steps(steps: Sequence[int]) -> str:
    left_out = "…, " if len(steps) > MAX_LISTED_STEPS else ""
    return left_out + ", ".join(map(str, steps[-MAX_LISTED_STEPS:]))


def _fit_line(label: str, text: str) -> str:
    """In one line; what is too long loses its middle, for a path's end says most."""
    text, room = (
        "".join(each if each.isprintable() else "?" for each in text),
        LINE_COLUMNS - len(label),
    )
    if len(text) > room:
        head = room // 2
        text = f"{text[:head]}…{text[len(text) - (room - head - 1) :]}"
    return f"{label}{text}".rstrip()
