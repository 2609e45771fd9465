"""Trained judges of speech: whose voice it is, how natural, which words.

They come with the extra `evaluate`; each is loaded when it is first asked.
"""

import importlib.util
import re
import warnings
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from cyclegan_vc_tf.audio.resampling import resample
from cyclegan_vc_tf.system.errors import InputError

METRIC_RATE_HZ = 16_000
"""That all of them listen at."""

NOT_INSTALLED = "the extra `evaluate` is not installed"


def missing_reason(*packages: str) -> str:
    """Why a judge cannot be had that needs these packages; empty if it can."""
    found = (importlib.util.find_spec(name) for name in packages)
    return "" if all(found) else NOT_INSTALLED


def to_metric_rate(wave: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """A recording as judges take it: float32 at their rate, nowhere beyond full scale."""
    samples = resample(wave.astype(np.float32), sample_rate_hz, METRIC_RATE_HZ)
    return samples / max(1.0, float(np.max(np.abs(samples), initial=0.0)))


class SpeakerSimilarity:
    """Cosines of Resemblyzer's embeddings.

    Source: Wan et al., 2018, arXiv:1710.10467, in Resemblyzer's implementation and weights.
    """

    PACKAGES = ("resemblyzer",)

    @cached_property
    def _encoder(self) -> Any:
        return _import_quietly("resemblyzer").VoiceEncoder("cpu", verbose=False)

    def embed(self, wave: np.ndarray, sample_rate_hz: int) -> np.ndarray | None:
        """The embedding of a recording, (256,) of length 1; None if there is no speech in it."""
        speech = _import_quietly("resemblyzer").preprocess_wav(
            to_metric_rate(wave, sample_rate_hz), METRIC_RATE_HZ
        )
        return self._encoder.embed_utterance(speech) if len(speech) else None

    @staticmethod
    def centroid(embeddings: Sequence[np.ndarray]) -> np.ndarray:
        """Their mean, of length 1."""
        mean = np.mean(embeddings, axis=0)
        return mean / np.linalg.norm(mean)


class Naturalness:
    """DNSMOS: what listeners would say of noise and distortion, from 1 to 5.

    Blind to much of what a vocoder does: never to be read alone.

    Source: Reddy et al., 2022, arXiv:2110.01763, in `speechmos`: the overall score.
    """

    PACKAGES = ("speechmos", "onnxruntime")

    def score(self, wave: np.ndarray, sample_rate_hz: int) -> float:
        """The overall score of a recording."""
        run = _import_quietly("speechmos.dnsmos").run
        return float(run(to_metric_rate(wave, sample_rate_hz), sr=METRIC_RATE_HZ)["ovrl_mos"])


class Intelligibility:
    """Words that faster-whisper gets wrong.

    Args:
        model_dir: Folder of a CTranslate2 Whisper model; nothing is downloaded.

    Raises:
        InputError: There is no such model.
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
        """What the recogniser hears in English."""
        segments, _ = self._model.transcribe(
            to_metric_rate(wave, sample_rate_hz), language="en", temperature=0.0,
            condition_on_previous_text=False,
        )  # fmt: skip
        return " ".join(segment.text for segment in segments)

    @staticmethod
    def word_error_rate(transcripts: Mapping[str, str], heard: Mapping[str, str]) -> float:
        """Wrong, missing and added words of all recordings over the words that were said."""
        references = [normalize_text(transcripts[name]) for name in heard]
        return float(
            _import_quietly("jiwer").wer(
                references, [normalize_text(text) for text in heard.values()]
            )
        )


def normalize_text(text: str) -> str:
    """A sentence as it is compared: lower case, letters, digits and apostrophes alone."""
    return " ".join(
        re.findall(
            r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        )
    )


def _import_quietly(module: str) -> Any:
    """Imports a module; what it warns of on the way is not for our users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)
