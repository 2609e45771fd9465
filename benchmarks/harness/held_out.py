"""Flags and recordings of benchmarks that score a run on the demo's held-out sentences."""

import argparse
from pathlib import Path
from typing import Any

from cyclegan_vc_tf import api
from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.evaluation.evaluation_sets import EvaluationSet, load_evaluation_sets
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder

DEMO = Path("data/demo/held_out")
"""Folder of the demo's held-out sentences, one folder per voice."""

ENROLMENT = Path("data/demo/train")
"""Folder of the demo's training sentences, which similarities compare with."""

VOICES = {"A": "heart", "B": "michael"}
"""Folder of each of the demo's speakers."""


def parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the flags of a run and of held-out recordings.

    Args:
        name: Module of the benchmark.
        description: Text of its help.
    """
    made = argparse.ArgumentParser(
        prog=f"python -m benchmarks.{name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--run_dir", default="pretrained:vc1-demo", help="run to measure")
    for speaker, voice in VOICES.items():
        made.add_argument(
            f"--held_out_{speaker}", type=Path, default=DEMO / voice,
            help=f"held-out recordings of speaker {speaker}, with names like the other's",
        )  # fmt: skip
        made.add_argument(
            f"--enrolment_{speaker}", type=Path, default=ENROLMENT / voice,
            help=f"other recordings of speaker {speaker}, which similarities compare with",
        )  # fmt: skip
    return made


def load(arguments: Any) -> tuple[RunFolder, dict[Direction, EvaluationSet]]:
    """Return the run of the flags, and its held-out recordings by direction."""
    run = run_folder.open_run(api.find_run(arguments.run_dir))
    held_out, enrolment = (
        {name: str(vars(arguments)[f"{kind}_{name}"]) for name in SPEAKERS}
        for kind in ("held_out", "enrolment")
    )
    sets = load_evaluation_sets(run, held_out_dirs=held_out, enrolment_dirs=enrolment)
    return run, sets
