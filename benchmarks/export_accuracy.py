"""Measure how far exported generators of the papers' widths are from the networks themselves.

    python -m benchmarks.export_accuracy
    python -m benchmarks.export_accuracy --variants vc1,mask --frames 4,3000

Weights are random. Files are run by ONNX Runtime and by TensorFlow Lite's own runtime, and compared
with TensorFlow in float32. TensorFlow in float32 is compared with float64. A difference is the
largest one of a value, in standard deviations of its bin, divided by the largest value in such
deviations.
"""

import argparse
import tempfile
from pathlib import Path

import keras
import numpy as np

from benchmarks.exports import open_engine
from benchmarks.harness import machine
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.conversion.inference import inference_function
from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.interop import onnx_files, tensorflow_files
from cyclegan_vc_tf.models import registry, stack
from cyclegan_vc_tf.runs.exported_model import ExportedModel, without_paths


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.export_accuracy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--variants", default="vc1,vc2,vc3,mask", help="variants, with commas")
    parser.add_argument("--frames", default="4,13,64,300,3000", help="lengths, with commas")
    arguments = parser.parse_args()
    lengths = [int(each) for each in arguments.frames.split(",")]
    print(f"{machine.describe()}, {stack.NAME} stack\n")
    print(f"| variant | runtime | {' | '.join(f'{each} frames' for each in lengths)} |")
    print("|---" * (2 + len(lengths)) + "|")
    for variant in arguments.variants.split(","):
        measure(variant, lengths)


def measure(variant: str, lengths: list[int]) -> None:
    """Print the rows of a variant."""
    rng = np.random.default_rng(0)
    config = PRESETS[variant]
    (generator,) = registry.build_networks(config, ["generator_A2B"]).values()
    for variable in map(stack.plain, generator.weights):
        if len(variable.shape) == 1:
            variable.assign_add(0.1 * rng.standard_normal(variable.shape).astype(np.float32))
    bins = config.features.bins
    statistics = {
        speaker: Statistics(3 * rng.standard_normal(bins), np.exp(rng.standard_normal(bins)), 5, 1)
        for speaker in "AB"
    }
    source, target = statistics["A"], statistics["B"]
    about = ExportedModel(Direction.A2B, 0, without_paths(config), statistics)
    run = inference_function(generator)
    keras.mixed_precision.set_global_policy("float64")
    keras.backend.set_floatx("float64")
    (exact,) = registry.build_networks(config, ["generator_A2B"]).values()
    keras.mixed_precision.set_global_policy("float32")
    keras.backend.set_floatx("float32")
    exact.set_weights(generator.get_weights())
    run_exact = inference_function(exact)
    inputs, expected, cells = [], [], []
    for length in lengths:
        features = normalization.denormalize(rng.standard_normal((length, bins)), source)
        normalized = normalization.normalize(features, source)
        outputs, exact_outputs = run(normalized), run_exact(normalized)
        inputs.append(features)
        expected.append(normalization.denormalize(outputs, target))
        cells.append(f"{np.abs(outputs - exact_outputs).max() / np.abs(exact_outputs).max():.1e}")
    print(f"| {variant} | TensorFlow, from float64 | {' | '.join(cells)} |", flush=True)
    with tempfile.TemporaryDirectory() as made:
        for name, ending in (("ONNX Runtime", "onnx"), ("LiteRT", "tflite")):
            path = Path(made) / f"generator.{ending}"
            if ending == "onnx":
                onnx_files.write(path, onnx_files.make_model(generator, about))
            else:
                tensorflow_files.write_lite(path, tensorflow_files.make_graph(generator, about))
            engine, cells = open_engine(path), []
            for features, known in zip(inputs, expected, strict=True):
                largest = np.abs((known - target.mean) / target.scale).max()
                off = np.abs((engine(features) - known) / target.scale).max()
                cells.append(f"{off / largest:.1e}")
            print(f"| {variant} | {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
