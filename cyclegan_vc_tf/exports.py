"""Functions of the public Python API that write runs and vocoders for other programs.

TensorFlow is imported inside the functions: wrong arguments are refused without it.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from cyclegan_vc_tf.api import find_run
from cyclegan_vc_tf.config.directions import Direction, parse_direction
from cyclegan_vc_tf.runs import exported_files
from cyclegan_vc_tf.system import startup
from cyclegan_vc_tf.system.errors import InputError

if TYPE_CHECKING:
    from cyclegan_vc_tf.interop.page_export import ExportedPage
    from cyclegan_vc_tf.interop.vocoder_export import Description
    from cyclegan_vc_tf.runs.exported_model import ExportedModel


def export_networks(
    run: str | Path,
    output: str | Path,
    *,
    layout: str = "companion",
    step: str | int = "last",
) -> tuple[int, list[str]]:
    """Write the networks of a run as PyTorch state dictionaries; PyTorch has to be installed.

    Args:
        run: Run folder, folder of a published run, or "pretrained:NAME".
        output: File to write; an existing file is replaced.
        layout: Keys of the weights: "companion" of the parity suite, or "karkirowle" of
            github.com/karkirowle/cyclegan_pytorch.
        step: Step of the checkpoint: a number, "last", or "best" where the training evaluated.

    Returns:
        Step of the checkpoint, and the names of the networks in the file.

    Raises:
        InputError: The networks do not fit the layout, `output` lies in the run folder, or PyTorch
            is not installed.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> step, names = vc.export_networks("pretrained:vc1-demo", "generators.pt")
        >>> step, names
        (2000, ['generator_A2B', 'generator_B2A'])
    """
    run_dir, path = _locate(run, output)
    with startup.fast_import():
        from cyclegan_vc_tf.interop import exporting
        from cyclegan_vc_tf.runs import run_folder

    opened = run_folder.open_run(run_dir)
    return exporting.export(opened, layout, path, opened.pick(str(step)))


def export_model(
    run: str | Path,
    output: str | Path,
    direction: str = "A2B",
    *,
    format: str = "onnx",
    step: str | int = "last",
    quantize: str = "none",
    calibration_dir: str | Path = "",
    about: str = "",
    licence: str = "",
) -> "ExportedModel":
    """Write one generator of a run for another runtime, with normalisation inside.

    Its input and output are features in the units of the analysis, (frames, bins) float32, of any
    number of frames. An ONNX file is converted with by `load`, without TensorFlow.

    Args:
        run: Run folder, folder of a published run, or "pretrained:NAME".
        output: File to write, or folder of a SavedModel; an existing one is replaced.
        direction: Direction of conversion.
        format: "onnx", "tflite", "keras" or "savedmodel".
        step: Step of the checkpoint: a number, "last", or "best" where the training evaluated.
        quantize: "none"; for ONNX and TensorFlow Lite also "float16" or "int8".
        calibration_dir: Recordings of the source speaker, which "int8" is calibrated with; by
            default the run's held-out recordings.
        about: Beginning of the model card, Markdown; by default a published run's card is kept.
        licence: Licence of the voices.

    Returns:
        Description that the file holds: direction, step, settings, statistics, licence, card.

    Raises:
        InputError: The run has no generator of this direction, options contradict each other, or
            a package is not installed.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> about = vc.export_model("pretrained:vc1-demo", "heart-to-michael.onnx", "A2B")
        >>> about.step, vc.load("heart-to-michael.onnx").directions
        (2000, (<Direction.A2B: 'A2B'>,))
    """
    run_dir, path = _locate(run, output)
    chosen = parse_direction(direction)
    with startup.fast_import():
        from cyclegan_vc_tf.interop import model_export
        from cyclegan_vc_tf.runs import run_folder

    options = model_export.ExportOptions(format, quantize, str(calibration_dir), about, licence)
    model_export.check(options, path)
    opened = run_folder.open_run(run_dir)
    picked = opened.pick(str(step))
    return model_export.export(opened, chosen, picked, path, options)


def export_page(
    run: str | Path,
    output: str | Path,
    direction: str = "",
    *,
    runtime: str | Path = "node_modules/onnxruntime-web",
    step: str | int = "last",
    quantize: str = "none",
    vocoder_checkpoint: str | Path = "",
    about: str = "",
    licence: str = "",
) -> "ExportedPage":
    """Write a web page that converts recordings in its visitor's browser; log-mel runs alone.

    The folder is for any web server, which computes nothing. The page loads no other files.

    Args:
        run: Run folder, folder of a published run, or "pretrained:NAME".
        output: Folder to make; a page that is there is replaced.
        direction: Direction of conversion; by default all that the run has.
        runtime: Folder of the npm package onnxruntime-web, which three files are copied from.
        step: Step of the checkpoint: a number, "last", or "best" where the training evaluated.
        quantize: "none" or "float16".
        vocoder_checkpoint: Vocoder file of `import_vocoder`, folder of a vocoder of
            `train_vocoder`, "pretrained:NAME", or a file of `export_vocoder`; by default the run's
            own vocoder.
        about: Beginning of the model card, Markdown; by default a published run's card is kept.
        licence: Licence of the voices.

    Returns:
        Step, directions and vocoder of the page.

    Raises:
        InputError: The run converts mel-cepstra or lacks the generator, the runtime is not there,
            the folder has other files in it, the direction is wrong, or the vocoder does not fit.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> try:
        ...     vc.export_page("pretrained:vc1-demo", "page", runtime=".")
        ... except vc.InputError as error:
        ...     print(str(error)[:46])
        runtime . does not have ort.wasm.min.mjs, ort-
    """
    run_dir, path = _locate(run, output)
    chosen = parse_direction(direction) if direction else None
    with startup.fast_import():
        from cyclegan_vc_tf.interop import model_export, page_export
        from cyclegan_vc_tf.runs import run_folder

    options = model_export.ExportOptions("onnx", quantize, about=about, licence=licence)
    model_export.check(options, path / exported_files.file_name(Direction.A2B))
    if quantize == "int8":
        raise InputError("--quantize is int8; expected none or float16 with --format=page")
    files = page_export.find_runtime(Path(runtime))
    opened = run_folder.open_run(run_dir)
    page_export.check(opened, path)
    picked = opened.pick(str(step))
    directions = [chosen] if chosen else opened.directions(picked)
    return page_export.export(
        opened, directions, picked, path, files, str(vocoder_checkpoint), options
    )


def export_vocoder(
    checkpoint: str | Path,
    output: str | Path,
    *,
    format: str = "onnx",
    quantize: str = "none",
    licence: str = "",
) -> "Description":
    """Write a vocoder for another runtime.

    An ONNX file takes the place of the vocoder file or the folder in a conversion, without
    TensorFlow.

    Args:
        checkpoint: Vocoder file of `import_vocoder`; or the folder of a vocoder of `train_vocoder`,
            or "pretrained:NAME".
        output: File to write, or folder of a SavedModel; an existing one is replaced.
        format: "onnx", "tflite", "keras" or "savedmodel".
        quantize: "none"; for ONNX and TensorFlow Lite also "float16".
        licence: Licence of the weights.

    Returns:
        Description that the file holds: sizes, sampling rate, window, licence.

    Raises:
        InputError: The vocoder file is not usable, options contradict each other, or a package is
            not installed.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> vocoder = vc.import_vocoder("melgan.pt", "melgan.npz", key="generator")
        >>> about = vc.export_vocoder("melgan.npz", "melgan.onnx")
        >>> about.name, about.sizes.bins, about.sizes.hop_samples
        ('melgan', 80, 256)
    """
    source, path = str(checkpoint), Path(output)
    with startup.fast_import():
        from cyclegan_vc_tf.interop import model_export, vocoder_export

    options = model_export.ExportOptions(format, quantize, licence=licence)
    model_export.check(options, path)
    vocoder_export.check(options)
    return vocoder_export.export(source, path, options)


def _locate(run: str | Path, output: str | Path) -> tuple[Path, Path]:
    """Return the paths of a run and of what is written.

    Raises:
        InputError: The output lies in the run folder.
    """
    run_dir, path = find_run(run), Path(output)
    if run_dir.resolve() in path.resolve().parents:
        raise InputError(f"--output {path} lies in the run folder; expected another place")
    return run_dir, path
