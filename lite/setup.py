"""Packages of cyclegan-vc-lite: those of the repository that conversion imports.

`tests/test_lite.py` converts with these packages alone.
"""

from setuptools import setup

PACKAGES = (
    "audio", "cli", "config", "conversion", "features", "hub", "runs", "system", "vocoders"
)  # fmt: skip
"""Packages below `cyclegan_vc_tf`; a command that needs another says what to install."""

setup(
    packages=["cyclegan_vc_tf", *(f"cyclegan_vc_tf.{name}" for name in PACKAGES)],
    package_dir={"": ".."},
    package_data={"cyclegan_vc_tf": ["py.typed"]},
)
