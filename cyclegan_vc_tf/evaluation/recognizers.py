"""Speech recognizers, whose errors measure intelligibility.

They need the extra `evaluate`. Each one is loaded at its first use.
"""

import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from cyclegan_vc_tf.config.run import MetricsConfig
from cyclegan_vc_tf.evaluation.metric_inputs import METRIC_RATE_HZ, import_quietly, to_metric_rate
from cyclegan_vc_tf.system.errors import InputError


class Recognizer(Protocol):
    """Recognizer of English speech.

    Attributes:
        PACKAGES: Packages that it needs, as they are imported.
        setting: Flag that chooses it.
    """

    PACKAGES: tuple[str, ...]
    setting: str

    def transcribe(self, wave: np.ndarray, sample_rate_hz: int) -> str:
        """Return the English words of a recording."""


class Whisper:
    """Whisper in faster-whisper.

    Args:
        model_dir: Folder of a CTranslate2 Whisper model; nothing is downloaded.

    Raises:
        InputError: The folder holds no such model.

    Source: Radford et al., 2022, arXiv:2212.04356.
    """

    PACKAGES: tuple[str, ...] = ("faster_whisper", "jiwer")
    setting = "--whisper_model"

    def __init__(self, model_dir: Path) -> None:
        if not (model_dir / "model.bin").is_file():
            raise InputError(
                f"--whisper_model {model_dir} has no model.bin; expected a folder of a CTranslate2 "
                "Whisper model, such as faster-whisper's tiny.en"
            )
        self.model_dir = model_dir

    @cached_property
    def _model(self) -> Any:
        return import_quietly("faster_whisper").WhisperModel(
            str(self.model_dir), device="cpu", compute_type="int8", local_files_only=True
        )

    def transcribe(self, wave: np.ndarray, sample_rate_hz: int) -> str:
        """Return the English words of a recording."""
        segments, _ = self._model.transcribe(
            to_metric_rate(wave, sample_rate_hz), language="en", temperature=0.0,
            condition_on_previous_text=False,
        )  # fmt: skip
        return " ".join(segment.text for segment in segments)


class PocketSphinx:
    """PocketSphinx with the English model of its package.

    It recognizes fewer words than Whisper, also in natural speech. Compare its error rates only
    with each other.

    Source: Huggins-Daines et al., 2006, ICASSP.
    """

    PACKAGES: tuple[str, ...] = ("pocketsphinx", "jiwer")
    setting = "--recognizer=pocketsphinx"

    def transcribe(self, wave: np.ndarray, sample_rate_hz: int) -> str:
        """Return the English words of a recording."""
        samples = np.round(32767 * to_metric_rate(wave, sample_rate_hz)).astype("<i2")
        # A new decoder each time: the normalization of the last recording does not matter then.
        decoder = import_quietly("pocketsphinx").Decoder(samprate=METRIC_RATE_HZ, loglevel="FATAL")
        decoder.start_utt()
        decoder.process_raw(samples.tobytes(), full_utt=True)
        decoder.end_utt()
        hypothesis = decoder.hyp()
        return hypothesis.hypstr if hypothesis else ""


def choose(config: MetricsConfig) -> tuple[Recognizer | None, str]:
    """Return the recognizer of the settings, or None and the reason why there is none.

    Raises:
        InputError: The folder of `--whisper_model` holds no model.
    """
    wanted = config.recognizer == "pocketsphinx" or config.whisper_model
    if not wanted:
        return None, "no recognizer is chosen (--whisper_model, --recognizer=pocketsphinx)"
    if not config.transcripts:
        return None, "no transcripts are given (--transcripts)"
    if config.recognizer == "pocketsphinx":
        return PocketSphinx(), ""
    return Whisper(Path(config.whisper_model)), ""


def word_error_rate(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> float:
    """Return wrong, missing and added words of all hypotheses, over the reference words.

    Args:
        references: Transcripts by recording name; names without a hypothesis are ignored.
        hypotheses: Recognized text by recording name.
    """
    expected = [normalize_text(references[name]) for name in hypotheses]
    recognized = [normalize_text(text) for text in hypotheses.values()]
    return float(import_quietly("jiwer").wer(expected, recognized))


def normalize_text(text: str) -> str:
    """Normalize a sentence for comparison: lower case; letters, digits and apostrophes only."""
    return " ".join(
        re.findall(
            r"[^\W_]+(?:'[^\W_]+)*", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
        )
    )
