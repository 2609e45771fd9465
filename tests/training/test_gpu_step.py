"""Training steps built for a GPU, without one: their graphs, and kernels that TensorFlow has.

TensorFlow's wheel for Linux on x86-64 registers the kernels of NVIDIA GPUs on every machine.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import gpu_stand_in
import keras
import numpy as np
import pytest
import tensorflow as tf
from gpu_stand_in import A100, T4
from tensorflow.core.framework.node_def_pb2 import NodeDef
from tensorflow.python.framework import kernels
from test_determinism import batch, every_loss

from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.models.layers import Convolutions
from cyclegan_vc_tf.models.matmul_conv import MatmulContext
from cyclegan_vc_tf.training.trainer import Trainer

PREFETCHING = (
    "GeneratorDataset", "PrefetchDataset", "OptionsDataset", "AnonymousIteratorV3", "MakeIterator",
    "IteratorGetNext", "RemoteCall",
)  # fmt: skip
"""Operations of a dataset that `Device.prefetch` copies to a GPU."""

NOT_DETERMINISTIC = {
    "AdjustContrast", "AdjustContrastv2", "CropAndResizeGradBoxes", "CropAndResizeGradImage",
    "DepthwiseConv2dNativeBackpropFilter", "FusedBatchNormGrad", "FusedBatchNormGradV2",
    "FusedBatchNormGradV3", "ResizeNearestNeighborGrad", "SegmentMean", "SegmentSum",
    "SparseTensorDenseMatMul", "UnsortedSegmentSum",
}  # fmt: skip
"""Operations that `--deterministic` refuses on a GPU.

Source: "deterministic GPU implementation of … is not available", in the errors of the library
libtensorflow_cc of TensorFlow 2.15.1.
"""

has_gpu_kernels = pytest.mark.skipif(
    not tf.test.is_built_with_cuda(), reason="this TensorFlow is built without GPU kernels"
)


def nodes_of(function: tf.types.experimental.ConcreteFunction) -> list[NodeDef]:
    """Nodes of a traced function and of all functions that it calls."""
    graph = function.graph.as_graph_def()
    return [*graph.node, *(node for each in graph.library.function for node in each.node_def)]


@cache
def gpu_kernels(operation: str) -> list:
    """Kernels of an operation that a GPU takes, those for every device included."""
    registered = kernels.get_registered_kernels_for_op(operation).kernel
    return [kernel for kernel in registered if kernel.device_type in ("GPU", "DEFAULT")]


def runs_on_gpu(node: NodeDef) -> bool:
    """Whether a kernel for GPUs takes the types of a node."""
    return any(
        all(
            node.attr[constraint.name].type in constraint.allowed_values.list.type
            for constraint in kernel.constraint
            if node.attr[constraint.name].type
        )
        for kernel in gpu_kernels(node.op)
    )


def trace(variant: str, precision: str) -> list[NodeDef]:
    """Nodes of a step with every loss, norms of gradients too."""
    config = every_loss(variant, precision)
    config = replace(config, network=replace(config.network, residual_blocks=1))
    trainer, norms = Trainer(config), tf.constant(True)
    return nodes_of(trainer.train_step.get_concrete_function(*batch(config), norms=norms))


def products_for_a_cpu(nodes: Iterable[NodeDef]) -> set[str]:
    """Names of products of windows and kernels, and of kernels of a CPU's library.

    The dense layer of the discriminator of vc1, "scores", is a product on every device.
    """
    return {
        node.name
        for node in nodes
        if node.op.startswith(("BatchMatMul", "_Mkl", "ExtractImagePatches"))
        or (node.op == "MatMul" and "scores" not in node.name and "MatMul_" not in node.name)
    }


@has_gpu_kernels
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("variant", PRESETS)
def test_a_step_for_a_gpu_runs_on_it_and_has_no_product_for_a_cpu(
    variant: str, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without soft placement, every node needs a kernel, and none may name another device."""
    gpu_stand_in.install(monkeypatch, A100)
    nodes = trace(variant, precision)
    assert {f"{node.op} {node.name}" for node in nodes if not runs_on_gpu(node)} == set()
    assert {node.device for node in nodes} == {""}
    convolutions = [node for node in nodes if node.op == "Conv2D"]
    assert convolutions
    assert products_for_a_cpu(nodes) == set()
    assert {node.op for node in nodes} & NOT_DETERMINISTIC == set()
    narrow = {tf.as_dtype(node.attr["T"].type) for node in convolutions}
    assert (tf.bfloat16 in narrow) == (precision == "mixed_bfloat16")


def test_products_for_a_cpu_are_seen() -> None:
    nodes = trace("vc1", "float32")
    assert len(products_for_a_cpu(nodes)) > 10


def test_a_gpu_without_bfloat16_multiplies_rounded_numbers_in_float32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gpu_stand_in.install(monkeypatch, T4)
    inputs = keras.Input((None, 32))
    model = keras.Model(inputs, Convolutions("network", 0, "same")(inputs, 64, (3,), (1,), "one"))

    @tf.function
    def convolve(features: tf.Tensor) -> tf.Tensor:
        with MatmulContext("mixed_bfloat16").in_use():
            return model(features)

    features = tf.ones((1, 8, 32)) + 2.0**-20
    nodes = nodes_of(convolve.get_concrete_function(features))
    assert products_for_a_cpu(nodes) == set()
    (convolution,) = (node for node in nodes if node.op == "Conv2D")
    assert convolution.attr["T"].type == tf.float32.as_datatype_enum
    rounded = convolve(tf.ones_like(features))
    np.testing.assert_array_equal(convolve(features), rounded)


@has_gpu_kernels
def test_a_node_that_a_gpu_cannot_run_is_seen() -> None:
    """Strings, and integers of 8 bits in a convolution."""
    function = tf.function(lambda text: tf.strings.length(text))
    nodes = nodes_of(function.get_concrete_function(tf.TensorSpec((), tf.string)))
    assert {node.op for node in nodes if not runs_on_gpu(node)} == {"StringLength"}
    node = NodeDef(op="Conv2D", name="convolution")
    node.attr["T"].type = tf.float32.as_datatype_enum
    assert runs_on_gpu(node)
    node.attr["T"].type = tf.int64.as_datatype_enum
    assert not runs_on_gpu(node)


@has_gpu_kernels
@pytest.mark.parametrize("operation", PREFETCHING)
def test_batches_can_wait_on_a_gpu(operation: str) -> None:
    assert gpu_kernels(operation)


def test_a_step_for_a_gpu_learns_what_a_step_for_a_cpu_learns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both run on this CPU; sums of 1,000 terms in another order differ by some 1e-6."""
    config = every_loss("vc1")
    inputs = batch(config)
    ours = Trainer(config)
    report, _ = ours.train_step(*inputs)
    gpu_stand_in.install(monkeypatch, A100)
    theirs = Trainer(config)
    expected, _ = theirs.train_step(*inputs)
    for name, value in expected.items():
        np.testing.assert_allclose(report[name], value, rtol=1e-4, atol=1e-6, err_msg=name)
    mine, others = (
        [moment.numpy() for moment in trainer.generator_optimizer.first_moments]
        for trainer in (ours, theirs)
    )
    # The gradient of a bias in front of a norm is zero but for rounding.
    largest = max(np.abs(other).max() for other in others)
    for found, other in zip(mine, others, strict=True):
        np.testing.assert_allclose(found, other, rtol=1e-3, atol=1e-4 * largest)
