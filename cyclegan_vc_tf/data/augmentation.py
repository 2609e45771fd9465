"""Crops made more varied than the recordings are: level, noise, tract, tempo, missing frames.

What a crop becomes is a function of the run's seed, the speaker and the visit alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.training import AugmentationConfig
from cyclegan_vc_tf.features import log_mel, vtln, world

WARP_STEPS = 21
"""Stretches of the frequency axis that are worked out beforehand."""

NOISE_SNR_RANGE_DB = 30.0
"""By how much a crop's signal-to-noise ratio may be above the least."""


@dataclass(frozen=True)
class Augmentation:
    """What may happen to a crop.

    Attributes:
        config: How much of it.
        features: The analysis that the crops are of.
    """

    config: AugmentationConfig
    features: FeatureConfig

    def cut(
        self, spectra: np.ndarray, first: int, frames: int, rng: np.random.Generator
    ) -> np.ndarray:
        """A crop with its tempo changed: a little more or less of the utterance, resampled.

        Args:
            spectra: Of an utterance, (all frames, bins).
            first: Where the crop begins, earlier if there is not enough behind it.
            frames: Of the crop.
            rng: Draws the factor.

        Returns:
            (frames, bins) float64; less where the utterance is shorter.
        """
        factor = 1 + rng.uniform(-1, 1) * self.config.augment_time_warp
        places = factor * np.arange(frames)
        needed = min(int(np.ceil(places[-1])) + 1, len(spectra))
        begin = min(first, len(spectra) - needed)
        rows = spectra[begin : begin + needed].astype(np.float64)
        places = places[places <= needed - 1]
        before = np.floor(places).astype(int)
        share = (places - before)[:, np.newaxis]
        return (1 - share) * rows[before] + share * rows[np.minimum(before + 1, needed - 1)]

    def vary(self, spectra: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Stretches the frequency axis, adds noise, changes the level.

        Args:
            spectra: Mel-cepstra or log-mel spectra as they are analysed, (frames, bins).
            rng: Draws how much of each.
        """
        config = self.config
        if config.augment_frequency_warp:
            spectra = spectra @ self._warps[rng.integers(WARP_STEPS)]
        if config.augment_noise_snr_db < config.NO_NOISE_DB:
            least = config.augment_noise_snr_db
            snr_db = rng.uniform(least, least + NOISE_SNR_RANGE_DB)
            spectra = self._in_power(spectra, lambda power: add_noise(power, snr_db))
        if config.augment_gain_db:
            gain = 10 ** (rng.uniform(-1, 1) * config.augment_gain_db / 10)
            spectra = self._in_power(spectra, lambda power: gain * power)
        return spectra

    def hide(self, normalized: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Sets a run of frames of a crop to the speaker's mean, which is zero.

        The run is of 0 to `augment_mask_frames` frames, all as likely, anywhere.

        Source: Park et al., 2019, arXiv:1904.08779, time masking.
        """
        frames = min(int(rng.integers(self.config.augment_mask_frames + 1)), len(normalized))
        first = int(rng.integers(len(normalized) - frames + 1))
        hidden = normalized.copy()
        hidden[first : first + frames] = 0.0
        return hidden

    @cached_property
    def _warps(self) -> list[np.ndarray]:
        """Matrices of frequency warps from the smallest factor to the largest."""
        limit = self.config.augment_frequency_warp
        return [
            vtln.warp_matrix(1 + share * limit, self.features)
            for share in np.linspace(-1, 1, WARP_STEPS)
        ]

    @property
    def _is_world(self) -> bool:
        return self.features.spectra == "mel_cepstra"

    def _in_power(
        self, spectra: np.ndarray, change: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Does something to the power that spectra stand for, (frames, bins of the spectrum)."""
        if self._is_world:
            power = world.decode(spectra, self.features)
            coded = (world.encode(each, self.features) for each in (change(power), power))
            # Coding once more alone would change a little.
            return spectra + np.subtract(*coded)
        return 0.5 * np.log10(np.maximum(change(10 ** (2 * spectra)), log_mel.MIN_MAGNITUDE**2))


def add_noise(power: np.ndarray, snr_db: float) -> np.ndarray:
    """Power spectra with those of white noise added, as independent signals add.

    Args:
        power: (frames, bins).
        snr_db: Their mean over that of the noise, which is the same in all frames and bins.
    """
    return power + power.mean() / 10 ** (snr_db / 10)
