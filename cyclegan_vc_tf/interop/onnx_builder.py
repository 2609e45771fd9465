"""ONNX graph in the making; needs the package `onnx`.

Source: ONNX operator specification, operator set 17.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
"""Operator set of the graphs, which ONNX Runtime reads since version 1.12."""

IR_VERSION = 8
"""Version of the file format that belongs to the operator set."""


class GraphBuilder:
    """ONNX graph in the making.

    Args:
        half: Whether kernels are stored in half precision and widened to float32 at run time.
    """

    def __init__(self, half: bool = False) -> None:
        self.half = half
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(
        self, kind: str, *inputs: str, outputs: int = 1, name: str = "", **attributes: Any
    ) -> Any:
        """Append an operator; return the name of its output, or a list of several names.

        Args:
            kind: ONNX operator.
            inputs: Names of its inputs; an empty name leaves an optional input out.
            outputs: Number of outputs.
            name: Name of the operator and of its first output; by default a new one.
            attributes: Attributes of the operator.
        """
        name = name or f"{kind}_{len(self.nodes)}"
        names = [f"{name}_{index}" if index else name for index in range(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, names, name, **attributes))
        return names[0] if outputs == 1 else names

    def constant(self, array: Any, dtype: Any = np.float32, *, halve: bool = True) -> str:
        """Store an array, and return the name of its value in full precision.

        Args:
            array: The array.
            dtype: Type of the value.
            halve: Whether the array may be stored in half precision.
        """
        array = np.asarray(array, dtype, order="C")
        name = f"weight_{len(self.weights)}"
        halved = halve and self.half and dtype == np.float32 and array.ndim > 1
        if halved:
            array = array.astype(np.float16)
        self.weights.append(numpy_helper.from_array(array, name))
        return self.add("Cast", name, to=TensorProto.FLOAT) if halved else name

    def column(self, array: Any) -> str:
        """Store numbers per channel, (channels,), as (channels, 1)."""
        return self.constant(np.reshape(array, (-1, 1)), halve=False)

    def tensor(self, array: np.ndarray) -> onnx.TensorProto:
        """Return an array as a value of an attribute."""
        return numpy_helper.from_array(array)

    def integers(self, *values: int) -> str:
        """Store integers, as shapes and axes are given."""
        return self.constant(values, np.int64)

    def to_model(
        self,
        inputs: Mapping[str, Sequence[Any]],
        outputs: Mapping[str, Sequence[Any]],
        metadata: dict[str, str],
    ) -> onnx.ModelProto:
        """Return the finished model.

        Args:
            inputs: Shape by name of each input; a text is a size that may vary.
            outputs: Shape by name of each output, which are values of the graph.
            metadata: Texts to keep in the file.
        """
        described = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in each]
            for each in (inputs.items(), outputs.items())
        ]
        graph = helper.make_graph(self.nodes, "cyclegan_vc_tf", *described, self.weights)
        model = helper.make_model(
            graph,
            producer_name="cyclegan_vc_tf",
            ir_version=IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        return model
