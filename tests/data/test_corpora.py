"""Tests of the table of public corpora."""

import re

import pytest

from cyclegan_vc_tf.data import corpora
from cyclegan_vc_tf.data.corpora import HELD_OUT, TRAIN
from cyclegan_vc_tf.system.errors import InputError

ROWS = corpora.CORPORA.values()


@pytest.mark.parametrize("corpus", ROWS, ids=lambda corpus: corpus.name)
def test_every_speaker_has_training_and_held_out_recordings_once(corpus: corpora.Corpus) -> None:
    for speaker in corpus.speakers:
        sides = [side for each in corpus.archives_of([speaker]) for side in sorted(each.sides)]
        assert sorted(sides) == [HELD_OUT, TRAIN]
    assert corpus.pair(()) == corpus.default_pair and set(corpus.default_pair) < set(
        corpus.speakers
    )
    assert corpus.pair(corpus.speakers[1::-1]) == (corpus.speakers[1], corpus.speakers[0])
    names = [each.name for each in corpus.archives]
    assert len(set(names)) == len(names)
    for archive in corpus.archives:
        assert archive.sha256 is None or re.fullmatch("[0-9a-f]{64}", archive.sha256)


def test_speakers_are_those_of_the_challenges() -> None:
    """Ten speakers of 2016; eight sources and four targets of 2018; seven of ARCTIC."""
    assert [len(each.speakers) for each in ROWS] == [10, 12, 7]
    assert {"VCC2SF4", "VCC2SM4", "VCC2TF2", "VCC2TM2"} < set(
        corpora.find_corpus("vcc2018").speakers
    )
    assert {"SF3", "SM2", "TF2", "TM3"} < set(corpora.find_corpus("vcc2016").speakers)


def test_the_last_fifty_sentences_of_arctic_are_held_out() -> None:
    archive = corpora.find_corpus("arctic").archives[0]
    # 593 sentences of the first set and 539 of the second, Kominek and Black, 2003.
    names = [f"arctic_a{each:04}" for each in range(1, 594)]
    names += [f"arctic_b{each:04}" for each in range(1, 540)]
    held_out = [name for name in names if archive.side_of(name) == HELD_OUT]
    assert (len(names), held_out) == (1132, names[-50:])


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="--corpus is 'vctk'; expected one of vcc2016, vcc2018"):
        corpora.find_corpus("vctk")
    with pytest.raises(InputError, match="'bdl', who is not a speaker of vcc2016"):
        corpora.find_corpus("vcc2016").pair(("SF1", "bdl"))
