"""Conversion of samples: features → generator and F0 map → samples.

Imports nothing that needs TensorFlow: worker processes, which leave the generator to their parent,
import this module.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cyclegan_vc_tf.audio import audio_files, segmentation
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.features import frontend, normalization, world
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import selection

if TYPE_CHECKING:
    import keras

    from cyclegan_vc_tf.runs.run_folder import RunFolder

MAX_PIECE_S = 30.0
"""Longer recordings are cut, at quiet moments, so that memory does not grow with their length."""

MIN_FRAMES = 4
"""Recordings of fewer frames have no spectrum to speak of, and come out as they are."""


@dataclass(frozen=True)
class F0Options:
    """What becomes of the F0: mapped to the target's range or kept, then moved by semitones."""

    convert: bool = True
    semitones: float = 0.0


class Converter:
    """Converts recordings of one speaker to another.

    Args:
        generator: From normalised source features to normalised target features: a model, or a
            function of (frames, bins) arrays.
        source: Statistics of who speaks.
        target: Statistics of who is to be heard.
        config: The analysis.
        vocoder: What makes converted spectra audible.

    Raises:
        InputError: The vocoder cannot be had.
    """

    def __init__(
        self,
        generator: "keras.Model | Callable[[np.ndarray], np.ndarray]",
        source: Statistics,
        target: Statistics,
        config: FeatureConfig,
        vocoder: VocoderConfig = VocoderConfig(),
    ) -> None:
        self.source, self.target, self.config = source, target, config
        self.vocoder = vocoder
        self.speak = selection.make_vocoder(config, vocoder)
        if not inspect.isroutine(generator):
            from cyclegan_vc_tf.conversion.inference import inference_function

            generator = inference_function(generator)
        self.generate = generator

    @classmethod
    def for_run(
        cls,
        run: "RunFolder",
        direction: Direction,
        generator: "keras.Model",
        vocoder: VocoderConfig | None = None,
    ) -> "Converter":
        """Return the converter of one direction of a run.

        Args:
            run: Run folder, for its statistics and settings.
            direction: Direction of conversion.
            generator: Generator of that direction, from a checkpoint or in training.
            vocoder: Vocoder settings; by default those of the run.

        Raises:
            InputError: The vocoder does not fit the run's features.
        """
        statistics = run.statistics
        return cls(
            generator,
            statistics[direction.source],
            statistics[direction.target],
            run.config.features,
            run.config.vocoder if vocoder is None else vocoder,
        )

    def convert(self, samples: np.ndarray, options: F0Options = F0Options()) -> np.ndarray:
        """Converts a recording of any length.

        Silence, and what is shorter than four frames, comes out as it is.

        Args:
            samples: (samples,) float32 at `config.sample_rate_hz`.
            options: What becomes of the F0.

        Returns:
            As many samples, float32.

        Raises:
            AudioError: The generator made no numbers of it.
        """
        converted = samples.astype(np.float32)
        self.convert_in_place(converted, options)
        return converted

    def convert_in_place(self, samples: np.ndarray, options: F0Options = F0Options()) -> None:
        """The same, with what comes out in the place of what went in, which is there no more."""
        for piece in segmentation.split_at_quiet(samples, self.config.sample_rate_hz, MAX_PIECE_S):
            if not self.leaves_alone(samples[piece]):
                spoken = frontend.analyse(samples[piece], self.config)
                spoken = self.convert_features(spoken, options)
                samples[piece] = self.speak(spoken, piece.stop - piece.start)

    def check(self, options: F0Options) -> None:
        """Refuses options that a conversion of log-mel spectra cannot follow.

        Raises:
            InputError: F0 is to be kept or moved.
        """
        if self.config.spectra == "log_mel" and options != F0Options():
            raise InputError(
                "--f0 and --semitones cannot be given: this run converts log-mel spectra, which "
                "have F0 in them"
            )

    def leaves_alone(self, samples: np.ndarray) -> bool:
        """Whether a recording is silent, or too short to have a spectrum."""
        too_short = frontend.frame_count(len(samples), self.config) < MIN_FRAMES
        return too_short or audio_files.is_silent(samples)

    def convert_features(self, spoken: Features, options: F0Options = F0Options()) -> Features:
        """Converts spectra, and WORLD's F0; its aperiodicity stays as it is, and loudness may.

        F0 is in log-mel spectra themselves: the options have no say in it, see `check`.
        """
        spectra = self.convert_spectra(spoken.spectra)
        if not isinstance(spoken, WorldFeatures):
            return replace(spoken, spectra=spectra)
        if self.vocoder.limit_power:
            most = world.log_power(spoken.spectra, self.config)
            spectra = world.limit_power(spectra, most, self.config)
        f0_hz = spoken.f0_hz
        if options.convert:
            f0_hz = normalization.convert_f0(f0_hz, self.source, self.target)
        return replace(spoken, spectra=spectra, f0_hz=f0_hz * 2.0 ** (options.semitones / 12.0))

    def convert_spectra(self, spectra: np.ndarray) -> np.ndarray:
        """Converts spectra of any number of frames, (frames, bins) float32.

        Raises:
            AudioError: The generator made no numbers of it.
        """
        outputs = self.generate(normalization.normalize(spectra, self.source))
        if not np.isfinite(outputs).all():
            raise audio_files.AudioError(
                "came out with NaN or infinite values; the model is not usable"
            )
        return normalization.denormalize(outputs, self.target)


def convert_file(
    converter: Converter,
    path: Path,
    output: Path,
    options: F0Options = F0Options(),
    *,
    keep_sample_rate: bool = False,
    warnings: list[str] | None = None,
) -> float:
    """Converts a recording into a wav file that lasts exactly as long.

    Args:
        converter: From the recording's speaker to another.
        path: The recording.
        output: The wav file.
        options: What becomes of the F0.
        keep_sample_rate: Whether the wav file has the recording's rate rather than the model's.
        warnings: List to append warnings about the recording to, each without the file's name.

    Returns:
        The peak of what was converted: above 1.0 exactly when it was scaled down.

    Raises:
        AudioError: The recording cannot be used, or the model made no numbers of it.
        OSError: The wav file cannot be written.
    """
    rate_hz = converter.config.sample_rate_hz
    samples, source = audio_files.read_resampled(path, rate_hz)
    if warnings is not None:
        warnings.extend(source.warnings)
    if keep_sample_rate and converter.leaves_alone(samples):
        return audio_files.write(output, *audio_files.read(path))
    converter.convert_in_place(samples, options)
    if keep_sample_rate:
        return audio_files.write_resampled(output, samples, rate_hz, source)
    return audio_files.write(output, samples, rate_hz)
