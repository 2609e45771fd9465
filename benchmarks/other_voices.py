"""Measure conversions of voices that a run was not trained with, with and without an adaptation.

    python -m benchmarks.other_voices --voice=rms --voice=slt --direction=A2B

Each voice is a folder of recordings, named as lines of the transcripts are. The table has, for the
recordings, their conversions, and their conversions with `--adapt_source`: the speaker similarity
to the target's training recordings, and the share of words that PocketSphinx gets wrong. It gets
words of natural speech wrong too: compare with the recordings. Both need the extra `evaluate`.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.harness import held_out, machine
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.evaluation import evaluation_sets, recognizers
from cyclegan_vc_tf.evaluation.neural_metrics import SpeakerSimilarity

TRAINING = Path("data/demo/train")
"""Folder of the demo's training recordings, one folder per voice."""

ENROLMENT = 20
"""Training recordings of the target that define its voice."""


class Judges:
    """Metrics of the table.

    Args:
        enrolment: Training recordings of the target.
        transcripts: Sentences by name of a recording.
        rate_hz: Sample rate of all waveforms.
    """

    def __init__(self, enrolment: Path, transcripts: Path, rate_hz: int) -> None:
        self._similarity, self._recognizer = SpeakerSimilarity(), recognizers.PocketSphinx()
        self._sentences = evaluation_sets.read_transcripts(transcripts)
        self._rate_hz = rate_hz
        names = audio_files.find(enrolment)[:ENROLMENT]
        waves = [audio_files.read_resampled(enrolment / name, rate_hz)[0] for name in names]
        embedded = [self._similarity.embed(wave, rate_hz) for wave in waves]
        self._target = self._similarity.centroid([each for each in embedded if each is not None])

    def score(self, waves: dict[str, np.ndarray]) -> str:
        """Return similarity and words of recordings as cells of the table."""
        embedded = [self._similarity.embed(wave, self._rate_hz) for wave in waves.values()]
        cosines = [float(each @ self._target) for each in embedded if each is not None]
        known = {name: wave for name, wave in waves.items() if name in self._sentences}
        heard = {
            name: self._recognizer.transcribe(wave, self._rate_hz) for name, wave in known.items()
        }
        words = f"{recognizers.word_error_rate(self._sentences, heard):.2f}" if heard else ""
        return f"{np.mean(cosines):.3f} | {words}"


def main() -> None:
    """Print the table."""
    parser = held_out.parser("other_voices", __doc__)
    parser.add_argument(
        "--voice", type=Path, action="append", required=True,
        help="folder of recordings of a voice; repeatable",
    )  # fmt: skip
    parser.add_argument("--direction", choices=list(map(str, Direction)), default="A2B")
    parser.add_argument("--transcripts", type=Path, default=Path("data/demo/transcripts.tsv"))
    parser.add_argument(
        "--enrolment", type=Path, help="training recordings of the target; by default the demo's"
    )
    arguments = parser.parse_args()
    direction = Direction(arguments.direction)
    run, _ = held_out.load(arguments)
    converter = Converter.for_run(run, direction, run.load_generator(direction)[0])
    rate_hz = converter.config.sample_rate_hz
    own = TRAINING / {"A": "heart", "B": "michael"}[direction.target]
    judges = Judges(arguments.enrolment or own, arguments.transcripts, rate_hz)
    print(f"{arguments.run_dir}, {direction}; {machine.describe()}\n\nsimilarity, words wrong\n")
    print("| voice | recordings | | converted | | adapted | |\n|---|---|---|---|---|---|---|")
    for folder in arguments.voice:
        waves = {
            Path(name).stem: audio_files.read_resampled(folder / name, rate_hz)[0]
            for name in audio_files.find(folder)
        }
        systems: list[Callable[[np.ndarray], np.ndarray]] = [
            lambda wave: wave, converter.convert, converter.adapted_to(waves.values()).convert
        ]  # fmt: skip
        cells = [
            judges.score({name: system(wave) for name, wave in waves.items()}) for system in systems
        ]
        print(f"| {folder.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
