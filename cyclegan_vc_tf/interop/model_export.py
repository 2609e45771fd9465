"""Export of one generator of a run as a file that other runtimes convert with."""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.evaluation import evaluation_sets
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.hub import publishing
from cyclegan_vc_tf.runs.exported_model import ExportedModel, without_paths
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import packaged_models
from cyclegan_vc_tf.system.errors import InputError

ENDINGS = {"onnx": ".onnx", "tflite": ".tflite", "keras": ".keras", "savedmodel": ""}
"""Ending of the output's name by format; a SavedModel is a folder of any name."""

QUANTIZED_FORMATS = ("onnx", "tflite")
"""Formats that `quantize` applies to."""

MAX_CALIBRATION_FILES = 20
"""Recordings that a calibration uses, the first by name."""

MAX_CALIBRATION_S = 20.0
"""Seconds of each recording that a calibration uses."""


@dataclass(frozen=True)
class ExportOptions:
    """Options of an export.

    Attributes:
        format: "onnx", "tflite", "keras" or "savedmodel".
        quantize: "none", "float16" or "int8".
        calibration_dir: Folder of recordings of the source speaker for "int8"; empty for the
            run's held-out recordings.
        about: Markdown text that the model card begins with.
        licence: Licence of the voices.
    """

    format: str
    quantize: str = "none"
    calibration_dir: str = ""
    about: str = ""
    licence: str = ""


def check(options: ExportOptions, path: Path) -> None:
    """Refuse options that contradict each other, and packages that are missing.

    Raises:
        InputError: The format cannot be quantized, a setting has no effect, the output has another
            ending, or a package is not installed.
    """
    ending = ENDINGS[options.format]
    if ending and path.suffix.lower() != ending:
        raise InputError(f"--output {path} does not end in {ending}; expected a name that does")
    if ending and path.is_dir():
        raise InputError(f"--output {path} is a folder; expected a file to write")
    if not ending and path.exists() and not path.is_dir():
        raise InputError(f"--output {path} is a file; expected a folder to make")
    if options.quantize != "none" and options.format not in QUANTIZED_FORMATS:
        raise InputError(
            f"--quantize is {options.quantize}; expected none with --format={options.format}, or "
            f"--format={' or '.join(QUANTIZED_FORMATS)}"
        )
    if options.calibration_dir and options.quantize != "int8":
        raise InputError("--calibration_dir goes with --quantize=int8; leave it out")
    if options.format == "onnx":
        needed = ("onnx", "onnxruntime") if options.quantize == "int8" else ("onnx",)
        if missing := [name for name in needed if importlib.util.find_spec(name) is None]:
            raise InputError(
                f"--format=onnx needs {' and '.join(missing)}, which is not installed; "
                'pip install "cyclegan-vc-tf[export]"'
            )


def export(
    run: RunFolder, direction: Direction, step: int, path: Path, options: ExportOptions
) -> ExportedModel:
    """Write the generator of one direction of a run.

    Args:
        run: The run.
        direction: Direction of conversion.
        step: Step of the checkpoint.
        path: File to write, or folder of a SavedModel; an existing one is replaced.
        options: Options, as `check` accepts them.

    Returns:
        Description that the file holds.

    Raises:
        InputError: The run has no such generator, or there are no recordings to calibrate with.
    """
    generator, step = run.load_generator(direction, step)
    features: list[np.ndarray] = []
    if options.quantize == "int8":
        features = _analyse_examples(_find_recordings(run, direction, options), run.config.features)
    about = ExportedModel(
        direction=direction,
        step=step,
        config=without_paths(run.config),
        statistics=run.statistics,
        quantize=options.quantize,
        licence=options.licence,
        card=_card(run, step, options.about, path.name),
    )
    if options.format == "onnx":
        from cyclegan_vc_tf.interop import onnx_files

        model = onnx_files.make_model(generator, about)
        if options.quantize == "int8":
            from cyclegan_vc_tf.interop import onnx_quantization

            model = onnx_quantization.to_int8(model, features)
        onnx_files.write(path, model)
        return about
    from cyclegan_vc_tf.interop import tensorflow_files

    graph = tensorflow_files.make_graph(generator, about)
    if options.format == "tflite":
        tensorflow_files.write_lite(path, graph, features)
    else:
        tensorflow_files.WRITERS[options.format](path, graph)
    return about


def _card(run: RunFolder, step: int, about: str, name: str) -> str:
    """Return the card of a published run, or a new one."""
    card = run.path / packaged_models.CARD
    if not about and card.is_file():
        return card.read_text(encoding="utf-8", errors="replace")
    return publishing.model_card(run, step, about, name)


def _find_recordings(run: RunFolder, direction: Direction, options: ExportOptions) -> list[Path]:
    """Return recordings of the source speaker to calibrate with."""
    if not options.calibration_dir:
        try:
            sets = evaluation_sets.load_evaluation_sets(run)
        except InputError as error:
            raise InputError(
                "--quantize=int8 is calibrated with recordings of the source speaker, and the run "
                "has no held-out ones at hand; give a folder as --calibration_dir"
            ) from error
        return list(sets[direction].sources.values())
    folder = Path(options.calibration_dir)
    if not folder.is_dir():
        raise InputError(f"--calibration_dir {folder} is not a folder; expected recordings")
    if not (names := audio_files.find(folder)):
        raise InputError(f"--calibration_dir {folder} has no audio file; expected recordings")
    return [folder / name for name in names]


def _analyse_examples(recordings: Sequence[Path], config: FeatureConfig) -> list[np.ndarray]:
    """Analyse recordings of the source speaker, (frames, bins) each."""
    features = []
    for path in sorted(recordings)[:MAX_CALIBRATION_FILES]:
        try:
            samples, _ = audio_files.read_resampled(path, config.sample_rate_hz)
        except audio_files.AudioError as error:
            raise InputError(f"recording {path} {error}; remove it, or mend it") from error
        samples = samples[: round(MAX_CALIBRATION_S * config.sample_rate_hz)]
        features.append(frontend.analyse_for_training(samples, config)[1])
    return features
