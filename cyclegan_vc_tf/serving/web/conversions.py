"""Conversions of uploaded recordings: one run, several files, a reason for each failure."""

import time
import warnings as warnings_module
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from cyclegan_vc_tf import api
from cyclegan_vc_tf.conversion.batch import wav_names
from cyclegan_vc_tf.serving.web import pictures
from cyclegan_vc_tf.serving.web.uploads import Upload
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, single_line

if TYPE_CHECKING:
    from cyclegan_vc_tf.conversion.voice_converter import VoiceConverter

MAX_LOADED = 2
"""Number of runs that stay in memory."""

OUT_OF_TIME = "was not converted: the time of this conversion is over (--max_job_seconds)"


@dataclass(frozen=True)
class Options:
    """Choices of one conversion.

    Attributes:
        direction: "A2B" or "B2A".
        f0: "convert" or "keep".
        semitones: Semitones to raise F0 by after that.
        adapt_source: Whether each recording is of a voice that the model was not trained with.
        keep_sample_rate: Whether results have the rate of their recordings, not the model's.
    """

    direction: str = "A2B"
    f0: str = "convert"
    semitones: float = 0.0
    adapt_source: bool = False
    keep_sample_rate: bool = False


@dataclass(frozen=True)
class Outcome:
    """Result of one recording.

    Attributes:
        name: Name of the recording.
        source: The recording; None if it was not usable.
        converted: Wav file of the result; None after a failure.
        reason: Reason of the failure; empty after a success.
        notes: Warnings about the recording or its result.
    """

    name: str
    source: Path | None
    converted: Path | None = None
    reason: str = ""
    notes: tuple[str, ...] = field(default=())


class LoadedVoices:
    """Runs in memory, the most recently used ones, shared by all sessions."""

    def __init__(self) -> None:
        self._voices: OrderedDict[Any, VoiceConverter] = OrderedDict()
        self._lock = Lock()

    def load(self, run: Path, step: str = "last", **vocoder: Any) -> "VoiceConverter":
        """Return the converter of a run, loaded now or before.

        Args:
            run: Run folder.
            step: Step of the checkpoint: a number, "last" or "best".
            **vocoder: Changes of the vocoder's settings.

        Raises:
            InputError: The run, the step or the vocoder cannot be used.
        """
        checkpoints = run / "checkpoints"
        # A training writes new checkpoints.
        changed = checkpoints.stat().st_mtime_ns if checkpoints.is_dir() else 0
        key = (run, step, changed, tuple(sorted(vocoder.items())))
        with self._lock:
            if key not in self._voices:
                self._voices[key] = api.load(run, step, **vocoder)
            self._voices.move_to_end(key)
            while len(self._voices) > MAX_LOADED:
                self._voices.popitem(last=False)
            return self._voices[key]


def convert_uploads(
    voices: "VoiceConverter",
    uploads: Sequence[Upload],
    folder: Path,
    options: Options,
    max_seconds: float,
) -> Iterator[Outcome]:
    """Convert uploaded recordings one after the other; a failure stops no other.

    Args:
        voices: Converter of the run.
        uploads: Recordings; those that cannot be used keep their reason.
        folder: Folder of the wav files.
        options: Choices of the conversion.
        max_seconds: Time after which no further recording is begun.

    Yields:
        The result of each recording, in order.

    Raises:
        InputError: An option does not fit the run.
    """
    began_s = time.monotonic()
    wavs = wav_names([upload.name for upload in uploads if upload.path])
    for upload in uploads:
        if upload.path is None:
            yield Outcome(upload.name, None, None, upload.reason)
        elif time.monotonic() - began_s > max_seconds:
            yield Outcome(upload.name, upload.path, None, OUT_OF_TIME)
        else:
            yield _convert(voices, upload.name, upload.path, folder / wavs[upload.name], options)


def write_zip(outcomes: Sequence[Outcome], path: Path) -> Path | None:
    """Write all results into a zip file.

    Args:
        outcomes: Results; failures are left out.
        path: File to write.

    Returns:
        The file; None without any result.
    """
    wavs = [outcome.converted for outcome in outcomes if outcome.converted]
    if not wavs:
        return None
    with files.replacing(path) as partial, zipfile.ZipFile(partial, "w") as archive:
        for wav in wavs:
            archive.write(wav, wav.name, zipfile.ZIP_DEFLATED)
    return path


def draw(outcome: Outcome) -> tuple[Path, Path] | None:
    """Draw spectrograms and F0 contours of a recording and its result.

    Returns:
        The two pictures; None after a failure.
    """
    if outcome.source is None or outcome.converted is None:
        return None
    waves = {"source": outcome.source, "converted": outcome.converted}
    return pictures.draw_conversion(waves, outcome.converted.parent, outcome.converted.stem)


def _convert(
    voices: "VoiceConverter", name: str, source: Path, wav: Path, options: Options
) -> Outcome:
    """Convert one recording."""
    from cyclegan_vc_tf.audio.audio_files import AudioError

    try:
        with warnings_module.catch_warnings(record=True) as found:
            warnings_module.simplefilter("always", UserWarning)
            peak = voices.convert_file(
                source,
                wav,
                options.direction,
                f0=options.f0,
                semitones=options.semitones,
                adapt_source=options.adapt_source,
                keep_sample_rate=options.keep_sample_rate,
            )
    except (AudioError, OSError) as error:
        return Outcome(name, source, None, single_line(str(error).replace(str(source), name)))
    except InputError:
        raise
    notes = [single_line(str(each.message).replace(f"{source} ", "")) for each in found]
    if peak > 1.0:
        notes.append(f"was scaled down: it had a peak of {peak:.2f}, full scale is 1")
    return Outcome(name, source, wav, "", tuple(notes))
