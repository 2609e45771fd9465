"""Measure conversions of held-out speech with other bandwidths and levels than the training's.

    python -m benchmarks.recording_conditions

Held-out recordings are made band-limited, by resampling to a lower rate and back, or quiet or loud,
by scaling, clipping and rounding to 16 bits. The table has the mel-cepstral distortion of
three systems to the target's recordings: the source, its conversion without any adaptation to
bandwidth and level, and its conversion by this project. With a band limit, everything is resampled
to that rate before it is compared, so only the band that exists counts.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.harness import held_out, machine
from cyclegan_vc_tf.audio import resampling
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.conversion.converter import Converter
from cyclegan_vc_tf.evaluation.neural_metrics import NeuralMetrics
from cyclegan_vc_tf.evaluation.scoring import Scorer
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.system import files

RATES_HZ = (8_000, 11_025)
LEVELS_DB = (0, -10, -20, -40, -60, 20)

Change = Callable[[np.ndarray], np.ndarray]
"""Function of a waveform."""


def limit_band(rate_hz: int, model_hz: int, wave: np.ndarray) -> np.ndarray:
    """Resample a waveform to a lower rate and back."""
    lower = resampling.resample(wave, model_hz, rate_hz)
    return resampling.fix_length(resampling.resample(lower, rate_hz, model_hz), len(wave))


def scale(gain_db: float, wave: np.ndarray) -> np.ndarray:
    """Scale a waveform, clip it, and round it to 16 bits."""
    scaled = np.clip(wave * 10 ** (gain_db / 20), -1.0, 32767 / 32768)
    return (np.round(scaled * 32768) / 32768).astype(np.float32)


def convert_unadapted(converter: Converter, wave: np.ndarray) -> np.ndarray:
    """Convert a recording that is taken as it is."""
    features = frontend.analyse(wave, converter.config)
    return converter.vocode(converter.convert_features(features), len(wave))


def score(
    model: Scorer, compared: Scorer, converter: Converter, change: Change
) -> tuple[float, ...]:
    """Return the distortion of source, unadapted conversion and conversion, in dB.

    Args:
        model: Scorer at the model's rate, for its source recordings.
        compared: Scorer at the rate of the comparison.
        converter: Converter of the direction.
        change: What is done to source recordings.
    """
    sources = {name: change(wave) for name, wave in model.sources.items()}
    systems = (lambda wave: wave, partial(convert_unadapted, converter), converter.convert)
    values = []
    for system in systems:
        waves = {
            name: resampling.resample(system(wave), model.sample_rate_hz, compared.sample_rate_hz)
            for name, wave in sources.items()
        }
        values.append(float(compared.score(waves).summary["mcd_db"] or 0.0))
    return tuple(values)


def main() -> None:
    """Print the table."""
    parser = held_out.parser("recording_conditions", __doc__)
    parser.add_argument("--json", type=Path, help="write all values to this file")
    arguments = parser.parse_args()
    run, sets = held_out.load(arguments)
    model_hz, nothing = run.config.features.sample_rate_hz, NeuralMetrics()
    conditions: dict[str, tuple[int, Change]] = {
        **{
            f"{rate_hz} Hz": (rate_hz, partial(limit_band, rate_hz, model_hz))
            for rate_hz in RATES_HZ
        },
        **{f"{level_db:+} dB": (model_hz, partial(scale, level_db)) for level_db in LEVELS_DB},
    }
    measured: dict[str, dict[str, tuple[float, ...]]] = {}
    for direction in Direction:
        generator, _ = run.load_generator(direction)
        converter = Converter.for_run(run, direction, generator)
        model = Scorer(sets[direction], model_hz, nothing)
        for name, (rate_hz, change) in conditions.items():
            compared = Scorer(sets[direction], rate_hz, nothing)
            measured.setdefault(name, {})[direction] = score(model, compared, converter, change)
    print(f"{machine.describe()}\n\nMCD (dB), A2B / B2A\n")
    print("| recording | source | conversion, unadapted | conversion |\n|---|---|---|---|")
    for name, values in measured.items():
        cells = [
            " / ".join(f"{value:.2f}" for value in pair)
            for pair in zip(*values.values(), strict=True)
        ]
        print(f"| {name} | {' | '.join(cells)} |")
    if arguments.json:
        files.write_json(arguments.json, measured)


if __name__ == "__main__":
    main()
