"""Conversion of many recordings, in worker processes where several cores are free.

Imports nothing that needs TensorFlow: workers, which ask their parent for generated spectra,
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
from cyclegan_vc_tf.features.adaptation import Adaptation
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.system import notebooks, pool
from cyclegan_vc_tf.system.progress import progress_bar

MIN_PARALLEL_S = 20.0
"""Total duration below which recordings are converted sooner than workers start, in seconds."""

WORKER_DIED = "killed its worker (out of memory, or a fault in the analysis)"
"""Reason of failure of a recording whose worker process died."""


def wav_names(names: Iterable[str]) -> dict[str, str]:
    """Return the name of the wav file for each recording: its name ending in `.wav`.

    Where two wav files would have one name, as for `a.flac` and `a.mp3`, `.wav` is appended to
    the whole name of both recordings.
    """
    wavs = {name: Path(name).with_suffix(".wav").as_posix() for name in names}
    uses = Counter(wavs.values())
    distinct = {name: wav if uses[wav] == 1 else f"{name}.wav" for name, wav in wavs.items()}
    if len(set(distinct.values())) == len(distinct):
        return distinct
    return {name: f"{name}.wav" for name in wavs}


MAX_PLAYERS = 5
"""Converted recordings that a notebook plays."""


@dataclass(frozen=True)
class BatchResult:
    """Result of a batch conversion. A notebook lists what happened, and plays the first wav files.

    Attributes:
        failed: Reason of failure of every recording that was not converted.
        scaled: Peak before scaling of every wav file that was scaled down to avoid clipping.
        warnings: Warnings about recordings that were converted, each without the file's name.
        converted: Wav file of every recording that was converted.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> voices = vc.load("pretrained:vc1-demo")
        >>> result = voices.convert_folder("recordings/anna", "converted", "A2B")
        >>> result.failed, result.warnings
        ({}, {})
    """

    failed: dict[Path, str] = field(default_factory=dict)
    scaled: dict[Path, float] = field(default_factory=dict)
    warnings: dict[Path, tuple[str, ...]] = field(default_factory=dict)
    converted: dict[Path, Path] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        played = list(self.converted.items())[:MAX_PLAYERS]
        rows: list[tuple[object, ...]] = [
            *((path.name, f"failed: {reason}") for path, reason in self.failed.items()),
            *((path.name, f"warning: {'; '.join(texts)}") for path, texts in self.warnings.items()),
            *((wav.name, f"scaled down: peak {peak:.2f}") for wav, peak in self.scaled.items()),
            *((path.name, notebooks.player(wav)) for path, wav in played),
        ]
        if (more := len(self.converted) - len(played)) > 0:
            rows.append(("", f"and {more} more converted"))
        return notebooks.table(("recording", f"{len(self.converted)} converted"), rows)


def convert_files(
    converter: Converter,
    outputs: Mapping[Path, Path],
    options: F0Options = F0Options(),
    *,
    keep_sample_rate: bool = False,
) -> BatchResult:
    """Convert recordings, with a progress bar; a recording that fails stops no other.

    With several cores, worker processes analyse and synthesize, and this process runs the
    generator. The files do not depend on the number of processes.

    Args:
        converter: Converter of the direction.
        outputs: Wav file of each recording.
        options: Conversion of F0.
        keep_sample_rate: Whether a wav file has its recording's sample rate, not the model's.
    """
    outcomes: dict[Path, _Outcome] = {}
    task = _Task(
        converter.source, converter.target, converter.config, converter.vocoder,
        converter.holds_statistics, converter.adaptation, options, keep_sample_rate,
    )  # fmt: skip
    with progress_bar(
        desc="Converting", unit="file", total=len(outputs), disable=len(outputs) == 1
    ) as progress:
        if (processes := _count_processes(converter, outputs)) == 1:
            for path, output in outputs.items():
                outcomes[path] = task.convert(converter, path, output)
                progress.update()
        else:
            ended = pool.map_tasks(task, outputs.items(), processes, converter.generate)
            with closing(ended):
                for outcome in ended:
                    path, _ = outcome.item
                    outcomes[path] = outcome.result or (WORKER_DIED, ())
                    progress.update()
    batch = BatchResult()
    for path, output in outputs.items():
        peak, warnings = outcomes[path]
        if warnings:
            batch.warnings[path] = warnings
        if isinstance(peak, str):
            batch.failed[path] = peak
            continue
        batch.converted[path] = output
        if peak > 1.0:
            batch.scaled[output] = peak
    return batch


_Outcome = tuple[float | str, tuple[str, ...]]
"""Peak of a converted recording, or the reason of failure; and warnings about the recording."""


@dataclass(frozen=True)
class _Task:
    """Conversion of one recording in a worker process, with everything but the generator."""

    source: Statistics
    target: Statistics
    config: FeatureConfig
    vocoder: VocoderConfig
    holds_statistics: bool
    adaptation: Adaptation | None
    options: F0Options
    keep_sample_rate: bool

    def __call__(self, paths: tuple[Path, Path], ask: pool.Ask) -> _Outcome:
        """Convert a recording to a wav file; the parent process runs the generator."""
        converter = Converter(
            ask, self.source, self.target, self.config, self.vocoder,
            holds_statistics=self.holds_statistics,
        )  # fmt: skip
        return self.convert(converter.adapted(self.adaptation), *paths)

    def convert(self, converter: Converter, path: Path, output: Path) -> _Outcome:
        """Convert a recording to a wav file."""
        warnings: list[str] = []
        try:
            peak = convert_file(
                converter, path, output, self.options, keep_sample_rate=self.keep_sample_rate,
                warnings=warnings,
            )  # fmt: skip
        except audio_files.AudioError as error:
            return str(error), ()
        except OSError as error:
            reason = f"{output} cannot be written: {error.strerror}" if error.strerror else error
            return str(reason), ()
        return peak, tuple(warnings)


def _count_processes(converter: Converter, outputs: Mapping[Path, Path]) -> int:
    """Return the number of processes that finishes soonest; 1 is this process alone."""
    # TensorFlow uses all cores for a neural vocoder.
    if converter.vocoder.vocoder == "melgan" or converter.vocoder.is_trained_here:
        return 1
    processes = min(pool.available_cores(), len(outputs))
    if processes == 1 or sum(map(audio_files.duration_s, outputs)) < MIN_PARALLEL_S:
        return 1
    return processes
