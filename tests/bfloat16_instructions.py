"""Kinds of processors in tests of bfloat16: without its instructions, and with them."""

import pytest

from cyclegan_vc_tf.system import processor

NATIVE = (
    False,
    pytest.param(
        True,
        marks=pytest.mark.skipif(
            "avx512f" not in processor.read_cpuinfo().get("flags", "").split(),
            reason="TensorFlow cuts products in bfloat16 here instead of rounding them. "
            "A training on a processor without instructions for bfloat16 never makes such products",
        ),
    ),
)
"""Values of a parameter `native`: whether the processor is said to have the instructions.

A processor with AVX-512 need not have them: TensorFlow rounds products there as if it had.
"""
