r"""Make a run folder from a public checkpoint, to convert with and to train further.

python -m cyclegan_vc_tf import --checkpoint=model/sf1_tm1.ckpt --run_dir=runs/sf1-tm1 \
    --statistics=model/mcep_normalization.npz,model/logf0s_normalization.npz
python -m cyclegan_vc_tf import --checkpoint=generator_A2B.pt,generator_B2A.pt \
    --source_dir=recordings/anna --target_dir=recordings/ben --run_dir=runs/anna-ben
"""

from dataclasses import dataclass

from absl import flags

from cyclegan_vc_tf import api, exchange
from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.config import overrides, settings
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.interop.public_layouts import LAYOUTS
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class ImportConfig:
    """Settings of one import; sizes of the networks are read from the weights."""

    layout: str = setting(
        "auto",
        "Source project of the checkpoint; auto detects it from the keys.",
        choices=("auto", *LAYOUTS),
    )
    checkpoint: tuple[str, ...] = setting(
        (),
        "Files of the networks, separated by commas: one file for all networks, or one file per "
        "network, named after its network or given as generator_A2B=FILE. A TensorFlow 1 "
        "checkpoint is given by its prefix.",
    )
    statistics: tuple[str, ...] = setting(
        (),
        "NumPy files of the speakers' statistics, separated by commas: mcep_normalization.npz and "
        "logf0s_normalization.npz, or one file for A and one for B. By default they are computed "
        "from --source_dir and --target_dir.",
    )
    run_dir: str = setting("", "Run folder to make.", is_path=True)
    step: int = setting(
        0,
        "Steps that the checkpoint was trained for; schedules continue from there.",
        minimum=0,
        maximum=10**9,
    )


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(ImportConfig, values)
    settings.define_flags(RunConfig, values)


def import_run(values: flags.FlagValues) -> int:
    """Import, and print which networks the run has and which are untrained."""
    config = settings.from_flags(ImportConfig, values, ImportConfig())
    run_dir = api.find_run(config.run_dir)
    if not any(config.checkpoint):
        raise InputError("--checkpoint is not given; see --help")
    exchange.import_checkpoint(
        run_dir,
        config.checkpoint,
        config.statistics,
        layout=config.layout,
        step=config.step,
        **overrides.given_settings(RunConfig, values),
    )
    print(f"Run folder: {run_dir.resolve()}")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, import_run)
