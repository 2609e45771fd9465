"""Compare vocoders by copy synthesis of held-out recordings.

    python -m benchmarks.vocoders --vocoder=runs/vocoder
    python -m benchmarks.vocoders --vocoder=runs/vocoder --held_out_dir=…,… --enrolment_dir=…,…

Each recording is analysed and synthesized from its own features by every vocoder. The columns:

- MCD: mel-cepstral distortion from the recording, in dB, aligned as in an evaluation;
- mel: mean distance of log-mel spectra from the recording's, frame by frame, in dB;
- similarity: cosine of Resemblyzer's embeddings to the centroid of the voice's enrolment
  recordings;
- DNSMOS, and Distill-MOS if the package distillmos is installed;
- words wrong, by PocketSphinx;
- RTF: CPU time of the synthesis alone per second of speech, on one thread.

A metric whose package is not installed is left empty.
"""

import argparse
import importlib.util
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import held_out, machine
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import MetricsConfig, VocoderConfig
from cyclegan_vc_tf.evaluation.evaluation_sets import EvaluationSet
from cyclegan_vc_tf.evaluation.metric_inputs import import_quietly, to_metric_rate
from cyclegan_vc_tf.evaluation.neural_metrics import load_neural_metrics
from cyclegan_vc_tf.evaluation.scoring import Scorer
from cyclegan_vc_tf.features import frontend, log_mel
from cyclegan_vc_tf.system import files, processor
from cyclegan_vc_tf.vocoders import neural, selection, vocoder_folders

DEMO = Path("data/demo")

VOICES = tuple(held_out.VOICES.values())

Waves = dict[str, np.ndarray]

COLUMNS = (
    "mcd_db", "mel_db", "speaker_similarity", "dnsmos", "distill_mos", "word_error_rate", "rtf"
)  # fmt: skip


def join(kind: str) -> str:
    """Return the demo's folders of a kind, as the text of a flag."""
    return ",".join(str(DEMO / kind / voice) for voice in VOICES)


def read_voice(held_out: Path, enrolment: Path, most: int, enrolments: int) -> EvaluationSet:
    """Return a voice's first recordings as both sources and references.

    Args:
        held_out: Folder of held-out recordings.
        enrolment: Folder of enrolment recordings.
        most: Largest number of held-out recordings.
        enrolments: Largest number of enrolment recordings.
    """
    names = audio_files.find(held_out)[:most]
    recordings = {Path(name).stem: held_out / name for name in names}
    enrolled = [enrolment / name for name in audio_files.find(enrolment)[:enrolments]]
    return EvaluationSet(recordings, recordings, enrolled, enrolled)


def make_systems(names: list[str], rate_hz: int) -> dict[str, tuple[FeatureConfig, VocoderConfig]]:
    """Return features and vocoder of each system by its name in the table."""
    log_mels = FeatureConfig(spectra="log_mel", sample_rate_hz=rate_hz)
    systems = {
        "WORLD, 24 mel-cepstra": (FeatureConfig(sample_rate_hz=rate_hz), VocoderConfig()),
        "Griffin-Lim, 80 log-mel bins": (log_mels, VocoderConfig()),
    }
    for name in names:
        features = neural.load(vocoder_folders.find(name)).features
        kind = f"{features.bins} {features.spectra.replace('_', '-')} values"
        systems[f"{name}, {kind}"] = (features, VocoderConfig(vocoder=name))
    return systems


def synthesize(
    features: FeatureConfig, vocoder: VocoderConfig, recordings: Waves
) -> tuple[Waves, float]:
    """Synthesize recordings; return them and the CPU time per second of speech."""
    vocode = selection.make_vocoder(features, vocoder)
    analysed = {name: frontend.analyse(wave, features) for name, wave in recordings.items()}
    for name, each in analysed.items():
        vocode(each, len(recordings[name]))  # The first call of each length traces and loads.
    begin = time.process_time()
    made = {name: vocode(each, len(recordings[name])) for name, each in analysed.items()}
    spent_s = time.process_time() - begin
    speech_s = sum(map(len, recordings.values())) / features.sample_rate_hz
    return made, spent_s / speech_s


def mel_distance_db(wave: np.ndarray, recording: np.ndarray, rate_hz: int) -> float:
    """Return the mean distance of log-mel spectra, in dB."""
    config = FeatureConfig(spectra="log_mel", sample_rate_hz=rate_hz)
    one, other = (log_mel.log_mel(each, config) for each in (wave, recording))
    return float(20 * np.abs(one - other).mean())


def distill_mos() -> Callable[[np.ndarray, int], float] | None:
    """Return Distill-MOS as a function of samples and rate; None if it is not installed."""
    if importlib.util.find_spec("distillmos") is None:
        return None
    torch: Any = import_quietly("torch")
    model = import_quietly("distillmos").ConvTransformerSQAModel().eval()

    def score(wave: np.ndarray, rate_hz: int) -> float:
        with torch.no_grad():
            return float(model(torch.from_numpy(to_metric_rate(wave, rate_hz))[None]))

    return score


def score(
    scorer: Scorer, waves: Waves, mos: Callable[[np.ndarray, int], float] | None
) -> dict[str, float | None]:
    """Return the metrics of a system for one voice."""
    rate_hz = scorer.sample_rate_hz
    values: dict[str, float | None] = dict(scorer.score(waves).summary)
    values["mel_db"] = float(
        np.mean([mel_distance_db(waves[name], scorer.sources[name], rate_hz) for name in waves])
    )
    values["distill_mos"] = (
        None if mos is None else float(np.mean([mos(wave, rate_hz) for wave in waves.values()]))
    )
    return values


def format_cell(values: Mapping[str, Mapping[str, float | None]], column: str) -> str:
    """Return the values of a column for all voices; empty if they were not measured."""
    numbers = [voice.get(column) for voice in values.values()]
    if column == "word_error_rate":
        return " / ".join(f"{100 * each:.1f} %" for each in numbers if each is not None)
    digits = 3 if column in ("rtf", "speaker_similarity") else 2
    return " / ".join(f"{each:.{digits}f}" for each in numbers if each is not None)


def main() -> None:
    """Print the table."""
    flags = argparse.ArgumentParser(
        prog="python -m benchmarks.vocoders",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flags.add_argument(
        "--vocoder", action="append", default=[],
        help="folder of a vocoder, or pretrained:NAME; may be given several times",
    )  # fmt: skip
    flags.add_argument("--held_out_dir", default=join("held_out"), help="a folder per voice")
    flags.add_argument("--enrolment_dir", default=join("train"), help="a folder per voice")
    flags.add_argument(
        "--recordings", type=int, default=1000, help="largest number of recordings per voice"
    )
    flags.add_argument(
        "--enrolments", type=int, default=1000, help="largest number of enrolment recordings"
    )
    flags.add_argument(
        "--without_others", action="store_true", help="measure the given vocoders alone"
    )
    flags.add_argument("--transcripts", default=str(DEMO / "transcripts.tsv"))
    flags.add_argument("--sample_rate_hz", type=int, default=16_000)
    flags.add_argument("--output", type=Path, help="folder to write all waveforms to")
    flags.add_argument("--json", type=Path, help="write all values to this file")
    given = flags.parse_args()
    processor.use_one_thread()
    metrics = MetricsConfig(transcripts=given.transcripts, recognizer="pocketsphinx")
    neural_metrics, missing = load_neural_metrics(metrics)
    for name, reason in missing.items():
        print(f"{name} is not measured: {reason}")
    mos, rate_hz = distill_mos(), given.sample_rate_hz
    folders = zip(given.held_out_dir.split(","), given.enrolment_dir.split(","), strict=True)
    scorers = {
        Path(held_out).name: Scorer(
            read_voice(Path(held_out), Path(enrolment), given.recordings, given.enrolments),
            rate_hz,
            neural_metrics,
        )
        for held_out, enrolment in folders
    }
    measured: dict[str, dict[str, dict[str, float | None]]] = {}
    systems = make_systems(given.vocoder, rate_hz)
    if given.without_others:
        systems = dict(list(systems.items())[len(systems) - len(given.vocoder) :])
    for name in systems if given.without_others else ("natural", *systems):
        measured[name] = {}
        for voice, scorer in scorers.items():
            waves, rtf = scorer.sources, None
            if name in systems:
                waves, rtf = synthesize(*systems[name], scorer.sources)
            measured[name][voice] = {**score(scorer, waves, mos), "rtf": rtf}
            if given.output:
                for recording, wave in waves.items():
                    path = given.output / files_name(name) / voice / f"{recording}.wav"
                    audio_files.write(path, wave, rate_hz)
    print(f"{machine.describe()}\n\nValues: {' / '.join(scorers)}\n")
    heads = ["vocoder", "MCD (dB)", "mel (dB)", "similarity", "DNSMOS", "Distill-MOS",
             "words wrong", "RTF"]  # fmt: skip
    print(f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for name, values in measured.items():
        print(f"| {name} | {' | '.join(map(partial(format_cell, values), COLUMNS))} |")
    if given.json:
        files.write_json(given.json, measured)


def files_name(system: str) -> str:
    """Return the folder name of a system's waveforms."""
    return system.split(",")[0].replace("/", "-").replace(":", "-").strip("-")


if __name__ == "__main__":
    main()
