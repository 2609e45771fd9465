"""Conversion of samples: analysis, generator and F0 conversion, vocoder.

Imports nothing that needs TensorFlow: workers, which ask their parent for generated spectra,
import this module.
"""

import copy
import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cyclegan_vc_tf.audio import audio_files, resampling, segmentation
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.conversion import conditions
from cyclegan_vc_tf.conversion.conditions import Conditions
from cyclegan_vc_tf.features import adaptation, frontend, missing_band, normalization, world
from cyclegan_vc_tf.features.adaptation import Adaptation
from cyclegan_vc_tf.features.frontend import Features
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.features.world import WorldFeatures
from cyclegan_vc_tf.vocoders import selection

if TYPE_CHECKING:
    import keras

    from cyclegan_vc_tf.conversion.exported import ExportedRun
    from cyclegan_vc_tf.runs.run_folder import RunFolder

MAX_PIECE_S = 30.0
"""Duration above which recordings are cut at quiet moments, so that memory stays bounded."""

MIN_FRAMES = 4
"""Number of frames below which a recording is returned unchanged."""


@dataclass(frozen=True)
class F0Options:
    """Conversion of F0.

    Attributes:
        convert: Whether F0 is mapped to the target speaker's range.
        semitones: Shift after that, in semitones.
    """

    convert: bool = True
    semitones: float = 0.0


class Converter:
    """Converter of one speaker's recordings to another speaker.

    Args:
        generator: Generator of normalised target spectra from normalised source spectra: a
            model, or a function from and to (frames, bins) arrays.
        source: Statistics of the source speaker.
        target: Statistics of the target speaker.
        config: Settings of the analysis.
        vocoder: Settings of the vocoder.
        holds_statistics: Whether the generator takes and returns spectra that are not normalised,
            as an exported one does.

    Attributes:
        vocode: Function of features and a number of samples that returns a waveform, (samples,).
        generate: Function of the generator, from and to (frames, bins) arrays.
        adaptation: Map of another voice's features to the source speaker's; None without one.

    Raises:
        InputError: The vocoder is not available, or does not fit the features.
    """

    def __init__(
        self,
        generator: "keras.Model | Callable[[np.ndarray], np.ndarray]",
        source: Statistics,
        target: Statistics,
        config: FeatureConfig,
        vocoder: VocoderConfig = VocoderConfig(),
        *,
        holds_statistics: bool = False,
    ) -> None:
        self.source, self.target, self.config = source, target, config
        self.vocoder, self.holds_statistics = vocoder, holds_statistics
        self.adaptation: Adaptation | None = None
        self.vocode = selection.make_vocoder(config, vocoder)
        if not inspect.isroutine(generator):
            from cyclegan_vc_tf.conversion.inference import inference_function

            generator = inference_function(generator)
        self.generate = generator

    @classmethod
    def for_run(
        cls,
        run: "RunFolder | ExportedRun",
        direction: Direction,
        generator: "keras.Model | Callable[[np.ndarray], np.ndarray]",
        vocoder: VocoderConfig | None = None,
    ) -> "Converter":
        """Return the converter of one direction of a run.

        Args:
            run: Run folder, or exported generators, for statistics and settings.
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
            holds_statistics=run.holds_statistics,
        )

    def adapted(self, adaptation: Adaptation | None) -> "Converter":
        """Return a converter of another voice, with this generator and vocoder.

        Args:
            adaptation: Map of the voice's features; None for the source speaker.
        """
        other = copy.copy(self)
        other.adaptation = adaptation
        return other

    def adapted_to(self, waves: Iterable[np.ndarray]) -> "Converter":
        """Return a converter of the voice of some recordings.

        Recordings are used in their order, up to `adaptation.MAX_SPEECH_S`. Without one that is
        neither silent nor too short, this converter is returned.

        Args:
            waves: Recordings of one voice, (samples,) float32 each at `config.sample_rate_hz`.
        """
        analysed = analyse_voice(waves, self.config, self.analyse)
        if not analysed:
            return self
        return self.adapted(adaptation.estimate(analysed, self.source, self.config))

    def convert(self, samples: np.ndarray, options: F0Options = F0Options()) -> np.ndarray:
        """Convert a recording of any length.

        Silence, and a recording of fewer than four frames, is returned unchanged. A recording far
        from the training's level is analysed at that level and gets its own level back. A band that
        the recording lacks is estimated for the generator and removed from the result.

        Args:
            samples: Waveform, (samples,) float32 at `config.sample_rate_hz`.
            options: Conversion of F0.

        Returns:
            Converted waveform of the same length, float32.

        Raises:
            AudioError: The generator's output has NaN or infinite values.
        """
        converted = samples.astype(np.float32)
        self.convert_in_place(converted, options)
        return converted

    def convert_in_place(
        self, samples: np.ndarray, options: F0Options = F0Options()
    ) -> tuple[str, ...]:
        """Convert a recording and overwrite it with the result: in-place version of `convert`.

        Args:
            samples: Waveform, (samples,) float32 at `config.sample_rate_hz`; overwritten.
            options: Conversion of F0.

        Returns:
            Warnings about the recording, each without its name.

        Raises:
            AudioError: The generator's output has NaN or infinite values.
        """
        found = conditions.examine(samples, self.source, self.config)
        for piece in segmentation.split_at_quiet(samples, self.config.sample_rate_hz, MAX_PIECE_S):
            if not self.is_unconvertible(samples[piece]):
                samples[piece] = self._convert_piece(samples[piece], found, options)
        return found.warnings

    def _convert_piece(
        self, samples: np.ndarray, found: Conditions, options: F0Options
    ) -> np.ndarray:
        """Convert a piece of a recording of certain conditions."""
        features, gain = self._analyse_piece(samples, found), found.gain
        if self.adaptation is not None:
            features = self.adaptation.apply(features)
            gain *= self.adaptation.gain
        features = self.convert_features(features, options)
        converted = self.vocode(features, len(samples)) / np.float32(gain)
        if found.limit_hz is None:
            return converted
        return resampling.low_pass(converted, self.config.sample_rate_hz, found.limit_hz)

    def _analyse_piece(self, samples: np.ndarray, found: Conditions) -> Features:
        """Analyse a piece at the training's level, with an estimate of a missing band."""
        samples = samples * np.float32(found.gain)
        if found.limit_hz is None:
            return frontend.analyse(samples, self.config)
        return missing_band.analyse(samples, found.limit_hz, self.source, self.config)

    def analyse(self, samples: np.ndarray) -> Features:
        """Analyse a short recording of the source speaker as `convert` does.

        Args:
            samples: Waveform, (samples,) float32 at `config.sample_rate_hz`.

        Returns:
            Features at the training's level, with an estimate of a missing band.
        """
        return self._analyse_piece(samples, conditions.examine(samples, self.source, self.config))

    def check(self, options: F0Options) -> None:
        """Refuse F0 options for log-mel spectra, where F0 cannot be changed separately.

        Raises:
            InputError: The run converts log-mel spectra, and an option is not its default.
        """
        self.config.check_f0(convert=options.convert, semitones=options.semitones)

    def is_unconvertible(self, samples: np.ndarray) -> bool:
        """Return whether a recording is silent, or too short to have a spectrum."""
        return is_unconvertible(samples, self.config)

    def convert_features(self, features: Features, options: F0Options = F0Options()) -> Features:
        """Convert spectra, and F0 of WORLD features; aperiodicity is kept.

        Converted mel-cepstra are no louder than the source's where `vocoder.limit_power` is set.
        F0 is part of log-mel spectra: `options` have no effect on them, see `check`.

        Raises:
            AudioError: The generator's output has NaN or infinite values.
        """
        spectra = self.convert_spectra(features.spectra)
        if not isinstance(features, WorldFeatures):
            return replace(features, spectra=spectra)
        if self.vocoder.limit_power:
            most = world.log_power(features.spectra, self.config)
            spectra = world.limit_power(spectra, most, self.config)
        f0_hz = features.f0_hz
        if options.convert:
            f0_hz = normalization.convert_f0(f0_hz, self.source, self.target)
        return replace(features, spectra=spectra, f0_hz=f0_hz * 2.0 ** (options.semitones / 12.0))

    def convert_spectra(self, spectra: np.ndarray) -> np.ndarray:
        """Convert spectra of any number of frames, (frames, bins) float32.

        Raises:
            AudioError: The generator's output has NaN or infinite values.
        """
        if not self.holds_statistics:
            spectra = normalization.normalize(spectra, self.source)
        outputs = self.generate(spectra)
        if not np.isfinite(outputs).all():
            raise audio_files.AudioError(
                "came out with NaN or infinite values; the model is not usable"
            )
        return outputs if self.holds_statistics else normalization.denormalize(outputs, self.target)


def is_unconvertible(samples: np.ndarray, config: FeatureConfig) -> bool:
    """Return whether a recording is silent, or too short to have a spectrum.

    Args:
        samples: Waveform, (samples,) at `config.sample_rate_hz`.
        config: Settings of the analysis.
    """
    too_short = frontend.frame_count(len(samples), config) < MIN_FRAMES
    return too_short or audio_files.is_silent(samples)


def analyse_voice(
    waves: Iterable[np.ndarray],
    config: FeatureConfig,
    analyse: Callable[[np.ndarray], Features],
) -> list[Features]:
    """Analyse recordings of one voice in their order, up to `adaptation.MAX_SPEECH_S`.

    What is silent or too short is left out.

    Args:
        waves: Recordings, (samples,) float32 each at `config.sample_rate_hz`; those behind the
            limit are not asked for.
        config: Settings of the analysis.
        analyse: Analysis of a recording.
    """
    left, analysed = round(adaptation.MAX_SPEECH_S * config.sample_rate_hz), []
    for wave in waves:
        piece = wave[:left]
        if not is_unconvertible(piece, config):
            analysed.append(analyse(piece))
            left -= len(piece)
        if left == 0 or len(piece) < len(wave):
            break
    return analysed


def adapt_to_files(converter: Converter, paths: Iterable[Path]) -> Converter:
    """Return a converter of the voice of some files, as `Converter.adapted_to` does.

    Files that cannot be read are left out: their conversion says why.
    """

    def read_usable() -> Iterator[np.ndarray]:
        for path in paths:
            with suppress(audio_files.AudioError):
                yield audio_files.read_resampled(path, converter.config.sample_rate_hz)[0]

    return converter.adapted_to(read_usable())


def convert_file(
    converter: Converter,
    path: Path,
    output: Path,
    options: F0Options = F0Options(),
    *,
    keep_sample_rate: bool = False,
    warnings: list[str] | None = None,
) -> float:
    """Convert a recording to a wav file of exactly its duration.

    Args:
        converter: Converter of the direction.
        path: Recording.
        output: Wav file.
        options: Conversion of F0.
        keep_sample_rate: Whether the wav file has the recording's sample rate, not the model's.
        warnings: List to append warnings about the recording to, each without the file's name.

    Returns:
        Peak before scaling: above 1.0 exactly when the waveform was scaled down.

    Raises:
        AudioError: The recording is not usable, or the generator's output has NaN or infinite
            values.
        OSError: The wav file cannot be written.
    """
    rate_hz = converter.config.sample_rate_hz
    samples, source = audio_files.read_resampled(path, rate_hz)
    warnings = [] if warnings is None else warnings
    warnings.extend(source.warnings)
    if keep_sample_rate and converter.is_unconvertible(samples):
        return audio_files.write(output, *audio_files.read(path))
    warnings.extend(converter.convert_in_place(samples, options))
    if keep_sample_rate:
        return audio_files.write_resampled(output, samples, rate_hz, source)
    return audio_files.write(output, samples, rate_hz)
