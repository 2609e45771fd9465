"""Recordings of an evaluation, and refusals in one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.evaluation import evaluation_sets
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def make_run(folder: Path, corpus: dict[str, Any]) -> RunFolder:
    """A run with a table of recordings only."""
    (folder / "run").mkdir()
    (folder / "run" / "corpus.json").write_text(json.dumps(corpus))
    return RunFolder(folder / "run", RunConfig(), {}, {})


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run with two held-out sentences of both speakers, and one of each speaker alone."""
    held_out = {
        "A": ["day/1.wav", "day/2.wav", "only_a.wav"],
        "B": ["day/1.flac", "day/2.mp3", "only_b.flac"],
    }
    corpus = {}
    for speaker, names in held_out.items():
        touch(tmp_path / f"held_{speaker}", *names)
        corpus[speaker] = {
            "folder": str(tmp_path / f"train_{speaker}"),
            "training": {f"{speaker}1.wav": "00", f"sub/{speaker}2.wav": "11"},
            "held_out_folder": str(tmp_path / f"held_{speaker}"),
            "held_out": names,
        }
    return make_run(tmp_path, corpus)


def refusal(*arguments: Any, function: Any = evaluation_sets.load_evaluation_sets) -> str:
    """Return the message of the error, which must fit in one line."""
    with pytest.raises(InputError) as refused:
        function(*arguments)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_both_directions_have_their_recordings(run: RunFolder, tmp_path: Path) -> None:
    sets = evaluation_sets.load_evaluation_sets(run)
    assert list(sets) == ["A2B", "B2A"]
    a2b, b2a = sets.values()
    assert a2b.sources == b2a.references == {
        "day/1": tmp_path / "held_A/day/1.wav",
        "day/2": tmp_path / "held_A/day/2.wav",
        "only_a": tmp_path / "held_A/only_a.wav",
    }  # fmt: skip
    assert b2a.sources == a2b.references == {
        "day/1": tmp_path / "held_B/day/1.flac",
        "day/2": tmp_path / "held_B/day/2.mp3",
        "only_b": tmp_path / "held_B/only_b.flac",
    }  # fmt: skip
    voices = [
        [
            tmp_path / f"train_{speaker}/{name}"
            for name in (f"{speaker}1.wav", f"sub/{speaker}2.wav")
        ]
        for speaker in "AB"
    ]
    assert [a2b.source_enrolment, a2b.target_enrolment] == voices
    assert [b2a.source_enrolment, b2a.target_enrolment] == voices[::-1]


def test_recordings_are_parallel_by_their_names_without_endings(run: RunFolder) -> None:
    """Names are in the order of the sources, and folders belong to a name."""
    sets = evaluation_sets.load_evaluation_sets(run)
    assert [each.parallel for each in sets.values()] == [["day/1", "day/2"]] * 2
    apart = evaluation_sets.EvaluationSet(
        {"b": Path("b.wav"), "a": Path("a.wav"), "x/c": Path("x/c.wav")},
        {"a": Path("a.mp3"), "b": Path("b.mp3"), "c": Path("c.mp3")},
        [],
        [],
    )
    assert apart.parallel == ["b", "a"]


def test_names_that_differ_only_in_their_endings_keep_them(tmp_path: Path) -> None:
    corpus = {}
    for speaker, names in (("A", ["1.wav", "1.flac", "2.wav"]), ("B", ["1.wav", "2.flac"])):
        touch(tmp_path / speaker, *names)
        about = {"folder": "x", "training": {}, "held_out_folder": str(tmp_path / speaker)}
        corpus[speaker] = about | {"held_out": names}
    one = evaluation_sets.load_evaluation_sets(make_run(tmp_path, corpus))["A2B"]
    assert list(one.sources) == ["1.wav", "1.flac", "2"]
    assert one.parallel == ["2"]


def test_references_may_be_in_another_folder(run: RunFolder, tmp_path: Path) -> None:
    """Folder A holds the held-out sentences of B in A's voice, and folder B those of A."""
    folder = tmp_path / "references"
    touch(folder / "A", "only_b.wav", "notes.txt")
    touch(folder / "B", "only_a.wav", "day/2.wav")
    a2b, b2a = evaluation_sets.load_evaluation_sets(run, str(folder)).values()
    assert a2b.references == {
        "only_a": folder / "B/only_a.wav", "day/2": folder / "B/day/2.wav"
    }  # fmt: skip
    assert a2b.parallel == ["day/2", "only_a"]
    assert b2a.references == {"only_b": folder / "A/only_b.wav"}
    assert b2a.parallel == ["only_b"]
    assert list(a2b.sources) == ["day/1", "day/2", "only_a"]


def test_a_name_with_dots_loses_only_its_ending(tmp_path: Path) -> None:
    touch(tmp_path / "A", "take.1.wav")
    touch(tmp_path / "B", "take.1.wav")
    corpus = {
        speaker: {
            "folder": str(tmp_path),
            "training": {},
            "held_out_folder": str(tmp_path / speaker),
            "held_out": ["take.1.wav"],
        }
        for speaker in "AB"
    }
    assert evaluation_sets.load_evaluation_sets(make_run(tmp_path, corpus))["A2B"].parallel == [
        "take.1"
    ]


def test_folders_define_the_voices_that_similarities_compare_with(tmp_path: Path) -> None:
    touch(tmp_path / "voice_A", "2.wav", "1.flac", "notes.txt")
    for speaker in "AB":
        touch(tmp_path / f"held_{speaker}", "x.wav")
    run = make_run(tmp_path, {speaker: {"training": {}} for speaker in "AB"})
    held_out = {speaker: str(tmp_path / f"held_{speaker}") for speaker in "AB"}

    def load(enrolment: dict[str, str]) -> evaluation_sets.EvaluationSet:
        return evaluation_sets.load_evaluation_sets(run, "", held_out, enrolment)["A2B"]

    one = load({"A": str(tmp_path / "voice_A"), "B": ""})
    assert one.source_enrolment == [tmp_path / "voice_A/1.flac", tmp_path / "voice_A/2.wav"]
    assert one.target_enrolment == [tmp_path / "held_B/x.wav"] and one.enrolled_from_held_out
    both = load({speaker: str(tmp_path / "voice_A") for speaker in "AB"})
    assert not both.enrolled_from_held_out and both.target_enrolment == one.source_enrolment
    message = refusal(run, "", held_out, {"B": str(tmp_path / "nowhere")})
    assert message.startswith(f"--enrolment_target_dir {tmp_path / 'nowhere'}")


def test_missing_references_are_refused(run: RunFolder, tmp_path: Path) -> None:
    touch(tmp_path / "references/A", "x.wav")
    message = refusal(run, str(tmp_path / "references"))
    assert str(tmp_path / "references/B") in message and "does not exist" in message


def test_a_missing_held_out_recording_is_refused(run: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "held_B/day/2.mp3").unlink()
    assert str(tmp_path / "held_B/day/2.mp3") in refusal(run)


def test_a_run_without_held_out_recordings_is_refused(run: RunFolder) -> None:
    corpus = json.loads((run.path / "corpus.json").read_text())
    corpus["B"]["held_out"] = []
    (run.path / "corpus.json").write_text(json.dumps(corpus))
    message = refusal(run)
    assert str(run.path) in message and "of B" in message and "--held_out_fraction" in message


def test_an_imported_run_without_recordings_is_refused(tmp_path: Path) -> None:
    run = make_run(tmp_path, {speaker: {"training": {}} for speaker in "AB"})
    message = refusal(run)
    assert str(run.path) in message and "imported" in message


def test_transcripts_are_sentences_by_name(tmp_path: Path) -> None:
    """Sentences may hold tabs, empty lines are skipped, and the last line needs no line end."""
    table = tmp_path / "transcripts.tsv"
    text = "a\tOne, two.\n\n day/2 \t Größe\tof it \n \t \r\nempty\t\nlast\tno end"
    table.write_bytes(text.encode())
    assert evaluation_sets.read_transcripts(table) == {
        "a": "One, two.", "day/2": "Größe\tof it", "empty": "", "last": "no end"
    }  # fmt: skip


def test_a_line_without_a_tab_is_refused_by_its_number(tmp_path: Path) -> None:
    table = tmp_path / "transcripts.tsv"
    table.write_text("a\tone\n\nb two\nc three\n")
    message = refusal(table, function=evaluation_sets.read_transcripts)
    assert f"--transcripts {table}" in message and "line 3" in message and "no tab" in message


def test_transcripts_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin1.tsv").write_bytes("a\tGröße\n".encode("latin-1"))
    for path, fault in (
        (tmp_path / "nothing.tsv", "does not exist"),
        (tmp_path, "is a folder"),
        (tmp_path / "latin1.tsv", "is not text in UTF-8"),
    ):
        message = refusal(path, function=evaluation_sets.read_transcripts)
        assert f"--transcripts {path} {fault}" in message


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("\ufeffa\tOne\n", encoding="utf-8")
    assert evaluation_sets.read_transcripts(tmp_path / "a.tsv") == {"a": "One"}


def test_rare_line_separators_belong_to_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tOne\u2028two\x85three\r\nb\tFour\r", encoding="utf-8")
    assert evaluation_sets.read_transcripts(tmp_path / "a.tsv") == {
        "a": "One\u2028two\x85three", "b": "Four"
    }  # fmt: skip


def test_two_sentences_of_one_recording_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text("a\tOne\na\tOne\na\tTwo\n")
    message = refusal(tmp_path / "a.tsv", function=evaluation_sets.read_transcripts)
    assert "another sentence of a in line 3" in message
