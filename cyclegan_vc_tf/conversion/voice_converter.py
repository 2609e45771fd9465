"""Conversion of samples, files and folders with a run: the public class `VoiceConverter`."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from cyclegan_vc_tf.audio import audio_files, resampling
from cyclegan_vc_tf.audio.samples import checked_samples
from cyclegan_vc_tf.config import overrides
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.config.run import RunConfig, VocoderConfig
from cyclegan_vc_tf.conversion import arguments, batch, recordings
from cyclegan_vc_tf.conversion.batch import BatchResult
from cyclegan_vc_tf.conversion.converter import Converter, F0Options, adapt_to_files, convert_file
from cyclegan_vc_tf.conversion.exported import ExportedRun
from cyclegan_vc_tf.system.errors import InputError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cyclegan_vc_tf.runs.run_folder import RunFolder
    from cyclegan_vc_tf.streaming.stream import Stream


class VoiceConverter:
    """Converter between the two speakers of a run; `cyclegan_vc_tf.load` returns one.

    A direction is "A2B" or "B2A", or a `Direction`. The generator of a direction is loaded when it
    is first used. One converter may serve several threads.

    Args:
        run: Run folder, or exported generators.
        step: Step of the checkpoint.
        vocoder: Vocoder settings; by default those of the run.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> voices = vc.load("pretrained:vc1-demo")
        >>> voices.variant, voices.sample_rate_hz, voices.step
        ('vc1', 16000, 2000)
    """

    def __init__(
        self, run: "RunFolder | ExportedRun", step: int, vocoder: VocoderConfig | None = None
    ) -> None:
        self._run, self._step = run, step
        self._vocoder = run.config.vocoder if vocoder is None else vocoder
        self._converters: dict[Direction, Converter] = {}
        self._lock = Lock()

    def __repr__(self) -> str:
        """Return variant, step and run folder."""
        return f"<VoiceConverter {self.variant}, step {self.step}, {self._run.path}>"

    @property
    def config(self) -> RunConfig:
        """Settings of the run."""
        return self._run.config

    @property
    def directions(self) -> tuple[Direction, ...]:
        """Directions whose generators the checkpoint has; an imported run may lack one."""
        return self._run.directions(self._step)

    @property
    def sample_rate_hz(self) -> int:
        """Sample rate of the model, in Hz."""
        return self._run.config.features.sample_rate_hz

    @property
    def step(self) -> int:
        """Training step of the checkpoint."""
        return self._step

    @property
    def variant(self) -> str:
        """Name of the variant: "vc1", "vc2", "vc3" or "mask"."""
        return self._run.config.network.variant

    def convert(
        self,
        samples: np.ndarray,
        sample_rate_hz: int,
        direction: str = "A2B",
        *,
        f0: str = "convert",
        semitones: float = 0.0,
        adapt_source: bool = False,
    ) -> np.ndarray:
        """Convert the samples of a recording.

        Samples at another rate than the model's are resampled before and after the conversion.

        Args:
            samples: (samples,), mono, floating point, full scale 1.0.
            sample_rate_hz: Their sample rate, in Hz.
            direction: Direction of conversion.
            f0: "convert" maps F0 to the range of the target speaker; "keep" keeps it.
            semitones: Semitones to raise F0 by after that.
            adapt_source: Adapt to a voice that the model was not trained with: its frequency axis,
                its average spectrum and its F0 are moved to the training speaker's.

        Returns:
            Converted samples, (samples,) float32, as many as received, at the received rate. Peaks
            may exceed 1.0.

        Warns:
            UserWarning: The recording lacks the upper part of the model's band.

        Raises:
            InputError: Samples, rate, direction or F0 options are not usable.
            AudioError: The generator returned NaN or infinite values.

        Example:
            >>> import cyclegan_vc_tf as vc
            >>> import numpy as np
            >>> voices = vc.load("pretrained:vc1-demo")
            >>> time_s = np.arange(44_100) / 44_100
            >>> tone = 0.1 * np.sign(np.sin(2 * np.pi * 150 * time_s))
            >>> converted = voices.convert(tone, 44_100, "B2A")
            >>> converted.shape, converted.dtype
            ((44100,), dtype('float32'))
        """
        samples = checked_samples(samples)
        arguments.check_rate(sample_rate_hz)
        converter, options = self._prepare(direction, f0, semitones)
        if not len(samples):
            return samples
        rate_hz = int(sample_rate_hz)
        resampled = resampling.resample(samples, rate_hz, self.sample_rate_hz)
        if converter.is_unconvertible(resampled):
            return samples
        if adapt_source:
            converter = converter.adapted_to([resampled])
        converted = resampled.copy()
        for text in converter.convert_in_place(converted, options):
            warnings.warn(f"the recording {text}", stacklevel=2)
        restored = resampling.resample(converted, self.sample_rate_hz, rate_hz)
        return resampling.fix_length(restored, len(samples))

    def convert_file(
        self,
        path: str | Path,
        output: str | Path,
        direction: str = "A2B",
        *,
        f0: str = "convert",
        semitones: float = 0.0,
        adapt_source: bool = False,
        keep_sample_rate: bool = False,
    ) -> float:
        """Convert a recording into a wav file of the same duration.

        Args:
            path: Recording in any format that libsndfile reads, or PyAV if it is installed.
            output: Wav file to write, 16 bits, mono. An existing file is replaced.
            direction: Direction of conversion.
            f0: "convert" maps F0 to the range of the target speaker; "keep" keeps it.
            semitones: Semitones to raise F0 by after that.
            adapt_source: Adapt to a voice that the model was not trained with: its frequency axis,
                its average spectrum and its F0 are moved to the training speaker's.
            keep_sample_rate: Write at the rate of the recording instead of the model's.

        Returns:
            Peak of the converted samples. Above 1.0, the file was scaled down to full scale.

        Warns:
            UserWarning: The recording is damaged, and its usable part is converted; or it lacks the
                upper part of the model's band.

        Raises:
            InputError: The direction or the F0 options are not usable, or `output` is `path`.
            AudioError: The recording cannot be read, or the generator returned NaN.
            OSError: The wav file cannot be written.

        Example:
            >>> import cyclegan_vc_tf as vc
            >>> recording = vc.demo_corpus_dir() / "held_out" / "heart" / "089.flac"
            >>> voices = vc.load("pretrained:vc1-demo")
            >>> peak = voices.convert_file(recording, "converted.wav", "A2B")
        """
        path, output = Path(path).expanduser(), Path(output).expanduser()
        if output.resolve() == path.resolve():
            raise InputError(f"received output {output}, which is the recording; name another file")
        converter, options = self._prepare(direction, f0, semitones)
        if adapt_source:
            converter = adapt_to_files(converter, [path])
        found: list[str] = []
        peak = convert_file(
            converter, path, output, options, keep_sample_rate=keep_sample_rate, warnings=found
        )
        for text in found:
            warnings.warn(f"{path} {text}", stacklevel=2)
        return peak

    def convert_folder(
        self,
        folder: str | Path,
        output: str | Path,
        direction: str = "A2B",
        *,
        f0: str = "convert",
        semitones: float = 0.0,
        adapt_source: bool = False,
        keep_sample_rate: bool = False,
    ) -> BatchResult:
        """Convert all recordings of a folder, recursively, one process per core.

        Args:
            folder: Folder of recordings.
            output: Folder of the wav files, which keep the structure of `folder`.
            direction: Direction of conversion.
            f0: "convert" maps F0 to the range of the target speaker; "keep" keeps it.
            semitones: Semitones to raise F0 by after that.
            adapt_source: Adapt to a voice that the model was not trained with: its frequency axis,
                its average spectrum and its F0 are moved to the training speaker's.
            keep_sample_rate: Write at the rate of each recording instead of the model's.

        Returns:
            Recordings that failed, each with a reason; warnings about recordings; and wav files
            that were scaled down.

        Warns:
            UserWarning: The folder has files of audio formats that cannot be read.

        Raises:
            InputError: The folder has no recording, a recording would be overwritten, or the
                direction or the F0 options are not usable.
            OSError: The output folder cannot be made.

        Example:
            >>> import cyclegan_vc_tf as vc
            >>> voices = vc.load("pretrained:vc1-demo")
            >>> result = voices.convert_folder("recordings/anna", "converted", "A2B")
            >>> result.failed
            {}
        """
        source = Path(folder).expanduser()
        outputs = recordings.plan_outputs(source, Path(output).expanduser())
        if source.is_dir() and (names := audio_files.find_unreadable(source)):
            warnings.warn(f"{source}: {audio_files.describe_unreadable(names)}", stacklevel=2)
        return self.convert_files(
            outputs, direction, f0=f0, semitones=semitones, adapt_source=adapt_source,
            keep_sample_rate=keep_sample_rate,
        )  # fmt: skip

    def convert_files(
        self,
        outputs: Mapping[Path, Path],
        direction: str = "A2B",
        *,
        f0: str = "convert",
        semitones: float = 0.0,
        adapt_source: bool = False,
        keep_sample_rate: bool = False,
    ) -> BatchResult:
        """Convert recordings into the wav files that a mapping names, one process per core.

        Args:
            outputs: Wav file of each recording.
            direction: Direction of conversion.
            f0: "convert" maps F0 to the range of the target speaker; "keep" keeps it.
            semitones: Semitones to raise F0 by after that.
            adapt_source: Adapt to a voice that the model was not trained with: its frequency axis,
                its average spectrum and its F0 are moved to the training speaker's.
            keep_sample_rate: Write at the rate of each recording instead of the model's.

        Returns:
            Recordings that failed, each with a reason; warnings about recordings; and wav files
            that were scaled down.

        Raises:
            InputError: The direction or the F0 options are not usable.
            OSError: The output folder cannot be made.

        Example:
            >>> from pathlib import Path
            >>> import cyclegan_vc_tf as vc
            >>> outputs = {Path("recordings/anna/00.wav"): Path("anna-as-ben.wav")}
            >>> vc.load("pretrained:vc1-demo").convert_files(outputs, "A2B").failed
            {}
        """
        converter, options = self._prepare(direction, f0, semitones)
        if outputs:
            folders = [str(wav.absolute().parent) for wav in outputs.values()]
            Path(os.path.commonpath(folders)).mkdir(parents=True, exist_ok=True)
        if adapt_source:
            converter = adapt_to_files(converter, outputs)
        return batch.convert_files(converter, outputs, options, keep_sample_rate=keep_sample_rate)

    def stream(
        self,
        direction: str = "A2B",
        sample_rate_hz: int | None = None,
        *,
        f0: str = "convert",
        semitones: float = 0.0,
        adapt_to: str | Path = "",
        **stream_settings: Any,
    ) -> "Stream":
        """Return a converter of a stream of samples, such as a microphone's.

        A stream serves one thread at a time. One run may have several streams.

        Args:
            direction: Direction of conversion.
            sample_rate_hz: Sample rate of the stream, in Hz; by default the model's.
            f0: "convert" maps F0 to the range of the target speaker; "keep" keeps it.
            semitones: Semitones to raise F0 by after that.
            adapt_to: Recording, or folder of recordings, of the voice that will speak, where the
                model was trained with another; see `convert`. Its level is moved too.
            **stream_settings: Changes of `StreamConfig`, such as `lookahead_frames=16`.

        Returns:
            Stream with the methods `push`, `flush` and `close`; `with` closes it.

        Raises:
            InputError: Direction, rate, F0 options, a recording or a setting are not usable, or the
                run cannot convert a stream, as exported generators cannot.

        Example:
            >>> import cyclegan_vc_tf as vc
            >>> import numpy as np
            >>> voices = vc.load("pretrained:vc1-demo")
            >>> chunk = np.zeros(480, np.float32)
            >>> with voices.stream("A2B", 48_000) as stream:
            ...     converted = stream.push(chunk)
            ...     rest = stream.flush()
            >>> len(converted), len(rest) == stream.delay_samples
            (480, True)
        """
        if isinstance(self._run, ExportedRun):
            raise InputError(
                f"--run_dir {self._run.path} holds exported generators, which convert whole "
                "recordings; expected the run folder or its publication"
            )
        from cyclegan_vc_tf.conversion import live_adaptation
        from cyclegan_vc_tf.streaming.stream import Stream

        options = arguments.check_options(direction, f0, semitones)
        if sample_rate_hz is not None:
            arguments.check_rate(sample_rate_hz)
        return Stream.for_run(
            self._run, Direction(direction), self._step, rate_hz=sample_rate_hz,
            convert_f0=options.convert, semitones=options.semitones,
            config=overrides.override(StreamConfig(), stream_settings), vocoder=self._vocoder,
            adaptation=live_adaptation.find(self._run, Direction(direction), adapt_to),
        )  # fmt: skip

    def plot(self, recordings: Mapping[str, np.ndarray], sample_rate_hz: int) -> "Figure":
        """Plot spectrograms of recordings side by side, and their F0 contours in one panel.

        F0 is estimated with the settings of the run. A notebook shows the figure.

        Args:
            recordings: Samples by name, (samples,) each, mono, floating point, full scale 1.0.
            sample_rate_hz: Sample rate of all recordings, in Hz.

        Returns:
            Figure of matplotlib; `figure.savefig(FILE)` writes it.

        Raises:
            InputError: There is no recording, or samples or rate are not usable.

        Example:
            >>> import cyclegan_vc_tf as vc
            >>> import soundfile
            >>> voices = vc.load("pretrained:vc1-demo")
            >>> recording = vc.demo_corpus_dir() / "held_out" / "heart" / "089.flac"
            >>> samples, rate_hz = soundfile.read(recording)
            >>> converted = voices.convert(samples, rate_hz, "A2B")
            >>> figure = voices.plot({"source": samples, "converted": converted}, rate_hz)
            >>> figure.savefig("conversion.png")
        """
        # Converting a short file does not wait for matplotlib's import.
        from cyclegan_vc_tf.conversion.figures import plot_recordings

        arguments.check_rate(sample_rate_hz)
        if not recordings or not all(map(len, recordings.values())):
            raise InputError("received no recordings, or an empty one; expected samples by name")
        checked = {name: checked_samples(samples) for name, samples in recordings.items()}
        return plot_recordings(checked, int(sample_rate_hz), self._run.config.features)

    def _prepare(self, direction: str, f0: str, semitones: float) -> tuple[Converter, F0Options]:
        """Return the converter of a direction and its F0 options, both checked."""
        options = arguments.check_options(direction, f0, semitones)
        key = Direction(direction)
        with self._lock:
            if key not in self._converters:
                generator, _ = self._run.load_generator(key, self._step)
                self._converters[key] = Converter.for_run(self._run, key, generator, self._vocoder)
        self._converters[key].check(options)
        return self._converters[key], options
