"""Vocoder that a training begins with, in place of random weights."""

from dataclasses import asdict, replace

from cyclegan_vc_tf.config.vocoder_training import VocoderRunConfig
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import neural, vocoder_folders
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder


def default_settings(name: str) -> VocoderRunConfig:
    """Return the settings of a training that begins with a vocoder.

    Args:
        name: Folder of the vocoder, "pretrained:NAME", or "none".

    Raises:
        InputError: There is no vocoder, or its settings cannot be read.
    """
    config = VocoderRunConfig()
    if name == "none":
        return config
    try:
        features, network = vocoder_folders.read_settings(vocoder_folders.find(name))
    except (InputError, *files.DAMAGE_ERRORS) as error:
        raise InputError(f"--initial_vocoder {name} cannot be read: {error}") from error
    return replace(config, features=features, network=network)


def load(config: VocoderRunConfig) -> NeuralVocoder | None:
    """Load the vocoder that a training begins with; None for random weights.

    Raises:
        InputError: It cannot be loaded, or has other features or networks of other sizes.
    """
    name = config.schedule.initial_vocoder
    if not config.schedule.has_initial_vocoder:
        return None
    vocoder = neural.load(vocoder_folders.find(name))
    differences = vocoder_folders.list_differences(vocoder.features, config.features)
    own = asdict(config.network)
    differences += [
        f"--{key} is {value} there and {own[key]} in this run"
        for key, value in asdict(vocoder.config).items()
        # Discriminators begin with random weights.
        if value != own[key] and not key.startswith("discriminator")
    ]
    if differences:
        raise InputError(
            f"--initial_vocoder {name} is another vocoder: {'; '.join(differences)}; leave these "
            "flags out, or begin without it"
        )
    return replace(vocoder, step=0)
