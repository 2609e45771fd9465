"""Analysis of one recording into its part of a feature store, as a task of a worker process.

Every worker process imports this module, so it imports nothing that needs TensorFlow.
"""

import socket
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from cyclegan_vc_tf.audio import audio_files, bandwidth, levels, resampling, segmentation
from cyclegan_vc_tf.audio.levels import Levels
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.data.utterances import (
    AnalysedUtterance,
    Recording,
    Utterance,
    part_path,
    write_part,
)
from cyclegan_vc_tf.features import frontend
from cyclegan_vc_tf.system import files, remote_files
from cyclegan_vc_tf.system.errors import InputError


def analyse_file(
    folder: Path,
    store_dir: Path,
    config: FeatureConfig,
    corpus: CorpusConfig,
    recording: Recording,
) -> None:
    """Write the part of one recording: its features, or the reason why it is skipped.

    Args:
        folder: Folder of the speaker's recordings.
        store_dir: Folder of the feature store.
        config: Settings of the analysis.
        corpus: Settings of splitting.
        recording: Recording to analyse.
    """
    path = folder / recording.name
    part, sha256 = part_path(store_dir, recording), ""
    try:
        with remote_files.local_copy(path) as local:
            sha256 = files.sha256(local)
            write_part(part, _analyse_recording(local, recording, sha256, config, corpus))
    except audio_files.AudioError as error:
        write_part(part, [skipped_features(recording, sha256, str(error), config)])
    except OSError as error:
        # Without a hash, the next preparation tries it again.
        reason = f"cannot be opened ({error.strerror})"
        write_part(part, [skipped_features(recording, "", reason, config)])


def analyse_remotely(
    folder: Path, config: FeatureConfig, corpus: CorpusConfig, recording: Recording
) -> bytes:
    """Return the part of one recording that `analyse_file` writes, on another machine.

    Args:
        folder: Folder of the speaker's recordings, remote or on storage that all machines share.
        config: Settings of the analysis.
        corpus: Settings of splitting.
        recording: Recording to analyse.

    Raises:
        InputError: The folder is not on this machine, or has another recording of this name.
    """
    if not isinstance(folder, remote_files.RemotePath):
        _check_shared(folder, recording)
    with TemporaryDirectory(prefix="cyclegan_vc_tf-") as store:
        analyse_file(folder, Path(store), config, corpus, recording)
        return part_path(Path(store), recording).read_bytes()


def _check_shared(folder: Path, recording: Recording) -> None:
    """Refuse a folder that is not the client's.

    Raises:
        InputError: The folder is missing here, or has another recording of this name.
    """
    path, machine = folder / recording.name, socket.gethostname()
    expected = "expected storage that all workers share, or object storage: s3://BUCKET/FOLDER"
    if not folder.is_dir():
        raise InputError(f"a worker of --scheduler on {machine} has no folder {folder}; {expected}")
    if path.exists() and path.stat().st_size != recording.size:
        raise InputError(f"a worker of --scheduler on {machine} has another {path}; {expected}")


def skipped_features(
    recording: Recording, sha256: str, reason: str, config: FeatureConfig
) -> AnalysedUtterance:
    """Return a skipped recording, with F0 and spectra of no frames."""
    return Utterance(recording, sha256, 0, 0, reason), *_no_features(config)


def _analyse_recording(
    path: Path, recording: Recording, sha256: str, config: FeatureConfig, corpus: CorpusConfig
) -> Iterator[AnalysedUtterance]:
    """Analyse a recording as one utterance, or in pieces, one in memory at a time."""
    measured = levels.measure(path)
    if measured.is_silent:
        raise audio_files.AudioError("is silent")
    measured = replace(measured, warnings=measured.warnings + _warn_of_band(measured, config))
    rate_hz = measured.sample_rate_hz
    if not corpus.split_silence or measured.samples <= corpus.longest_piece_s * rate_hz:
        samples, _ = audio_files.read_resampled(path, config.sample_rate_hz)
        utterance = _new_utterance(recording, sha256, measured, None, (0, measured.samples))
        yield _analyse_utterance(utterance, samples, config)
        return
    cuts = segmentation.find_pieces(measured, corpus)
    if not cuts:
        raise audio_files.AudioError("has nothing but clicks between silences")
    with closing(_read_pieces(path, cuts, measured.channel)) as pieces:
        for number, (cut, samples) in enumerate(zip(cuts, pieces, strict=True)):
            utterance = _new_utterance(recording, sha256, measured, number, cut)
            resampled = resampling.resample(samples, rate_hz, config.sample_rate_hz)
            yield _analyse_utterance(utterance, resampled, config)


def _warn_of_band(measured: Levels, config: FeatureConfig) -> tuple[str, ...]:
    """Return a warning about a recording that has nothing in the upper part of the model's band."""
    nyquist_hz = config.sample_rate_hz / 2
    if measured.limit_hz >= bandwidth.MAX_LIMIT * nyquist_hz:
        return ()
    return (
        f"has nothing above {measured.limit_hz / 1000:.1f} kHz, and --sample_rate_hz="
        f"{config.sample_rate_hz} has room up to {nyquist_hz / 1000:.1f} kHz; give a lower rate, "
        "or recordings with the whole band",
    )


def _new_utterance(
    recording: Recording, sha256: str, measured: Levels, piece: int | None, cut: tuple[int, int]
) -> Utterance:
    """Return the utterance of a range of samples, before its analysis."""
    moments = slice(cut[0] // measured.moment_samples, -(-cut[1] // measured.moment_samples))
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
        warnings=measured.warnings,
    )


def _analyse_utterance(
    utterance: Utterance, samples: np.ndarray, config: FeatureConfig
) -> AnalysedUtterance:
    """Add features to an utterance, or the reason why it is skipped."""
    f0_hz, spectra = frontend.analyse_for_training(samples, config)
    if config.spectra == "mel_cepstra" and not f0_hz.any():
        return replace(utterance, skipped="has no voiced frame"), *_no_features(config)
    return replace(utterance, frames=len(spectra)), f0_hz, spectra


def _read_pieces(
    path: Path, cuts: Sequence[tuple[int, int]], channel: int | None
) -> Generator[np.ndarray, None, None]:
    """Read the samples of each piece, (samples,) float32, in one forward pass over the file."""
    with audio_files.open_audio(path) as sound:
        blocks, position = audio_files.read_blocks(sound, channel), 0
        buffer = np.zeros(0, np.float32)
        for begin, end in cuts:
            while position + len(buffer) < end:
                # Samples before the piece are not needed any more.
                done = min(begin - position, len(buffer))
                position += done
                buffer = np.concatenate([buffer[done:], next(blocks)[1]])
            yield buffer[begin - position : end - position]


def _no_features(config: FeatureConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return F0 and spectra of no frames."""
    return np.zeros(0), np.zeros((0, config.bins), np.float32)
