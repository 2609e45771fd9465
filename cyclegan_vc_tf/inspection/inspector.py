"""Inspection of a run folder: facts about its contents, and problems in them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras

from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.inspection import damage, summary
from cyclegan_vc_tf.inspection.damage import Problem
from cyclegan_vc_tf.models import registry, stack
from cyclegan_vc_tf.runs import events, run_files
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.evaluation_history import EvaluationHistory
from cyclegan_vc_tf.system import files, notebooks
from cyclegan_vc_tf.system.errors import InputError, single_line
from cyclegan_vc_tf.training.trainer import Trainer

LOSS_PREFIX = "loss/"
"""Prefix of the losses among the scalars in event files."""


@dataclass(frozen=True)
class Inspection:
    """Result of an inspection.

    Attributes:
        facts: Facts about the run folder, ready for JSON; unreadable parts are left out.
        problems: Problems in the run folder.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> found = vc.inspect("pretrained:vc1-demo")
        >>> found.facts["variant"], found.facts["step"], found.problems
        ('vc1', 2000, [])
    """

    facts: dict[str, Any]
    problems: list[Problem]

    def as_json(self) -> dict[str, Any]:
        """Return facts and problems, ready for JSON."""
        return {**self.facts, "problems": [asdict(problem) for problem in self.problems]}

    def lines(self) -> list[str]:
        """Return the text of the command `inspect`: facts, then a line per problem."""
        problems = (f"damaged: {single_line(str(problem))}" for problem in self.problems)
        return [*summary.summary_lines(self.facts), *problems]

    def _repr_html_(self) -> str:
        return f"<pre>{notebooks.escape(chr(10).join(self.lines()))}</pre>"


def inspect(path: Path) -> Inspection:
    """Inspect a run folder without changing anything in it.

    Args:
        path: Run folder of any kind: trained, imported, published or damaged.

    Raises:
        InputError: `path` has no file of a run.
    """
    run_patterns = (
        run_files.CONFIG, run_files.CORPUS, run_files.STATISTICS, "checkpoints", events.EVENT_FILES
    )  # fmt: skip
    if not path.is_dir() or not any(any(path.glob(pattern)) for pattern in run_patterns):
        raise InputError(
            f"--run_dir {path} is not a run folder (no {run_files.CONFIG}); expected one made by "
            "train.py"
        )
    run_files.refuse_unusable_names(path)
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
        facts["corpus"] = _corpus_facts(parts["corpus"])
        problems += damage.check_recordings(parts["corpus"], config)
    # Networks without values take no memory.
    with stack.without_values():
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
            generators = {
                f"generator_{direction}": trainer.generators[direction] for direction in Direction
            }
            problems += damage.check_weights(path, generators)
    facts["checkpoints"] = {"steps": steps, "best": _best_step(path, config, steps, parts)}
    facts["losses"] = _loss_facts(path)
    if not in_use:
        problems += damage.check_events(path) + damage.find_leftovers(path)
    facts["bytes"] = _disk_usage(path)
    return Inspection(facts, problems)


def relative_change(steps: Sequence[int], values: Sequence[float]) -> float | None:
    """Relative change of a curve over its last tenth.

    Args:
        steps: Steps of the values, ascending.
        values: Values of the curve.

    Returns:
        Mean over the last tenth of all steps, divided by the mean over the tenth before it, minus
        1. None if one of the two has no value, or if the divisor is zero.
    """
    means = []
    for first, last in ((0.9, 1.0), (0.8, 0.9)):
        start, end = first * steps[-1], last * steps[-1]
        within = [value for step, value in zip(steps, values, strict=True) if start < step <= end]
        if not within:
            return None
        means.append(sum(within) / len(within))
    return means[0] / means[1] - 1.0 if means[1] else None


def _settings_facts(config: RunConfig) -> dict[str, Any]:
    variant = config.network.variant
    return {
        "variant": variant,
        "features": config.features.used,
        "steps": config.training.steps,
        "paper": registry.VARIANTS[variant].paper if variant in registry.VARIANTS else "",
    }


def _corpus_facts(corpus: Mapping[str, Any]) -> dict[str, Any]:
    """Return folder and counts of recordings by speaker; speakers without any are left out."""
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


def _loss_facts(path: Path) -> dict[str, dict[str, Any]]:
    """Return last step, last value and relative change of each loss."""
    return {
        name.removeprefix(LOSS_PREFIX): {
            "step": steps[-1],
            "value": values[-1],
            "change": relative_change(steps, values),
        }
        for name, (steps, values) in events.read_scalars(path, LOSS_PREFIX).items()
    }


def _disk_usage(path: Path) -> dict[str, int]:
    """Return sizes in bytes by kind of file."""
    sizes = dict.fromkeys(("checkpoints", "events", "converted", "other"), 0)
    for file in path.rglob("*"):
        first = file.relative_to(path).parts[0]
        kind = "events" if "tfevents" in first else first if first in sizes else "other"
        # A training may have removed the file in the meantime.
        with suppress(FileNotFoundError):
            sizes[kind] += file.stat().st_size if file.is_file() else 0
    return sizes
