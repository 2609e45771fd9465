"""Measure live conversion: delay against quality, time per second of speech, clicks.

    python -m benchmarks.live
    python -m benchmarks.live --run_dir=pretrained:vc2-demo --json=vc2.json --picture=vc2.png

Held-out sentences of the demo are converted by the converter of files and by streams with several
delays, in both directions. The table has the mel-cepstral distortion to the target speaker's
recording of the sentence, the speaker similarity to the target's training recordings, the voicing
error, the share of words that PocketSphinx gets wrong, processor time on one core, and the spectral
flux at the borders of blocks as a ratio to the flux elsewhere. Similarity and words need the extra
`evaluate`.
"""

import argparse
import json
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import held_out, machine
from cyclegan_vc_tf import api
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config import preset_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.system import processor

EIGHT = StreamConfig(lookahead_frames=8)
"""Settings that rows of other parts than the look-ahead change."""

SETTINGS = {
    "0 frames": StreamConfig(lookahead_frames=0),
    "4 frames": StreamConfig(),
    "8 frames": EIGHT,
    "12 frames": StreamConfig(lookahead_frames=12),
    "24 frames": StreamConfig(lookahead_frames=24, analysis_lookahead_ms=50),
    "48 frames": StreamConfig(lookahead_frames=48, analysis_lookahead_ms=50, block_frames=16),
    "8 frames, analysis 15 ms": replace(EIGHT, analysis_lookahead_ms=15),
    "8 frames, analysis 40 ms": replace(EIGHT, analysis_lookahead_ms=40),
    "8 frames, blocks of 8": replace(EIGHT, block_frames=8),
    "8 frames, running norms 2 s": replace(EIGHT, norms="running", norm_seconds=2),
    "8 frames, running norms 10 s": replace(EIGHT, norms="running", norm_seconds=10),
    "8 frames, running norms 60 s": replace(EIGHT, norms="running", norm_seconds=60),
}
"""Settings of each row of the table; rows are named by the look-ahead of the generator."""

FLUX_SAMPLES = 80
"""Window of the spectral flux: 5 ms at 16 kHz."""


@dataclass(frozen=True)
class Sentence:
    """Held-out sentence.

    Attributes:
        name: File name without its ending.
        source: Recording of the source speaker.
        target: Mel-cepstra and F0 of the target speaker's recording.
    """

    name: str
    source: np.ndarray
    target: Any


def spectral_flux(wave: np.ndarray) -> np.ndarray:
    """Return the change of the log spectrum from the window before a sample to the one behind it.

    Args:
        wave: (samples,).

    Returns:
        Root mean square change in dB at each sample that has whole windows, (samples - 159,).
    """
    windows = np.lib.stride_tricks.sliding_window_view(wave, FLUX_SAMPLES)
    levels = 20 * np.log10(np.abs(np.fft.rfft(windows * np.hanning(FLUX_SAMPLES))) + 1e-4)
    return np.sqrt(np.mean(np.square(levels[FLUX_SAMPLES:] - levels[:-FLUX_SAMPLES]), axis=1))


def border_ratio(wave: np.ndarray, first: int, block: int) -> float:
    """Return the mean spectral flux at the borders of blocks over the mean flux elsewhere.

    Args:
        wave: Output of a stream.
        first: Sample of the first border.
        block: Samples between two borders.
    """
    flux = spectral_flux(wave)
    borders = np.arange(first, len(wave) - FLUX_SAMPLES, block) - FLUX_SAMPLES
    at_border = np.zeros(len(flux), bool)
    at_border[borders[borders >= 0]] = True
    return float(flux[at_border].mean() / flux[~at_border].mean())


class Bench:
    """Measurements of one run in both directions.

    Args:
        run_dir: Run folder or pretrained model.
        sentences: Number of held-out sentences.
    """

    def __init__(self, run_dir: str, sentences: int) -> None:
        from cyclegan_vc_tf.evaluation import evaluation_sets, neural_metrics, recognizers
        from cyclegan_vc_tf.runs import run_folder

        self.run = run_folder.open_run(api.find_run(run_dir))
        self.voices = api.load(run_dir)
        self.rate_hz = self.voices.sample_rate_hz
        self.sentences = {each: self._sentences(each, sentences) for each in Direction}
        self.similarity = None
        if not neural_metrics.missing_reason(*neural_metrics.SpeakerSimilarity.PACKAGES):
            self.similarity = neural_metrics.SpeakerSimilarity()
            self.centroids = {side: self._centroid(name) for side, name in held_out.VOICES.items()}
        self.recognizer = None
        if not neural_metrics.missing_reason(*recognizers.PocketSphinx.PACKAGES):
            self.recognizer = recognizers.PocketSphinx()
            table = preset_files.demo_corpus_dir() / "transcripts.tsv"
            self.transcripts = evaluation_sets.read_transcripts(table)
        self.offline = {
            each: [
                self.voices.convert(sentence.source, self.rate_hz, each)
                for sentence in self.sentences[each]
            ]
            for each in Direction
        }

    def _sentences(self, direction: Direction, count: int) -> list[Sentence]:
        """Read the first held-out sentences."""
        folder = preset_files.demo_corpus_dir() / "held_out"
        source, target = (
            folder / held_out.VOICES[side] for side in (direction.source, direction.target)
        )
        return [
            Sentence(
                Path(name).stem,
                audio_files.read_resampled(source / name, self.rate_hz)[0],
                self.analyse(audio_files.read_resampled(target / name, self.rate_hz)[0]),
            )
            for name in audio_files.find(source)[:count]
        ]

    def _centroid(self, speaker: str) -> np.ndarray:
        """Return the mean embedding of some training recordings."""
        assert self.similarity is not None  # noqa: S101
        folder = preset_files.demo_corpus_dir() / "train" / speaker
        waves = [audio_files.read(folder / name)[0] for name in audio_files.find(folder)[:20]]
        embeddings = [self.similarity.embed(wave, self.rate_hz) for wave in waves]
        return self.similarity.centroid([each for each in embeddings if each is not None])

    def analyse(self, wave: np.ndarray) -> Any:
        """Return mel-cepstra and F0 of a recording."""
        from cyclegan_vc_tf.evaluation.metrics import SpeechFeatures
        from cyclegan_vc_tf.features import sptk, world

        config = replace(self.run.config.features, f0_method="dio")
        f0_hz, time_s = world.f0(wave, config)
        power = world.envelope(wave, f0_hz, time_s, config)
        return SpeechFeatures(sptk.mel_cepstra(power, self.rate_hz), f0_hz)

    def score(self, waves: dict[Direction, list[np.ndarray]]) -> dict[str, float]:
        """Return the metrics of converted sentences, averaged over both directions."""
        from cyclegan_vc_tf.evaluation import metrics, recognizers

        rows = []
        heard: dict[str, str] = {}
        for direction, converted in waves.items():
            for sentence, wave in zip(self.sentences[direction], converted, strict=True):
                features = self.analyse(wave)
                row: dict[str, Any] = {
                    "mcd_db": metrics.mel_cepstral_distortion_db(features, sentence.target),
                    "voicing_error": metrics.f0_errors(features, sentence.target)["voicing_error"],
                }
                if self.similarity is not None:
                    embedding = self.similarity.embed(wave, self.rate_hz)
                    if embedding is not None:
                        row["similarity"] = float(embedding @ self.centroids[direction.target])
                rows.append(row)
                if self.recognizer:
                    key = f"{direction}/{sentence.name}"
                    heard[key] = self.recognizer.transcribe(wave, self.rate_hz)
        means = {
            name: float(np.mean([row[name] for row in rows if name in row])) for name in rows[0]
        }
        if heard:
            spoken = {key: self.transcripts[Path(key).name] for key in heard}
            means["words_wrong"] = recognizers.word_error_rate(spoken, heard)
        return means

    def measure(self, config: StreamConfig) -> dict[str, float]:
        """Convert all sentences live, as fast as possible, and measure."""
        from cyclegan_vc_tf.streaming.stream import Stream

        waves: dict[Direction, list[np.ndarray]] = {}
        busy_s = total_s = 0.0
        ratios, delay_ms = [], 0.0
        frame = round(self.run.config.features.hop_s * self.rate_hz)
        block, period = config.block_frames * frame, round(0.01 * self.rate_hz)
        for direction in Direction:
            stream = Stream.for_run(self.run, direction, config=config)
            delay = stream.delay_samples
            pause = np.zeros(delay + period, np.float32)
            late = delay - config.lookahead_frames * frame
            pushed = 0
            for sentence in self.sentences[direction]:
                begin_s = time.process_time()
                parts = [
                    stream.push(sentence.source[begin : begin + period])
                    for begin in range(0, len(sentence.source), period)
                ]
                busy_s += time.process_time() - begin_s
                total_s += len(sentence.source) / self.rate_hz
                whole = np.concatenate([*parts, stream.push(pause)])
                first = (late + block - frame - pushed) % block
                pushed += len(whole)
                ratios.append(border_ratio(whole, first, block))
                waves.setdefault(direction, []).append(whole[delay : delay + len(sentence.source)])
            delay_ms = 1000 * delay / self.rate_hz
        return {
            "delay_ms": delay_ms, **self.score(waves), "real_time_factor": busy_s / total_s,
            "border_flux_ratio": float(np.mean(ratios)),
        }  # fmt: skip


COLUMNS = {
    "delay_ms": ("delay, ms", "{:.0f}"),
    "mcd_db": ("MCD to the target, dB", "{:.2f}"),
    "similarity": ("similarity", "{:.3f}"),
    "voicing_error": ("voicing error", "{:.3f}"),
    "words_wrong": ("words wrong", "{:.3f}"),
    "real_time_factor": ("processor s per s", "{:.3f}"),
    "border_flux_ratio": ("flux at borders", "{:.3f}"),
}
"""Heading and form of each column of the table."""


def draw(rows: dict[str, dict[str, float]], title: str, path: Path) -> None:
    """Draw delay against distortion and similarity."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    offline = rows["file"]
    series = sorted(
        (row["delay_ms"], row)
        for name, row in rows.items()
        if name.endswith(" frames") and name != "file"
    )
    names = [name for name in ("mcd_db", "similarity") if name in offline]
    figure, axes = pyplot.subplots(1, len(names), figsize=(5 * len(names), 3.4), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        axis.plot([x for x, _ in series], [row[name] for _, row in series], "o-", label="live")
        axis.axhline(offline[name], color="gray", linestyle="--", label="conversion of files")
        axis.axvline(100, color="tab:red", linewidth=0.8, label="100 ms")
        axis.set_xlabel("delay of the conversion (ms)")
        axis.set_ylabel(COLUMNS[name][0])
        axis.legend()
    figure.suptitle(title)
    figure.tight_layout()
    figure.savefig(path, dpi=110)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="live", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run_dir", default="pretrained:vc1-demo", help="run to convert with")
    parser.add_argument("--sentences", type=int, default=10, help="sentences per direction")
    parser.add_argument("--only", default="", help="measure rows whose names contain this text")
    parser.add_argument("--json", type=Path, help="write all measurements to this file")
    parser.add_argument("--picture", type=Path, help="draw delay against quality")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    processor.use_one_thread()
    bench = Bench(arguments.run_dir, arguments.sentences)
    rows = {"file": bench.score(bench.offline)}
    print(f"{arguments.run_dir}; {machine.describe()}; {time.strftime('%Y-%m-%d')}\n")
    print("| look-ahead | " + " | ".join(title for title, _ in COLUMNS.values()) + " |")
    print("|---" * (1 + len(COLUMNS)) + "|", flush=True)
    for name, config in {"file": None, **SETTINGS}.items():
        if config is not None and arguments.only in name:
            rows[name] = bench.measure(config)
        if name in rows:
            cells = [
                form.format(rows[name][column]) if column in rows[name] else ""
                for column, (_, form) in COLUMNS.items()
            ]
            print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if arguments.picture:
        draw(rows, f"Live conversion with {arguments.run_dir}", arguments.picture)


if __name__ == "__main__":
    main()
