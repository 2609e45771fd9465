"""Settings as flags and in files: what goes in comes out."""

import dataclasses
import json

import pytest
from absl import flags
from conftest import REPOSITORY

from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import ConvertConfig
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.config.run import RunConfig, VocoderConfig
from cyclegan_vc_tf.system.errors import InputError


def parsed(*arguments: str, cls: type = RunConfig) -> flags.FlagValues:
    values = flags.FlagValues()
    settings.define_flags(cls, values)
    values(["train.py", *arguments])
    return values


def from_flags(*arguments: str, base: RunConfig | None = None) -> RunConfig:
    return settings.from_flags(RunConfig, parsed(*arguments), base or RunConfig())


def test_without_flags_everything_is_as_before() -> None:
    changed = RunConfig(training=dataclasses.replace(RunConfig().training, seed=7))
    assert from_flags() == RunConfig()
    assert from_flags(base=changed) == changed


def test_only_what_is_given_changes() -> None:
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
    with pytest.raises(InputError, match="depth is no setting"):
        settings.from_dict(RunConfig, data)
    del data["network"]["depth"]
    data["network"]["channels"] = "4"
    with pytest.raises(InputError, match="channels is '4'; expected int"):
        settings.from_dict(RunConfig, data)


def test_settings_of_a_run_that_is_older_are_read() -> None:
    """From before kernels had two axes, and before other variants had settings of their own."""
    data = json.loads(json.dumps(dataclasses.asdict(RunConfig())))
    data["network"]["generator_kernels"] = [15, 5, 5, 3, 5, 5, 15]
    del data["vocoder"], data["features"]["spectra"], data["training"]["mask_fraction"]
    assert settings.from_dict(RunConfig, data) == RunConfig()


def test_only_the_course_of_a_run_may_change_on_a_resume() -> None:
    """Steps, intervals, workers, folders and vocoders; a change of anything else is named."""
    may_change = {
        "steps", "workers", "log_every", "checkpoint_every", "keep_checkpoints", "convert_every",
        "convert_utterances", "profile_steps", "evaluate_every", "best_metric", "reference_dir",
        "transcripts", "whisper_model", "vocoder", "vocoder_checkpoint", "griffin_lim_iterations",
        "limit_power", "source_dir", "target_dir", "held_out_source_dir", "held_out_target_dir",
        "features_dir",
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
    settings.define_flags(RunConfig, values)
    flags.DEFINE_string("run_dir", "", "", flag_values=values)
    values(["train.py", f"--flagfile={path}"])
    assert values.run_dir


@pytest.mark.parametrize("variant", PRESETS)
def test_a_papers_flag_file_says_its_settings(variant: str) -> None:
    """Those that hold without it: what it says is what happens."""
    values = flags.FlagValues()
    settings.define_flags(RunConfig, values)
    flags.DEFINE_string("run_dir", "", "", flag_values=values)
    values(["train.py", f"--flagfile={REPOSITORY}/configs/{variant}.flags"])
    assert values.variant == variant
    assert settings.from_flags(RunConfig, values, PRESETS[variant]) == PRESETS[variant]


def test_no_two_flags_share_a_name_and_all_have_a_help() -> None:
    for cls in (RunConfig, ConvertConfig, VocoderConfig):
        fields = [field for _, field, _ in settings.iterate_fields(cls)]
        assert len({field.name for field in fields}) == len(fields)
        assert all(field.metadata["text"].endswith(".") for field in fields)
