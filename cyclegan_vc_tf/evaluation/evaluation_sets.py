"""Recordings of an evaluation: held-out recordings, references and enrolment recordings."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.runs import run_files
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system import text_files
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.remote_files import to_path

HELD_OUT_FLAGS = {"A": "held_out_source_dir", "B": "held_out_target_dir"}
"""Flag of each speaker's folder of held-out recordings."""

ENROLMENT_FLAGS = {"A": "enrolment_source_dir", "B": "enrolment_target_dir"}
"""Flag of each speaker's folder of enrolment recordings."""

MAX_TRANSCRIPTS_BYTES = 1 << 26
"""Largest size of a table of sentences: about a million lines."""


@dataclass(frozen=True)
class EvaluationSet:
    """Recordings that one direction is evaluated with.

    A recording's name is its file name without the ending.

    Attributes:
        sources: Held-out recordings of the source speaker, by name.
        references: Recordings of the target speaker, by name. A reference with a source's name
            holds the source's sentence.
        source_enrolment: Recordings that define the source speaker's voice for speaker similarity.
        target_enrolment: Recordings that define the target speaker's voice.
        enrolled_from_held_out: Whether a speaker's enrolment recordings are held-out recordings,
            because there are neither training recordings nor a folder of enrolment recordings.
    """

    sources: dict[str, Path]
    references: dict[str, Path]
    source_enrolment: list[Path]
    target_enrolment: list[Path]
    enrolled_from_held_out: bool = False

    @property
    def parallel(self) -> list[str]:
        """Names of the sources that have a reference of the same sentence."""
        return [name for name in self.sources if name in self.references]


def load_evaluation_sets(
    run: RunFolder,
    reference_dir: str = "",
    held_out_dirs: Mapping[str, str] | None = None,
    enrolment_dirs: Mapping[str, str] | None = None,
) -> dict[Direction, EvaluationSet]:
    """Return the evaluation sets of both directions.

    Args:
        run: The run that is evaluated.
        reference_dir: Folder with subfolders A and B. Each holds the other speaker's held-out
            sentences, in the voice of A or B. By default the held-out recordings are the
            references.
        held_out_dirs: Folders of held-out recordings by speaker. A speaker without a folder has
            the run's own held-out recordings.
        enrolment_dirs: Folders of enrolment recordings by speaker. A speaker without a folder has
            the run's training recordings; without any, the held-out recordings.

    Raises:
        InputError: A speaker has no held-out recordings, or a recording or folder is missing.
    """
    corpus = run_files.read_corpus(run.path)
    folders = held_out_dirs or {}
    held_out = {
        speaker: _list_recordings(HELD_OUT_FLAGS[speaker], to_path(folders[speaker]))
        if folders.get(speaker)
        else _held_out_recordings(run.path, speaker, corpus[speaker])
        for speaker in SPEAKERS
    }
    references = held_out
    if reference_dir:
        references = {
            speaker: _index_by_name(folder, audio_files.find(folder))
            for speaker in SPEAKERS
            for folder in [Path(reference_dir) / speaker]
        }
    voices = enrolment_dirs or {}
    known = {
        speaker: list(_list_recordings(ENROLMENT_FLAGS[speaker], to_path(voices[speaker])).values())
        if voices.get(speaker)
        else [
            to_path(corpus[speaker].get("folder", "")) / name
            for name in corpus[speaker]["training"]
        ]
        for speaker in SPEAKERS
    }
    enrolment = {
        speaker: known[speaker] or list(held_out[speaker].values()) for speaker in SPEAKERS
    }
    return {
        direction: EvaluationSet(
            held_out[direction.source],
            references[direction.target],
            enrolment[direction.source],
            enrolment[direction.target],
            enrolled_from_held_out=not all(known.values()),
        )
        for direction in Direction
    }


def read_transcripts(path: Path) -> dict[str, str]:
    """Read sentences by recording name from a table with lines of name, tab, sentence.

    Raises:
        InputError: The file cannot be read, or a line has no tab.
    """
    text = text_files.read("transcripts", path, MAX_TRANSCRIPTS_BYTES)
    # A sentence may hold other characters that `splitlines` takes for the end of a line.
    lines = re.split("\r\n|\r|\n", text.removeprefix(text_files.BYTE_ORDER_MARK))
    table: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, tab, sentence = line.partition("\t")
        if not tab:
            raise InputError(
                f"--transcripts {path} has no tab in line {number}; expected: name, tab, sentence"
            )
        if table.setdefault(name.strip(), sentence.strip()) != sentence.strip():
            raise InputError(
                f"--transcripts {path} has another sentence of {name.strip()} in line {number}; "
                "expected one sentence per recording"
            )
    return table


def _held_out_recordings(
    run_dir: Path, speaker: str, recordings: Mapping[str, Any]
) -> dict[str, Path]:
    """Return the held-out recordings that a run itself keeps of a speaker, by name."""
    if "held_out_folder" not in recordings:
        raise InputError(
            f"--run_dir {run_dir} was imported or published and has no recordings of its own; "
            f"give --{HELD_OUT_FLAGS['A']} and --{HELD_OUT_FLAGS['B']}"
        )
    found = _index_by_name(to_path(recordings["held_out_folder"]), recordings["held_out"])
    if not found:
        raise InputError(
            f"--run_dir {run_dir} has no held-out recording of {speaker}; give "
            f"--{HELD_OUT_FLAGS[speaker]}, or train with --held_out_fraction above 0"
        )
    for path in found.values():
        if not path.is_file():
            raise InputError(
                f"{path} is missing; expected the run's held-out recordings: restore them, or give "
                f"--{HELD_OUT_FLAGS[speaker]}"
            )
    return found


def _list_recordings(flag: str, folder: Path) -> dict[str, Path]:
    """Return the recordings in the folder that a flag names, by name."""
    return _index_by_name(folder, audio_files.find_for_flag(flag, folder))


def _index_by_name(folder: Path, names: list[str]) -> dict[str, Path]:
    """Return paths by file name without ending; names that clash keep their endings."""
    stems = {name: Path(name).with_suffix("").as_posix() for name in names}
    counts = Counter(stems.values())
    return {
        stems[name] if counts[stems[name]] == 1 else Path(name).as_posix(): folder / name
        for name in names
    }
