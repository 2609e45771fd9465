"""Export of a run as a web page that converts in its visitor's browser.

FOLDER/index.html, *.js, style.css   the page, from the folder `page` of this package
FOLDER/page.json                     settings of analysis and vocoder, statistics, card, licence
FOLDER/mel_filters.f32               mel filters, (bins, 1 + fft_samples // 2) float32
FOLDER/inverse_filters.f32           their pseudo-inverse
FOLDER/generator_A2B.onnx            a generator per direction
FOLDER/vocoder.onnx                  the vocoder; Griffin-Lim is part of the page
FOLDER/onnxruntime-web/              runtime, from an npm package
"""

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.audio import findings, levels
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.conversion import conditions, converter
from cyclegan_vc_tf.features import average, log_mel
from cyclegan_vc_tf.interop import model_export, vocoder_export
from cyclegan_vc_tf.interop.model_export import ExportOptions
from cyclegan_vc_tf.runs import exported_files
from cyclegan_vc_tf.runs.exported_model import ExportedModel
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import files, onnx_sessions
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import (
    chunks,
    exported_source_filter,
    griffin_lim,
    pitch_classes,
    selection,
    source_filter_vocoder,
)
from cyclegan_vc_tf.vocoders.exported_source_filter import (
    ExportedSourceFilter,
    SourceFilterDescription,
)
from cyclegan_vc_tf.vocoders.exported_vocoder import ExportedVocoder

SOURCES = Path(__file__).with_name("page")
"""Folder of the page's own files."""

SETTINGS, VOCODER = "page.json", "vocoder.onnx"

RUNTIME = "onnxruntime-web"
"""Name of the npm package, and of its folder in the page."""

RUNTIME_FILES = (
    "ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"
)  # fmt: skip
"""Files of the package's folder `dist` that the page loads."""

LICENCE = "onnxruntime-license.txt"
"""Licence of the runtime among the page's own files; the package has none."""


@dataclass(frozen=True)
class ExportedPage:
    """A page that was written.

    Attributes:
        step: Step of the checkpoint.
        directions: Directions that the page converts.
        vocoder: Vocoder of the page: "griffin_lim" or the name of a network.
    """

    step: int
    directions: tuple[Direction, ...]
    vocoder: str


def find_runtime(folder: Path) -> Path:
    """Return the folder with the files of the runtime.

    Args:
        folder: Folder of the npm package, or its folder `dist`.

    Raises:
        InputError: The files are not there.
    """
    for place in (folder / "dist", folder):
        if all((place / name).is_file() for name in RUNTIME_FILES):
            return place
    raise InputError(
        f"--runtime {folder} does not have {', '.join(RUNTIME_FILES)}; expected the folder of the "
        f"npm package: npm install {RUNTIME}"
    )


def check(run: RunFolder, output: Path) -> None:
    """Refuse runs that no page can convert, and folders with other files in them.

    Raises:
        InputError: The run converts mel-cepstra, or its transform's length is not a power of two;
            or the folder is a file, or has something else than a page in it.
    """
    config = run.config.features
    if config.spectra != "log_mel":
        raise InputError(
            f"--run_dir {run.path} converts mel-cepstra, which WORLD analyses, and there is no "
            "package of WORLD for browsers; expected a log-mel run with --format=page, such as of "
            "--variant=vc3 or mask"
        )
    if config.fft_samples & (config.fft_samples - 1):
        raise InputError(
            f"--run_dir {run.path} has --fft_samples={config.fft_samples}; expected a power of two "
            "with --format=page"
        )
    if output.exists() and not output.is_dir():
        raise InputError(f"--output {output} is a file; expected a folder to make")
    if output.exists() and any(output.iterdir()) and not (output / SETTINGS).is_file():
        raise InputError(f"--output {output} has other files in it; expected a new folder")


def export(
    run: RunFolder,
    directions: Sequence[Direction],
    step: int,
    output: Path,
    runtime: Path,
    vocoder_checkpoint: str,
    options: ExportOptions,
) -> ExportedPage:
    """Write a page for directions of a run.

    Args:
        run: The run.
        directions: Directions of conversion.
        step: Step of the checkpoint.
        output: Folder to make; a page that is there is replaced.
        runtime: Folder of the runtime's files, from `find_runtime`.
        vocoder_checkpoint: Vocoder file, folder of a vocoder that was trained here, or ONNX export
            of either; empty for the run's own vocoder.
        options: Options of the generators, in ONNX.

    Raises:
        InputError: The run lacks a generator, or the vocoder does not fit its spectra.
    """
    with files.building(output, replaces=True) as partial:
        licence = shutil.ignore_patterns(LICENCE)
        shutil.copytree(SOURCES, partial, ignore=licence, dirs_exist_ok=True)
        _copy_runtime(runtime, partial / RUNTIME)
        vocoder = _write_vocoder(run, vocoder_checkpoint, partial / VOCODER, options)
        models = {
            direction: model_export.export(
                run, direction, step, partial / exported_files.file_name(direction), options
            )
            for direction in directions
        }
        filters = log_mel.mel_filters(run.config.features)
        _write_matrix(partial / "mel_filters.f32", filters)
        inverse = griffin_lim.inverse_filters(run.config.features)
        _write_matrix(partial / "inverse_filters.f32", inverse)
        files.write_json(partial / SETTINGS, describe(models, vocoder, output.name))
    return ExportedPage(step, tuple(directions), str(vocoder["name"]))


def describe(
    models: dict[Direction, ExportedModel], vocoder: dict[str, Any], title: str
) -> dict[str, Any]:
    """Return the settings of a page, with all numbers that its scripts share with Python.

    Args:
        models: Description of each generator.
        vocoder: Settings of the vocoder.
        title: Title of the page.
    """
    about = next(iter(models.values()))
    config: FeatureConfig = about.config.features
    return {
        "format": 1,
        "title": title,
        "step": about.step,
        "licence": about.licence,
        "card": about.card,
        "sample_rate_hz": config.sample_rate_hz,
        "fft_samples": config.fft_samples,
        "hop_samples": config.hop_samples,
        "bins": config.bins,
        "band_centres_hz": log_mel.band_centres_hz(config).tolist(),
        "min_magnitude": log_mel.MIN_MAGNITUDE,
        "max_log_mel": griffin_lim.MAX_LOG_MEL,
        "min_frames": converter.MIN_FRAMES,
        "max_piece_s": converter.MAX_PIECE_S,
        "silence_peak": findings.SILENCE_PEAK,
        "moment_s": levels.MOMENT_S,
        "pause_db": levels.PAUSE_DB,
        "max_level_difference_db": conditions.MAX_LEVEL_DIFFERENCE_DB,
        "max_doublings": conditions.MAX_DOUBLINGS,
        "vocoder": vocoder,
        "directions": [
            {
                "direction": str(direction),
                "file": exported_files.file_name(direction),
                "level_dbfs": average.level_dbfs(model.statistics[direction.source], config),
                "mean": model.statistics[direction.source].mean.tolist(),
            }
            for direction, model in models.items()
        ],
    }


def _write_vocoder(
    run: RunFolder, checkpoint: str, path: Path, options: ExportOptions
) -> dict[str, Any]:
    """Write the file of a vocoder, unless it is Griffin-Lim, and return its settings."""
    own, features = run.config.vocoder, run.config.features
    if not checkpoint and own.vocoder == "melgan":
        checkpoint = own.vocoder_checkpoint
    elif not checkpoint and own.is_trained_here:
        checkpoint = own.vocoder
    if not checkpoint:
        return {
            "name": "griffin_lim",
            "iterations": own.griffin_lim_iterations,
            "momentum": griffin_lim.MOMENTUM,
        }
    about: vocoder_export.Description
    if Path(checkpoint).suffix.lower() == onnx_sessions.ENDING:
        source = Path(checkpoint)
        is_source_filter = exported_source_filter.is_source_filter(source)
        about = (ExportedSourceFilter if is_source_filter else ExportedVocoder)(source).about
        shutil.copyfile(source, path)
    else:
        about = vocoder_export.export(checkpoint, path, options)
    if isinstance(about, SourceFilterDescription):
        selection.check_features(about.features, features, checkpoint)
        return {"file": path.name, **_describe_source_filter(about)}
    selection.check_analysis(features, about.sizes, about, checkpoint)
    return {
        "name": about.name, "file": path.name, "chunk_frames": chunks.CHUNK_FRAMES,
        **dataclasses.asdict(about.sizes),
    }  # fmt: skip


def _describe_source_filter(about: SourceFilterDescription) -> dict[str, Any]:
    """Return what `source_filter.js` needs to know of a vocoder."""
    before, after = source_filter_vocoder.context_frames(about.features, about.network)
    return {
        "name": about.name,
        "chunk_frames": chunks.CHUNK_FRAMES,
        "frames_before": before,
        "frames_after": after,
        "pitch": {
            "count": pitch_classes.COUNT,
            "neighbours": pitch_classes.NEIGHBOURS,
            "min_hz": pitch_classes.MIN_HZ,
            "max_hz": pitch_classes.MAX_HZ,
        },
    }


def _copy_runtime(runtime: Path, folder: Path) -> None:
    """Copy the files of the runtime, and its licence."""
    folder.mkdir()
    for name in RUNTIME_FILES:
        shutil.copyfile(runtime / name, folder / name)
    shutil.copyfile(SOURCES / LICENCE, folder / "LICENSE")


def _write_matrix(path: Path, matrix: np.ndarray) -> None:
    """Write a matrix as float32, little-endian, row by row."""
    path.write_bytes(np.ascontiguousarray(matrix, "<f4").tobytes())
