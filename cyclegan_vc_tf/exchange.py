"""Functions of the public Python API that pass runs on, or take public checkpoints over.

TensorFlow is imported inside the functions that need it: wrong arguments are refused without it.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclegan_vc_tf.api import find_run
from cyclegan_vc_tf.config import overrides
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.runs import exported_files
from cyclegan_vc_tf.system import startup
from cyclegan_vc_tf.system.errors import InputError

if TYPE_CHECKING:
    import keras

    from cyclegan_vc_tf.runs.run_folder import RunFolder


def publish(
    run: str | Path,
    output: str | Path,
    about: str,
    *,
    step: str | int = "last",
    onnx: bool = False,
) -> tuple[int, Path]:
    """Write a small copy of a run: both generators in half precision, to convert with.

    The run of a vocoder is published as a vocoder.

    Args:
        run: Run folder of a training.
        output: Folder to make.
        about: Beginning of the model card, Markdown: whose voices, their origin, their licence.
        step: Step of the checkpoint: a number, "last", or "best" where the training evaluated.
        onnx: Whether the folder gets an ONNX file per direction too, with which it converts
            without TensorFlow.

    Returns:
        Step of the checkpoint, and the file of the weights.

    Raises:
        InputError: The folder is not a run or lacks a generator, or `output` is not empty.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> step, weights = vc.publish("runs/trained", "anna-ben", "Synthetic voices, CC0.")
        >>> vc.load("anna-ben").variant
        'vc1'
    """
    run_dir = find_run(run)
    with startup.fast_import():
        from cyclegan_vc_tf.hub import publishing, vocoder_publishing
        from cyclegan_vc_tf.runs import run_folder
        from cyclegan_vc_tf.vocoders import vocoder_folders

    path = Path(output)
    if vocoder_folders.holds_vocoder(run_dir):
        if onnx or str(step) != "last":
            raise InputError(
                f"--run_dir {run_dir} is the run of a vocoder, which is published as of its last "
                "step and without ONNX files; leave --step and --onnx out"
            )
        return vocoder_publishing.publish_vocoder(run_dir, path, about)
    if onnx:
        from cyclegan_vc_tf.interop import model_export

        options = model_export.ExportOptions("onnx", "float16")
        model_export.check(options, path / exported_files.file_name(Direction.A2B))
    opened = run_folder.open_run(run_dir)
    picked = opened.pick(str(step))
    weights = publishing.publish(opened, picked, path, about)
    if onnx:
        published = run_folder.open_run(path)
        for direction in Direction:
            # Its weights are in half precision already: the files lose nothing by it.
            file = path / exported_files.file_name(direction)
            model_export.export(published, direction, picked, file, options)
    return picked, weights


def import_checkpoint(
    run_dir: str | Path,
    checkpoint: Sequence[str],
    statistics: Sequence[str] = (),
    *,
    layout: str = "auto",
    step: int = 0,
    log: Callable[[str], None] = print,
    **changes: Any,
) -> "RunFolder":
    """Make a run folder from a public checkpoint, to convert with and to train further.

    Args:
        run_dir: Run folder to make.
        checkpoint: Files that hold the networks: one file for all, or one file per network, named
            after its network or written as "generator_A2B=FILE". A TensorFlow 1 checkpoint is
            given by its prefix.
        statistics: NumPy files of the speakers' statistics; by default they are computed from
            `source_dir` and `target_dir`.
        layout: Source project of the checkpoint; "auto" detects it from the keys.
        step: Steps that the checkpoint was trained for; schedules continue from there.
        log: Called with each line of text.
        **changes: New values by the names of the flags, such as `source_dir="anna"`.

    Returns:
        The run folder.

    Raises:
        InputError: A file is not usable or missing, or a setting is wrong.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> step, names = vc.export_networks("runs/trained", "anna-ben.pt", layout="karkirowle")
        >>> run = vc.import_checkpoint(
        ...     "runs/imported", ["anna-ben.pt"], source_dir="recordings/anna",
        ...     target_dir="recordings/ben", features_dir="features", f0_method="dio",
        ...     log=lambda line: None,
        ... )
        >>> vc.load("runs/imported").directions
        (<Direction.A2B: 'A2B'>, <Direction.B2A: 'B2A'>)
    """
    path = find_run(run_dir).resolve()
    with startup.fast_import():
        from cyclegan_vc_tf.interop import importing

    return importing.import_run(
        path,
        _join_existing(checkpoint),
        _join_existing(statistics),
        lambda base: overrides.override(base, changes),
        layout="" if layout == "auto" else layout,
        step=step,
        say=log,
    )


def import_vocoder(
    checkpoint: str | Path,
    output: str | Path,
    *,
    sample_rate_hz: int = 22_050,
    fft_samples: int = 1024,
    key: str = "",
) -> "keras.Model":
    """Make a vocoder file from a public MelGAN generator; PyTorch has to be installed.

    Args:
        checkpoint: PyTorch file with the state dictionary of the generator of mel2wav.
        output: File to write, .npz; an existing file is replaced.
        sample_rate_hz: Sample rate of its training recordings, in Hz.
        fft_samples: Window of its training spectra, in samples.
        key: Key of the state dictionary inside the checkpoint; empty if it is not nested.

    Returns:
        The vocoder.

    Raises:
        InputError: The checkpoint is not usable, or PyTorch is not installed.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> vocoder = vc.import_vocoder("melgan.pt", "melgan.npz", key="generator")
        >>> vocoder.input_shape, vocoder.output_shape
        ((None, None, 80), (None, None, 1))
    """
    source, path = Path(checkpoint), Path(output)
    if path.resolve() == source.resolve():
        raise InputError(f"--output would overwrite {source}, the checkpoint; name another")
    from cyclegan_vc_tf.interop import torch_files

    state = torch_files.read(source, key)
    # TensorFlow takes seconds to import: a wrong file is refused without it.
    with startup.fast_import():
        from cyclegan_vc_tf.interop import public_melgan
        from cyclegan_vc_tf.vocoders import melgan

    try:
        model = public_melgan.from_public_state(state)
    except InputError as error:
        raise InputError(f"--checkpoint {source}: {error}") from error
    melgan.save(model, path, melgan.Analysis(sample_rate_hz, fft_samples))
    return model


def _join_existing(paths: Sequence[str]) -> tuple[str, ...]:
    """Return paths that were split at commas; the name of an existing file may hold commas."""
    together = ",".join(paths)
    return (together,) if together and Path(together).exists() else tuple(filter(None, paths))
