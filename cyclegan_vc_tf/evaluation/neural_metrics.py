"""Neural metrics of speech: speaker similarity, naturalness and intelligibility.

They need the extra `evaluate`. Each network is loaded at its first use.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.evaluation import evaluation_sets, recognizers
from cyclegan_vc_tf.evaluation.metric_inputs import METRIC_RATE_HZ, import_quietly, to_metric_rate
from cyclegan_vc_tf.evaluation.recognizers import Recognizer
from cyclegan_vc_tf.system.errors import InputError

NOT_INSTALLED = "the extra `evaluate` is not installed"


def missing_reason(*packages: str) -> str:
    """Return why a metric that needs these packages is unavailable; empty if it is available."""
    found = (importlib.util.find_spec(name) for name in packages)
    return "" if all(found) else NOT_INSTALLED


class SpeakerSimilarity:
    """Speaker embeddings of Resemblyzer, for cosine similarity.

    Source: Wan et al., 2018, arXiv:1710.10467, in Resemblyzer's implementation and weights.
    """

    PACKAGES = ("resemblyzer",)

    @cached_property
    def _encoder(self) -> Any:
        return import_quietly("resemblyzer").VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: np.ndarray, sample_rate_hz: int) -> np.ndarray | None:
        """Return the embedding of a recording, (256,) of length 1; None if it has no speech."""
        speech = import_quietly("resemblyzer").preprocess_wav(
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
        run = import_quietly("speechmos.dnsmos").run
        return float(run(to_metric_rate(wave, sample_rate_hz), sr=METRIC_RATE_HZ)["ovrl_mos"])


@dataclass(frozen=True)
class NeuralMetrics:
    """Neural metrics of an evaluation; None where a metric is not measured.

    Attributes:
        similarity: Speaker similarity.
        naturalness: DNSMOS.
        recognizer: Speech recognizer of the word error rate.
        transcripts: Reference sentences by recording name.
    """

    similarity: SpeakerSimilarity | None = None
    naturalness: Naturalness | None = None
    recognizer: Recognizer | None = None
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
    recognizer, words = recognizers.choose(config)
    if recognizer and (missing := missing_reason(*recognizer.PACKAGES)):
        raise InputError(
            f"{recognizer.setting} cannot be used: {missing}; install it, or leave the flag out"
        )
    available = NeuralMetrics(
        similarity=None if similarity else SpeakerSimilarity(),
        naturalness=None if naturalness else Naturalness(),
        recognizer=recognizer,
        transcripts={} if words else evaluation_sets.read_transcripts(Path(config.transcripts)),
    )
    reasons = {
        "speaker_similarity": similarity,
        "source_similarity": similarity,
        "dnsmos": naturalness,
        "word_error_rate": words,
    }
    return available, {metric: reason for metric, reason in reasons.items() if reason}
