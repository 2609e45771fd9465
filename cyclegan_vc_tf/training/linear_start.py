"""Initial linear map of a generator: vocal tract length normalisation, refined by INCA.

With `--vtln_init` a generator has a frozen linear skip beside its layers, a convolution over frames
of normalised mel-cepstra. This file computes its kernel in two stages.

1. Vocal tract length normalisation (VTLN). Vocal tracts of different lengths stretch the frequency
   axis, which is most of the difference between two voices. `vtln_kernels` turns the estimated
   stretch into a matrix on mel-cepstra, and adds filters over frames, since the spectra of a higher
   voice change faster. A generator that begins with this map keeps the words from the first step.
2. INCA, with `--inca_iterations`. `inca` pairs every frame, converted by the current map, with its
   nearest frame of the other speaker, fits a linear map to the pairs, and repeats. No sentence has
   to be spoken by both speakers.

Source: VTLN as in `features.vtln`; Erro, Moreno and Bonafonte, 2010, "INCA algorithm for training
    voice conversion systems from nonparallel corpora".
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import keras
import numpy as np
from threadpoolctl import threadpool_limits

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data.speakers import Speaker
from cyclegan_vc_tf.features import modulation, normalization, vtln
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.features.vtln import Voice, sample_frames
from cyclegan_vc_tf.models.generators import LINEAR_SKIP_FRAMES, set_linear_skip

MAX_INIT_UTTERANCES = 200
"""Number of training utterances per speaker that the initial map is estimated from."""

MAX_PAIRED_FRAMES = 12_000
"""Number of frames per speaker that INCA pairs."""

CONTEXT_OFFSETS = (-6, -3, 0, 3, 6)
"""Frames around a frame by which INCA compares it: single frames are easily confused."""

VOICING_WEIGHT = 2.0
"""Weight of voicing in INCA's comparison, where level and exactly predicted coefficients have 1."""

RIDGE_PER_PAIR = 0.01
"""Ridge parameter of INCA's regression per pair of frames; coefficients have a variance of 1."""

MAX_MODULATION_GAIN = 2.0
"""Limit of the gain that restores movement: pairs are never exactly aligned in time."""


@dataclass(frozen=True)
class SpeakerFrames:
    """Utterances of one speaker, as INCA compares them with those of the other speaker.

    Attributes:
        spectra: Normalised mel-cepstra of every utterance, (frames, bins).
        voiced: Voicing of every utterance's frames, (frames,).
    """

    spectra: Sequence[np.ndarray]
    voiced: Sequence[np.ndarray]

    def comparison_vectors(self, spectra: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
        """Return the vector by which each frame is compared: its context and its voicing.

        Args:
            spectra: Mel-cepstra of these utterances, converted or not.
            weights: Weight per coefficient, (bins,).

        Returns:
            Vectors of at most `MAX_PAIRED_FRAMES` frames, (frames, offsets · (bins + 1)).
        """
        vectors = (
            _stack_context(
                np.column_stack([utterance * weights, VOICING_WEIGHT * voiced]), CONTEXT_OFFSETS
            )
            for utterance, voiced in zip(spectra, self.voiced, strict=True)
        )
        return sample_frames(list(vectors), MAX_PAIRED_FRAMES)


def initialize_generators(
    generators: Mapping[Direction, keras.Model],
    speakers: Mapping[str, Speaker],
    statistics: Mapping[str, Statistics],
    config: FeatureConfig,
    iterations: int,
    say: Callable[[str], None],
) -> None:
    """Set the linear skips of new generators to the map between the speakers' training utterances.

    Args:
        generators: Generators by direction, with a linear skip.
        speakers: Speakers of the run, by name.
        statistics: Statistics of the speakers, by name.
        config: Settings of the features.
        iterations: Number of INCA's iterations.
        say: Prints a line.
    """
    voices, sides = {}, {}
    for name, speaker in speakers.items():
        store, utterances = speaker.store, speaker.training
        chosen = vtln.pick_evenly(utterances, MAX_INIT_UTTERANCES)
        spectra = [store.spectra_of(utterance) for utterance in chosen]
        frames = vtln.sample_frames([store.spectra_of(utterance) for utterance in utterances])
        voices[name] = Voice(frames, spectra, statistics[name].scale)
        sides[name] = SpeakerFrames(
            [normalization.normalize(utterance, statistics[name]) for utterance in spectra],
            [store.f0_hz_of(utterance) > 0 for utterance in chosen],
        )
    factor = vtln.estimate_vtln_factor(voices, config)
    say(f"The target's formants lie {factor:.3f} times as high as the source's.")
    for direction, kernel in vtln_kernels(voices, factor, LINEAR_SKIP_FRAMES, config).items():
        source, target = sides[direction.source], sides[direction.target]
        set_linear_skip(generators[direction], inca(kernel, source, target, iterations))


def vtln_kernels(
    voices: Mapping[str, Voice], factor: float, taps: int, config: FeatureConfig
) -> dict[Direction, np.ndarray]:
    """Return initial kernels for normalised features from a frequency stretch, by direction.

    x → (x · std of the source) @ matrix / std of the result for the source. The output has mean 0
    and standard deviation 1, as normalised features of the target have. It is then smoothed over
    frames as far as the target moves less.

    Args:
        voices: Mel-cepstra of A and B.
        factor: Formant frequencies of B, divided by those of A.
        taps: Length of the smoothing filters in frames, odd.
        config: Settings of the features.

    Returns:
        Kernels of A2B and B2A, (taps, bins, bins).
    """
    kernels = {}
    for direction, stretch in ((Direction.A2B, factor), (Direction.B2A, 1 / factor)):
        voice, matrix = voices[direction.source], vtln.warp_matrix(stretch, config)
        std = (voice.spectra @ matrix).std(axis=0)
        scaled = voice.std[:, np.newaxis] * matrix / np.maximum(std, 1e-12)
        stretched = [utterance @ matrix for utterance in voice.utterances]
        smoothing = modulation.matching_filters(
            stretched, voices[direction.target].utterances, taps
        )
        kernels[direction] = smoothing[:, np.newaxis] * scaled
    return kernels


def inca(
    kernel: np.ndarray, source: SpeakerFrames, target: SpeakerFrames, iterations: int
) -> np.ndarray:
    """Refine a linear map by pairing nearest frames and fitting a map to the pairs, repeatedly.

    Each iteration pairs every converted source frame with its nearest target frame, and every
    target frame with its nearest converted source frame. Ridge regression gives the next map from
    frame to frame. A filter per coefficient then matches the target's modulation spectrum and
    standard deviation. In the next iteration the weight of a coefficient is the correlation between
    the map's output and the paired frames. Column 0, the level, is compared but stays unchanged.

    Args:
        kernel: Initial map, a convolution over frames, (taps, bins, bins).
        source: Utterances of the source speaker.
        target: Utterances of the target speaker, of other sentences.
        iterations: Number of iterations; 0 returns `kernel`.

    Returns:
        Refined map, (taps, bins, bins).

    Source: Erro, Moreno and Bonafonte, 2010, "INCA algorithm for training voice conversion systems
        from nonparallel corpora", with one linear map for all frames; voicing, level and weights
        are additions of this project.
    """
    if not iterations:
        return kernel
    # Importing scikit-learn takes a second, which a resumed training does not need.
    from sklearn.metrics import pairwise_distances_argmin

    taps, bins, _ = kernel.shape
    source_frames, target_frames = (
        sample_frames(side.spectra, MAX_PAIRED_FRAMES) for side in (source, target)
    )
    level, weights = kernel[:, :, 0], np.ones(bins)
    for _ in range(iterations):
        converted = [convolve_frames(utterance, kernel) for utterance in source.spectra]
        source_vectors = source.comparison_vectors(converted, weights)
        target_vectors = target.comparison_vectors(target.spectra, weights)
        # Beside TensorFlow's threads, more threads only wait for each other.
        with threadpool_limits(1, "blas"):
            nearest_targets = pairwise_distances_argmin(source_vectors, target_vectors)
            nearest_sources = pairwise_distances_argmin(target_vectors, source_vectors)
        rows = np.concatenate([source_frames, source_frames[nearest_sources]])
        columns = np.concatenate([target_frames[nearest_targets], target_frames])
        squares = rows.T @ rows + RIDGE_PER_PAIR * len(rows) * np.eye(bins)
        matrix = np.linalg.solve(squares, rows.T @ columns)
        weights[1:] = _correlations(rows @ matrix, columns)[1:]
        kernel = _match_modulation(matrix, source.spectra, target.spectra, taps)
        kernel[:, :, 0] = level
    return kernel


def _match_modulation(
    matrix: np.ndarray, source: Sequence[np.ndarray], target: Sequence[np.ndarray], taps: int
) -> np.ndarray:
    """Return a map whose outputs have the target's deviations and modulation spectra.

    Args:
        matrix: Map from frame to frame, (bins, bins).
        source: Source utterances, (frames, bins) each.
        target: Target utterances, (frames, bins) each.
        taps: Length of the filters in frames.

    Returns:
        Kernel over frames, (taps, bins, bins).
    """
    mapped = [utterance @ matrix for utterance in source]
    deviations = np.maximum(np.concatenate(mapped).std(axis=0), 1e-12)
    mapped = [utterance / deviations for utterance in mapped]
    filters = modulation.matching_filters(mapped, target, taps, MAX_MODULATION_GAIN)
    kernel = filters[:, np.newaxis] * matrix
    converted = np.concatenate([convolve_frames(utterance, kernel) for utterance in source])
    return kernel / np.maximum(converted.std(axis=0), 1e-12)


def convolve_frames(utterance: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve an utterance over frames, its first and last frame repeated beyond the ends.

    Args:
        utterance: Mel-cepstra, (frames, bins).
        kernel: Kernel, (taps, bins, bins), with an odd number of taps.

    Returns:
        Filtered mel-cepstra, (frames, bins). A layer, which pads with zeros, differs at the ends.
    """
    reach = len(kernel) // 2
    context = _stack_context(utterance, range(-reach, reach + 1))
    return context @ kernel.reshape(-1, kernel.shape[-1])


def _stack_context(utterance: np.ndarray, offsets: Sequence[int]) -> np.ndarray:
    """Stack each frame's neighbours at these offsets, (frames, offsets · bins); ends repeat."""
    frames = np.arange(len(utterance))[:, np.newaxis] + np.asarray(offsets)
    return utterance[np.clip(frames, 0, len(utterance) - 1)].reshape(len(utterance), -1)


def _correlations(predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Return Pearson's correlation per column, (columns,); 0 where a column is constant."""
    predicted, actual = predicted - predicted.mean(axis=0), actual - actual.mean(axis=0)
    scale = np.sqrt(np.square(predicted).sum(axis=0) * np.square(actual).sum(axis=0))
    return (predicted * actual).sum(axis=0) / np.maximum(scale, 1e-12)
