"""Conversion of samples: features → generator and F0 map → samples."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from cyclegan_vc_tf import audio, features, normalization, synthesis
from cyclegan_vc_tf.config import FeatureConfig, VocoderConfig
from cyclegan_vc_tf.errors import InputError
from cyclegan_vc_tf.features import Features
from cyclegan_vc_tf.generators import FRAME_MULTIPLE, generate
from cyclegan_vc_tf.normalization import Statistics
from cyclegan_vc_tf.progress import bar
from cyclegan_vc_tf.world import WorldFeatures

LONGEST_PIECE_S = 30.0
"""Longer recordings are cut, at quiet moments, so that memory does not grow with their length."""

LEAST_FRAMES = 4
"""Recordings of fewer frames have no spectrum to speak of, and come out as they are."""


@dataclass(frozen=True)
class F0Options:
    """What becomes of the F0: mapped to the target's range or kept, then moved by semitones."""

    convert: bool = True
    semitones: float = 0.0


class Converter:
    """Converts recordings of one speaker to another.

    Args:
        generator: From normalised source features to normalised target features.
        source: Statistics of who speaks.
        target: Statistics of who is to be heard.
        config: The analysis.
        vocoder: What makes log-mel spectra audible.

    Raises:
        InputError: The vocoder cannot be had.
    """

    def __init__(
        self,
        generator: keras.Model,
        source: Statistics,
        target: Statistics,
        config: FeatureConfig,
        vocoder: VocoderConfig = VocoderConfig(),
    ) -> None:
        self.source, self.target, self.config = source, target, config
        self.speak = synthesis.vocoder(config, vocoder)
        signature = [tf.TensorSpec((1, None, config.bins), generator.compute_dtype)]
        # One trace serves every length.
        self._generate = tf.function(
            lambda inputs: generate(generator, inputs, training=False), input_signature=signature
        )
        self._dtype = generator.compute_dtype

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
        rate_hz = self.config.sample_rate_hz
        if len(samples) > LONGEST_PIECE_S * rate_hz:
            middle = quietest_moment(samples, rate_hz)
            halves = samples[:middle], samples[middle:]
            return np.concatenate([self.convert(half, options) for half in halves])
        if self.leaves_alone(samples):
            return samples
        spoken = self.convert_features(features.analyse(samples, self.config), options)
        return self.speak(spoken, len(samples))

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
        too_short = features.frame_count(len(samples), self.config) < LEAST_FRAMES
        return too_short or audio.is_silent(samples)

    def convert_features(self, spoken: Features, options: F0Options = F0Options()) -> Features:
        """Converts spectra, and WORLD's F0; its aperiodicity stays as it is.

        F0 is in log-mel spectra themselves: the options have no say in it, see `check`.
        """
        spectra = self.convert_spectra(spoken.spectra)
        if not isinstance(spoken, WorldFeatures):
            return replace(spoken, spectra=spectra)
        f0_hz = spoken.f0_hz
        if options.convert:
            f0_hz = normalization.convert_f0(f0_hz, self.source, self.target)
        return replace(spoken, spectra=spectra, f0_hz=f0_hz * 2.0 ** (options.semitones / 12.0))

    def convert_spectra(self, spectra: np.ndarray) -> np.ndarray:
        """Converts spectra of any number of frames, (frames, bins) float32.

        The generator wants a multiple of four frames: copies of the last are added and cut again.

        Raises:
            AudioError: The generator made no numbers of it.
        """
        frames = len(spectra)
        normalized = normalization.apply(spectra, self.source)
        missing = -frames % FRAME_MULTIPLE
        padded = np.pad(normalized, ((0, missing), (0, 0)), mode="edge")
        outputs = self._generate(tf.constant(padded[np.newaxis], self._dtype)).numpy()
        if not np.isfinite(outputs).all():
            raise audio.AudioError("came out with NaN or infinite values; the model is not usable")
        return normalization.undo(outputs[0, :frames], self.target)


def quietest_moment(samples: np.ndarray, sample_rate_hz: int) -> int:
    """Where to cut a long recording: the quietest 20 ms in the middle third.

    Args:
        samples: (samples,).
        sample_rate_hz: Their rate.

    Returns:
        The index of a sample.
    """
    window = max(1, sample_rate_hz // 50)
    first, last = len(samples) // 3, 2 * len(samples) // 3
    windows = (last - first) // window
    middle = samples[first : first + windows * window].reshape(windows, window)
    quietest = int(np.argmin(np.square(middle, dtype=np.float64).sum(axis=1)))
    return first + quietest * window + window // 2


def convert_file(
    converter: Converter,
    path: Path,
    output: Path,
    options: F0Options = F0Options(),
    *,
    keep_sample_rate: bool = False,
) -> float:
    """Converts a recording into a wav file that lasts exactly as long.

    Args:
        converter: From the recording's speaker to another.
        path: The recording.
        output: The wav file.
        options: What becomes of the F0.
        keep_sample_rate: Whether the wav file has the recording's rate rather than the model's.

    Returns:
        The peak of what was converted: above 1.0 exactly when it was scaled down.

    Raises:
        AudioError: The recording cannot be used, or the model made no numbers of it.
        OSError: The wav file cannot be written.
    """
    samples, source_rate_hz = audio.read(path)
    rate_hz = converter.config.sample_rate_hz
    spoken = audio.resample(samples, source_rate_hz, rate_hz)
    if not keep_sample_rate:
        return audio.write(output, converter.convert(spoken, options), rate_hz)
    if not converter.leaves_alone(spoken):
        converted = audio.resample(converter.convert(spoken, options), rate_hz, source_rate_hz)
        samples = audio.fix_length(converted, len(samples))
    return audio.write(output, samples, source_rate_hz)


def wav_names(names: Iterable[str]) -> dict[str, str]:
    """The wav file's name for each recording's: .wav takes the place of its ending.

    Where two names would become one, as those of a.flac and a.mp3, .wav follows each whole name.
    """
    wavs = {name: Path(name).with_suffix(".wav").as_posix() for name in names}
    taken = Counter(wavs.values())
    apart = {name: wav if taken[wav] == 1 else f"{name}.wav" for name, wav in wavs.items()}
    return (
        apart if len(set(apart.values())) == len(apart) else {name: f"{name}.wav" for name in wavs}
    )


@dataclass(frozen=True)
class Conversions:
    """What is worth saying of many conversions.

    Attributes:
        failed: Why, of each recording that could not be converted.
        scaled: The peak, of each wav file that would have clipped and was scaled down.
    """

    failed: dict[Path, str] = field(default_factory=dict)
    scaled: dict[Path, float] = field(default_factory=dict)


def convert_files(
    converter: Converter,
    outputs: Mapping[Path, Path],
    options: F0Options = F0Options(),
    *,
    keep_sample_rate: bool = False,
) -> Conversions:
    """Converts recordings one after the other, with a progress bar; a bad one stops no other.

    Args:
        converter: From the recordings' speaker to another.
        outputs: The wav file of each recording.
        options: What becomes of the F0.
        keep_sample_rate: As for `convert_file`.
    """
    done = Conversions()
    progress = bar(outputs.items(), desc="Converting", unit="file", disable=len(outputs) == 1)
    for path, output in progress:
        try:
            peak = convert_file(converter, path, output, options, keep_sample_rate=keep_sample_rate)
        except (audio.AudioError, OSError) as error:
            done.failed[path] = str(error)
        else:
            if peak > 1.0:
                done.scaled[output] = peak
    return done
