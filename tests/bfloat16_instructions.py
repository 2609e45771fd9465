"""Mark of tests that say that the processor has instructions for bfloat16."""

import pytest

from cyclegan_vc_tf.system import processor

NEEDS_ROUNDING = pytest.mark.skipif(
    "avx512f" not in processor.read_cpuinfo().get("flags", "").split(),
    reason="TensorFlow cuts products in bfloat16 here instead of rounding them. "
    "A training on a processor without instructions for bfloat16 never makes such products",
)
"""Mark of cases whose products TensorFlow rounds only on processors with AVX-512.

These need not have instructions for bfloat16.
"""
