"""Augmentation of crops: level, noise, vocal tract length, tempo, masked frames.

The augmented crop is a function of the run's seed, the speaker and the visit alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.training import AugmentationConfig
from cyclegan_vc_tf.features import log_mel, vtln, world

WARP_STEPS = 21
"""Number of frequency warps that are computed in advance; a crop gets one of them."""

NOISE_SNR_RANGE_DB = 30.0
"""Width of the range of signal-to-noise ratios, above the lowest ratio."""


@dataclass(frozen=True)
class Augmentation:
    """Random changes of crops.

    Attributes:
        config: Amount of each change.
        features: Settings of the analysis that made the crops.
    """

    config: AugmentationConfig
    features: FeatureConfig

    def cut_crop(
        self, spectra: np.ndarray, first: int, frames: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Cut a crop with a changed tempo, by resampling slightly more or fewer frames.

        Args:
            spectra: Spectra of an utterance, (all frames, bins).
            first: First frame of the crop; it moves back if the utterance ends too early.
            frames: Frames of the crop.
            rng: Random generator for the factor.

        Returns:
            Crop, (frames, bins) float64; fewer frames if the utterance is shorter.
        """
        factor = 1 + rng.uniform(-1, 1) * self.config.augment_time_warp
        positions = factor * np.arange(frames)
        needed = min(int(np.ceil(positions[-1])) + 1, len(spectra))
        begin = min(first, len(spectra) - needed)
        rows = spectra[begin : begin + needed].astype(np.float64)
        positions = positions[positions <= needed - 1]
        previous = np.floor(positions).astype(int)
        share = (positions - previous)[:, np.newaxis]
        return (1 - share) * rows[previous] + share * rows[np.minimum(previous + 1, needed - 1)]

    def perturb(self, spectra: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Stretch the frequency axis, add noise and change the level.

        Args:
            spectra: Mel-cepstra or log-mel spectra, not normalised, (frames, bins).
            rng: Random generator for the amounts.
        """
        config = self.config
        if config.augment_frequency_warp:
            spectra = spectra @ self._warps[rng.integers(WARP_STEPS)]
        if config.augment_noise_snr_db < config.NO_NOISE_DB:
            lowest_db = config.augment_noise_snr_db
            snr_db = rng.uniform(lowest_db, lowest_db + NOISE_SNR_RANGE_DB)
            spectra = self._change_power(spectra, lambda power: add_noise(power, snr_db))
        if config.augment_gain_db:
            gain = 10 ** (rng.uniform(-1, 1) * config.augment_gain_db / 10)
            spectra = self._change_power(spectra, lambda power: gain * power)
        return spectra

    def mask_frames(self, normalized: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Set a run of frames to the speaker's mean, which is zero in normalised spectra.

        The run has 0 to `augment_mask_frames` frames, with equal probability, at a random place.

        Source: Park et al., 2019, arXiv:1904.08779, time masking.
        """
        frames = min(int(rng.integers(self.config.augment_mask_frames + 1)), len(normalized))
        first = int(rng.integers(len(normalized) - frames + 1))
        masked = normalized.copy()
        masked[first : first + frames] = 0.0
        return masked

    @cached_property
    def _warps(self) -> list[np.ndarray]:
        """Matrices of frequency warps, from the smallest factor to the largest."""
        limit = self.config.augment_frequency_warp
        return [
            vtln.warp_matrix(1 + share * limit, self.features)
            for share in np.linspace(-1, 1, WARP_STEPS)
        ]

    def _change_power(
        self, spectra: np.ndarray, change: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Apply a change to the power spectra behind features, (frames, spectral bins)."""
        if self.features.spectra == "mel_cepstra":
            power = world.decode(spectra, self.features)
            coded = (world.encode(spectrum, self.features) for spectrum in (change(power), power))
            # The difference cancels the small change that decoding and encoding cause.
            return spectra + np.subtract(*coded)
        return 0.5 * np.log10(np.maximum(change(10 ** (2 * spectra)), log_mel.MIN_MAGNITUDE**2))


def add_noise(power: np.ndarray, snr_db: float) -> np.ndarray:
    """Add the power of white noise to power spectra, as for independent signals.

    Args:
        power: Power spectra, (frames, bins).
        snr_db: Ratio of the spectra's mean power to the noise's power, which is equal in all frames
            and bins.
    """
    return power + power.mean() / 10 ** (snr_db / 10)
