"""ONNX files that ONNX Runtime computes, on the processor, without TensorFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError

About = TypeVar("About")

ENDING = ".onnx"
"""Ending of the files."""

KEY = "cyclegan_vc_tf"
"""Key of the description, a JSON text, among a file's metadata."""

ENTRY = "cyclegan_vc_tf.json"
"""Name of the description where a format holds metadata as files."""


def open_session(path: Path, flag: str, remedy: str) -> Any:
    """Open the graph of a file.

    Args:
        path: File.
        flag: Name of the flag that gave the path, for errors.
        remedy: End of the error of a file that cannot be read.

    Raises:
        InputError: The file cannot be read, or ONNX Runtime is not installed.
    """
    try:
        import onnxruntime
    except ModuleNotFoundError as error:
        raise InputError(
            f"--{flag} {path} needs ONNX Runtime, which is not installed; pip install onnxruntime"
        ) from error
    options = onnxruntime.SessionOptions()
    # Warnings are about graphs of other sources.
    options.log_severity_level = 3
    # Threads that wait in a loop take the time of other processes, for networks this small.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # Its own exceptions have no common class.
        raise InputError(f"--{flag} {path} cannot be read ({error}); {remedy}") from error


Shapes = dict[str, tuple[Any, ...]]
"""Shapes of values by name; None is a size that may vary."""


def open_described(
    path: Path,
    flag: str,
    remedy: str,
    parse: Callable[[str], About],
    shapes: Callable[[About], "tuple[Shapes, Shapes]"],
) -> tuple[Any, About]:
    """Open a graph that this project exported, and read its description.

    Args:
        path: File.
        flag: Name of the flag that gave the path, for errors.
        remedy: End of the error of a file that is not usable.
        parse: Function that reads a description.
        shapes: Function from the description to the shapes of the inputs and of the outputs.

    Returns:
        Session, and description.

    Raises:
        InputError: The file is not there, cannot be read, or is another than expected; or ONNX
            Runtime is not installed.
    """
    if not path.is_file():
        raise InputError(f"--{flag} {path} is not there; {remedy}")
    session = open_session(path, flag, remedy)
    try:
        about = parse(session.get_modelmeta().custom_metadata_map[KEY])
        check_graph(session, *shapes(about))
    except (InputError, *files.DAMAGE_ERRORS) as error:
        reason = "it has no description" if isinstance(error, KeyError) else error
        raise InputError(f"--{flag} {path} is not usable ({reason}); {remedy}") from error
    return session, about


def check_graph(session: Any, inputs: Shapes, outputs: Shapes) -> None:
    """Refuse a graph with other inputs or outputs than its description says.

    Args:
        session: Session of ONNX Runtime.
        inputs: Shape of each input.
        outputs: Shape of each output.

    Raises:
        ValueError: Names, types or sizes differ.
    """
    for values, wanted in ((session.get_inputs(), inputs), (session.get_outputs(), outputs)):
        found = {
            each.name: tuple(n if isinstance(n, int) else None for n in each.shape)
            for each in values
        }
        types = {each.type for each in values}
        if found != wanted or types != {"tensor(float)"}:
            raise ValueError(f"its graph has {found} of {types}; expected {wanted} of floats")


def needed_only() -> Any:
    """Return options of a call that computes only what the asked outputs need."""
    import onnxruntime

    options = onnxruntime.RunOptions()
    options.only_execute_path_to_fetches = True
    return options
