"""Compare exported generators of a run with the run: size, difference, distortion, time.

    python -m benchmarks.exports
    python -m benchmarks.exports --run_dir=RUN --held_out_A=… --held_out_B=…

Every file is run by ONNX Runtime or by TensorFlow Lite's own runtime, on held-out recordings of
speaker A. 8-bit files are calibrated with these recordings. The columns:

- difference: largest difference of a feature from the run's, in standard deviations of its bin,
  divided by the largest feature in such deviations, over all recordings;
- MCD: mel-cepstral distortion of whole conversions to speaker B's recordings, in dB;
- similarity of whole conversions to other recordings of speaker B, with the extra `evaluate`;
- CPU time of the generator alone per second of speech, in ms, on all threads together.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from benchmarks.harness import held_out, machine
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.conversion.exported import ExportedGenerator
from cyclegan_vc_tf.evaluation.neural_metrics import load_neural_metrics
from cyclegan_vc_tf.evaluation.scoring import Scorer
from cyclegan_vc_tf.interop import model_export
from cyclegan_vc_tf.runs.exported_model import INPUT, OUTPUT

Engine = Callable[[np.ndarray], np.ndarray]
"""Function from features to converted features, both (frames, bins)."""

ROUNDS = 3
"""Repetitions of all recordings; the fastest counts."""


def open_engine(path: Path) -> Engine:
    """Open an exported file in its own runtime."""
    if path.suffix == ".onnx":
        return ExportedGenerator(path).convert
    run = Interpreter(str(path)).get_signature_runner()

    def convert(features: np.ndarray) -> np.ndarray:
        return run(**{INPUT: features})[OUTPUT]

    return convert


def main() -> None:
    """Print the table."""
    arguments = held_out.parser("exports", __doc__).parse_args()
    run, sets = held_out.load(arguments)
    direction, config, step = Direction.A2B, run.config.features, run.pick("last")
    metrics, _ = load_neural_metrics(MetricsConfig())
    scorer = Scorer(sets[direction], config.sample_rate_hz, metrics)
    generator, _ = run.load_generator(direction)
    converters = {"TensorFlow": Converter.for_run(run, direction, generator)}
    megabytes = {"TensorFlow": float("nan")}
    with tempfile.TemporaryDirectory() as made:
        for kind in ("onnx", "tflite"):
            for quantize in ("none", "float16", "int8"):
                path = Path(made) / f"{quantize}.{kind}"
                calibration = str(arguments.held_out_A) if quantize == "int8" else ""
                options = model_export.ExportOptions(kind, quantize, calibration)
                model_export.export(run, direction, step, path, options)
                name = f"{kind}, {quantize}"
                statistics = run.statistics["A"], run.statistics["B"]
                converters[name] = Converter(
                    open_engine(path), *statistics, config, run.config.vocoder,
                    holds_statistics=True,
                )  # fmt: skip
                megabytes[name] = path.stat().st_size / 1e6
    features = [converters["TensorFlow"].analyse(wave).spectra for wave in scorer.sources.values()]
    seconds = sum(map(len, features)) * config.hop_s
    target = run.statistics["B"]
    expected = [converters["TensorFlow"].convert_spectra(each) for each in features]
    largest = max(np.abs((each - target.mean) / target.scale).max() for each in expected)
    print(f"{machine.describe()}\n\n{arguments.run_dir}, {direction}, {seconds:.0f} s of speech\n")
    names = ["generator", "MB", "difference", "MCD (dB)", "similarity", "CPU ms per s"]
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for name, converter in converters.items():
        times = []
        for _ in range(ROUNDS):
            start = time.process_time()
            outputs = [converter.convert_spectra(each) for each in features]
            times.append(time.process_time() - start)
        difference = max(
            np.abs((one - other) / target.scale).max()
            for one, other in zip(outputs, expected, strict=True)
        )
        summary = scorer.score(scorer.convert(converter)).summary
        similarity = summary.get("speaker_similarity")
        print(
            f"| {name} | {megabytes[name]:.1f} | {difference / largest:.1e} | "
            f"{summary['mcd_db']:.2f} | {'' if similarity is None else f'{similarity:.3f}'} | "
            f"{1000 * min(times) / seconds:.1f} |"
        )


if __name__ == "__main__":
    main()
