"""Settings of each paper, which are the defaults of its variant."""

from dataclasses import replace

from absl import flags

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.network import NetworkConfig
from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.config.training import TrainingConfig

_VC2 = NetworkConfig(
    variant="vc2",
    generator_widths=(1, 2, 2, 4, 2, 1),
    generator_kernels=("5x15", "5x5", "5x5", "3", "5x5", "5x5", "5x15"),
    discriminator_widths=(1, 2, 4, 8, 8),
    discriminator_kernels=("3x3", "3x3", "3x3", "3x3", "1x5", "1x3"),
)
_LOG_MEL = FeatureConfig(spectra="log_mel", sample_rate_hz=22_050)

PRESETS = {
    "vc1": RunConfig(),
    "vc2": RunConfig(features=FeatureConfig(sample_rate_hz=22_050, mel_cepstra=36), network=_VC2),
    "vc3": RunConfig(
        features=_LOG_MEL,
        network=replace(
            _VC2,
            variant="vc3",
            discriminator_kernels=("3x3", "3x3", "3x3", "3x3", "2x5", "1x3"),
        ),
        training=TrainingConfig(crop_frames=64),
    ),
    "mask": RunConfig(
        features=_LOG_MEL,
        network=replace(_VC2, variant="mask"),
        training=TrainingConfig(crop_frames=64),
    ),
}
"""Settings by variant. `registry.VARIANTS` has the networks and the citations."""

FLAG_CHOICES = {"variant": tuple(PRESETS)}
"""Values of flags that their fields cannot list, for `settings.define_flags`."""


def define_run_flags(values: flags.FlagValues) -> None:
    """Define one flag for each setting of a run."""
    settings.define_flags(RunConfig, values, FLAG_CHOICES)
