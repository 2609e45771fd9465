"""Presets that come with the package, and settings that are changed by name."""

import dataclasses
from pathlib import Path

import pytest
from conftest import REPOSITORY

from cyclegan_vc_tf.config import overrides, preset_files
from cyclegan_vc_tf.config.corpus import CorpusConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig, VocoderConfig
from cyclegan_vc_tf.system.errors import InputError


def test_presets_are_the_flag_files_of_the_repository() -> None:
    files = {path.stem for path in (REPOSITORY / "configs").iterdir()}
    assert set(preset_files.preset_names()) == files
    assert files >= {"demo", "demo_vc2", "demo_vc3", "demo_mask", "fast", *PRESETS}


@pytest.mark.parametrize("variant", PRESETS)
def test_presets_of_papers_are_their_settings(variant: str) -> None:
    assert preset_files.load_preset(variant) == PRESETS[variant]


@pytest.mark.parametrize("name", ["demo", "demo_vc2", "demo_vc3", "demo_mask"])
def test_presets_of_demos_name_the_demo_corpus_from_any_folder(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    corpus = preset_files.load_preset(name).corpus
    folders = [
        corpus.source_dir, corpus.target_dir, corpus.held_out_source_dir,
        corpus.held_out_target_dir,
    ]  # fmt: skip
    assert [len(list(Path(folder).glob("*.flac"))) for folder in folders] == [80, 80, 12, 12]


def test_fast_is_the_demo_without_its_recordings() -> None:
    demo = preset_files.load_preset("demo")
    fast = preset_files.load_preset("fast")
    assert fast == dataclasses.replace(demo, corpus=CorpusConfig())


def test_an_installed_package_reads_its_own_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "cyclegan_vc_tf"
    (package / "presets").mkdir(parents=True)
    (package / "demo_corpus").mkdir()
    (package / "presets" / "one.flags").write_text("# A comment.\n--source_dir=data/demo/a\n")
    monkeypatch.setattr(preset_files, "PACKAGE_DIR", package)
    assert preset_files.preset_names() == ["one"]
    assert preset_files.preset_arguments("one") == [f"--source_dir={package}/demo_corpus/a"]


def test_a_preset_that_does_not_exist() -> None:
    with pytest.raises(InputError, match=r"received preset \.\./vc1; expected one of demo, "):
        preset_files.preset_arguments("../vc1")


def test_settings_are_changed_by_name() -> None:
    changes = {
        "steps": 7, "adam_epsilon": 1e-7, "split_silence": True, "source_dir": Path("recordings"),
        "generator_widths": (1, 2, 4, 8, 2, 1), "f0_method": "dio", "frequency_warp": True,
    }  # fmt: skip
    config = overrides.override(RunConfig(), changes)
    assert config.training.steps == 7 and config.training.adam_epsilon == 1e-7
    assert config.corpus.split_silence and config.network.vtln_init
    assert config.corpus.source_dir == str(Path("recordings").absolute())
    assert config.network.generator_widths == (1, 2, 4, 8, 2, 1)
    assert config.features.f0_method == "dio"
    back = {"split_silence": False, "generator_widths": RunConfig().network.generator_widths}
    assert not overrides.override(config, back).corpus.split_silence
    assert overrides.override(config, {}) == config


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("griffin_lim_iteration", 3, "did you mean griffin_lim_iterations"),
        ("flagfile", "x", "received flagfile; expected the name of a setting"),
        ("griffin_lim_iterations", 0, "griffin_lim_iterations=0"),
        ("griffin_lim_iterations", 1.5, "griffin_lim_iterations=1.5"),
        ("limit_power", "perhaps", "limit_power=perhaps"),
        ("vocoder", "hifigan", "vocoder=hifigan"),
    ],
)
def test_changes_that_are_refused(name: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        overrides.override(VocoderConfig(), {name: value})
