"""Exported vocoders: an ONNX file in the place of a vocoder file, without TensorFlow.

The file of an exported vocoder holds a description beside its graph: one JSON text.
"""

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.system import files, onnx_sessions
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import chunks
from cyclegan_vc_tf.vocoders.chunks import FrameSizes

FORMAT = 1
"""Number of the form of the description; it rises when the form changes."""

KIND = "vocoder"
"""Entry `kind` of the description, which that of a generator does not have."""

INPUT, OUTPUT = "log_mel", "samples"
"""Names of the graph's input, (frames, bins), and of its output, (frames · hop,)."""

REMEDY = "expected an ONNX file of python -m cyclegan_vc_tf export --vocoder_checkpoint"

MAX_SIZE = 1 << 20
"""Upper limit of every size in a description."""


@dataclass(frozen=True)
class VocoderDescription:
    """Description of an exported vocoder.

    Attributes:
        name: Vocoder, such as "melgan".
        sizes: Sizes of its frames.
        sample_rate_hz: Sampling rate of the recordings that it was trained on, in Hz.
        fft_samples: Length of the analysis window of its spectra, in samples.
        quantize: Precision of the file: "none" or "float16".
        licence: Licence of the weights, as the person who exported it wrote it.
    """

    name: str
    sizes: FrameSizes
    sample_rate_hz: int
    fft_samples: int
    quantize: str = "none"
    licence: str = ""

    @property
    def summary(self) -> str:
        """Line about the vocoder, for users."""
        return (
            f"{self.name}, {self.sizes.bins} mel bins, hop {self.sizes.hop_samples} samples, "
            f"{self.sample_rate_hz} Hz"
        )

    def to_text(self) -> str:
        """Return the description as JSON."""
        return json.dumps({"format": FORMAT, "kind": KIND, **dataclasses.asdict(self)}, indent=1)

    def to_metadata(self) -> dict[str, str]:
        """Return the description as JSON, and what other programs may show as plain texts."""
        return {
            onnx_sessions.KEY: self.to_text(),
            "sample_rate_hz": str(self.sample_rate_hz),
            "licence": self.licence,
        }


def parse(text: str) -> VocoderDescription:
    """Read a description.

    Raises:
        ValueError: The text is damaged or of another format, or describes a generator. Other damage
            raises a LookupError or a TypeError.
    """
    data = files.parse_json(text.encode())
    if data.pop("kind", None) != KIND:
        raise ValueError("it is a generator, which --run_dir takes")
    if (number := data.pop("format")) != FORMAT:
        raise ValueError(f"it has format {number!r:.100}; expected {FORMAT}")
    sizes = FrameSizes(**data.pop("sizes"))
    about = VocoderDescription(sizes=sizes, **data)
    counts = (*dataclasses.astuple(sizes), about.sample_rate_hz, about.fft_samples)
    if not all(type(each) is int and 0 < each <= MAX_SIZE for each in counts):
        raise ValueError(f"it has the sizes {counts!r:.200}; expected whole numbers above 0")
    if not all(isinstance(each, str) for each in (about.name, about.quantize, about.licence)):
        raise ValueError("name, quantize and licence are not texts")
    return about


class ExportedVocoder:
    """Vocoder of an ONNX file. Several threads may use it.

    Args:
        path: File.

    Attributes:
        path: File.
        about: Description that the file holds.

    Raises:
        InputError: The file cannot be read, or is not an exported vocoder; or ONNX Runtime is not
            installed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._session, self.about = onnx_sessions.open_described(
            path,
            "vocoder_checkpoint",
            REMEDY,
            parse,
            lambda about: ({INPUT: (None, about.sizes.bins)}, {OUTPUT: (None,)}),
        )

    def synthesize(self, log_mel: np.ndarray) -> np.ndarray:
        """Synthesize samples, (frames · hop,) float32, from spectra, (frames, bins)."""
        return chunks.synthesize(self._run, log_mel, self.about.sizes)

    def _run(self, log_mel: np.ndarray) -> np.ndarray:
        """Synthesize the samples of one chunk."""
        (samples,) = self._session.run([OUTPUT], {INPUT: log_mel.astype(np.float32)})
        if samples.shape != (len(log_mel) * self.about.sizes.hop_samples,):
            raise InputError(
                f"--vocoder_checkpoint {self.path} made {samples.shape} from spectra "
                f"{log_mel.shape}; {REMEDY}"
            )
        return samples
