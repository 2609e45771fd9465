"""Files of the page: uploads, temporary folders, names of runs, flags, vocoders."""

import json
import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import voice, write_voices
from web_server import wait_until

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.audio import av_files
from cyclegan_vc_tf.config.run import RunConfig, VocoderConfig
from cyclegan_vc_tf.config.web import WebConfig
from cyclegan_vc_tf.serving.web import (
    recordings,
    run_list,
    training_flags,
    uploads,
    vocoder_choices,
    workspace,
)
from cyclegan_vc_tf.serving.web.run_list import RunList
from cyclegan_vc_tf.serving.web.workspace import Workspace
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError


def write_wav(path: Path, seconds: float = 0.5) -> Path:
    """Write a recording of a made-up voice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(120, seconds, seed=1), 16_000)
    return path


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("anna.wav", "anna.wav"),
        ("Grüße 1.flac", "Grüße 1.flac"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\x\\a.wav", "a.wav"),
        ("..", "recording"),
        (".hidden.wav", "hidden.wav"),
        ("a\nb\x00.wav", "a_b_.wav"),
        ("", "recording"),
    ],
)
def test_a_name_leads_nowhere_else(name: str, expected: str) -> None:
    assert uploads.safe_name(name) == expected


def test_a_long_name_fits_the_file_system(tmp_path: Path) -> None:
    name = uploads.safe_name("ü" * 500 + "." + "w" * 400)
    (tmp_path / name).write_bytes(b"")


def test_unusable_uploads_have_a_reason_and_stop_no_other(tmp_path: Path) -> None:
    good, twin = write_wav(tmp_path / "1" / "a.wav"), write_wav(tmp_path / "2" / "a.wav")
    long, text = write_wav(tmp_path / "long.wav", 3.0), tmp_path / "notes.txt"
    text.write_text("hello")
    big, gone = tmp_path / "big.wav", tmp_path / "gone.wav"
    big.write_bytes(bytes(2_100_000))
    config = WebConfig(max_seconds=2, max_upload_mb=2)
    taken = uploads.take([good, twin, long, text, big, gone], tmp_path / "taken", config)
    assert [upload.name for upload in taken] == [
        "a.wav", "a (2).wav", "long.wav", "notes.txt", "big.wav", "gone.wav"
    ]  # fmt: skip
    reasons = [upload.reason for upload in taken]
    assert reasons[:2] == ["", ""]
    assert reasons[2].startswith("lasts 3 s; expected at most 2 s")
    assert reasons[3].startswith("ends in .txt; expected wav")
    assert reasons[4].startswith("has 2 MB; expected at most 2")
    assert "upload it again" in reasons[5]
    assert sorted(path.name for path in (tmp_path / "taken").iterdir()) == ["a (2).wav", "a.wav"]
    with pytest.raises(InputError, match="received 3 files; expected at most 2"):
        uploads.take([good] * 3, tmp_path / "many", replace(config, max_files=2))


def test_sessions_have_folders_that_end_with_them(tmp_path: Path) -> None:
    space = Workspace(tmp_path)
    one, two = space.session_folder("../../one"), space.session_folder("two")
    assert one != two and space.cache in one.parents
    assert space.session_folder("../../one") == one
    # A name that a browser sends says nothing about the folder.
    assert "one" not in one.name and Workspace(tmp_path).session_folder("two").name != two.name
    first = space.fresh_folder("two", "conversion")
    (first / "a.wav").write_bytes(b"a")
    second = space.fresh_folder("two", "conversion")
    assert second.is_dir() and not first.exists()
    space.end_session("two")
    assert one.is_dir() and not two.exists()
    space.close()
    assert not space.root.exists()


def test_what_work_writes_after_the_end_of_its_session_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture that was being drawn when the page was closed; a session that comes back stays."""
    monkeypatch.setattr(workspace, "SWEEP_S", 0.05)
    space = Workspace(tmp_path)
    ended, back = space.session_folder("one"), space.session_folder("two")
    space.end_session("one")
    space.end_session("two")
    for folder in (ended, space.session_folder("two")):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "picture.png").write_bytes(b"late")
    wait_until(lambda: not ended.exists(), "the late picture is removed")
    space.end_session("three")
    assert (back / "picture.png").read_bytes() == b"late"
    space.close()


def test_folders_of_killed_servers_are_removed(tmp_path: Path) -> None:
    left = tmp_path / f"{workspace.PREFIX}left"
    (left / "files").mkdir(parents=True)
    (left / workspace.LOCK).write_text("")
    other = tmp_path / f"{workspace.PREFIX}without-a-lock"
    other.mkdir()
    running = Workspace(tmp_path)
    workspace.remove_abandoned(tmp_path)
    assert not left.exists() and other.exists() and running.root.exists()
    running.close()


def make_run(path: Path) -> Path:
    """Make a folder that looks like a run's."""
    path.mkdir(parents=True)
    (path / "config.json").write_text("{}")
    return path


def test_runs_are_found_by_name_alone(tmp_path: Path) -> None:
    outside = make_run(tmp_path / "outside")
    runs = RunList(tmp_path / "runs")
    make_run(tmp_path / "runs" / "b")
    make_run(tmp_path / "runs" / "a")
    make_run(tmp_path / "runs" / ".web")
    (tmp_path / "runs" / "no-run").mkdir()
    assert runs.names() == ["a", "b"]
    assert runs.voices()[:3] == ["a", "b", "pretrained:vc1-demo"]
    assert runs.find("a") == tmp_path / "runs" / "a"
    assert (runs.find("pretrained:vc1-demo") / "published.json").is_file()
    for name in ("../outside", str(outside), "no-run", ".web", "", None, "pretrained:../x"):
        with pytest.raises(InputError):
            runs.find(name)
    for name in ("a", "../c", "c/d", ".c", "", "c*", "c.", "-c", "x" * 61, "c\nd"):
        with pytest.raises(InputError):
            runs.new_path(name)
    assert runs.new_path(" c-1 ") == tmp_path / "runs" / "c-1"


@pytest.mark.parametrize("is_installed", [True, False])
def test_the_page_takes_the_formats_that_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    """A phone records m4a, which PyAV reads where it is installed."""
    monkeypatch.setattr(av_files, "is_available", lambda: is_installed)
    (tmp_path / "memo.m4a").write_bytes(b"sound")
    (taken,) = uploads.take([tmp_path / "memo.m4a"], tmp_path / "taken", WebConfig())
    assert (taken.path is not None) == is_installed
    assert taken.reason.startswith("" if is_installed else "ends in .m4a; expected wav")


def test_deleting_takes_one_run_and_its_uploads(tmp_path: Path) -> None:
    runs = RunList(tmp_path)
    for name in ("a", "b"):
        make_run(tmp_path / name)
        (runs.page_folder(name) / "speaker-A").mkdir(parents=True)
    target = make_run(tmp_path / "elsewhere" / "c")
    (tmp_path / "linked").symlink_to(target)
    with files.locked(tmp_path / "b" / ".lock", wait=False), pytest.raises(InputError, match="use"):
        runs.delete("b")
    with pytest.raises(InputError, match="link"):
        runs.delete("linked")
    with pytest.raises(InputError, match="comes with the package"):
        runs.delete("pretrained:vc1-demo")
    runs.delete("a")
    assert runs.names() == ["b", "linked"] and target.exists()
    assert sorted(os.listdir(tmp_path)) == [".web", "b", "elsewhere", "linked"]
    assert os.listdir(tmp_path / ".web") == ["b"]


def test_directions_are_named_after_the_folders() -> None:
    config = vc.preset("fast", source_dir="/recordings/anna", target_dir="/recordings/ben")
    assert run_list.direction_labels(config) == [
        ("A (anna) to B (ben)", "A2B"), ("B (ben) to A (anna)", "B2A")
    ]  # fmt: skip


def test_flags_are_parsed_and_paths_refused() -> None:
    text = "--steps=20 --nolimit_power --vtln_init --frequency_warp"
    values = training_flags.parse_flags(text)
    assert values == {"steps": "20", "limit_power": "false", "vtln_init": "true"}
    assert training_flags.parse_flags("") == {}
    for wrong in (
        "steps=2", "--steps", "--source_dir=/etc", "--features_dir=/tmp", "--a='", "--",
        "--scheduler=tcp://host:8786",
    ):  # fmt: skip
        with pytest.raises(InputError):
            training_flags.parse_flags(wrong)


def test_vocoders_fit_the_run(tmp_path: Path) -> None:
    mel, log_mel = RunConfig(), vc.preset("mask")
    choices, own = vocoder_choices.vocoder_choices(mel, tmp_path)
    assert [value for _, value in choices] == [
        "world", "world_limited", "pretrained:vocoder-demo-world"
    ]  # fmt: skip
    assert own == "world"
    limited = replace(mel, vocoder=VocoderConfig(limit_power=True))
    assert vocoder_choices.vocoder_choices(limited, tmp_path)[1] == "world_limited"
    assert vocoder_choices.vocoder_settings("world", limited, tmp_path) == {"limit_power": False}
    (tmp_path / "vocoders").mkdir()
    (tmp_path / "vocoders" / "good.npz").write_bytes(b"")
    choices, own = vocoder_choices.vocoder_choices(log_mel, tmp_path)
    assert [value for _, value in choices] == ["griffin_lim", "melgan:good.npz"]
    assert vocoder_choices.vocoder_settings("melgan:good.npz", log_mel, tmp_path) == {
        "vocoder": "melgan", "vocoder_checkpoint": str(tmp_path / "vocoders" / "good.npz")
    }  # fmt: skip
    for wrong in ("melgan:../../x.npz", "world", "", "melgan"):
        with pytest.raises(InputError, match="received vocoder"):
            vocoder_choices.vocoder_settings(wrong, log_mel, tmp_path)


def test_vocoders_of_a_live_conversion(tmp_path: Path) -> None:
    """WORLD for mel-cepstra; for log-mel spectra every one that needs no whole recording."""
    offered = vocoder_choices.live_vocoder_choices
    limited = replace(RunConfig(), vocoder=VocoderConfig(limit_power=True, vocoder=str(tmp_path)))
    assert [value for _, value in offered(limited, tmp_path)[0]] == ["world", "world_limited"]
    assert offered(limited, tmp_path)[1] == "world"
    run = vc.preset("mask")
    assert offered(run, tmp_path) == ([], "")
    assert "no vocoder for them" in vocoder_choices.live_refusal("mine", offered(run, tmp_path)[0])
    (tmp_path / "vocoders").mkdir()
    (tmp_path / "vocoders" / "good.npz").write_bytes(b"")
    assert offered(run, tmp_path)[1] == "melgan:good.npz"
    assert vocoder_choices.live_refusal("mine", offered(run, tmp_path)[0]) == ""
    demo = vc.preset("demo_mask", vocoder="griffin_lim")
    assert offered(demo, tmp_path)[1] == "melgan:good.npz"
    assert "pretrained:vocoder-demo" in [value for _, value in offered(demo, tmp_path)[0]]
    own = replace(demo, vocoder=VocoderConfig(vocoder="pretrained:vocoder-demo"))
    assert offered(own, tmp_path)[1] == "trained"


def test_trained_vocoders_are_offered_for_their_features(tmp_path: Path) -> None:
    folder = tmp_path / "vocoders" / "mine"
    folder.mkdir(parents=True)
    run = vc.preset("mask")
    (folder / "vocoder.npz").write_bytes(b"")
    for hop_samples, is_offered in ((run.features.hop_samples, True), (128, False)):
        features = replace(run.features, hop_samples=hop_samples)
        about = {"format": 1, "features": asdict(features), "network": {}}
        (folder / "vocoder.json").write_text(json.dumps(about))
        choices, own = vocoder_choices.vocoder_choices(run, tmp_path)
        assert (("trained vocoder: mine", "trained:mine") in choices) == is_offered
        assert own == "griffin_lim"
    with pytest.raises(InputError, match="received vocoder"):
        vocoder_choices.vocoder_settings("trained:mine", run, tmp_path)
    mine = replace(RunConfig(), vocoder=VocoderConfig(vocoder=str(folder)))
    assert vocoder_choices.vocoder_choices(mine, tmp_path)[1] == "trained"
    assert vocoder_choices.vocoder_settings("trained", mine, tmp_path) == {"vocoder": str(folder)}
    assert vocoder_choices.vocoder_settings("world", mine, tmp_path) == {
        "limit_power": False, "vocoder": "griffin_lim"
    }  # fmt: skip


def test_folders_stay_inside_the_folder_of_recordings(tmp_path: Path) -> None:
    write_voices(tmp_path / "top" / "anna", 110.0, 1)
    write_voices(tmp_path / "ben", 210.0, 1)
    anna, ben = str(tmp_path / "top" / "anna"), str(tmp_path / "ben")
    found = recordings.check_folders(anna, f" {ben} ", WebConfig())
    assert found == {"source_dir": anna, "target_dir": ben}
    limited = WebConfig(recordings_dir=str(tmp_path / "top"))
    assert recordings.check_folders("anna", anna, limited)["source_dir"] == anna
    for wrong in (ben, "../ben", "anna/../../ben"):
        with pytest.raises(InputError, match="is not inside"):
            recordings.check_folders("anna", wrong, limited)
    with pytest.raises(InputError, match="takes no folders"):
        recordings.check_folders(anna, ben, WebConfig(host="0.0.0.0", auth="a:b"))
    with pytest.raises(InputError, match="speaker B is not given"):
        recordings.check_folders(anna, " ", WebConfig())


def test_uploads_of_both_speakers_are_kept_or_none(tmp_path: Path) -> None:
    good, bad = write_wav(tmp_path / "a.wav", 3.0), tmp_path / "b.txt"
    bad.write_text("hello")
    with pytest.raises(InputError, match=r"can be used; b\.txt ends in \.txt"):
        recordings.store_uploads([str(good)], [str(bad)], tmp_path / "run", WebConfig())
    assert list((tmp_path / "run").iterdir()) == []
    with pytest.raises(InputError, match="speaker B was uploaded"):
        recordings.store_uploads([str(good)], [], tmp_path / "run", WebConfig())
    # The limit of a conversion's length is not one of a training.
    stored = recordings.store_uploads(
        [str(good)], [str(good), str(bad)], tmp_path / "run", WebConfig(max_seconds=1)
    )
    assert {flag: os.listdir(folder) for flag, folder in stored.items()} == {
        "source_dir": ["a.wav"], "target_dir": ["a.wav"]
    }  # fmt: skip
    samples, _ = soundfile.read(Path(stored["source_dir"]) / "a.wav")
    np.testing.assert_array_equal(samples, soundfile.read(good)[0])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"host": "0.0.0.0"}, "give --auth=USER:PASSWORD"),
        ({"host": "192.168.1.2"}, "give --auth"),
        ({"host": "::"}, "give --auth"),
        ({"host": "example"}, "give --auth"),
        ({"auth": "anna"}, "is not USER:PASSWORD"),
        ({"auth": ":x"}, "is not USER:PASSWORD"),
        ({"host": "0.0.0.0", "auth": "anna:"}, "is not USER:PASSWORD"),
    ],
)
def test_other_machines_need_a_password(settings: dict[str, str], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        WebConfig(**settings).validate()


def test_loopback_addresses_need_none() -> None:
    for host in ("127.0.0.1", "localhost", "::1", "127.8.8.8"):
        WebConfig(host=host).validate()
    config = WebConfig(host="0.0.0.0", auth="anna:a:b")
    config.validate()
    assert config.user_and_password == ("anna", "a:b")
