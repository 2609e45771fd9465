"""Settings as flags, in flag files and in JSON, and their refusals."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
from absl import flags
from conftest import REPOSITORY

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import ConvertConfig
from cyclegan_vc_tf.config.presets import FLAG_CHOICES, PRESETS, define_run_flags
from cyclegan_vc_tf.config.run import RunConfig, VocoderConfig
from cyclegan_vc_tf.system.errors import InputError


def parsed(*arguments: str, cls: type = RunConfig) -> flags.FlagValues:
    values = flags.FlagValues()
    settings.define_flags(cls, values, FLAG_CHOICES)
    values(["train.py", *arguments])
    return values


def from_flags(*arguments: str, base: RunConfig | None = None) -> RunConfig:
    return settings.from_flags(RunConfig, parsed(*arguments), base or RunConfig())


def test_without_flags_everything_is_as_before() -> None:
    changed = RunConfig(training=dataclasses.replace(RunConfig().training, seed=7))
    assert from_flags() == RunConfig()
    assert from_flags(base=changed) == changed


def test_only_the_given_settings_change() -> None:
    base = from_flags("--channels=8", "--seed=7")
    config = from_flags("--seed=0", "--discriminator_sigmoid", base=base)
    assert config.network.channels == 8
    assert config.training.seed == 0, "a default that is given counts as given"
    assert config.network.discriminator_sigmoid


def test_flags_of_every_type() -> None:
    config = from_flags(
        "--generator_kernels=15,5,5,3,5,5,5",
        "--discriminator_kernels=3x3,3x3,3x3,5x3",
        "--adam_epsilon=1e-7",
        "--source_dir=recordings",
        "--nodeterministic",
        "--padding=symmetric",
    )
    assert config.network.generator_kernels == ("15", "5", "5", "3", "5", "5", "5")
    assert config.network.discriminator_kernels == ("3x3", "3x3", "3x3", "5x3")
    assert config.training.adam_epsilon == 1e-7
    assert config.corpus.source_dir.endswith("/recordings")
    assert config.corpus.target_dir == ""


@pytest.mark.parametrize(
    "argument",
    [
        "--channels=0",
        "--channels=many",
        "--steps=1.5",
        "--f0_method=swipe",
        "--padding=valid",
        "--variant=vc4",
        "--mask_fraction=1.1",
        "--generator_widths=1,2,0,8,4,2",
        "--sample_rate_hz=1000",
        "--held_out_fraction=1.5",
        "--stepz=3",
        "--cycle_weight=nan",
        "--generator_learning_rate=inf",
        "--adam_beta1=1",
        "--adam_epsilon=0",
    ],
)
def test_wrong_flags_are_refused(argument: str) -> None:
    with pytest.raises(flags.Error, match=argument.split("=")[0].lstrip("-")):
        parsed(argument)


def test_a_flag_file_repeats_the_settings(tmp_path: object) -> None:
    config = from_flags(
        "--generator_widths=1,2,4,8,2,1", "--seed=9", "--deterministic", "--source_dir=/x y/z"
    )
    with open(f"{tmp_path}/flags.txt", "w") as file:
        file.write(settings.to_flags(config))
    assert from_flags(f"--flagfile={tmp_path}/flags.txt") == config
    changed = from_flags(f"--flagfile={tmp_path}/flags.txt", "--seed=10")
    assert changed.training.seed == 10


def test_json_repeats_the_settings() -> None:
    config = from_flags("--generator_widths=1,2,4,8,2,1", "--seed=9")
    data = json.loads(json.dumps(dataclasses.asdict(config)))
    assert settings.from_dict(RunConfig, data) == config
    del data["training"]["seed"]
    assert settings.from_dict(RunConfig, data).training.seed == 0
    data["network"]["depth"] = 3
    with pytest.raises(InputError, match="depth is not a setting"):
        settings.from_dict(RunConfig, data)
    del data["network"]["depth"]
    data["network"]["channels"] = "4"
    with pytest.raises(InputError, match="channels is '4'; expected int"):
        settings.from_dict(RunConfig, data)


def test_settings_of_a_run_that_is_older_are_read() -> None:
    """Kernels are numbers, and settings of later variants are missing."""
    data = json.loads(json.dumps(dataclasses.asdict(RunConfig())))
    data["network"]["generator_kernels"] = [15, 5, 5, 3, 5, 5, 15]
    del data["vocoder"], data["features"]["spectra"], data["training"]["mask_fraction"]
    assert settings.from_dict(RunConfig, data) == RunConfig()


def test_the_old_names_of_settings_are_in_one_table() -> None:
    names = {field.name for _, field, _ in settings.iterate_fields(RunConfig)}
    assert set(settings.FLAG_ALIASES.values()) <= names
    assert not set(settings.FLAG_ALIASES) & names
    assert set(settings.SECTION_ALIASES.values()) <= {
        field.name for field in dataclasses.fields(RunConfig)
    }


def test_a_flag_file_with_old_names_is_read(tmp_path: Path) -> None:
    """Flags behind the file override its values, by the old or the current name."""
    (tmp_path / "flags.txt").write_text("--frequency_warp=true\n--pairing_rounds=2\n")
    config = from_flags(f"--flagfile={tmp_path}/flags.txt")
    assert config.network.vtln_init and config.training.inca_iterations == 2
    for flag in ("--inca_iterations=3", "--pairing_rounds=3"):
        changed = from_flags(f"--flagfile={tmp_path}/flags.txt", flag)
        assert changed.training.inca_iterations == 3
    assert not from_flags(f"--flagfile={tmp_path}/flags.txt", "--novtln_init").network.vtln_init
    assert "--vtln_init=true\n" in settings.to_flags(config)
    assert "frequency_warp=true" not in settings.to_flags(config)


def test_a_config_with_old_names_is_read() -> None:
    """Old names of settings, and `judges`, the old name of a section of `config.json`."""
    data = json.loads(json.dumps(dataclasses.asdict(RunConfig())))
    data["network"]["frequency_warp"] = not data["network"].pop("vtln_init")
    data["training"]["pairing_rounds"] = data["training"].pop("inca_iterations") + 2
    data["judges"] = {**data.pop("metrics"), "whisper_model": "/model"}
    config = settings.from_dict(RunConfig, data)
    assert config.network.vtln_init
    assert config.training.inca_iterations == 2
    assert config.metrics.whisper_model == "/model"


@pytest.mark.parametrize("section", ["network", ""])
def test_a_name_that_is_given_twice_is_refused(section: str) -> None:
    """Old and current name of a setting or a section, in either order."""
    data = dataclasses.asdict(RunConfig())
    part, old, new = (
        (data["network"], "frequency_warp", "vtln_init") if section else (data, "judges", "metrics")
    )
    message = f"{old} is an old name of {new}, and both are given; remove one"
    part[old] = part[new]
    with pytest.raises(InputError, match=message):
        settings.from_dict(RunConfig, data)
    part[new] = part.pop(new)
    with pytest.raises(InputError, match=message):
        settings.from_dict(RunConfig, data)


def test_an_unknown_name_is_refused_by_the_name_that_was_given() -> None:
    data = dataclasses.asdict(RunConfig())
    data["training"]["pairing_round"] = 1
    with pytest.raises(InputError, match="pairing_round is not a setting of this version; expect"):
        settings.from_dict(RunConfig, data)


def test_choices_that_a_field_cannot_list_are_needed() -> None:
    with pytest.raises(ValueError, match="--variant has no choices"):
        settings.define_flags(RunConfig, flags.FlagValues())


@pytest.mark.parametrize(
    ("section", "changes", "message"),
    [
        ("corpus", {"silence_db": 20.0}, "--silence_db is 20.0, and nothing is split"),
        ("features", {"hop_samples": 300}, "--hop_samples is 300, and mel_cepstra spectra do not"),
        ("features", {"f0_floor_hz": 250.0, "f0_ceiling_hz": 200.0}, "--f0_floor_hz is 250.0"),
        ("features", {"spectra": "log_mel", "hop_samples": 513}, "--hop_samples is 513; windows"),
        ("network", {"residual_blocks": 0, "generator_widths": (1,)}, "--generator_widths has 1 v"),
        ("training", {"crop_frames": 130}, "--crop_frames is 130; expected a multiple of 4"),
        ("training", {"inca_iterations": 1}, "--inca_iterations is 1, and there is no linear skip"),
        ("augmentation", {"augment_mask_frames": 128}, "--augment_mask_frames is 128; expected"),
        ("vocoder", {"vocoder": "melgan"}, "--vocoder and its settings cannot be given"),
    ],
)
def test_a_run_with_wrong_settings_is_refused(section: str, changes: dict, message: str) -> None:
    """Each section refuses its own, and the whole run refuses what any section does."""
    PRESETS["vc1"].validate(PRESETS["vc1"])
    part = dataclasses.replace(getattr(RunConfig(), section), **changes)
    config = dataclasses.replace(RunConfig(), **{section: part})
    with pytest.raises(InputError, match=re.escape(message)):
        config.validate(PRESETS["vc1"])


def test_refusals_come_in_the_order_of_the_sections() -> None:
    """Networks, training, augmentation, vocoder, features, corpus."""
    wrong: dict[str, dict] = {
        "network": {"generator_widths": (1,)},
        "training": {"crop_frames": 130},
        "augmentation": {"augment_mask_frames": 200},
        "vocoder": {"vocoder": "melgan"},
        "features": {"hop_samples": 300},
        "corpus": {"silence_db": 20.0},
    }
    first = []
    while wrong:
        parts = {
            name: dataclasses.replace(getattr(RunConfig(), name), **changes)
            for name, changes in wrong.items()
        }
        with pytest.raises(InputError) as refused:
            dataclasses.replace(RunConfig(), **parts).validate(RunConfig())
        section = next(
            name
            for name, changes in wrong.items()
            if any(f"--{setting} " in str(refused.value) for setting in changes)
        )
        first.append(section)
        del wrong[section]
    assert first == ["network", "training", "augmentation", "vocoder", "features", "corpus"]


@pytest.mark.parametrize("variant", PRESETS)
def test_every_preset_is_valid(variant: str) -> None:
    PRESETS[variant].validate(PRESETS[variant])


def test_only_the_course_of_a_run_may_change_on_a_resume() -> None:
    """Steps, intervals, workers, devices, folders, metrics and vocoder may change, nothing else."""
    may_change = {
        "steps", "workers", "log_every", "checkpoint_every", "keep_checkpoints", "convert_every",
        "convert_utterances", "profile_steps", "evaluate_every", "best_metric", "reference_dir",
        "transcripts", "whisper_model", "recognizer", "vocoder", "vocoder_checkpoint",
        "griffin_lim_iterations", "limit_power", "source_dir", "target_dir", "held_out_source_dir",
        "held_out_target_dir", "features_dir", "strategy", "scheduler",
    }  # fmt: skip
    other = {int: 77, float: 0.77, bool: True, str: "other", tuple: (7,)}
    for section, field, _ in settings.iterate_fields(RunConfig):
        old = getattr(getattr(RunConfig(), section), field.name)
        part = dataclasses.replace(getattr(RunConfig(), section), **{field.name: other[type(old)]})
        found = settings.resume_differences(
            RunConfig(), dataclasses.replace(RunConfig(), **{section: part})
        )
        if field.name in may_change:
            assert found == []
        else:
            assert len(found) == 1 and found[0].startswith(f"--{field.name} was {old!r} and is")


@pytest.mark.parametrize("path", sorted((REPOSITORY / "configs").glob("*.flags")), ids=str)
def test_the_configs_of_the_repository_can_be_read(path: object) -> None:
    values = flags.FlagValues()
    define_run_flags(values)
    flags.DEFINE_string("run_dir", "", "", flag_values=values)
    values(["train.py", f"--flagfile={path}"])
    assert values.run_dir


@pytest.mark.parametrize("variant", PRESETS)
def test_a_papers_flag_file_says_its_settings(variant: str) -> None:
    """The flag file repeats the preset, which holds without it."""
    values = flags.FlagValues()
    define_run_flags(values)
    flags.DEFINE_string("run_dir", "", "", flag_values=values)
    values(["train.py", f"--flagfile={REPOSITORY}/configs/{variant}.flags"])
    assert values.variant == variant
    assert settings.from_flags(RunConfig, values, PRESETS[variant]) == PRESETS[variant]


def test_no_two_flags_share_a_name_and_all_have_a_help() -> None:
    for cls in (RunConfig, ConvertConfig, VocoderConfig):
        fields = [field for _, field, _ in settings.iterate_fields(cls)]
        assert len({field.name for field in fields}) == len(fields)
        assert all(field.metadata["text"].endswith(".") for field in fields)


@pytest.mark.parametrize(
    ("ending", "unit"), [("_hz", "in Hz"), ("_ms", "in ms"), ("_db", "in dB"), ("_s", "in seconds")]
)
def test_the_help_of_a_setting_with_a_unit_names_it(ending: str, unit: str) -> None:
    named = [
        field
        for section, field, _ in settings.iterate_fields(RunConfig)
        if field.name.endswith(ending) and section in ("corpus", "features", "augmentation")
    ]
    assert named
    for field in named:
        assert unit in field.metadata["text"], field.name
