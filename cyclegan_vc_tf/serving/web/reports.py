"""Reports about a run: inspection as text, evaluation as a page, recordings as pictures."""

from pathlib import Path

from cyclegan_vc_tf import api
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.data import corpus_summary, feature_store
from cyclegan_vc_tf.system.errors import InputError, single_line
from cyclegan_vc_tf.system.remote_files import to_path

REPORT_FILE = "report.html"


def inspect_text(run: Path) -> tuple[str, list[str]]:
    """Return what an inspection finds in a run folder.

    Returns:
        Facts as lines of text, and problems, one line each.

    Raises:
        InputError: The folder is not a run.
    """
    found = api.inspect(run)
    from cyclegan_vc_tf.inspection import summary

    problems = [single_line(str(problem)) for problem in found.problems]
    return "\n".join(summary.summary_lines(found.facts)), problems


def evaluated_steps(run: Path) -> list[int]:
    """Return the steps of a run that have an evaluation report, ascending."""
    steps = (
        path.parent.name.removeprefix("step-")
        for path in run.glob(f"evaluation/step-*/{REPORT_FILE}")
    )
    return sorted(int(step) for step in steps if step.isdecimal())


def report_path(run: Path, step: int | None) -> Path:
    """Return the file of an evaluation report.

    Args:
        run: Run folder.
        step: Step of the checkpoint; None for the last evaluated one.

    Raises:
        InputError: The run has no report of that step.
    """
    steps = evaluated_steps(run)
    if not steps or (step is not None and step not in steps):
        raise InputError(
            f"{run.name} has no evaluation{'' if step is None else f' of step {step}'}"
        )
    return run / "evaluation" / f"step-{steps[-1] if step is None else step}" / REPORT_FILE


def preparation_pictures(config: RunConfig) -> list[tuple[str, Path]]:
    """Return the pictures that a preparation made of a run's recordings.

    Args:
        config: Settings of the run.

    Returns:
        Name of the folder and picture of each speaker that was prepared.
    """
    corpus = config.corpus
    pictures = []
    for folder in (corpus.source_dir, corpus.target_dir):
        if not folder:
            continue
        store = feature_store.speaker_store(to_path(folder), corpus, config.features)
        if (store / corpus_summary.PICTURE_FILE).is_file():
            pictures.append((Path(folder).name, store / corpus_summary.PICTURE_FILE))
    return pictures
