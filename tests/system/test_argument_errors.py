"""Errors name arguments in Python and flags in commands."""

import inspect
import pickle
from pathlib import Path

import pytest
from conftest import run_here

import cyclegan_vc_tf as vc
from cyclegan_vc_tf.system.argument_errors import spell_as_arguments


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("--run_dir x is not a run folder", "run x is not a run folder"),
        (
            "--steps is 3; give --seed, or --best_metric=mcd_db",
            "steps is 3; give seed, or best_metric=mcd_db",
        ),
        ("--speakers and --corpus_dir go with --corpus", "speakers and corpus_dir go with corpus"),
        ("(--whisper_model): x; leave `--f0` out", "(whisper_model): x; leave `f0` out"),
        ("--output is not given; see --help", "output is not given"),
        ("/a--b/--c has no x--y or a/--seed", "/a--b/--c has no x--y or a/--seed"),
    ],
)
def test_flags_become_arguments_and_paths_stay(message: str, expected: str) -> None:
    assert spell_as_arguments(message) == expected
    assert spell_as_arguments("--run_dir x", ["run_dir"]) == "run_dir x"


@pytest.mark.parametrize(
    ("name", "command", "flag", "argument"),
    [
        ("load", "convert.py", "--run_dir {} is not a run", "run {} is not a run"),
        ("evaluate", "evaluate", "--run_dir {} is not a run", "run {} is not a run"),
        ("inspect", "inspect_run", "--run_dir {} is not a run", "run {} is not a run"),
    ],
)
def test_each_front_end_spells_the_name_its_own_way(
    tmp_path: Path, name: str, command: str, flag: str, argument: str
) -> None:
    path = tmp_path / "nothing"
    (tmp_path / "a.wav").touch()
    where = (f"--input={tmp_path}", f"--output={path}") if command == "convert.py" else ()
    done = run_here(command, f"--run_dir={path}", *where)
    assert done.returncode == 2 and flag.format(path) in done.stderr
    with pytest.raises(vc.InputError) as refused:
        getattr(vc, name)(path)
    assert argument.format(path) in str(refused.value) and "--" not in str(refused.value)


def test_settings_and_folders_are_arguments(tmp_path: Path) -> None:
    with pytest.raises(vc.InputError, match=r"^source_dir .*nowhere does not exist"):
        vc.prepare(source_dir=str(tmp_path / "nowhere"), target_dir=str(tmp_path))
    (tmp_path / "run").write_text("")
    with pytest.raises(
        vc.InputError, match=r"^run_dir .* is a file; expected a new or empty folder"
    ):
        vc.train(tmp_path / "run", source_dir=str(tmp_path), target_dir=str(tmp_path))
    with pytest.raises(vc.InputError, match="speakers, corpus_dir and corpus_url go with corpus"):
        vc.prepare(speakers=("a", "b"))


def test_exported_functions_keep_signature_text_and_address() -> None:
    from cyclegan_vc_tf import api

    assert vc.train is not api.train and vc.train.__doc__ == api.train.__doc__
    assert inspect.signature(vc.train) == inspect.signature(api.train)
    assert pickle.loads(pickle.dumps(vc.train)) is vc.train
