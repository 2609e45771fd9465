"""Presets: the flag files that come with the package, and the demo corpus that they name.

In the repository they are `configs/` and `data/demo/`. A wheel holds copies as
`cyclegan_vc_tf/presets/` and `cyclegan_vc_tf/demo_corpus/`; `setup.py` maps the folders. A package
that runs from the repository, installed as editable or not, reads the repository's own folders.
"""

from pathlib import Path

from absl import flags

from cyclegan_vc_tf.config import flag_files, settings
from cyclegan_vc_tf.config.presets import PRESETS, define_run_flags
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system.errors import InputError

PACKAGE_DIR = Path(__file__).parents[1]
"""Folder of the package, installed or in the repository."""

DEMO_PREFIX = "data/demo/"
"""Beginning of paths in the repository's flag files that name the demo corpus."""


def presets_dir() -> Path:
    """Return the folder of the flag files."""
    return _installed_or_source("presets", "configs")


def demo_corpus_dir() -> Path:
    """Return the folder of the demo corpus: two synthetic voices, four minutes each, 16 kHz.

    It has the folders `train/heart`, `train/michael`, `held_out/heart` and `held_out/michael`.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> len(list((vc.demo_corpus_dir() / "train" / "heart").glob("*.flac")))
        80
    """
    return _installed_or_source("demo_corpus", "data/demo")


def preset_names() -> list[str]:
    """Return the names of all presets.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> vc.preset_names()
        ['demo', 'demo_mask', 'demo_vc2', 'demo_vc3', 'fast', 'mask', 'vc1', 'vc2', 'vc3']
    """
    return sorted(path.stem for path in presets_dir().glob("*.flags"))


def preset_arguments(name: str) -> list[str]:
    """Return the flags of a preset as command-line arguments.

    Paths of the demo corpus are absolute. Other paths are relative to the current folder.

    Args:
        name: Name of the preset.

    Raises:
        InputError: There is no preset of that name.
    """
    if name not in preset_names():
        raise InputError(f"received preset {name}; expected one of {', '.join(preset_names())}")
    path = presets_dir() / f"{name}.flags"
    lines = flag_files.expand([f"--flagfile={path}"])
    return [line.replace(f"={DEMO_PREFIX}", f"={demo_corpus_dir()}/", 1) for line in lines]


def define_preset_flag(values: flags.FlagValues) -> None:
    """Define the flag `--preset`."""
    flags.DEFINE_enum(
        "preset",
        None,
        preset_names(),
        "Settings that come with the package; flags beside it override single values. fast is for "
        "your own recordings; demo, demo_vc2, demo_vc3 and demo_mask train on the demo corpus; "
        "vc1, vc2, vc3 and mask are the settings of the papers.",
        flag_values=values,
        module_name="preset",
    )


def load_preset(name: str) -> RunConfig:
    """Return the settings of a preset.

    Args:
        name: Name of the preset.

    Raises:
        InputError: There is no preset of that name.
    """
    values = flags.FlagValues()
    define_run_flags(values)
    flags.DEFINE_string("run_dir", "", "Run folder.", flag_values=values)
    values(["preset", *preset_arguments(name)])
    return settings.from_flags(RunConfig, values, PRESETS[values.variant])


def _installed_or_source(installed: str, source: str) -> Path:
    """Return a folder of the installed package, or else of the repository around it."""
    path = PACKAGE_DIR / installed
    return path if path.is_dir() else PACKAGE_DIR.parent / source
