"""What an exported generator's file says of itself, beside the graph: one JSON text.

The reader of these files needs neither TensorFlow nor the run folder.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.config.run import MetricsConfig, RunConfig, VocoderConfig
from cyclegan_vc_tf.config.training import TrainingConfig
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.system import files, onnx_sessions

FORMAT = 1
"""Number of the form of the text; it rises when the form changes."""

INPUT, OUTPUT = "features", "converted"
"""Names of the graph's input and output, both (frames, bins) in the units of the analysis."""


@dataclass(frozen=True)
class ExportedModel:
    """Description of one exported generator.

    Attributes:
        direction: Direction of conversion.
        step: Step of the checkpoint.
        config: Settings of the run, without paths.
        statistics: Statistics of the speakers "A" and "B"; the graph holds means and deviations
            too, and F0 is converted outside of it.
        quantize: Precision of the file: "none", "float16" or "int8".
        licence: Licence of the voices, as the person who exported it wrote it.
        card: Model card, Markdown.
    """

    direction: Direction
    step: int
    config: RunConfig
    statistics: dict[str, Statistics]
    quantize: str = "none"
    licence: str = ""
    card: str = ""

    def to_text(self) -> str:
        """Return the description as JSON."""
        features = self.config.features
        return json.dumps(
            {
                "format": FORMAT,
                "direction": str(self.direction),
                "step": self.step,
                "sample_rate_hz": features.sample_rate_hz,
                "features": features.used,
                "quantize": self.quantize,
                "licence": self.licence,
                "card": self.card,
                "statistics": {
                    speaker: {
                        "mean": values.mean.tolist(),
                        "deviation": values.std.tolist(),
                        "log_f0_mean": float(values.log_f0_mean),
                        "log_f0_deviation": float(values.log_f0_std),
                    }
                    for speaker, values in self.statistics.items()
                },
                "config": dataclasses.asdict(self.config),
            },
            indent=1,
        )

    def to_metadata(self) -> dict[str, str]:
        """Return the description as JSON, and what other programs may show as plain texts."""
        return {
            onnx_sessions.KEY: self.to_text(),
            "direction": str(self.direction),
            "sample_rate_hz": str(self.config.features.sample_rate_hz),
            "spectra": self.config.features.spectra,
            "licence": self.licence,
            "card": self.card,
        }


def without_paths(config: RunConfig) -> RunConfig:
    """Return the settings of a run that belong to a file that is passed on.

    Users choose a vocoder themselves; the power limit is part of what was evaluated.
    """
    defaults = TrainingConfig()
    training = dataclasses.replace(
        config.training,
        teacher_run=defaults.teacher_run,
        teacher_weight=defaults.teacher_weight,
    )
    return dataclasses.replace(
        config, corpus=CorpusConfig(), metrics=MetricsConfig(), training=training,
        vocoder=VocoderConfig(limit_power=config.vocoder.limit_power),
    )  # fmt: skip


def parse(text: str) -> ExportedModel:
    """Read a description.

    Raises:
        InputError: This version does not know a setting.
        ValueError: The text is damaged, or has another format. Other damage raises one of
            `files.DAMAGE_ERRORS`.
    """
    data = files.parse_json(text.encode())
    if "kind" in data:
        raise ValueError(f"it is a {data['kind']!r:.100}, which --vocoder_checkpoint takes")
    if data["format"] != FORMAT:
        raise ValueError(f"it has format {data['format']!r:.100}; expected {FORMAT}")
    config = settings.from_dict(RunConfig, data["config"])
    statistics = {speaker: _read_statistics(data["statistics"][speaker]) for speaker in SPEAKERS}
    if fault := run_files.find_statistics_fault(statistics, config):
        raise ValueError(fault)
    texts = {name: data[name] for name in ("quantize", "licence", "card")}
    if not all(isinstance(each, str) for each in texts.values()):
        raise ValueError("quantize, licence and card are not texts")
    step = run_files.read_step(data, "it")
    return ExportedModel(Direction(data["direction"]), step, config, statistics, **texts)


def _read_statistics(entry: Mapping[str, Any]) -> Statistics:
    return Statistics(
        mean=np.array(entry["mean"], np.float64),
        std=np.array(entry["deviation"], np.float64),
        log_f0_mean=float(entry["log_f0_mean"]),
        log_f0_std=float(entry["log_f0_deviation"]),
    )
