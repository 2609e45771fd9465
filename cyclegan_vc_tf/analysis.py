"""From one recording to its part of a feature store: what a worker process does.

Imports nothing that needs TensorFlow.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from cyclegan_vc_tf import audio, features, files, levels, silences, utterances
from cyclegan_vc_tf.config import FeatureConfig
from cyclegan_vc_tf.corpus_config import CorpusConfig
from cyclegan_vc_tf.levels import Levels
from cyclegan_vc_tf.utterances import Features, Recording, Utterance


def analyse_file(
    folder: Path,
    store_dir: Path,
    config: FeatureConfig,
    corpus: CorpusConfig,
    recording: Recording,
) -> None:
    """Writes the part of one recording, or the reason why it cannot be used.

    Args:
        folder: The speaker's recordings.
        store_dir: The store.
        config: The analysis.
        corpus: Whether the recording is split, and how.
        recording: The recording.
    """
    path = folder / recording.name
    part, sha256 = utterances.part_path(store_dir, recording), ""
    try:
        sha256 = files.sha256(path)
        utterances.write_part(part, _utterances(path, recording, sha256, config, corpus))
    except audio.AudioError as error:
        utterances.write_part(part, [skipped(recording, sha256, str(error), config)])
    except OSError as error:
        # Without a hash, it is tried again the next time.
        reason = f"cannot be opened ({error.strerror})"
        utterances.write_part(part, [skipped(recording, "", reason, config)])


def skipped(recording: Recording, sha256: str, reason: str, config: FeatureConfig) -> Features:
    """A recording that cannot be used, with F0 and spectra of no frames."""
    return Utterance(recording, sha256, 0, 0, reason), *_nothing(config)


def _utterances(
    path: Path, recording: Recording, sha256: str, config: FeatureConfig, corpus: CorpusConfig
) -> Iterator[Features]:
    """A recording's utterances: itself, or its pieces, one in memory at a time."""
    measured = levels.measure(path)
    if measured.is_silent:
        raise audio.AudioError("is silent")
    rate_hz = measured.sample_rate_hz
    if not corpus.split_silence or measured.samples <= corpus.longest_piece_s * rate_hz:
        samples, _ = audio.read_at(path, config.sample_rate_hz)
        about = _about(recording, sha256, measured, None, (0, measured.samples))
        yield _analysed(about, samples, config)
        return
    cuts = silences.cuts(measured, corpus)
    if not cuts:
        raise audio.AudioError("has nothing but clicks between silences")
    with closing(_pieces(path, cuts)) as pieces:
        for number, (cut, samples) in enumerate(zip(cuts, pieces, strict=True)):
            about = _about(recording, sha256, measured, number, cut)
            resampled = audio.resample(samples, rate_hz, config.sample_rate_hz)
            yield _analysed(about, resampled, config)


def _about(
    recording: Recording, sha256: str, measured: Levels, piece: int | None, cut: tuple[int, int]
) -> Utterance:
    """An utterance before its analysis."""
    moments = slice(cut[0] // measured.window_samples, -(-cut[1] // measured.window_samples))
    return Utterance(
        recording,
        sha256,
        start=0,
        frames=0,
        piece=piece,
        begin_s=cut[0] / measured.sample_rate_hz,
        end_s=cut[1] / measured.sample_rate_hz,
        samples=cut[1] - cut[0],
        clipped=int(measured.clipped[moments].sum()),
        power=measured.power(moments),
    )


def _analysed(about: Utterance, samples: np.ndarray, config: FeatureConfig) -> Features:
    """The same with its features, or with the reason why there are none."""
    f0_hz, spectra = features.analyse_for_training(samples, config)
    if config.spectra == "mel_cepstra" and not f0_hz.any():
        return replace(about, skipped="has no voiced frame"), *_nothing(config)
    return replace(about, frames=len(spectra)), f0_hz, spectra


def _pieces(path: Path, cuts: Sequence[tuple[int, int]]) -> Generator[np.ndarray, None, None]:
    """Samples of each piece, (samples,) float32; the recording is read forward, once."""
    with audio.opened(path) as sound:
        blocks, begun, held = audio.blocks(sound), 0, np.zeros(0, np.float32)
        for begin, end in cuts:
            while begun + len(held) < end:
                # What lies before the piece is not needed any more.
                done = min(begin - begun, len(held))
                begun, held = begun + done, np.concatenate([held[done:], next(blocks)[1]])
            yield held[begin - begun : end - begun]


def _nothing(config: FeatureConfig) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(0), np.zeros((0, config.bins), np.float32)
