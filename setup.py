"""Packages and package data of a build; everything else is declared in pyproject.toml.

A wheel holds two folders of the repository as data packages: the flag files in `configs` and the
demo corpus in `data/demo`. `cyclegan_vc_tf.config.preset_files` finds them.
"""

from setuptools import find_packages, setup

DATA = {
    "cyclegan_vc_tf.presets": ("configs", ["*.flags"]),
    "cyclegan_vc_tf.demo_corpus": ("data/demo", ["*/*/*.flac", "README.md", "transcripts.tsv"]),
}
"""Folder in the repository and file patterns of each data package."""

setup(
    packages=[*find_packages(include=["cyclegan_vc_tf*"]), *DATA],
    package_dir={name: folder for name, (folder, _) in DATA.items()},
    package_data={
        "cyclegan_vc_tf": ["py.typed"],
        "cyclegan_vc_tf.evaluation": ["templates/*"],
        "cyclegan_vc_tf.interop": ["page/*"],
        "cyclegan_vc_tf.serving.web": ["*.css", "*.js", "*.svg"],
        "cyclegan_vc_tf.hub": ["models/*/*"],
        "cyclegan_vc_tf.vocoders": ["models/*/*"],
        **{name: patterns for name, (_, patterns) in DATA.items()},
    },
)
