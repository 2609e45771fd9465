"""Measure convert.py on one short recording, and the import of TensorFlow alone.

    python -m benchmarks.startup
    python -m benchmarks.startup --rounds=5 --audio_dir=data/demo/held_out/heart

Both are measured from the start of a Python process to its end, in turns, after a warm-up of each.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import turns

SECONDS = 2.0
IMPORT = "import tensorflow"


def main() -> None:
    """Print the table."""
    arguments = turns.parser("startup", __doc__).parse_args()
    with TemporaryDirectory() as made:
        work = Path(made)
        wav = turns.write(work / "a.wav", turns.speech(arguments.audio_dir, SECONDS))
        turns.process_s("-m", "benchmarks.demo_run", work / "run", "demo", "dio")
        command = (
            "convert.py", f"--run_dir={work}/run", f"--input={wav}", f"--output={work}/out",
        )  # fmt: skip
        methods = {
            IMPORT: lambda: turns.process_s("-c", IMPORT),
            "convert.py, 2 s of speech": lambda: turns.process_s(*command),
        }
        turns.measure_in_turns(methods, 1)
        measured = turns.measure_in_turns(methods, arguments.rounds)
    turns.report(measured, "s", arguments.json, IMPORT)


if __name__ == "__main__":
    main()
