"""A run made small, to be passed on: both generators in half precision and what converting needs.

FOLDER/config.json      the settings, without folders
FOLDER/statistics.npz   both speakers' statistics
FOLDER/corpus.json      no recordings
FOLDER/published.json   of which step it is
FOLDER/versions.json    of what trained it, where the run knows
FOLDER/weights.npz      the generators' weights
FOLDER/card.md          what it is: data, licence, settings, how good it is
"""

import dataclasses
import json
import shutil
from pathlib import Path

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.config.run import MetricsConfig, RunConfig, VocoderConfig
from cyclegan_vc_tf.evaluation.metric_info import METRIC_INFO, SYSTEM_INFO
from cyclegan_vc_tf.models import half_precision, registry
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

CARD_SYSTEMS = ("source", "converted", "world_target")


def publish(run: RunFolder, step: int, output: Path, about: str) -> Path:
    """Writes the folder.

    Args:
        run: The run.
        step: Of the checkpoint.
        output: A folder that is not there, or empty.
        about: Markdown that the card begins with: whose voices, from where, under which licence.

    Returns:
        The file of the weights.

    Raises:
        InputError: The folder is taken, or the run has not both generators.
    """
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise InputError(f"--output {output} is not empty; expected a folder to be made")
    generators = [f"generator_{direction}" for direction in Direction]
    networks, step = run.load_networks(generators, step)
    if missing := set(generators) - set(networks):
        raise InputError(f"--run_dir {run.path} has no {', '.join(sorted(missing))}; train it")
    output.mkdir(parents=True, exist_ok=True)
    config = dataclasses.replace(
        run.config, corpus=CorpusConfig(), metrics=MetricsConfig(),
        # Whoever converts with it chooses a vocoder; what was measured is kept.
        vocoder=VocoderConfig(limit_power=run.config.vocoder.limit_power),
    )  # fmt: skip
    nothing: dict[str, dict] = {speaker: {"training": {}} for speaker in SPEAKERS}
    half_precision.write(output / run_files.WEIGHTS, networks)
    files.write_text(output / "card.md", model_card(run, step, about))
    files.write_json(output / run_files.PUBLISHED, {"step": step})
    run_files.write_statistics(output, run.statistics)
    run_files.write_corpus(output, nothing)
    if run.versions.path.exists():
        shutil.copyfile(run.versions.path, output / run_files.VERSIONS)
    # Last, for a folder with settings is a run.
    files.write_json(output / run_files.CONFIG, dataclasses.asdict(config))
    return output / run_files.WEIGHTS


def model_card(run: RunFolder, step: int, about: str) -> str:
    """What the model is, in Markdown; its numbers are those of the step's evaluation, if any."""
    variant = registry.VARIANTS[run.config.network.variant]
    default, flags = settings.to_flags(RunConfig()).splitlines(), []
    for line in settings.to_flags(run.config).splitlines():
        name = line[2:].split("=")[0]
        if line not in default and not name.endswith(("_dir", "_model", "transcripts")):
            flags.append(line)
    lines = [
        about.strip(), "", "## Settings", "",
        f"{run.config.network.variant} ({variant.paper}), step {step}. The flags of its training "
        "that are not the 2017 paper's; folders of recordings come first:", "",
        "```", "python train.py \\", *(f"    {flag} \\" for flag in flags[:-1]), f"    {flags[-1]}",
        "```", "",
    ]  # fmt: skip
    return "\n".join([*lines, *_metrics_table(run, step)]) + "\n"


def _metrics_table(run: RunFolder, step: int) -> list[str]:
    """The table of an evaluation, the one that `evaluate` wrote into the run."""
    file = run.path / "evaluation" / f"step-{step}" / "metrics.json"
    if not file.is_file():
        return ["Not evaluated."]
    scores = json.loads(file.read_text(encoding="utf-8"))
    columns = [(direction, system) for direction in scores for system in CARD_SYSTEMS]
    heads = [f"{way} {SYSTEM_INFO[system].title}" for way, system in columns]
    lines = ["## How good it is", "", "Held-out recordings, `python -m cyclegan_vc_tf evaluate`:"]
    lines += ["", f"| | {' | '.join(heads)} |", "|---" * (1 + len(columns)) + "|"]
    for metric, shown in METRIC_INFO.items():
        values = [scores[way][system][metric] for way, system in columns]
        if any(value is not None for value in values):
            texts = ["" if value is None else f"{value:.{shown.digits}f}" for value in values]
            lines.append(f"| {shown.title} ({shown.unit}) {shown.better} | {' | '.join(texts)} |")
    return lines
