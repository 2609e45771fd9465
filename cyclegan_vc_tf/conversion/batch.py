"""Conversion of samples: features → generator and F0 map → samples.

Imports nothing that needs TensorFlow: worker processes, which leave the generator to their parent,
import this module.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.conversion.converter import Converter, F0Options, convert_file
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.system import pool
from cyclegan_vc_tf.system.progress import progress_bar

MIN_PARALLEL_S = 20.0
"""Recordings that last less together are converted before workers would have started."""

WORKER_DIED = "killed its worker (out of memory, or a fault in the analysis)"
"""Why a recording was not converted that a process died of."""


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
class BatchResult:
    """What is worth saying of many conversions.

    Attributes:
        failed: Why, of each recording that could not be converted.
        scaled: The peak, of each wav file that would have clipped and was scaled down.
        warnings: Warnings about recordings that were converted, each without the file's name.
    """

    failed: dict[Path, str] = field(default_factory=dict)
    scaled: dict[Path, float] = field(default_factory=dict)
    warnings: dict[Path, tuple[str, ...]] = field(default_factory=dict)


def convert_files(
    converter: Converter,
    outputs: Mapping[Path, Path],
    options: F0Options = F0Options(),
    *,
    keep_sample_rate: bool = False,
) -> BatchResult:
    """Converts recordings, with a progress bar; a bad one stops no other.

    With more than one core, processes analyse and speak, and this one generates: what comes out is
    the same.

    Args:
        converter: From the recordings' speaker to another.
        outputs: The wav file of each recording.
        options: What becomes of the F0.
        keep_sample_rate: As for `convert_file`.
    """
    outcomes: dict[Path, _Outcome] = {}
    task = _Task(
        converter.source, converter.target, converter.config, converter.vocoder, options,
        keep_sample_rate,
    )  # fmt: skip
    with progress_bar(
        desc="Converting", unit="file", total=len(outputs), disable=len(outputs) == 1
    ) as done:
        if (processes := _process_count(converter, outputs)) == 1:
            for path, output in outputs.items():
                outcomes[path] = task.convert(converter, path, output)
                done.update()
        else:
            shared = pool.map_with_answers(task, outputs.items(), processes, converter.generate)
            with closing(shared):
                for (path, _), outcome in shared:
                    outcomes[path] = (WORKER_DIED, ()) if outcome is None else outcome
                    done.update()
    conversions = BatchResult()
    for path, output in outputs.items():
        peak, warnings = outcomes[path]
        if warnings:
            conversions.warnings[path] = warnings
        if isinstance(peak, str):
            conversions.failed[path] = peak
        elif peak > 1.0:
            conversions.scaled[output] = peak
    return conversions


_Outcome = tuple[float | str, tuple[str, ...]]
"""Peak of a converted recording, or the reason of failure; and warnings about the recording."""


@dataclass(frozen=True)
class _Task:
    """What a worker process is to do with recordings."""

    source: Statistics
    target: Statistics
    config: FeatureConfig
    vocoder: VocoderConfig
    options: F0Options
    keep_sample_rate: bool

    def __call__(self, paths: tuple[Path, Path], ask: pool.Ask) -> _Outcome:
        """Converts a recording to a wav file, its spectra by asking."""
        converter = Converter(ask, self.source, self.target, self.config, self.vocoder)
        return self.convert(converter, *paths)

    def convert(self, converter: Converter, path: Path, output: Path) -> _Outcome:
        """Convert a recording to a wav file."""
        warnings: list[str] = []
        try:
            peak = convert_file(
                converter, path, output, self.options, keep_sample_rate=self.keep_sample_rate,
                warnings=warnings,
            )  # fmt: skip
        except (audio_files.AudioError, OSError) as error:
            return str(error), ()
        return peak, tuple(warnings)


def _process_count(converter: Converter, outputs: Mapping[Path, Path]) -> int:
    """How many processes are worth to be started; 1 is this one alone."""
    # A MelGAN is TensorFlow's, which uses all cores.
    if converter.vocoder.vocoder == "melgan":
        return 1
    processes = min(pool.available_cores(), len(outputs))
    if processes == 1 or sum(map(audio_files.duration_s, outputs)) < MIN_PARALLEL_S:
        return 1
    return processes
