"""Settings of a run's recordings and of their preparation; each field is a flag."""

from dataclasses import dataclass

from cyclegan_vc_tf.config.settings import setting
from cyclegan_vc_tf.system.errors import InputError

SPLITTING_SETTINGS = ("silence_db", "silence_s", "shortest_piece_s", "longest_piece_s")
"""Settings of `--split_silence`."""


@dataclass(frozen=True)
class CorpusConfig:
    """Recordings of both speakers, and their preparation.

    Folders may change on a resume, because `run_folder.check_resume_recordings` compares the
    recordings in them by their hashes.

    Example:
        >>> import cyclegan_vc_tf as vc
        >>> corpus = vc.CorpusConfig(source_dir="recordings/anna", target_dir="recordings/ben")
        >>> corpus.held_out_fraction
        0.1
    """

    source_dir: str = setting(
        "",
        "Folder of the recordings of speaker A, also in object storage: s3://BUCKET/FOLDER.",
        is_path=True,
        allows_url=True,
        resumable=True,
    )
    target_dir: str = setting(
        "",
        "Folder of the recordings of speaker B, also in object storage: s3://BUCKET/FOLDER.",
        is_path=True,
        allows_url=True,
        resumable=True,
    )
    held_out_source_dir: str = setting(
        "",
        "Folder of recordings of speaker A that training never uses.",
        is_path=True,
        allows_url=True,
        resumable=True,
    )
    held_out_target_dir: str = setting(
        "",
        "Folder of recordings of speaker B that training never uses. A file with the name of a "
        "held-out file of speaker A holds the same sentence.",
        is_path=True,
        allows_url=True,
        resumable=True,
    )
    held_out_fraction: float = setting(
        0.1,
        "Fraction of a speaker's recordings to hold out where no held-out folder is given. A hash "
        "of the file names chooses them.",
        minimum=0.0,
        maximum=0.9,
    )
    split_silence: bool = setting(
        False,
        "Split long training recordings into utterances at silences. Held-out recordings stay "
        "whole files.",
    )
    silence_db: float = setting(
        30.0,
        "Level of a silence below a recording's level (RMS), in dB; used by --split_silence.",
        minimum=1.0,
        maximum=100.0,
    )
    silence_s: float = setting(
        0.3,
        "Shortest silence to split at, in seconds; used by --split_silence.",
        minimum=0.05,
        maximum=10.0,
    )
    shortest_piece_s: float = setting(
        2.0,
        "Shortest piece of a recording, in seconds; a shorter one is joined with the next. Used by "
        "--split_silence.",
        minimum=0.2,
        maximum=1000.0,
    )
    longest_piece_s: float = setting(
        10.0,
        "Longest piece of a recording, in seconds. A longer stretch without silence is cut at its "
        "quietest place, and a shorter recording stays whole. Used by --split_silence.",
        minimum=1.0,
        maximum=3600.0,
    )
    features_dir: str = setting(
        "",
        "Folder of the feature stores; by default a folder in the user's cache folder.",
        is_path=True,
        resumable=True,
    )
    workers: int = setting(
        0,
        "Number of processes that prepare features; 0 means one per core.",
        minimum=0,
        resumable=True,
    )
    scheduler: str = setting(
        "",
        "Address of a Dask scheduler, tcp://HOST:8786, whose workers prepare features; or the "
        "scheduler's file, which ends in .json. By default processes of this machine prepare them.",
        resumable=True,
    )

    @property
    def splitting(self) -> dict[str, float]:
        """Settings that pieces of recordings depend on, by name; empty without splitting."""
        if not self.split_silence:
            return {}
        return {name: getattr(self, name) for name in SPLITTING_SETTINGS}

    def validate(self) -> None:
        """Refuse settings that contradict each other or have no effect.

        Raises:
            InputError: A setting of `--split_silence` is given without it, the longest piece is too
                short beside the shortest piece or beside a silence, or a number of processes is
                given beside a scheduler.
        """
        if self.scheduler and self.workers:
            raise InputError(
                f"--workers is {self.workers}, and the workers of --scheduler {self.scheduler} "
                "prepare features; leave it out, or give --workers=0"
            )
        if not self.split_silence:
            for name in SPLITTING_SETTINGS:
                value = getattr(self, name)
                if value != getattr(CorpusConfig, name):
                    raise InputError(
                        f"--{name} is {value}, and nothing is split; leave it out, or give "
                        "--split_silence"
                    )
        elif self.longest_piece_s < 3 * self.shortest_piece_s:
            # A piece that is too long is cut in its middle third.
            raise InputError(
                f"--longest_piece_s is {self.longest_piece_s}; expected at least three times "
                f"--shortest_piece_s, {self.shortest_piece_s}"
            )
        elif self.longest_piece_s < 3 * self.silence_s:
            raise InputError(
                f"--silence_s is {self.silence_s}; expected at most a third of --longest_piece_s, "
                f"{self.longest_piece_s}"
            )
