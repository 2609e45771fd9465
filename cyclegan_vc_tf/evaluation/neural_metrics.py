"""Neural metrics of speech: speaker similarity, naturalness and intelligibility.

They need the extra `evaluate`. Each network is loaded at its first use.
"""

import importlib.util
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.audio.resampling import resample
from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.evaluation import evaluation_sets
from cyclegan_vc_tf.system import caches
from cyclegan_vc_tf.system.errors import InputError

METRIC_RATE_HZ = 16_000
"""Sample rate of all neural metrics."""

NOT_INSTALLED = "the extra `evaluate` is not installed"


def missing_reason(*packages: str) -> str:
    """Return why a metric that needs these packages is unavailable; empty if it is available."""
    found = (importlib.util.find_spec(name) for name in packages)
    return "" if all(found) else NOT_INSTALLED


def to_metric_rate(wave: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Convert a recording for neural metrics: float32 at `METRIC_RATE_HZ`, peak at most 1.0."""
    samples = resample(wave.astype(np.float32), sample_rate_hz, METRIC_RATE_HZ)
    return samples / max(1.0, float(np.max(np.abs(samples), initial=0.0)))


class SpeakerSimilarity:
    """Speaker embeddings of Resemblyzer, for cosine similarity.

    Source: Wan et al., 2018, arXiv:1710.10467, in Resemblyzer's implementation and weights.
    """

    PACKAGES = ("resemblyzer",)

    @cached_property
    def _encoder(self) -> Any:
        return _import_quietly("resemblyzer").VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: np.ndarray, sample_rate_hz: int) -> np.ndarray | None:
        """Return the embedding of a recording, (256,) of length 1; None if it has no speech."""
        speech = _import_quietly("resemblyzer").preprocess_wav(
            to_metric_rate(wave, sample_rate_hz), METRIC_RATE_HZ
        )
        return self._encoder.embed_utterance(speech) if len(speech) else None

    @staticmethod
    def centroid(embeddings: Sequence[np.ndarray]) -> np.ndarray:
        """Return the mean of embeddings, scaled to length 1."""
        mean = np.mean(embeddings, axis=0)
        return mean / np.linalg.norm(mean)


class Naturalness:
    """DNSMOS: a predicted listener rating of noise and distortion, from 1 to 5.

    DNSMOS misses many artefacts of vocoders. Read it together with other metrics only.

    Source: Reddy et al., 2022, arXiv:2110.01763, in `speechmos`: the overall score.
    """

    PACKAGES = ("speechmos", "onnxruntime")

    def score(self, wave: np.ndarray, sample_rate_hz: int) -> float:
        """Return the overall score of a recording."""
        run = _import_quietly("speechmos.dnsmos").run
        return float(run(to_metric_rate(wave, sample_rate_hz), sr=METRIC_RATE_HZ)["ovrl_mos"])


class Intelligibility:
    """Word error rate of the speech recogniser faster-whisper.

    Args:
        model_dir: Folder of a CTranslate2 Whisper model; nothing is downloaded.

    Raises:
        InputError: The folder holds no such model.
    """

    PACKAGES = ("faster_whisper", "jiwer")

    def __init__(self, model_dir: Path) -> None:
        if not (model_dir / "model.bin").is_file():
            raise InputError(
                f"--whisper_model {model_dir} has no model.bin; expected a folder of a CTranslate2 "
                "Whisper model, such as faster-whisper's tiny.en"
            )
        self.model_dir = model_dir

    @cached_property
    def _model(self) -> Any:
        return _import_quietly("faster_whisper").WhisperModel(
            str(self.model_dir), device="cpu", compute_type="int8", local_files_only=True
        )

    def transcribe(self, wave: np.ndarray, sample_rate_hz: int) -> str:
        """Return the recogniser's English transcript of a recording."""
        segments, _ = self._model.transcribe(
            to_metric_rate(wave, sample_rate_hz), language="en", temperature=0.0,
            condition_on_previous_text=False,
        )  # fmt: skip
        return " ".join(segment.text for segment in segments)

    @staticmethod
    def word_error_rate(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> float:
        """Return wrong, missing and added words of all hypotheses, over the reference words.

        Args:
            references: Transcripts by recording name; names without a hypothesis are ignored.
            hypotheses: Recognised text by recording name.
        """
        expected = [normalize_text(references[name]) for name in hypotheses]
        recognised = [normalize_text(text) for text in hypotheses.values()]
        return float(_import_quietly("jiwer").wer(expected, recognised))


@dataclass(frozen=True)
class NeuralMetrics:
    """Neural metrics of an evaluation; None where a metric is not measured.

    Attributes:
        similarity: Speaker similarity.
        naturalness: DNSMOS.
        intelligibility: Word error rate.
        transcripts: Reference sentences by recording name.
    """

    similarity: SpeakerSimilarity | None = None
    naturalness: Naturalness | None = None
    intelligibility: Intelligibility | None = None
    transcripts: Mapping[str, str] = field(default_factory=dict)


def load_neural_metrics(config: MetricsConfig) -> tuple[NeuralMetrics, dict[str, str]]:
    """Return the available neural metrics.

    Returns:
        The metrics, and by metric name the reason why another one is not measured.

    Raises:
        InputError: The Whisper model or the transcripts cannot be used.
    """
    similarity = missing_reason(*SpeakerSimilarity.PACKAGES)
    naturalness = missing_reason(*Naturalness.PACKAGES)
    words, intelligibility = "no model is given (--whisper_model)", None
    if config.whisper_model and not config.transcripts:
        words = "no transcripts are given (--transcripts)"
    elif config.whisper_model:
        intelligibility = Intelligibility(Path(config.whisper_model))
        if words := missing_reason(*Intelligibility.PACKAGES):
            raise InputError(
                f"--whisper_model cannot be used: {words}; install it, or leave the flag out"
            )
    available = NeuralMetrics(
        similarity=None if similarity else SpeakerSimilarity(),
        naturalness=None if naturalness else Naturalness(),
        intelligibility=intelligibility,
        transcripts={} if words else evaluation_sets.read_transcripts(Path(config.transcripts)),
    )
    reasons = {
        "speaker_similarity": similarity,
        "source_similarity": similarity,
        "dnsmos": naturalness,
        "word_error_rate": words,
    }
    return available, {metric: reason for metric, reason in reasons.items() if reason}


def normalize_text(text: str) -> str:
    """Normalize a sentence for comparison: lower case; letters, digits and apostrophes only."""
    return " ".join(
        re.findall(
            r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        )
    )


def _import_quietly(module: str) -> Any:
    """Import a module without its warnings, which a user cannot act on."""
    # Resemblyzer and speechmos import librosa.
    caches.prepare_numba_cache()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)
