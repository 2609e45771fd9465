"""Live conversion: samples in, as many converted samples out, with a constant delay."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cyclegan_vc_tf.audio.resampling import make_low_delay_resampler
from cyclegan_vc_tf.audio.samples import checked_samples
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.live import StreamConfig
from cyclegan_vc_tf.streaming.pipeline import Pipeline
from cyclegan_vc_tf.system.errors import InputError

if TYPE_CHECKING:
    from cyclegan_vc_tf.config.run import VocoderConfig
    from cyclegan_vc_tf.features.adaptation import Adaptation
    from cyclegan_vc_tf.runs.run_folder import RunFolder

RESAMPLED_BLOCK_S = 0.0025
"""Duration of the blocks that are resampled; a fixed one, so that chunks do not matter."""

LATENESS_MARGIN = 16
"""Samples that are added to the lateness of resamplers, which was found by trial."""

RATE_TRIAL_S = 2.0
"""Duration of silence that is resampled to find how late the resamplers return samples."""

MIN_RATE_HZ, MAX_RATE_HZ = 8_000, 192_000


class Stream:
    """Converter of a stream of samples, of any length, in chunks of any size.

    `push` returns as many samples as it receives. Output sample n is the conversion of input sample
    n - `delay_samples`; silence comes before. The output does not depend on the sizes of chunks.
    Memory is constant. A stream serves one thread at a time.

    Args:
        pipeline: Conversion at the model's sample rate.
        model_rate_hz: Sample rate of the model.
        rate_hz: Sample rate of the stream; by default the model's.

    Attributes:
        sample_rate_hz: Sample rate of the stream.
        delay_samples: Delay of the output behind the input, in samples at that rate.
        running_norms: Whether the generator's norms use statistics of the stream so far.

    Raises:
        InputError: The sample rate is not usable.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> stream = vc.load("pretrained:vc1-demo").stream("A2B")
        >>> stream.sample_rate_hz
        16000
    """

    def __init__(self, pipeline: Pipeline, model_rate_hz: int, rate_hz: int | None = None) -> None:
        self.sample_rate_hz = rate_hz or model_rate_hz
        if not MIN_RATE_HZ <= self.sample_rate_hz <= MAX_RATE_HZ:
            raise InputError(
                f"received a sample rate of {self.sample_rate_hz} Hz; expected {MIN_RATE_HZ} to "
                f"{MAX_RATE_HZ}"
            )
        self.running_norms = False
        self._pipeline: Pipeline | None = pipeline
        self._adaptation = pipeline.adaptation
        ratio = self.sample_rate_hz / model_rate_hz
        shift = round(pipeline.shift_samples * ratio)
        self._convert: Callable[[np.ndarray], np.ndarray]
        if self.sample_rate_hz == model_rate_hz:
            self._block_samples = 1
            self._convert = _Blocks(pipeline).push
            late = pipeline.lookahead_samples + pipeline.block_samples
        else:
            self._block_samples = max(1, round(RESAMPLED_BLOCK_S * self.sample_rate_hz))
            rates = self.sample_rate_hz, model_rate_hz
            late = _measure_lateness(pipeline, *rates, self._block_samples)
            self._convert = _Resampled(_Blocks(pipeline).push, *rates).push
        self.delay_samples = late + shift
        self._waiting = np.zeros(0, np.float32)
        self._ready = np.zeros(late, np.float32)
        self._unheard = shift

    @property
    def is_listening(self) -> bool:
        """Whether the stream is to adapt to the voice that speaks, and has not heard enough."""
        return self._adaptation.is_listening

    @classmethod
    def for_run(
        cls,
        run: "RunFolder",
        direction: Direction,
        step: int | None = None,
        *,
        rate_hz: int | None = None,
        convert_f0: bool = True,
        semitones: float = 0.0,
        config: StreamConfig = StreamConfig(),
        vocoder: "VocoderConfig | None" = None,
        adaptation: "Adaptation | None" = None,
    ) -> "Stream":
        """Return the stream of one direction of a run.

        Args:
            run: Run folder.
            direction: Direction of conversion.
            step: Step of the checkpoint; by default the last one.
            rate_hz: Sample rate of the stream; by default the model's.
            convert_f0: Whether F0 is mapped to the target speaker's range.
            semitones: Shift of F0 after that, in semitones.
            config: Sizes of windows, and statistics of norms.
            vocoder: Vocoder settings; by default those of the run.
            adaptation: Map of another voice's features to the source speaker's; None without one.

        Raises:
            InputError: The run, its vocoder or a setting is not usable for live conversion.
        """
        from cyclegan_vc_tf.streaming import pipelines

        pipeline, running = pipelines.for_run(
            run, direction, step, convert_f0=convert_f0, semitones=semitones, config=config,
            vocoder=vocoder, adaptation=adaptation,
        )  # fmt: skip
        stream = cls(pipeline, run.config.features.sample_rate_hz, rate_hz)
        stream.running_norms = running
        return stream

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Convert a chunk.

        Args:
            samples: (samples,), mono, floating point, full scale 1.0. Any number, also none.

        Returns:
            Converted samples, (samples,) float32, as many as received. Peaks may exceed 1.0.

        Raises:
            InputError: Samples have the wrong shape or type, are not finite, or the stream is
                closed.
            AudioError: The generator returned NaN or infinite values.
        """
        if self._pipeline is None:
            raise InputError("received samples for a closed stream; open another one")
        samples = checked_samples(samples)
        self._waiting = np.concatenate([self._waiting, samples])
        made = [self._ready]
        usable = len(self._waiting) // self._block_samples * self._block_samples
        pieces = [self._waiting[:usable]]
        if self._block_samples > 1:
            pieces = list(self._waiting[:usable].reshape(-1, self._block_samples))
        made += [self._silence_beginning(self._convert(piece)) for piece in pieces]
        self._waiting = self._waiting[usable:]
        self._ready = np.concatenate(made)
        output, self._ready = self._ready[: len(samples)], self._ready[len(samples) :].copy()
        return output

    def flush(self) -> np.ndarray:
        """Return the conversion of the last `delay_samples` samples, and close the stream."""
        rest = self.push(np.zeros(self.delay_samples, np.float32))
        self.close()
        return rest

    def close(self) -> None:
        """Release the generator; the stream cannot be used any more."""
        self._pipeline = None
        self._convert = lambda samples: samples
        self._waiting = self._ready = np.zeros(0, np.float32)

    def __enter__(self) -> "Stream":
        """Return the stream, which is closed at the end of the block."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the stream."""
        self.close()

    def _silence_beginning(self, samples: np.ndarray) -> np.ndarray:
        """Silence samples that are generated before the first input sample."""
        if self._unheard:
            early = min(self._unheard, len(samples))
            samples = samples.copy()
            samples[:early] = 0.0
            self._unheard -= early
        return samples


class _Blocks:
    """Division of samples into the blocks of a pipeline."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._waiting = np.zeros(0, np.float32)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Convert as many blocks as are complete."""
        self._waiting = np.concatenate([self._waiting, samples])
        made = [np.zeros(0, np.float32)]
        while len(self._waiting) >= (needed := self._pipeline.needed_samples):
            made.append(self._pipeline.push(self._waiting[:needed]))
            self._waiting = self._waiting[needed:].copy()
        return np.concatenate(made)


class _Resampled:
    """Conversion at another sample rate than the model's."""

    def __init__(
        self, convert: Callable[[np.ndarray], np.ndarray], rate_hz: int, model_rate_hz: int
    ) -> None:
        self._convert = convert
        self._before = make_low_delay_resampler(rate_hz, model_rate_hz)
        self._after = make_low_delay_resampler(model_rate_hz, rate_hz)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Convert samples; how many come out varies from call to call."""
        return self._after(self._convert(self._before(samples, False)), False)


def _measure_lateness(pipeline: Pipeline, rate_hz: int, model_rate_hz: int, block: int) -> int:
    """Return how many samples the output is behind the input at most, between two sample rates.

    Resamplers return samples in bursts, so the largest distance is found with silence.
    """
    hidden = pipeline.lookahead_samples + pipeline.block_samples
    received = returned = 0

    def convert(samples: np.ndarray) -> np.ndarray:
        """Return as many samples as the pipeline would at the latest."""
        nonlocal received, returned
        received += len(samples)
        fresh = max(0, received - hidden - returned)
        returned += fresh
        return np.zeros(fresh, np.float32)

    trial = _Resampled(convert, rate_hz, model_rate_hz)
    silence = np.zeros(block, np.float32)
    sent = late = 0
    for blocks in range(1, int(RATE_TRIAL_S * rate_hz / block)):
        late = max(late, blocks * block - sent)
        sent += len(trial.push(silence))
    return late + LATENESS_MARGIN
