"""Whose recordings a run learns from, and how they are prepared; each field is a flag."""

from dataclasses import dataclass

from cyclegan_vc_tf.config.settings import setting

SPLITTING_SETTINGS = ("silence_db", "silence_s", "shortest_piece_s", "longest_piece_s")
"""Settings of `--split_silence`."""


@dataclass(frozen=True)
class CorpusConfig:
    """Whose recordings a run learns from.

    Folders may change on a resume, because `run_folder.check_resume_recordings` compares the
    recordings in them by their hashes.
    """

    source_dir: str = setting(
        "", "Folder of recordings of speaker A.", is_path=True, resumable=True
    )
    target_dir: str = setting(
        "", "Folder of recordings of speaker B.", is_path=True, resumable=True
    )
    held_out_source_dir: str = setting(
        "", "Folder of recordings of A that are never trained on.", is_path=True, resumable=True
    )
    held_out_target_dir: str = setting(
        "",
        "Folder of recordings of B that are never trained on; a file named as one of A's holds "
        "the same sentence.",
        is_path=True,
        resumable=True,
    )
    held_out_fraction: float = setting(
        0.1,
        "Share of a speaker's recordings to hold out, chosen by a hash of their file names, where "
        "no held-out folder is given.",
        minimum=0.0,
        maximum=0.9,
    )
    split_silence: bool = setting(
        False,
        "Split long recordings into utterances where they are silent; what is held out stays whole "
        "files.",
    )
    silence_db: float = setting(
        30.0,
        "--split_silence: how far below a recording's level (RMS) silence lies, in dB.",
        minimum=1.0,
        maximum=100.0,
    )
    silence_s: float = setting(
        0.3,
        "--split_silence: the shortest silence to cut in, in seconds.",
        minimum=0.05,
        maximum=10.0,
    )
    shortest_piece_s: float = setting(
        2.0,
        "--split_silence: a piece that would be shorter, in seconds, is joined with the next.",
        minimum=0.2,
        maximum=1000.0,
    )
    longest_piece_s: float = setting(
        10.0,
        "--split_silence: where a recording is not silent for longer, in seconds, it is cut where "
        "it is quietest; a recording no longer than this stays whole.",
        minimum=1.0,
        maximum=3600.0,
    )
    features_dir: str = setting(
        "",
        "Folder of the feature stores; by default in the user's cache folder.",
        is_path=True,
        resumable=True,
    )
    workers: int = setting(
        0, "Processes that prepare features; 0 is one a core.", minimum=0, resumable=True
    )

    @property
    def splitting(self) -> dict[str, float]:
        """The settings that pieces of recordings depend on, by name; none where none are made."""
        if not self.split_silence:
            return {}
        return {name: getattr(self, name) for name in SPLITTING_SETTINGS}
