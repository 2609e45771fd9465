"""A teacher: its conversions of the recordings, and the generators that learn them."""

import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from conftest import (
    finished_here,
    run_here,
    scalars,
    steps_without_graph,
    variables,
    voice,
)

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.data import preparation
from cyclegan_vc_tf.features import log_mel
from cyclegan_vc_tf.models.generators import generate
from cyclegan_vc_tf.training import teacher
from cyclegan_vc_tf.training.trainer import Trainer

SMALL = (
    "--channels=2", "--residual_blocks=1", "--crop_frames=16", "--workers=1", "--log_every=1",
    "--checkpoint_every=2", "--convert_every=0", "--held_out_fraction=0",
    "--sample_rate_hz=16000",
)  # fmt: skip


pytestmark = pytest.mark.usefixtures("without_graph")


def flags(corpus: Path, folder: Path, name: str, *more: str) -> list[str]:
    sides = (f"--source_dir={corpus}/low", f"--target_dir={corpus}/high")
    folders = (f"--run_dir={folder}/{name}", f"--features_dir={folder}/features")
    return ["train.py", *sides, *folders, *SMALL, *more]


@pytest.fixture(scope="module")
def taught(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a teacher, and of a run of four steps that learned its conversions."""
    folder = tmp_path_factory.mktemp("taught")
    student = ("--variant=mask", f"--teacher_run={folder}/teacher", "--teacher_weight=7")
    with steps_without_graph():
        finished_here(*flags(corpus, folder, "teacher", "--f0_method=dio", "--steps=1"))
        finished_here(*flags(corpus, folder, "student", *student, "--steps=4"))
    return folder


def test_conversions_are_the_teachers_frame_by_frame(corpus: Path, taught: Path) -> None:
    config = vc.preset("mask", sample_rate_hz=16_000).features
    voices = vc.load(taught / "teacher")
    for direction, speaker in (("A2B", "low"), ("B2A", "high")):
        rows = np.load(taught / "student/teacher" / f"{direction}.npy")
        expected = []
        for path in sorted((corpus / speaker).glob("*.wav")):
            samples, rate_hz = audio_files.read(path)
            expected.append(log_mel.log_mel(voices.convert(samples, rate_hz, direction), config))
        np.testing.assert_allclose(rows, np.concatenate(expected), atol=1e-4)


def test_the_teacher_is_a_loss_with_its_weight(taught: Path) -> None:
    found = scalars(taught / "student")
    for step in (1, 4):
        assert found["weight/teacher", step] == 7
        terms = {"adversarial": 1, "cycle": 10, "identity": 5, "teacher": 7}
        expected = sum(
            weight * value
            for (name, at), value in found.items()
            for term, weight in terms.items()
            if at == step and name.startswith(f"loss/{term}_")
        )
        assert found["loss/generator", step] == pytest.approx(expected, rel=1e-4)


def test_other_speakers_than_the_teachers_are_named(corpus: Path, tmp_path: Path) -> None:
    student = ("--variant=mask", "--teacher_run=pretrained:vc1-demo", "--steps=1")
    printed = finished_here(*flags(corpus, tmp_path, "student", *student))
    for folder, side in (("low", "A"), ("high", "B")):
        expected = f"warning: {folder} does not sound like speaker {side} of --teacher_run pretr"
        assert expected in printed


def test_a_resumed_run_needs_no_teacher_and_equals_an_unbroken_one(
    corpus: Path, taught: Path, tmp_path: Path
) -> None:
    shutil.copytree(taught / "teacher", tmp_path / "teacher")
    student = ("--variant=mask", f"--teacher_run={tmp_path}/teacher", "--teacher_weight=7")
    finished_here(*flags(corpus, tmp_path, "student", *student, "--steps=2"))
    shutil.rmtree(tmp_path / "teacher")
    finished_here(*flags(corpus, tmp_path, "student", *student, "--steps=4"))
    ours, theirs = variables(tmp_path / "student", 4), variables(taught / "student", 4)
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)


@pytest.mark.parametrize("variant", PRESETS)
def test_the_loss_is_the_mean_absolute_distance(variant: str) -> None:
    preset = PRESETS[variant]
    config = dataclasses.replace(
        preset,
        network=dataclasses.replace(preset.network, channels=2, residual_blocks=1),
        training=dataclasses.replace(preset.training, crop_frames=16, teacher_run="/a/run"),
    )
    trainer, rng = Trainer(config), np.random.default_rng(0)
    shape = (2, 16, config.features.bins)
    a, b, to_b, to_a = (rng.standard_normal(shape).astype(np.float32) for _ in range(4))
    masks = [tf.ones((2, 16, 1))] * 2 if variant == "mask" else [None, None]
    terms, _, _ = trainer.loss_terms(a, b, *masks, to_b, to_a)
    for direction, real, wanted in (("A2B", a, to_b), ("B2A", b, to_a)):
        fake = np.asarray(generate(trainer.generators[direction], tf.constant(real), masks[0]))
        expected = np.abs(fake - wanted).mean()
        assert float(terms[f"teacher_{direction}"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("rate_hz", [16_000, 22_050])
def test_pieces_of_a_long_recording_are_in_time(
    rate_hz: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A teacher that changes nothing gives the features of the store."""
    speech = [np.append(voice(120.0, 2.0 + i, seed=i), np.zeros(12_000)) for i in range(3)]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "long.wav", np.concatenate(speech), 16_000)
    config = vc.preset(
        "mask", source_dir=f"{tmp_path}/a", target_dir=f"{tmp_path}/b", workers=1,
        features_dir=f"{tmp_path}/features", split_silence=True, longest_piece_s=3.0,
        shortest_piece_s=1.0,
        held_out_fraction=0.0, sample_rate_hz=rate_hz,
    )  # fmt: skip
    speakers = preparation.prepare(config.corpus, config.features)
    assert len(speakers["A"].training) >= 3
    unchanging = SimpleNamespace(convert=lambda samples, sample_rate_hz, direction: samples)
    own = SimpleNamespace(
        config=config, statistics={name: each.statistics for name, each in speakers.items()}
    )
    monkeypatch.setattr(teacher, "open_teacher", lambda config: (own, unchanging))
    said: list[str] = []
    teacher.prepare(tmp_path, config, speakers, said.append)
    assert said == [], "the speakers are the teacher's"
    for direction in Direction:
        speaker = speakers[direction.source]
        rows = np.abs(teacher.load(tmp_path, direction, speaker) - speaker.store.spectra)
        # Borders of pieces have other neighbours when a whole recording is resampled.
        assert np.median(rows) < 1e-3 and np.percentile(rows, 95) < 0.1
    assert not [path for path in tmp_path.iterdir() if "partial" in path.name]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (["--teacher_run={folder}/nothing/run"], "--teacher_run {folder}/nothing/run: "),
        (["--teacher_run=pretrained:nobody"], "pretrained:nobody is not a model"),
        (["--teacher_run=nobody"], "none|, or a folder, or pretrained:NAME"),
        (["--teacher_run=pretrained:vc1-demo", "--sample_rate_hz=22050"], "at least --sample_rate"),
        (["--teacher_run=pretrained:vc1-demo", "--augment_gain_db=3"], "would not fit them"),
        (["--teacher_weight=3"], "there is no teacher"),
    ],
)
def test_a_teacher_that_cannot_teach_is_refused(
    more: list[str], expected: str, corpus: Path, tmp_path: Path
) -> None:
    given = [flag.format(folder=tmp_path) for flag in more]
    done = run_here(*flags(corpus, tmp_path, "student", "--variant=mask", "--steps=1", *given))
    assert done.returncode == 2
    for part in expected.format(folder=tmp_path).split("|"):
        assert part in done.stderr
    assert done.stderr.count("\n") == 1 and not (tmp_path / "student").exists()


def test_damaged_conversions_are_refused(corpus: Path, taught: Path, tmp_path: Path) -> None:
    shutil.copytree(taught / "student", tmp_path / "student")
    student = ("--variant=mask", f"--teacher_run={taught}/teacher", "--teacher_weight=7")
    command = flags(corpus, tmp_path, "student", *student, "--steps=5")
    path = tmp_path / "student/teacher/B2A.npy"
    whole = np.load(path)
    for content in (whole[:-1], whole.astype(np.float64), np.array([None, "text"], object)):
        np.save(path, content, allow_pickle=True)
        done = run_here(*command)
        assert done.returncode == 2 and "Traceback" not in done.stderr
        last = done.stderr.splitlines()[-1]
        assert f"{path} " in last and "remove its folder" in last
    shutil.rmtree(path.parent)
    finished_here(*command)
    np.testing.assert_allclose(np.load(path), whole, atol=1e-5)


def test_a_published_run_names_no_teacher_and_keeps_a_vocoder_of_the_package(
    taught: Path, tmp_path: Path
) -> None:
    shutil.copytree(taught / "student", tmp_path / "student")
    config = tmp_path / "student/config.json"
    config.write_text(config.read_text().replace('"griffin_lim"', '"pretrained:vocoder-demo"'))
    vc.publish(tmp_path / "student", tmp_path / "published", about="# A model\n\nMIT licence.")
    published = vc.load(tmp_path / "published").config
    assert published.vocoder.vocoder == "pretrained:vocoder-demo"
    assert not published.training.has_teacher
    card = (tmp_path / "published/card.md").read_text()
    assert "--vocoder=pretrained:vocoder-demo" in card and str(taught) not in card
