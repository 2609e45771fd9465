"""Make a vocoder file from a public MelGAN generator; PyTorch has to be installed.

python -m cyclegan_vc_tf import_vocoder --checkpoint=multi_speaker.pt --output=vocoder.npz
"""

from dataclasses import dataclass

from absl import flags

from cyclegan_vc_tf import exchange
from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.settings import setting


@dataclass(frozen=True)
class ImportConfig:
    """Settings of one import."""

    checkpoint: str = setting(
        "", "PyTorch file with the state_dict of a generator of mel2wav.", is_path=True
    )
    output: str = setting("", "File to write, .npz; an existing file is replaced.", is_path=True)
    sample_rate_hz: int = setting(
        22_050, "Sample rate of its training recordings, in Hz.", minimum=8_000, maximum=48_000
    )
    fft_samples: int = setting(
        1024, "Window of its training spectra, in samples.", minimum=64, maximum=8192
    )
    key: str = setting("", "Key of the state_dict inside the checkpoint; empty if not nested.")


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(ImportConfig, values)


def import_vocoder(values: flags.FlagValues) -> int:
    """Write the vocoder, and print what it is."""
    config = settings.from_flags(ImportConfig, values, ImportConfig())
    checkpoint = paths.required("checkpoint", config.checkpoint)
    output = paths.new_file(config.output)
    model = exchange.import_vocoder(
        checkpoint,
        output,
        sample_rate_hz=config.sample_rate_hz,
        fft_samples=config.fft_samples,
        key=config.key,
    )
    from cyclegan_vc_tf.vocoders.melgan import Architecture

    architecture = Architecture.from_model(model)
    print(
        f"MelGAN of {architecture.bins} mel bins, hop {architecture.hop_samples} samples, "
        f"{config.sample_rate_hz} Hz, {model.count_params():,} parameters: {output}"
    )
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, import_vocoder)
