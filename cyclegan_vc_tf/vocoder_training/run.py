"""Run folder of a vocoder's training.

RUN/config.json             all settings
RUN/flags.txt               all settings as a flag file
RUN/recordings.json         hashes of training and held-out recordings
RUN/vocoder.json, .npz      the vocoder as of the last checkpoint; see `vocoders.neural`. Before
                            the first one, the vocoder that the training begins with, if any
RUN/cycles.npy              spectra of --cycle_run; see `cycles`
RUN/checkpoints/            ckpt-STEP.index and ckpt-STEP.data-…
RUN/versions.json           versions of the software that trained the run, by step
RUN/events.out.tfevents.*   event files for TensorBoard
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.vocoder_training import VocoderRunConfig
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.runs.checkpoints import Checkpoints
from cyclegan_vc_tf.runs.versions import Versions
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError, join_names
from cyclegan_vc_tf.vocoders import neural
from cyclegan_vc_tf.vocoders.neural import NeuralVocoder

RECORDINGS = "recordings.json"

Hashes = Mapping[str, Mapping[str, str]]
"""SHA-256 hashes by "training" or "held_out", and by name of the recording."""


@dataclass(frozen=True)
class VocoderRun:
    """Run folder of a vocoder's training.

    Attributes:
        path: The folder.
        config: Settings of the run.
    """

    path: Path
    config: VocoderRunConfig

    @property
    def checkpoints(self) -> Checkpoints:
        """Checkpoints of the run."""
        return Checkpoints(self.path / "checkpoints")

    @property
    def versions(self) -> Versions:
        """Versions of the software that trained the run."""
        return Versions(self.path / run_files.VERSIONS)

    def lock(self) -> AbstractContextManager[bool]:
        """Lock the run for one training; see `files.locked`."""
        return files.locked(self.path / run_files.LOCK, wait=False)


def create_run(
    path: Path, config: VocoderRunConfig, hashes: Hashes, initial: NeuralVocoder | None
) -> VocoderRun:
    """Create a run folder, completely or not at all.

    Args:
        path: Path of the run folder.
        config: Settings of the run.
        hashes: Hashes of the recordings.
        initial: Vocoder that the training begins with; None for random weights.

    Raises:
        InputError: `path` exists and is not an empty folder, or another process creates it.
    """
    with run_files.creating(path) as partial:
        files.write_json(partial / RECORDINGS, hashes)
        if initial is not None:
            neural.save(partial, initial)
        run_files.write_config(partial, path, config)
    return VocoderRun(path, config)


def open_run(path: Path) -> VocoderRun:
    """Open a run folder.

    Raises:
        InputError: The folder is a run of another kind, or is damaged.
    """
    if not (path / RECORDINGS).is_file():
        raise InputError(
            f"--run_dir {path} is a run without {RECORDINGS}, not one of train_vocoder; expected a "
            "new folder, or a run of train_vocoder"
        )
    try:
        config = settings.from_dict(VocoderRunConfig, files.read_json(path / run_files.CONFIG))
    except (InputError, *files.DAMAGE_ERRORS) as error:
        raise InputError(f"--run_dir {path} is damaged: {error}; begin a new run") from error
    return VocoderRun(path, config)


def resume_run(run: VocoderRun, config: VocoderRunConfig, hashes: Hashes) -> VocoderRun:
    """Return a run with new settings, which are written.

    Args:
        run: The run.
        config: New settings.
        hashes: Hashes of the recordings that were found.

    Raises:
        InputError: A setting or a recording differs that must not change on a resume.
    """
    run_files.refuse_changed_settings(run.path, run.config, config)
    try:
        before = files.read_json(run.path / RECORDINGS)
        changed = {
            f"{kind} recording {name}"
            for kind, now in hashes.items()
            for name in {*before[kind], *now}
            if before[kind].get(name) != now.get(name)
        }
        is_reordered = list(before["training"]) != list(hashes["training"])
    except files.DAMAGE_ERRORS as error:
        raise InputError(f"--run_dir {run.path} is damaged: {error}; begin a new run") from error
    if changed:
        raise InputError(
            f"--audio_dir or --held_out_dir has other recordings than the run began with: "
            f"{join_names(sorted(changed), 3)}; restore them, or give another --run_dir"
        )
    if is_reordered:
        # Crops are drawn from the recordings by their number.
        raise InputError(
            f"--audio_dir names its folders in another order than {run.path} began with; name them "
            "in that order, or give another --run_dir"
        )
    run_files.write_config(run.path, run.path, config)
    return VocoderRun(run.path, config)
