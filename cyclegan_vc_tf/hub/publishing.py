"""Publication of a run: a small folder with both generators in half precision.

FOLDER/config.json      settings, without paths
FOLDER/statistics.npz   statistics of both speakers
FOLDER/corpus.json      an empty table of recordings
FOLDER/published.json   step of the weights
FOLDER/versions.json    versions of the software that trained the run, where the run has them
FOLDER/weights.npz      weights of the generators
FOLDER/norms.npz        statistics of their norms for live conversion, where they can be known
FOLDER/card.md          model card: data, licence, settings, scores
"""

import dataclasses
import os
import shutil
from pathlib import Path

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.evaluation.metric_info import METRIC_INFO, SYSTEM_INFO
from cyclegan_vc_tf.models import half_precision, registry
from cyclegan_vc_tf.runs import exported_model, run_files
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.streaming import norm_statistics
from cyclegan_vc_tf.system import files, packaged_models
from cyclegan_vc_tf.system.errors import InputError

"""Name of the model card in the folder."""

CARD_SYSTEMS = ("source", "converted", "world_target")
"""Systems in the table of a model card."""


def publish(run: RunFolder, step: int, output: Path, about: str) -> Path:
    """Publish a checkpoint of a run.

    Args:
        run: The run.
        step: Step of the checkpoint.
        output: Folder to create; it may exist if it is empty.
        about: Markdown text that the model card begins with: speakers, origin of the recordings,
            licence.

    Returns:
        File of the weights.

    Raises:
        InputError: The output folder is not empty, or the run has only one generator.
    """
    if output.is_file() or (output.is_dir() and any(output.iterdir())):
        raise InputError(f"--output {output} is not empty; expected a new or empty folder")
    generators = [f"generator_{direction}" for direction in Direction]
    networks, step = run.load_networks(generators, step)
    if missing := set(generators) - set(networks):
        raise InputError(
            f"--run_dir {run.path} was imported without {', '.join(sorted(missing))}; train the "
            "run first"
        )
    card = model_card(run, step, about, output.name)
    config = exported_model.without_paths(run.config)
    if (vocoder := run.config.vocoder.vocoder).startswith(packaged_models.PREFIX):
        # It comes with the package, too.
        config = dataclasses.replace(
            config, vocoder=dataclasses.replace(config.vocoder, vocoder=vocoder)
        )
    no_recordings: dict[str, dict] = {speaker: {"training": {}} for speaker in SPEAKERS}
    moments = {
        direction: norm_statistics.find(run, direction, networks[f"generator_{direction}"], step)
        for direction in Direction
    }
    is_new = not output.exists()
    output.mkdir(parents=True, exist_ok=True)
    try:
        half_precision.write(output / run_files.WEIGHTS, networks)
        files.write_text(output / packaged_models.CARD, card)
        files.write_json(output / run_files.PUBLISHED, {"step": step})
        run_files.write_statistics(output, run.statistics)
        run_files.write_corpus(output, no_recordings)
        if run.versions.path.exists():
            shutil.copyfile(run.versions.path, output / run_files.VERSIONS)
        if all(moments.values()):
            norm_statistics.write(output / norm_statistics.FILE, step, moments)
        # Last, because a folder with settings counts as a run.
        files.write_json(output / run_files.CONFIG, dataclasses.asdict(config))
    except BaseException:
        # The folder was new or empty.
        for path in output.iterdir():
            path.unlink()
        if is_new:
            output.rmdir()
        raise
    return output / run_files.WEIGHTS


def model_card(run: RunFolder, step: int, about: str, folder_name: str) -> str:
    """Return the model card in Markdown.

    Args:
        run: The run.
        step: Step of the checkpoint. The scores in the card come from this step's evaluation, if
            the run has one.
        about: Markdown text that the card begins with.
        folder_name: Name of the published folder, for the command that repeats the scores.
    """
    variant = registry.VARIANTS[run.config.network.variant]
    defaults, flags = settings.to_flags(RunConfig()).splitlines(), []
    for line in settings.to_flags(run.config).splitlines():
        name, _, value = line[2:].partition("=")
        is_folder = name.endswith(("_dir", "_model", "transcripts")) or value.startswith(os.sep)
        if line not in defaults and not is_folder:
            flags.append(line)
    lines = [
        about.strip(), "", "## Settings", "",
        f"{run.config.network.variant} ({variant.paper}), step {step}. Flags of its training that "
        "differ from the 2017 paper's defaults; flags of folders come before them:", "",
        "```", "python train.py \\", *(f"    {flag} \\" for flag in flags[:-1]), f"    {flags[-1]}",
        "```", "",
    ]  # fmt: skip
    return "\n".join([*lines, *_scores_section(run, step, folder_name)]) + "\n"


def _scores_section(run: RunFolder, step: int, folder_name: str) -> list[str]:
    """Return the lines of a card with the scores that `evaluate` wrote into the run."""
    file = run.path / "evaluation" / f"step-{step}" / "metrics.json"
    if not file.is_file():
        return ["Not evaluated."]
    scores = _read_scores(file)
    columns = [(direction, system) for direction in scores for system in CARD_SYSTEMS]
    heads = [f"{direction} {SYSTEM_INFO[system].title}" for direction, system in columns]
    lines = [
        "## Evaluation", "",
        "Scores of the run's held-out recordings. This command repeats them on such recordings. "
        "Enrolment recordings, which similarities compare with, are the training recordings. "
        "The word error rate needs --transcripts and --whisper_model.", "",
        "```", f"python -m cyclegan_vc_tf evaluate --run_dir={folder_name} \\",
        "    --held_out_source_dir=… --held_out_target_dir=… \\",
        "    --enrolment_source_dir=… --enrolment_target_dir=…", "```", "",
        f"| | {' | '.join(heads)} |", "|---" * (1 + len(columns)) + "|",
    ]  # fmt: skip
    for metric, info in METRIC_INFO.items():
        values = [scores[direction][system].get(metric) for direction, system in columns]
        if any(value is not None for value in values):
            cells = ["" if value is None else f"{value:.{info.digits}f}" for value in values]
            lines.append(f"| {info.title} ({info.unit}) {info.better} | {' | '.join(cells)} |")
    return lines


def _read_scores(file: Path) -> dict[str, dict[str, dict[str, float | None]]]:
    """Read the scores that `evaluate` wrote, by direction, system and metric.

    Raises:
        InputError: The file is damaged.
    """
    try:
        scores = files.read_json(file)
        found = {
            direction: {system: dict(scores[direction][system]) for system in CARD_SYSTEMS}
            for direction in scores
        }
        for systems in found.values():
            for values in systems.values():
                if any(not isinstance(value, int | float | None) for value in values.values()):
                    raise ValueError("a score is not a number")
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(
            f"{file} is damaged ({error}); evaluate the run again, or remove the file"
        ) from error
    return found
