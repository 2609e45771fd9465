"""Functions of the public Python API that measure runs, and compare them.

TensorFlow is imported inside the functions: wrong arguments are refused without it.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclegan_vc_tf.api import find_run
from cyclegan_vc_tf.config import overrides, settings
from cyclegan_vc_tf.config.commands import OWN_VOCODER
from cyclegan_vc_tf.config.directions import SPEAKERS
from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.system import packaged_models, startup
from cyclegan_vc_tf.system.errors import InputError

if TYPE_CHECKING:
    from cyclegan_vc_tf.evaluation.comparison_page import Comparison
    from cyclegan_vc_tf.evaluation.evaluator import Evaluation


def evaluate(
    run: str | Path,
    step: str | int = "last",
    *,
    held_out_source_dir: str | Path = "",
    held_out_target_dir: str | Path = "",
    enrolment_source_dir: str | Path = "",
    enrolment_target_dir: str | Path = "",
    vocoder: str | Path = OWN_VOCODER,
    adapt_source: bool = False,
    examples: int = 3,
    output: str | Path = "",
    **metrics_settings: Any,
) -> "Evaluation":
    """Convert the held-out recordings of a run, measure them and write a report.

    The report is `metrics.json`, `recordings.csv` and `report.html`.

    Args:
        run: Run folder of a training, folder of a published run, or "pretrained:NAME".
        step: Step of the checkpoint: a number, "last", or "best" where the training evaluated.
        held_out_source_dir: Folder of recordings of speaker A to evaluate on; by default the run's
            held-out recordings. Imported, published and pretrained runs need it.
        held_out_target_dir: Folder of recordings of speaker B to evaluate on.
        enrolment_source_dir: Folder of recordings that define speaker A's voice for similarities;
            by default the run's training recordings, or without any the held-out recordings.
        enrolment_target_dir: Folder of recordings that define speaker B's voice.
        vocoder: Vocoder to convert with, as in `VocoderConfig.vocoder`; "own" is the run's.
        adapt_source: Adapt each direction to the voice of its source recordings, as
            `VoiceConverter.convert` does.
        examples: Recordings per direction that can be seen and heard in the report.
        output: Folder of the report; by default `RUN/evaluation/step-STEP`. With folders of
            recordings it is `evaluation/RUN/step-STEP` in the current folder, and with another
            vocoder `evaluation/RUN/step-STEP-VOCODER`.
        **metrics_settings: Changes of `MetricsConfig`, such as `transcripts="transcripts.tsv"`.

    Returns:
        Metrics by direction, system and name; metrics that were not measured, each with a reason.

    Raises:
        InputError: The run has nothing held out, the vocoder does not fit it, or a recording, a
            model or a setting is wrong.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> evaluation = vc.evaluate("runs/trained", examples=0)
        >>> evaluation.scores["A2B"]["converted"].summary["mcd_db"] > 0
        True
    """
    run_dir = find_run(run)
    # TensorFlow takes seconds to import: wrong arguments are refused without it.
    with startup.fast_import():
        from cyclegan_vc_tf.evaluation import evaluator, report
        from cyclegan_vc_tf.runs import events, run_folder

    opened = run_folder.open_run(run_dir)
    metrics: MetricsConfig = overrides.override(opened.config.metrics, metrics_settings)
    held_out = _by_speaker(held_out_source_dir, held_out_target_dir)
    enrolment = _by_speaker(enrolment_source_dir, enrolment_target_dir)
    is_own_vocoder = str(vocoder) == OWN_VOCODER
    changed = {} if is_own_vocoder else {"vocoder": str(vocoder)}
    evaluation = evaluator.evaluate(
        opened, opened.pick(str(step)), metrics, examples, held_out, enrolment,
        vocoder=overrides.override(opened.config.vocoder, changed), adapt_source=adapt_source,
    )  # fmt: skip
    name = "" if is_own_vocoder else Path(vocoder).name.removeprefix(packaged_models.PREFIX)
    own = is_own_vocoder and not any([*held_out.values(), *enrolment.values()])
    folder = Path(output) if output else _default_folder(run_dir, evaluation.step, own, name)
    title = f"{evaluation.title}, vocoder {name}" if name else evaluation.title
    evaluation = dataclasses.replace(evaluation, title=title, folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    report.write_json(evaluation, folder / "metrics.json")
    report.write_csv(evaluation, folder / "recordings.csv")
    report.write_html(evaluation, folder / "report.html", events.read_scalars(run_dir))
    return evaluation


def _default_folder(run_dir: Path, step: int, own: bool, vocoder: str) -> Path:
    """Return the folder where an evaluation of a run writes its report by default.

    Args:
        run_dir: Run folder.
        step: Step of the checkpoint.
        own: Whether recordings and vocoder are the run's own.
        vocoder: Name of another vocoder; empty for the run's own.
    """
    # A published run's folder may be read-only, and a model card has the run's own recordings.
    folder = run_dir / "evaluation" if own else Path("evaluation") / run_dir.name
    return folder / (f"step-{step}-{vocoder}" if vocoder else f"step-{step}")


def compare(
    runs: Sequence[str | Path],
    output: str | Path,
    step: str | int = "last",
    *,
    vocoders: Sequence[str | Path] = (),
    held_out_source_dir: str | Path = "",
    held_out_target_dir: str | Path = "",
    examples: int = 4,
) -> "Comparison":
    """Write a page that plays source, target and the conversions of several runs side by side.

    Each conversion is measured for faults that one hears: clicks, bursts, level jumps and buzz.

    Args:
        runs: Run folders of trainings, folders of published runs, or "pretrained:NAME".
        output: Folder of the page, `index.html`; a page that is there is replaced.
        step: Step of the checkpoints: a number, "last", or "best" where the trainings evaluated.
        vocoders: Vocoders of each run, as in `VocoderConfig.vocoder`; one that does not fit a run
            is left out and named. By default each run has its own vocoder.
        held_out_source_dir: Folder of recordings of speaker A; by default the held-out recordings
            of the first run.
        held_out_target_dir: Folder of recordings of speaker B.
        examples: Recordings per direction.

    Returns:
        Measures by direction, system and recording; what was left out; warnings.

    Raises:
        InputError: There is no run, one is given twice, a run cannot convert, no vocoder
            fits one, or a recording is not usable.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> page = vc.compare(["runs/trained"], "comparison", examples=1)
        >>> list(page.artifacts["A2B"])
        ['source', 'trained', 'target']
    """
    folders = [find_run(run) for run in runs]
    if not folders:
        raise InputError("--run_dirs is not given; expected one run or more")
    if not str(output):
        raise InputError("--output is not given; expected the folder of the page")
    if examples < 1:
        raise InputError(f"--examples is {examples}; expected 1 or more")
    page = Path(settings.absolute_path(str(output)))
    titles = _name_runs(folders)
    # TensorFlow takes seconds to import: wrong arguments are refused without it.
    with startup.fast_import():
        from cyclegan_vc_tf.evaluation import comparison, comparison_page, evaluation_sets
        from cyclegan_vc_tf.runs import run_folder

    comparison_page.refuse_other_folder(page)
    opened = [run_folder.open_run(folder) for folder in folders]
    held_out = _by_speaker(held_out_source_dir, held_out_target_dir)
    sets = evaluation_sets.load_evaluation_sets(opened[0], held_out_dirs=held_out)
    systems, left_out = comparison.make_systems(
        dict(zip(titles, opened, strict=True)), str(step), [str(name) for name in vocoders]
    )
    return comparison.write(page, systems, sets, examples, left_out)


def _by_speaker(source_dir: str | Path, target_dir: str | Path) -> dict[str, str]:
    """Return absolute paths of the folders of both speakers; empty where none is given."""
    return {
        speaker: settings.absolute_path(str(folder), allows_url=True)
        for speaker, folder in zip(SPEAKERS, (source_dir, target_dir), strict=True)
    }


def _name_runs(folders: Sequence[Path]) -> list[str]:
    """Return a title per run: the name of its folder, or its path where that could be another's.

    Raises:
        InputError: A folder is given twice.
    """
    for folder in folders:
        if folders.count(folder) > 1:
            raise InputError(f"--run_dirs has {folder} twice; expected different runs")
    # The page has rows of the sources and targets too.
    names = [*(folder.name for folder in folders), "source", "target"]
    return [folder.name if names.count(folder.name) == 1 else str(folder) for folder in folders]
