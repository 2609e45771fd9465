r"""Makes a run folder of a public project's checkpoint, to convert with and to train further.

python -m cyclegan_vc_tf import --checkpoint=model/sf1_tm1.ckpt --run_dir=runs/sf1-tm1 \
    --statistics=model/mcep_normalization.npz,model/logf0s_normalization.npz
python -m cyclegan_vc_tf import --checkpoint=generator_A2B.pt,generator_B2A.pt \
    --source_dir=recordings/anna --target_dir=recordings/ben --run_dir=runs/anna-ben
"""

from dataclasses import dataclass
from pathlib import Path

from absl import flags

from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.cli import paths as paths_module
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.presets import define_run_flags
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.interop.public_layouts import LAYOUTS
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class ImportConfig:
    """What to import. What the weights tell, and the layout, need not be said."""

    layout: str = setting(
        "auto", "Whose checkpoint it is; auto tells by its keys.", choices=("auto", *LAYOUTS)
    )
    checkpoint: tuple[str, ...] = setting(
        (),
        "Files, with commas between them: one that holds all networks, or one a network, which its "
        "name tells or generator_A2B=FILE says; a TensorFlow 1 checkpoint by its prefix.",
    )
    statistics: tuple[str, ...] = setting(
        (),
        "NumPy files of the speakers' statistics, with commas between them: mcep_normalization.npz "
        "and logf0s_normalization.npz, or one of A and one of B. By default they are computed of "
        "--source_dir and --target_dir.",
    )
    run_dir: str = setting("", "Run folder to make.", is_path=True)
    step: int = setting(
        0, "Steps it was trained for; schedules go on there.", minimum=0, maximum=10**9
    )


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    settings.define_flags(ImportConfig, values)
    define_run_flags(values)


def import_run(values: flags.FlagValues) -> int:
    """Imports, and prints what was and what was not taken over."""
    config = settings.from_flags(ImportConfig, values, ImportConfig())
    run_dir = paths_module.required("run_dir", config.run_dir).resolve()
    if not any(config.checkpoint):
        raise InputError("--checkpoint is not given; see --help")
    # TensorFlow takes seconds to import: wrong flags are refused without it.
    from cyclegan_vc_tf.interop import importing

    importing.import_run(
        run_dir,
        _whole(config.checkpoint),
        _whole(config.statistics),
        lambda base: settings.from_flags(RunConfig, values, base),
        layout="" if config.layout == "auto" else config.layout,
        step=config.step,
    )
    print(f"Run folder: {run_dir}")
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, import_run)


def _whole(paths: tuple[str, ...]) -> tuple[str, ...]:
    """A single path may have commas in it."""
    together = ",".join(paths)
    return (together,) if together and Path(together).exists() else tuple(filter(None, paths))
