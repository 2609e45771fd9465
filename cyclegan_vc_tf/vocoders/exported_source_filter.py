"""Exported source-filter vocoders: an ONNX file in the place of a vocoder's folder.

The file holds both networks in one graph, and a description: one JSON text.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import VocoderNetworkConfig, hop_samples
from cyclegan_vc_tf.system import files, onnx_sessions
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.vocoders import conditioning, pitch_classes
from cyclegan_vc_tf.vocoders.source_filter_vocoder import SourceFilterVocoder

FORMAT = 1
"""Number of the form of the description; it rises when the form changes."""

KIND = "source_filter"
"""Entry `kind` of the description."""

VALUES, EXCITATION = "features", "excitation"
"""Names of the inputs: (frames, values), and (frames · hop, 2) of harmonics and noise."""

SAMPLES, PITCH = "samples", "pitch"
"""Names of the outputs: (frames · hop,), and scores of F0, (frames, COUNT + 1), of log-mel spectra.

The scores do not depend on the excitation.
"""

REMEDY = "expected an ONNX file of python -m cyclegan_vc_tf export --vocoder_checkpoint=FOLDER"


@dataclass(frozen=True)
class SourceFilterDescription:
    """Description of an exported source-filter vocoder.

    Attributes:
        features: Settings of the features that it takes.
        network: Sizes of its networks.
        step: Step of the training.
        quantize: Precision of the file: "none" or "float16".
        licence: Licence of the weights, as the person who exported it wrote it.
    """

    features: FeatureConfig
    network: VocoderNetworkConfig
    step: int
    quantize: str = "none"
    licence: str = ""

    @property
    def name(self) -> str:
        """Name of the vocoder."""
        return KIND

    @property
    def summary(self) -> str:
        """Line about the vocoder, for users."""
        return (
            f"{KIND}, step {self.step}, {self.features.spectra}, hop {hop_samples(self.features)} "
            f"samples, {self.features.sample_rate_hz} Hz"
        )

    def to_text(self) -> str:
        """Return the description as JSON."""
        return json.dumps({"format": FORMAT, "kind": KIND, **asdict(self)}, indent=1)

    def to_metadata(self) -> dict[str, str]:
        """Return the description as JSON, and what other programs may show as plain texts."""
        return {
            onnx_sessions.KEY: self.to_text(),
            "sample_rate_hz": str(self.features.sample_rate_hz),
            "licence": self.licence,
        }


def parse(text: str) -> SourceFilterDescription:
    """Read a description.

    Raises:
        ValueError: The text is damaged or of another format, or describes something else. Other
            damage raises an InputError, a LookupError or a TypeError.
    """
    data = files.parse_json(text.encode())
    if (kind := data.pop("kind", None)) != KIND:
        raise ValueError(f"it is a {kind or 'generator'!r:.100}, not a vocoder of train_vocoder")
    if (number := data.pop("format")) != FORMAT:
        raise ValueError(f"it has format {number!r:.100}; expected {FORMAT}")
    features = settings.from_dict(FeatureConfig, data.pop("features"))
    network = settings.from_dict(VocoderNetworkConfig, data.pop("network"))
    about = SourceFilterDescription(features, network, **data)
    if type(about.step) is not int or not all(
        isinstance(each, str) for each in (about.quantize, about.licence)
    ):
        raise ValueError("step, quantize and licence have other types")
    return about


def is_source_filter(path: Path) -> bool:
    """Return whether an ONNX file says that it is a source-filter vocoder.

    Raises:
        InputError: The file cannot be read, or ONNX Runtime is not installed.
    """
    session = onnx_sessions.open_session(path, "vocoder_checkpoint", REMEDY)
    metadata = session.get_modelmeta().custom_metadata_map
    try:
        return files.parse_json(metadata[onnx_sessions.KEY].encode())["kind"] == KIND
    except files.DAMAGE_ERRORS:
        return False


def _shapes(about: SourceFilterDescription) -> tuple[onnx_sessions.Shapes, onnx_sessions.Shapes]:
    """Return the shapes of a vocoder's inputs and of its outputs."""
    inputs = {VALUES: (None, conditioning.count_values(about.features)), EXCITATION: (None, 2)}
    outputs: onnx_sessions.Shapes = {SAMPLES: (None,)}
    if about.features.spectra == "log_mel":
        outputs[PITCH] = (None, pitch_classes.COUNT + 1)
    return inputs, outputs


class ExportedSourceFilter(SourceFilterVocoder):
    """Source-filter vocoder of an ONNX file. Several threads may use it.

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
            path, "vocoder", REMEDY, parse, _shapes
        )
        self.features, self.config = self.about.features, self.about.network

    def score_pitch(self, values: np.ndarray) -> np.ndarray:
        """Return scores of the classes of F0, as `SourceFilterVocoder` does."""
        silence = np.zeros((len(values) * hop_samples(self.features), 2), np.float32)
        return self._run(PITCH, values, silence, (len(values), pitch_classes.COUNT + 1))

    def filter(self, values: np.ndarray, excitation: np.ndarray) -> np.ndarray:
        """Return samples, as `SourceFilterVocoder` does."""
        return self._run(SAMPLES, values, excitation, (len(excitation),))

    def _run(
        self, output: str, values: np.ndarray, excitation: np.ndarray, shape: tuple[int, ...]
    ) -> np.ndarray:
        """Compute one output, and no layer that it does not need."""
        feeds = {VALUES: values.astype(np.float32), EXCITATION: excitation.astype(np.float32)}
        (made,) = self._session.run([output], feeds, onnx_sessions.needed_only())
        if made.shape != shape:
            raise InputError(
                f"--vocoder {self.path} made {made.shape} from features {values.shape}; {REMEDY}"
            )
        return made
