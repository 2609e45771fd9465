"""What a run folder holds, in numbers; what is wrong with it, `damage` knows."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from cyclegan_vc_tf import damage, family, files, run_files, summaries
from cyclegan_vc_tf.checkpoints import Checkpoints
from cyclegan_vc_tf.config import RunConfig
from cyclegan_vc_tf.damage import Problem
from cyclegan_vc_tf.errors import InputError
from cyclegan_vc_tf.evaluations import Evaluations
from cyclegan_vc_tf.trainer import Trainer

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
            f"--run_dir {path} is no run folder (no {run_files.CONFIG}); expected one made by "
            "train.py"
        )
    run_files.refuse_patterns(path)
    in_use = files.is_locked(path / run_files.LOCK)
    parts, problems = damage.of_parts(path)
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
        facts |= _of_settings(config)
        if "statistics" in parts:
            problems += damage.of_statistics(path, parts["statistics"], config)
    if "corpus" in parts:
        facts["corpus"] = _of_corpus(parts["corpus"], config)
        problems += damage.of_recordings(parts["corpus"], config)
    # Networks in a graph that is never run take no memory.
    with tf.Graph().as_default():
        trainer = None
        if config is not None:
            try:
                family.check(config)
                trainer = Trainer(config)
                facts["parameters"] = _parameters(trainer.networks)
            except (InputError, ValueError) as error:
                what = f"{path / run_files.CONFIG}: no networks can be built ({error})"
                problems.append(Problem(what.replace("\n", " "), damage.FROM_A_COPY))
        problems += damage.of_checkpoints(checkpoints, trainer, in_use)
        if published is not None and trainer is not None:
            generators = {f"generator_{way}": trainer.generators[way] for way in family.DIRECTIONS}
            problems += damage.of_weights(path, generators)
    facts["checkpoints"] = {"steps": steps, "best": _best(path, config, steps, parts)}
    facts["losses"], cut = _losses(path)
    if not in_use:
        problems += cut + damage.of_leftovers(path)
    facts["bytes"] = _sizes(path)
    return Inspection(facts, problems)


def trend(steps: Sequence[int], values: Sequence[float]) -> float | None:
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


def _of_settings(config: RunConfig) -> dict[str, Any]:
    variant = config.network.variant
    known = {"variant": variant, "features": config.features.used, "steps": config.training.steps}
    return known | {"paper": family.FAMILY[variant].paper if variant in family.FAMILY else ""}


def _of_corpus(corpus: Mapping[str, Any], config: RunConfig | None) -> dict[str, Any]:
    """Folders and how many recordings, by speaker; nothing of a speaker without recordings."""
    return {
        speaker: {
            "folder": corpus[speaker].get("folder", ""),
            "training": len(corpus[speaker]["training"]),
            "held_out": len(corpus[speaker].get("held_out", ())),
        }
        for speaker in family.SPEAKERS
        if corpus[speaker]["training"]
    }


def _parameters(networks: Mapping[str, keras.Model]) -> dict[str, int]:
    return {name: model.count_params() for name, model in networks.items()}


def _best(
    path: Path, config: RunConfig | None, steps: list[int], parts: Mapping[str, Any]
) -> int | None:
    if config is None or "evaluations" not in parts:
        return None
    evaluations = Evaluations(path / run_files.EVALUATIONS)
    return evaluations.best(config.training.best_metric, steps)


def _losses(path: Path) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Each loss's last value, its step and its trend; and the event files that are cut off."""
    points: dict[str, dict[int, float]] = {}
    problems = []
    for file in sorted(path.glob(EVENTS)):
        read, size = 0, file.stat().st_size
        for record in summaries.whole_records(file):
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
        losses[name] = {"step": steps[-1], "value": values[-1], "change": trend(steps, values)}
    return losses, problems


def _sizes(path: Path) -> dict[str, int]:
    """Bytes by kind."""
    sizes = dict.fromkeys(("checkpoints", "events", "converted", "other"), 0)
    for file in path.rglob("*"):
        first = file.relative_to(path).parts[0]
        kind = "events" if "tfevents" in first else first if first in sizes else "other"
        # A training may have removed it by now.
        with suppress(FileNotFoundError):
            sizes[kind] += file.stat().st_size if file.is_file() else 0
    return sizes
