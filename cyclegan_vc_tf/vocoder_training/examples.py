"""Recordings in memory, and the crops that a step trains on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.vocoder_training import (
    RecordingsConfig,
    VocoderRunConfig,
    hop_samples,
)
from cyclegan_vc_tf.data.speakers import split_held_out
from cyclegan_vc_tf.features import frontend, world
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, join_names
from cyclegan_vc_tf.system.progress import progress_bar
from cyclegan_vc_tf.vocoders import conditioning, pitch_classes
from cyclegan_vc_tf.vocoders.excitation import excite

MIN_STD = 1e-3
"""Lower limit of the standard deviation that a value of a frame is divided by."""


@dataclass(frozen=True)
class Recording:
    """A recording with its features.

    Attributes:
        path: File.
        samples: Waveform at the features' rate, (frames · hop,) float32; zeros fill the last hop.
        values: Values per frame that the vocoder takes, (frames, values) float32.
        f0_hz: F0 at the middle of each frame's hop, (frames,); 0 where unvoiced.
        cycle: `values` after a conversion to another voice and back; None without one.
    """

    path: Path
    samples: np.ndarray
    values: np.ndarray
    f0_hz: np.ndarray
    cycle: np.ndarray | None = None


@dataclass(frozen=True)
class Batch:
    """Crops of one step.

    Attributes:
        values: Normalised values of the frames, (batch, frames, values) float32.
        pitch: Targets of the pitch network, (batch, frames, classes + 1) float32.
        excitation: (batch, frames · hop, 2) float32.
        samples: (batch, frames · hop) float32.
    """

    values: np.ndarray
    pitch: np.ndarray
    excitation: np.ndarray
    samples: np.ndarray


def find_recordings(config: RecordingsConfig) -> tuple[list[Path], list[Path]]:
    """Find the training and the held-out recordings.

    Raises:
        InputError: A folder does not exist or has no audio file, or nothing is left to train on.
    """
    training, held_out = (
        [path for folder in folders for path in _find(flag, Path(folder))]
        for flag, folders in (
            ("audio_dir", config.audio_dir), ("held_out_dir", config.held_out_dir)
        )
    )  # fmt: skip
    if config.held_out_dir:
        reserved = {path.resolve() for path in held_out}
        training = [path for path in training if path.resolve() not in reserved]
        if not training:
            raise InputError(
                f"--held_out_dir {join_names(config.held_out_dir)} leaves nothing to train on; "
                "expected some recordings of --audio_dir outside it"
            )
        return training, held_out
    by_name: dict[str, list[Path]] = {}
    for path in training:
        by_name.setdefault(path.name, []).append(path)
    kept, apart = split_held_out(sorted(by_name), config.held_out_fraction)
    return (
        [path for name in kept for path in by_name[name]],
        [path for name in apart for path in by_name[name]],
    )


def _find(flag: str, folder: Path) -> list[Path]:
    names = audio_files.find_for_flag(flag, folder, "recordings of speech")
    return [folder / name for name in names]


def hash_recordings(paths: Sequence[Path]) -> dict[str, str]:
    """Return the SHA-256 hash of each recording by folder and name."""
    return {f"{path.parent.name}/{path.name}": files.sha256(path) for path in paths}


def load_recordings(
    paths: Sequence[Path], config: FeatureConfig, description: str
) -> tuple[list[Recording], list[str]]:
    """Read and analyse recordings.

    Args:
        paths: Files.
        config: Settings of the features.
        description: Text of the progress bar.

    Returns:
        Usable recordings in the order of `paths`, and a line about each file with a defect.
    """
    found, lines = [], []
    for path in progress_bar(paths, desc=description, unit="file"):
        try:
            samples, about = audio_files.read_resampled(path, config.sample_rate_hz)
            if audio_files.is_silent(samples):
                raise audio_files.AudioError("is silent")
        except audio_files.AudioError as error:
            lines.append(f"  skipped {path}: {error}")
            continue
        lines += [f"  warning: {path} {warning}" for warning in about.warnings]
        found.append(analyse(path, samples, config))
    return found, lines


def analyse(path: Path, samples: np.ndarray, config: FeatureConfig) -> Recording:
    """Analyse a recording.

    Args:
        path: File, for messages.
        samples: Waveform, (samples,) float32.
        config: Settings of the features.
    """
    features = frontend.analyse(samples, config)
    values = conditioning.conditioning_values(features, config)
    if config.spectra == "log_mel":
        f0_hz = _f0_between(samples, config)[: len(values)]
        f0_hz = np.pad(f0_hz, (0, len(values) - len(f0_hz)))
    else:
        f0_hz = features.f0_hz  # type: ignore[union-attr]
    wave = conditioning.align_samples(samples, len(values), config)
    return Recording(path, wave, values, f0_hz)


def _f0_between(samples: np.ndarray, config: FeatureConfig) -> np.ndarray:
    """Return F0 at the middle of each hop of log-mel spectra, (about frames,)."""
    half_hop_ms = 500 * config.hop_samples / config.sample_rate_hz
    fine = FeatureConfig(
        sample_rate_hz=config.sample_rate_hz, frame_period_ms=half_hop_ms, f0_method="dio"
    )
    return world.f0(samples, fine)[0][1::2]


def statistics(recordings: Sequence[Recording]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each value of a frame, (values,) float32 each."""
    count = sum(len(each.values) for each in recordings)
    mean = sum(each.values.sum(0, dtype=np.float64) for each in recordings) / count
    square = sum(np.square(each.values - mean).sum(0) for each in recordings) / count
    std = np.maximum(np.sqrt(square), MIN_STD)
    return np.asarray(mean, np.float32), np.asarray(std, np.float32)


class Crops:
    """Random crops of recordings; those of a step depend on seed and step alone.

    A recording is drawn with a probability in proportion to its length. A recording shorter than a
    crop is filled with silence.

    Args:
        recordings: Recordings.
        config: Settings of the run.
        mean: Mean of each value of a frame.
        std: Standard deviation of each value of a frame.
    """

    def __init__(
        self,
        recordings: Sequence[Recording],
        config: VocoderRunConfig,
        mean: np.ndarray,
        std: np.ndarray,
    ) -> None:
        self.config, self.mean, self.std = config, mean, std
        self.hop = hop_samples(config.features)
        frames = config.schedule.crop_frames
        self.recordings = [_lengthen(each, frames, self.hop) for each in recordings]
        lengths = np.array([len(each.values) for each in self.recordings], np.float64)
        self.shares = lengths / lengths.sum()

    def batch(self, step: int) -> Batch:
        """Return the crops of a step, counted from 0."""
        schedule, config = self.config.schedule, self.config.features
        fraction = self.config.recordings.cycle_fraction
        random = np.random.Generator(np.random.PCG64(np.random.SeedSequence((schedule.seed, step))))
        crops = []
        for number in random.choice(len(self.shares), schedule.batch_size, p=self.shares):
            recording = self.recordings[number]
            first = int(random.integers(len(recording.values) - schedule.crop_frames + 1))
            last = first + schedule.crop_frames
            gain = 10 ** (random.uniform(-1, 1) * schedule.gain_db / 20)
            f0_hz, values = recording.f0_hz[first:last], recording.values
            if recording.cycle is not None and random.random() < fraction:
                values = recording.cycle
            crops.append((
                conditioning.scale_values(values[first:last], gain, config),
                pitch_classes.targets(f0_hz),
                excite(f0_hz, self.hop, config.sample_rate_hz, random),
                (gain * recording.samples[first * self.hop : last * self.hop]).astype(np.float32),
            ))  # fmt: skip
        values, pitch, excitation, samples = (np.stack(each) for each in zip(*crops, strict=True))
        return Batch((values - self.mean) / self.std, pitch, excitation, samples)


def _lengthen(recording: Recording, frames: int, hop: int) -> Recording:
    """Repeat the last frame of a recording that is shorter than a crop, and add zeros."""
    missing = frames - len(recording.values)
    if missing <= 0:
        return recording
    cycle, repeated = recording.cycle, ((0, missing), (0, 0))
    return replace(
        recording,
        samples=np.pad(recording.samples, (0, missing * hop)),
        values=np.pad(recording.values, repeated, mode="edge"),
        cycle=None if cycle is None else np.pad(cycle, repeated, mode="edge"),
        f0_hz=np.pad(recording.f0_hz, (0, missing)),
    )
