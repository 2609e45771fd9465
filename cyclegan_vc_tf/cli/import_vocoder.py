"""Makes a vocoder of this package from a public MelGAN generator; needs PyTorch installed.

python -m cyclegan_vc_tf import_vocoder --checkpoint=multi_speaker.pt --output=vocoder.npz
"""

from dataclasses import dataclass
from pathlib import Path

from absl import flags

from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.interop import torch_files
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class ImportConfig:
    """What to import, and where to."""

    checkpoint: str = setting(
        "", "File of PyTorch with the generator's state_dict, of mel2wav.", is_path=True
    )
    output: str = setting("", "File to write, .npz; one that is there is replaced.", is_path=True)
    sample_rate_hz: int = setting(
        22_050, "Rate of the recordings it was trained on, in Hz.", minimum=8_000, maximum=48_000
    )
    fft_samples: int = setting(
        1024, "Window of the spectra it was trained on, in samples.", minimum=64, maximum=8192
    )
    key: str = setting("", "Under which the checkpoint holds the state_dict, if not by itself.")


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    settings.define_flags(ImportConfig, values)


def import_vocoder(values: flags.FlagValues) -> int:
    """Reads the checkpoint, writes the vocoder and prints what it is."""
    config = settings.from_flags(ImportConfig, values, ImportConfig())
    checkpoint = paths.required("checkpoint", config.checkpoint)
    output = paths.new_file(config.output)
    _refuse_output(checkpoint, output)
    state = torch_files.read(checkpoint, config.key)
    # TensorFlow takes seconds to import: a wrong file is refused without it.
    from cyclegan_vc_tf.interop import public_melgan
    from cyclegan_vc_tf.vocoders import melgan
    from cyclegan_vc_tf.vocoders.melgan import Architecture

    try:
        model = public_melgan.from_public_state(state)
    except InputError as error:
        raise InputError(f"--checkpoint {checkpoint}: {error}") from error
    melgan.save(model, output, melgan.Analysis(config.sample_rate_hz, config.fft_samples))
    of = Architecture.from_model(model)
    print(
        f"MelGAN of {of.bins} mel bins, hop {of.hop_samples} samples, "
        f"{config.sample_rate_hz} Hz, {model.count_params():,} parameters: {output}"
    )
    return command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, import_vocoder)


def _refuse_output(checkpoint: Path, output: Path) -> None:
    if output.resolve() == checkpoint.resolve():
        raise InputError(f"--output would overwrite {checkpoint}, the checkpoint; name another")
