r"""Train a vocoder from recordings, or resume a training.

python -m cyclegan_vc_tf train_vocoder --audio_dir=recordings/anna,recordings/ben \
    --run_dir=runs/vocoder
python convert.py --run_dir=runs/anna-ben --vocoder=runs/vocoder --input=anna.wav --output=converted
"""

from pathlib import Path

from absl import flags

from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.vocoder_training import VocoderRunConfig
from cyclegan_vc_tf.system import signals, startup


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(VocoderRunConfig, values)
    # Flags have the defaults of the features' own class, where mel-cepstra come first.
    values.set_default("spectra", VocoderRunConfig().features.spectra)
    paths.define_run_dir(values)


def train_vocoder(values: flags.FlagValues) -> int:
    """Train; a stop on request, with everything saved, is a success too."""
    run_dir = Path(settings.absolute_path(str(paths.required("run_dir", values.run_dir))))
    with startup.fast_import():
        from cyclegan_vc_tf.runs import run_files
        from cyclegan_vc_tf.system import device
        from cyclegan_vc_tf.vocoder_training import initial, loop, run

    if run_files.exists(run_dir):
        base = run.open_run(run_dir).config
    else:
        given = settings.from_flags(VocoderRunConfig, values, VocoderRunConfig())
        base = initial.default_settings(given.schedule.initial_vocoder)
    config = settings.from_flags(VocoderRunConfig, values, base)
    device.configure_training()
    try:
        loop.train(run_dir, config)
    except signals.StopSignal:
        print("Stopped; the same command continues from there.")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, train_vocoder)
