"""What a run is evaluated on: recordings it never learned from, and references for them."""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import SPEAKERS, Direction
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError


@dataclass(frozen=True)
class EvaluationSet:
    """Of one direction. Names are those of the files without their endings.

    Attributes:
        sources: Held-out recordings of who speaks.
        references: Recordings of who is to be heard; one with a source's name says the same.
        source_training: What the run learned the source's voice from.
        target_training: What it learned the target's from.
    """

    sources: dict[str, Path]
    references: dict[str, Path]
    source_training: list[Path]
    target_training: list[Path]

    @property
    def parallel(self) -> list[str]:
        """Names of the sources that have a reference of the same sentence."""
        return [name for name in self.sources if name in self.references]


def load_evaluation_sets(run: RunFolder, reference_dir: str = "") -> dict[Direction, EvaluationSet]:
    """The sets of both directions.

    Args:
        run: Whose held-out recordings are converted.
        reference_dir: Folder with subfolders A and B, each with the other speaker's held-out
            sentences in the voice of A or B; by default the held-out recordings of A and B.

    Raises:
        InputError: Nothing is held out, or a folder is not there.
    """
    try:
        corpus = json.loads((run.path / "corpus.json").read_text(encoding="utf-8"))
        held_out = {
            speaker: _index_by_name(
                Path(corpus[speaker]["held_out_folder"]), corpus[speaker]["held_out"]
            )
            for speaker in SPEAKERS
        }
        training = {
            speaker: [
                Path(corpus[speaker]["folder"]) / name for name in corpus[speaker]["training"]
            ]
            for speaker in SPEAKERS
        }
    except LookupError:
        raise InputError(
            f"--run_dir {run.path} was imported or published and knows no recordings; expected one "
            "that was trained on some"
        ) from None
    for speaker, recordings in held_out.items():
        if not recordings:
            raise InputError(
                f"--run_dir {run.path} has no held-out recording of {speaker}; train with "
                "--held_out_fraction above 0 or with held-out folders"
            )
        for path in recordings.values():
            if not path.is_file():
                raise InputError(
                    f"{path} is not there; expected the recordings that the run held out"
                )
    references = held_out
    if reference_dir:
        folders = {speaker: Path(reference_dir) / speaker for speaker in SPEAKERS}
        references = {
            speaker: _index_by_name(folder, audio_files.find(folder))
            for speaker, folder in folders.items()
        }
    return {
        direction: EvaluationSet(
            held_out[direction.source],
            references[direction.target],
            training[direction.source],
            training[direction.target],
        )
        for direction in Direction
    }


def read_transcripts(path: Path) -> dict[str, str]:
    """Sentences by the name of their recordings, from a table: name, tab, sentence.

    Raises:
        InputError: The file cannot be read, or a line has no tab.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--transcripts {path} cannot be read ({error})") from error
    table = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        name, tab, sentence = line.partition("\t")
        if not tab:
            raise InputError(
                f"--transcripts {path} has no tab in line {number}; expected: name, tab, sentence"
            )
        table[name.strip()] = sentence.strip()
    return table


def _index_by_name(folder: Path, names: list[str]) -> dict[str, Path]:
    """Recordings by their names without endings; where these are the same, with them."""
    bare = {name: Path(name).with_suffix("").as_posix() for name in names}
    often = Counter(bare.values())
    return {
        bare[name] if often[bare[name]] == 1 else Path(name).as_posix(): folder / name
        for name in names
    }
