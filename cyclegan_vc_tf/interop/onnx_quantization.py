"""Eight-bit ONNX files, calibrated with features of recordings; needs ONNX Runtime."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from onnxruntime import quantization

from cyclegan_vc_tf.runs.exported_model import INPUT


class _Examples(quantization.CalibrationDataReader):
    """Features to calibrate with, one recording at a time."""

    def __init__(self, features: Sequence[np.ndarray]) -> None:
        self._waiting: Iterator[np.ndarray] = iter(features)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """Return the next input of the graph; None behind the last one."""
        features = next(self._waiting, None)
        return None if features is None else {INPUT: features.astype(np.float32)}


def to_int8(model: onnx.ModelProto, calibration: Sequence[np.ndarray]) -> onnx.ModelProto:
    """Return a model whose convolutions multiply 8-bit integers, one scale per kernel's channel.

    Args:
        model: Model in full precision.
        calibration: Features of the source speaker, (frames, bins) each, which give the range of
            every convolution's input.
    """
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "int8.onnx"
        # Its advice to simplify the graph first does not concern users.
        logging.disable(logging.WARNING)
        try:
            quantization.quantize_static(
                model, output, _Examples(calibration), op_types_to_quantize=["Conv"],
                per_channel=True, activation_type=quantization.QuantType.QUInt8,
                weight_type=quantization.QuantType.QInt8,
            )  # fmt: skip
        finally:
            logging.disable(logging.NOTSET)
        quantized = onnx.load(output)
    onnx.helper.set_model_props(quantized, {each.key: each.value for each in model.metadata_props})
    return quantized
