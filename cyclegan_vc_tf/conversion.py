"""Conversion of samples: features → generator and F0 map → samples.

Imports nothing that needs TensorFlow: worker processes, which leave the generator to their parent,
import this module.
"""

import inspect
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from cyclegan_vc_tf import (
    audio,
    dialogue,
    features,
    normalization,
    pieces,
    synthesis,
    workers,
    world,
)
from cyclegan_vc_tf.config import FeatureConfig, VocoderConfig
from cyclegan_vc_tf.errors import InputError
from cyclegan_vc_tf.features import Features
from cyclegan_vc_tf.normalization import Statistics
from cyclegan_vc_tf.progress import bar
from cyclegan_vc_tf.world import WorldFeatures

if TYPE_CHECKING:
    import keras

LONGEST_PIECE_S = 30.0
"""Longer recordings are cut, at quiet moments, so that memory does not grow with their length."""

LEAST_SHARED_S = 20.0
"""Recordings that last less together are converted before workers would have started."""

LEAST_FRAMES = 4
"""Recordings of fewer frames have no spectrum to speak of, and come out as they are."""

DIED = "killed its worker (out of memory, or a fault in the analysis)"
"""Why a recording was not converted that a process died of."""


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
        self.speak = synthesis.vocoder(config, vocoder)
        if not inspect.isroutine(generator):
            from cyclegan_vc_tf.generation import traced

            generator = traced(generator)
        self.generate = generator

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
        for piece in pieces.of(samples, self.config.sample_rate_hz, LONGEST_PIECE_S):
            if not self.leaves_alone(samples[piece]):
                spoken = features.analyse(samples[piece], self.config)
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
        too_short = features.frame_count(len(samples), self.config) < LEAST_FRAMES
        return too_short or audio.is_silent(samples)

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
        outputs = self.generate(normalization.apply(spectra, self.source))
        if not np.isfinite(outputs).all():
            raise audio.AudioError("came out with NaN or infinite values; the model is not usable")
        return normalization.undo(outputs, self.target)


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
    rate_hz = converter.config.sample_rate_hz
    samples, source = audio.read_at(path, rate_hz)
    if keep_sample_rate and converter.leaves_alone(samples):
        return audio.write(output, *audio.read(path))
    converter.convert_in_place(samples, options)
    if keep_sample_rate:
        return audio.write_resampled(output, samples, rate_hz, source)
    return audio.write(output, samples, rate_hz)


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
    """Converts recordings, with a progress bar; a bad one stops no other.

    With more than one core, processes analyse and speak, and this one generates: what comes out is
    the same.

    Args:
        converter: From the recordings' speaker to another.
        outputs: The wav file of each recording.
        options: What becomes of the F0.
        keep_sample_rate: As for `convert_file`.
    """
    outcomes: dict[Path, float | str] = {}
    task = _Task(
        converter.source, converter.target, converter.config, converter.vocoder, options,
        keep_sample_rate,
    )  # fmt: skip
    with bar(desc="Converting", unit="file", total=len(outputs), disable=len(outputs) == 1) as done:
        if (processes := _processes(converter, outputs)) == 1:
            for path, output in outputs.items():
                outcomes[path] = task.convert(converter, path, output)
                done.update()
        else:
            shared = dialogue.each(task, outputs.items(), processes, converter.generate)
            with closing(shared):
                for (path, _), outcome in shared:
                    outcomes[path] = DIED if outcome is None else outcome
                    done.update()
    conversions = Conversions()
    for path, output in outputs.items():
        outcome = outcomes[path]
        if isinstance(outcome, str):
            conversions.failed[path] = outcome
        elif outcome > 1.0:
            conversions.scaled[output] = outcome
    return conversions


@dataclass(frozen=True)
class _Task:
    """What a worker process is to do with recordings."""

    source: Statistics
    target: Statistics
    config: FeatureConfig
    vocoder: VocoderConfig
    options: F0Options
    keep_sample_rate: bool

    def __call__(self, paths: tuple[Path, Path], ask: dialogue.Ask) -> float | str:
        """Converts a recording to a wav file, its spectra by asking."""
        converter = Converter(ask, self.source, self.target, self.config, self.vocoder)
        return self.convert(converter, *paths)

    def convert(self, converter: Converter, path: Path, output: Path) -> float | str:
        """The peak of what was converted; or why it could not be."""
        try:
            return convert_file(
                converter, path, output, self.options, keep_sample_rate=self.keep_sample_rate
            )
        except (audio.AudioError, OSError) as error:
            return str(error)


def _processes(converter: Converter, outputs: Mapping[Path, Path]) -> int:
    """How many processes are worth to be started; 1 is this one alone."""
    # A MelGAN is TensorFlow's, which uses all cores.
    if converter.vocoder.vocoder == "melgan":
        return 1
    processes = min(workers.cores(), len(outputs))
    if processes == 1 or sum(map(audio.duration_s, outputs)) < LEAST_SHARED_S:
        return 1
    return processes
