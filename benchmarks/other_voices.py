"""Measure conversions of voices that a run was not trained with, with and without an adaptation.

    python -m benchmarks.other_voices --voice=rms --voice=slt --direction=A2B

Each voice is a folder of recordings, named as lines of the transcripts are. The table has, for the
recordings, their conversions, their conversions with `--adapt_source`, and live conversions without
an adaptation, with `--adapt_to`, and with `--adapt_after_s=10`: the speaker similarity to the
target's training recordings, and the share of words that PocketSphinx gets wrong. It gets words of
natural speech wrong too: compare with the recordings. Both need the extra `evaluate`. `--no_live`
leaves out the live conversions.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.harness import held_out, machine
from cyclegan_vc_tf import api
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.conversion import live_adaptation
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.evaluation.evaluation_sets import EvaluationSet, read_transcripts
from cyclegan_vc_tf.evaluation.neural_metrics import NeuralMetrics, SpeakerSimilarity
from cyclegan_vc_tf.evaluation.recognizers import PocketSphinx
from cyclegan_vc_tf.evaluation.scoring import Scorer, Waves
from cyclegan_vc_tf.features.adaptation import Adaptation
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.streaming.stream import Stream

TRAINING = Path("data/demo/train")
"""Folder of the demo's training recordings, one folder per voice."""

LISTEN_S = 10.0
"""Duration of speech that a live conversion listens to before it adapts, in seconds."""

ENROLMENT = 20
"""Training recordings of the target that define its voice."""


def load_metrics(transcripts: Path) -> NeuralMetrics:
    """Return what the table has."""
    return NeuralMetrics(
        SpeakerSimilarity(), recognizer=PocketSphinx(), transcripts=read_transcripts(transcripts)
    )


def format_cells(scorer: Scorer, waves: Waves) -> str:
    """Return similarity and words of recordings as cells of the table."""
    summary = scorer.score(waves).summary
    similarity, words = summary["speaker_similarity"], summary["word_error_rate"]
    return f"{similarity:.3f} | {'' if words is None else f'{words:.2f}'}"


def convert_live(
    run: RunFolder,
    direction: Direction,
    sources: Waves,
    adaptation: Adaptation | None = None,
    adapt_after_s: float = 0.0,
) -> Waves:
    """Convert recordings one after another by a stream, and cut out each one's conversion."""
    config = StreamConfig(adapt_after_s=adapt_after_s)
    stream = Stream.for_run(run, direction, adaptation=adaptation, config=config)
    delay, pause = stream.delay_samples, np.zeros(stream.delay_samples, np.float32)
    converted = {}
    for name, wave in sources.items():
        whole = np.concatenate([stream.push(wave), stream.push(pause)])
        converted[name] = whole[delay:]
    return converted


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.other_voices", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--run_dir", default="pretrained:vc1-demo", help="run to measure")
    parser.add_argument(
        "--voice", type=Path, action="append", required=True,
        help="folder of recordings of a voice; repeatable",
    )  # fmt: skip
    parser.add_argument("--direction", choices=list(map(str, Direction)), default="A2B")
    parser.add_argument("--transcripts", type=Path, default=Path("data/demo/transcripts.tsv"))
    parser.add_argument(
        "--enrolment", type=Path, help="training recordings of the target; by default the demo's"
    )
    parser.add_argument("--no_live", action="store_true", help="leave out live conversions")
    arguments = parser.parse_args()
    direction = Direction(arguments.direction)
    run = run_folder.open_run(api.find_run(arguments.run_dir))
    converter = Converter.for_run(run, direction, run.load_generator(direction)[0])
    own = arguments.enrolment or TRAINING / held_out.VOICES[direction.target]
    enrolment = [own / name for name in audio_files.find(own)[:ENROLMENT]]
    metrics = load_metrics(arguments.transcripts)
    print(f"{arguments.run_dir}, {direction}; {machine.describe()}\n\nsimilarity, words wrong\n")
    columns = ["recordings", "converted", "adapted"]
    columns += [] if arguments.no_live else ["live", "live, adapted", "live, listening"]
    print(f"| voice | {' | | '.join(columns)} | |\n|---{'|---|---' * len(columns)}|")
    for folder in arguments.voice:
        sources = {Path(name).stem: folder / name for name in audio_files.find(folder)}
        recordings = EvaluationSet(sources, {}, [], enrolment)
        scorer = Scorer(recordings, converter.config.sample_rate_hz, metrics)
        adapted = converter.adapted_to(scorer.sources.values())
        systems = [scorer.sources, scorer.convert(converter), scorer.convert(adapted)]
        if not arguments.no_live:
            voice = live_adaptation.estimate(run, direction, folder)
            systems += [
                convert_live(run, direction, scorer.sources, *each)
                for each in ((), (voice,), (None, LISTEN_S))
            ]
        cells = [format_cells(scorer, waves) for waves in systems]
        print(f"| {folder.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
