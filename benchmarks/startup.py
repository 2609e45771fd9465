"""What convert.py takes for one short recording, beside a bare import of TensorFlow.

    python -m benchmarks.startup
    python -m benchmarks.startup --rounds=5 --audio_dir=data/demo/held_out/heart

Both from the start of a Python process to its end, in turns, after one of each that does not count.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.harness import turns

SECONDS = 2.0
IMPORT = "import tensorflow"


def main() -> None:
    """Prints the table."""
    arguments = turns.parser("startup", __doc__).parse_args()
    with TemporaryDirectory() as made:
        work = Path(made)
        wav = turns.write(work / "a.wav", turns.speech(arguments.audio_dir, SECONDS))
        turns.process_s("-m", "benchmarks.demo_run", work / "run", "demo", "dio")
        command = (
            "convert.py", f"--run_dir={work}/run", f"--input={wav}", f"--output={work}/out",
        )  # fmt: skip
        ways = {
            IMPORT: lambda: turns.process_s("-c", IMPORT),
            "convert.py, 2 s of speech": lambda: turns.process_s(*command),
        }
        turns.in_turns(ways, 1)
        measured = turns.in_turns(ways, arguments.rounds)
    turns.report(measured, "s", arguments.json, IMPORT)


if __name__ == "__main__":
    main()
