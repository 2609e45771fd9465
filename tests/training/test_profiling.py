"""Profiles are written, and do not change what is trained."""

from pathlib import Path

import pytest
from conftest import run_here, scalars

from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training import profiling

LOSSES = ("loss/", "gradient_norm/", "score/")


def test_the_first_and_last_step_are_read() -> None:
    assert profiling.parse_profile_steps("") is None
    assert profiling.parse_profile_steps("3,5") == (3, 5)
    assert profiling.parse_profile_steps("7, 7") == (7, 7)


@pytest.mark.parametrize("text", ["3", "3,", "a,b", "3,4,5", "-1,2", "1.5,2", "0,2", "5,3"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InputError, match=f"--profile_steps is {text}; expected"):
        profiling.parse_profile_steps(text)


def train(corpus: Path, run_dir: Path, *flags: str) -> dict[tuple[str, int], float]:
    """Return the scalars of a training of six steps."""
    done = run_here(
        "train.py", f"--source_dir={corpus / 'low'}", f"--target_dir={corpus / 'high'}",
        f"--features_dir={corpus / 'features'}", "--f0_method=dio", "--held_out_fraction=0",
        "--channels=2", "--residual_blocks=1", "--crop_frames=16", "--steps=6", "--log_every=1",
        "--convert_every=0", f"--run_dir={run_dir}", *flags,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = scalars(run_dir)
    return {key: value for key, value in found.items() if key[0].startswith(LOSSES)}


def profiles(run_dir: Path) -> list[int]:
    """Return the sizes of the files that TensorBoard's Profile tab reads."""
    return [path.stat().st_size for path in run_dir.glob("plugins/profile/*/*.xplane.pb")]


def test_a_profile_is_written_and_losses_are_unchanged(corpus: Path, tmp_path: Path) -> None:
    without = train(corpus, tmp_path / "without")
    profiled = train(corpus, tmp_path / "with", "--profile_steps=3,4")
    assert profiled == without and len(without) > 50
    assert profiles(tmp_path / "without") == []
    assert len(profiles(tmp_path / "with")) == 1 and min(profiles(tmp_path / "with")) > 1000


def test_a_profile_holds_the_chosen_steps(corpus: Path, tmp_path: Path) -> None:
    """A training that ends before the last of them writes those that were done."""
    train(corpus, tmp_path / "run", "--profile_steps=5,100")
    [path] = (tmp_path / "run").glob("plugins/profile/*/*.xplane.pb")
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    space = xplane_pb2.XSpace.FromString(path.read_bytes())
    steps = set()
    for plane in space.planes:
        names = {key: stat.name for key, stat in plane.stat_metadata.items()}
        for line in plane.lines:
            for event in line.events:
                if plane.event_metadata[event.metadata_id].name == "train":
                    steps |= {
                        stat.int64_value or stat.uint64_value
                        for stat in event.stats
                        if names[stat.metadata_id] == "step_num"
                    }
    assert steps == {5, 6}


def test_wrong_steps_are_refused_before_any_work(corpus: Path, tmp_path: Path) -> None:
    done = run_here(
        "train.py", f"--source_dir={corpus / 'low'}", f"--target_dir={corpus / 'high'}",
        f"--run_dir={tmp_path / 'run'}", "--profile_steps=4,3",
    )  # fmt: skip
    assert done.returncode == 2 and not (tmp_path / "run").exists()
    assert done.stderr.splitlines()[-1].endswith(
        "--profile_steps is 4,3; expected a first step of at least 1 and a last step that does not "
        "precede it"
    )
