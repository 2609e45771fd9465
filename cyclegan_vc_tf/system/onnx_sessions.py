"""ONNX files that ONNX Runtime computes, on the processor, without TensorFlow."""

from pathlib import Path
from typing import Any

from cyclegan_vc_tf.system.errors import InputError

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


def check_graph(session: Any, wanted: dict[str, tuple[Any, ...]]) -> None:
    """Refuse a graph with other inputs or outputs than its description says.

    Args:
        session: Session of ONNX Runtime.
        wanted: Shape of the one input and of the one output by name, in this order; None is a size
            that may vary.

    Raises:
        ValueError: Names, types or sizes differ.
    """
    for values, (name, shape) in zip(
        (session.get_inputs(), session.get_outputs()), wanted.items(), strict=True
    ):
        found = [
            (each.name, each.type, tuple(n if isinstance(n, int) else None for n in each.shape))
            for each in values
        ]
        if found != [(name, "tensor(float)", shape)]:
            raise ValueError(f"its graph has {found}; expected {name} of shape {shape}")
