r"""Measure how conversions get better with more speech and more training.

    python -m benchmarks.budgets --minutes=0.5,1,2,4 --steps=250,1000 --output=runs/budgets
    python -m benchmarks.budgets --minutes=4 --steps=1000,2000 --output=FOLDER \
        --flags="--decay_start=1000 --decay_steps=1000"

One training per amount of speech, with the settings of a preset and further flags. It is evaluated
at each number of steps on the preset's held-out recordings. The first recordings of both speakers,
by name, make up the minutes. A training that was stopped goes on where it was, without the CPU time
that it took before, and one that is finished is not repeated.

The table has mean scores of both directions' conversions. CPU time counts the training up to that
step: preparation, pairing and start too, without the evaluations. Similarity and DNSMOS need the
extra `evaluate`.
"""

import argparse
import resource
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import machine
from cyclegan_vc_tf import api
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.system import files

METRICS = {
    "mcd_db": "MCD (dB)", "msd_db": "MSD (dB)", "speaker_similarity": "similarity",
    "dnsmos": "DNSMOS",
}  # fmt: skip
"""Columns of the table by the metric's name."""


def copy_first(source: Path, target: Path, minutes: float) -> float:
    """Copy the first recordings of a folder until they make up some minutes; return the minutes.

    Args:
        source: Folder of recordings.
        target: Folder to make; one that is there is replaced.
        minutes: Least duration of the recordings, in minutes, unless there are fewer.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    total_s = 0.0
    for name in audio_files.find(source):
        if total_s >= 60 * minutes:
            break
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target / name)
        total_s += audio_files.duration_s(source / name)
    return total_s / 60


def run(*arguments: str) -> float:
    """Run a command of the package to its end; return its CPU time in seconds."""
    before_s = sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])
    command = [sys.executable, "-m", "cyclegan_vc_tf", *arguments]
    if status := subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
        raise SystemExit(f"{arguments[0]} ended with status {status}; see above")
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2]) - before_s


def measure(
    preset: str, minutes: float, steps: Sequence[int], folder: Path, flags: Sequence[str] = ()
) -> list[tuple[float, float, dict[str, dict[str, float | None]]]]:
    """Train with some minutes of speech.

    Args:
        preset: Name of the preset.
        minutes: Minutes of speech per speaker.
        steps: Numbers of steps to evaluate, rising; the last one is the training's.
        folder: Folder of the recordings, the run and its scores.
        flags: Further flags of the training.

    Returns:
        For each number of steps: minutes of speech, CPU time in seconds, and scores of the
        converted recordings by direction and metric.
    """
    corpus = api.preset(preset).corpus
    if not corpus.source_dir:
        raise SystemExit(f"--preset {preset} has no recordings of its own; expected demo or demo_*")
    sides = {"source": Path(corpus.source_dir), "target": Path(corpus.target_dir)}
    folder.mkdir(parents=True, exist_ok=True)
    settings_file, settings = folder / "settings.json", [preset, *flags]
    if settings_file.exists() and files.read_json(settings_file) != settings:
        raise SystemExit(f"{folder} has runs of other settings; give another --output")
    files.write_json(settings_file, settings)
    spoken = [copy_first(path, folder / side, minutes) for side, path in sides.items()]
    common = [
        f"--preset={preset}", f"--run_dir={folder / 'run'}", "--convert_every=0",
        f"--features_dir={folder / 'features'}",
        *(f"--{side}_dir={folder / side}" for side in sides), *flags,
    ]  # fmt: skip
    times_file = folder / "cpu_s.json"
    times: dict[str, float] = files.read_json(times_file) if times_file.exists() else {}
    found = []
    for count in steps:
        scores = folder / f"scores-{count}.json"
        if not scores.exists():
            times[str(count)] = run("train", *common, f"--steps={count}") + max(
                times.values(), default=0.0
            )
            files.write_json(times_file, times)
            run(
                "evaluate", f"--run_dir={folder / 'run'}", "--examples=0", f"--json={scores}",
                *(f"--enrolment_{side}_dir={path}" for side, path in sides.items()),
                f"--output={folder / 'report'}",
            )  # fmt: skip
        converted = {
            direction: systems["converted"]
            for direction, systems in files.read_json(scores).items()
        }
        found.append((sum(spoken) / len(spoken), times[str(count)], converted))
    return found


def format_row(
    spoken: float, steps: int, cpu_s: float, scores: dict[str, dict[str, float | None]]
) -> str:
    """Return a row of the table; both directions' values have a slash between them."""
    cells = []
    for metric in METRICS:
        values = [each[metric] for each in scores.values()]
        digits = 2 if metric.endswith("_db") or metric == "dnsmos" else 3
        cells.append(" / ".join("" if each is None else f"{each:.{digits}f}" for each in values))
    return f"| {spoken:.1f} | {steps} | {cpu_s:.0f} | {' | '.join(cells)} |"


def _numbers(text: str) -> list[float]:
    return [float(each) for each in text.split(",")]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.budgets", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--preset", default="demo", help="preset with recordings of its own")
    parser.add_argument("--minutes", type=_numbers, default=[0.5, 1, 2, 4], help="amounts")
    parser.add_argument("--steps", type=_numbers, default=[1000], help="numbers of steps")
    parser.add_argument("--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--flags", default="", help="further flags of the training")
    arguments = parser.parse_args()
    print(f"{arguments.preset}; A2B / B2A; {machine.describe()}\n")
    columns = ["minutes", "steps", "CPU s", *METRICS.values()]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    steps = sorted({int(each) for each in arguments.steps})
    for minutes in arguments.minutes:
        folder = arguments.output / f"{minutes:g}-minutes"
        rows = measure(arguments.preset, minutes, steps, folder, shlex.split(arguments.flags))
        for count, (spoken, cpu_s, scores) in zip(steps, rows, strict=True):
            print(format_row(spoken, count, cpu_s, scores), flush=True)


if __name__ == "__main__":
    main()
