"""Published runs, and the pretrained models of the package."""

import dataclasses
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import REPOSITORY, run_here, voice

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.config.features import FeatureConfig
from cyclegan_vc_tf.config.run import RunConfig, VocoderConfig
from cyclegan_vc_tf.evaluation import neural_metrics
from cyclegan_vc_tf.evaluation.metric_info import METRIC_INFO
from cyclegan_vc_tf.features import world
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.hub import pretrained, publishing
from cyclegan_vc_tf.models import half_precision
from cyclegan_vc_tf.models.torch_weights import addresses
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.training.trainer import Trainer

STATISTICS = {
    name: Statistics(-10 * np.eye(24)[0], 0.1 * np.ones(24), log_f0, 0.1)
    for name, log_f0 in (("A", 4.7), ("B", 5.3))
}


LARGEST_WEIGHTS_BYTES = 12_000_000


@pytest.fixture
def run(tmp_path: Path, small_config: RunConfig) -> run_folder.RunFolder:
    """An untrained run with a checkpoint of step 3."""
    recordings = {name: {"training": {"a.wav": "hash"}} for name in "AB"}
    run = run_folder.create_run(tmp_path / "run", small_config, STATISTICS, recordings)
    run.checkpoints.save(Trainer(small_config).checkpoint, 3, keep=1)
    return run


def publish(run: run_folder.RunFolder, output: Path) -> run_folder.RunFolder:
    publishing.publish(run, 3, output, "Two made-up voices.")
    return run_folder.open_run(output)


def test_generators_are_rounded_to_half_precision(
    run: run_folder.RunFolder, tmp_path: Path
) -> None:
    published = publish(run, tmp_path / "published")
    assert published.statistics["B"].log_f0_mean == STATISTICS["B"].log_f0_mean
    networks, step = published.load_networks()
    assert (list(networks), step) == (["generator_A2B", "generator_B2A"], 3)
    for name, network in networks.items():
        whole = addresses(run.load_networks([name])[0][name])
        for address, variable in addresses(network).items():
            expected = whole[address].numpy().astype(np.float16).astype(np.float32)
            np.testing.assert_array_equal(variable.numpy(), expected)


def test_the_power_limit_is_kept(run: run_folder.RunFolder, tmp_path: Path) -> None:
    chosen = VocoderConfig(limit_power=True, griffin_lim_iterations=5)
    published = publish(
        run.with_settings(dataclasses.replace(run.config, vocoder=chosen)), tmp_path / "published"
    )
    assert published.config.vocoder == VocoderConfig(limit_power=True)


def test_a_published_run_converts_and_has_no_paths(
    run: run_folder.RunFolder, tmp_path: Path
) -> None:
    about = tmp_path / "about.md"
    about.write_text("# Low and high\n\nMade-up voices.\n")
    output = tmp_path / "published"
    done = run_here(
        "publish", f"--run_dir={run.path}", f"--about={about}", f"--output={output}"
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"Step 3: 0.1 MB of weights: {output}" in done.stdout
    card = (output / "card.md").read_text()
    assert card.startswith("# Low and high\n\nMade-up voices.\n") and "--channels=4" in card
    for file in output.iterdir():
        assert str(tmp_path).encode() not in file.read_bytes()
    soundfile.write(tmp_path / "a.wav", voice(110.0, 0.5, seed=0), 16_000)
    for step in ("last", "best", "3"):
        done = run_here(
            "convert.py", f"--run_dir={output}", f"--input={tmp_path / 'a.wav'}",
            f"--output={tmp_path / 'converted'}", f"--step={step}",
        )  # fmt: skip
        assert "Converted 1 of 1 with step 3" in done.stdout, done.stderr


def test_a_published_run_refuses_other_commands_in_a_line(
    run: run_folder.RunFolder, tmp_path: Path
) -> None:
    published = publish(run, tmp_path / "published")
    with pytest.raises(InputError, match="published with step 3 only"):
        published.pick("2")
    for command, message in (
        ("train.py", "is a published run"),
        ("evaluate", "was imported or published"),
    ):
        done = run_here(command, f"--run_dir={published.path}")
        assert done.returncode == 2 and message in done.stderr.splitlines()[-1]
    with pytest.raises(InputError, match="is not empty"):
        publish(run, tmp_path / "published")
    done = run_here("publish", f"--run_dir={run.path}", f"--output={tmp_path / 'other'}")
    assert done.returncode == 2 and "--about is not given" in done.stderr


def test_the_card_has_the_numbers_of_the_evaluation(
    run: run_folder.RunFolder, tmp_path: Path
) -> None:
    nothing = dict.fromkeys(METRIC_INFO)
    bounds = {name: nothing | {"mcd_db": 9.0} for name in ("source", "f0_only", "world_target")}
    scores = dict.fromkeys(("A2B", "B2A"), bounds | {"converted": nothing | {"mcd_db": 7.25}})
    folder = run.path / "evaluation" / "step-3"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text(json.dumps(scores))
    publish(run, tmp_path / "published")
    card = (tmp_path / "published" / "card.md").read_text()
    assert "| MCD (dB) ↓ | 9.00 | 7.25 | 9.00 | 9.00 | 7.25 | 9.00 |" in card
    assert "Word error rate (" not in card
    assert "evaluate --run_dir=published" in card


def test_a_weight_that_half_precision_cannot_hold_is_refused(
    run: run_folder.RunFolder, tmp_path: Path
) -> None:
    networks, _ = run.load_networks(["generator_A2B"])
    variable = addresses(networks["generator_A2B"])["output_conv/bias"]
    variable.assign(variable + 65_520)
    with pytest.raises(InputError, match="output_conv/bias has a weight that half precision"):
        half_precision.write(tmp_path / "weights.npz", networks)
    assert not list(tmp_path.glob("*weights*"))


@pytest.mark.parametrize("damage", ["cut", "other", "gone"])
def test_damaged_weights_are_told(run: run_folder.RunFolder, tmp_path: Path, damage: str) -> None:
    published = publish(run, tmp_path / "published")
    weights = published.path / "weights.npz"
    if damage == "cut":
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "other":
        with weights.open("wb") as file:
            np.savez(file, **{"generator_A2B/output_conv/bias": np.zeros(3, np.float16)})
    else:
        weights.unlink()
    with pytest.raises(InputError, match=r"weights\.npz cannot be read"):
        published.load_generator("A2B")


def test_a_model_of_another_name_is_refused_and_all_are_named() -> None:
    with pytest.raises(InputError, match="pretrained:nobody is not a model") as refused:
        pretrained.find("pretrained:nobody")
    assert all(name in str(refused.value) for name in pretrained.names())


def test_the_models_are_of_two_variants_small_and_have_cards() -> None:
    runs = [run_folder.open_run(pretrained.find(f"pretrained:{n}")) for n in pretrained.names()]
    assert len({run.config.network.variant for run in runs}) >= 2
    for run in runs:
        assert (run.path / "weights.npz").stat().st_size <= LARGEST_WEIGHTS_BYTES
        card = (run.path / "card.md").read_text()
        assert "Apache-2.0" in card and "synthetic" in card and "MCD" in card


def level_embedding(wave: np.ndarray, sample_rate_hz: int) -> np.ndarray:
    """Return a made-up embedding: level and zero crossings, of length 1."""
    crossings = np.mean(np.diff(np.sign(wave)) != 0) * sample_rate_hz / 1000
    vector = np.array([np.abs(wave).mean(), crossings])
    return vector / np.linalg.norm(vector)


def embed_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the embeddings of Resemblyzer, which may not be installed."""
    monkeypatch.setattr(
        neural_metrics.SpeakerSimilarity, "embed",
        lambda _, wave, sample_rate_hz: level_embedding(wave, sample_rate_hz),
    )  # fmt: skip
    monkeypatch.setattr(
        neural_metrics, "missing_reason",
        lambda *packages: "" if packages == ("resemblyzer",) else neural_metrics.NOT_INSTALLED,
    )  # fmt: skip


def test_the_command_in_a_model_s_card_evaluates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On two of the sentences; scores lie between the bounds, as those in the card do."""
    monkeypatch.chdir(tmp_path)
    card = (pretrained.find("pretrained:vc1-demo") / "card.md").read_text()
    flags = re.findall(r"--(?:run_dir|held_out_\w+|enrolment_\w+)=[^\s`]+", card)[-5:]
    assert flags[0] == "--run_dir=pretrained:vc1-demo"
    assert [flag.partition("=")[0] for flag in flags[3:]] == [
        "--enrolment_source_dir", "--enrolment_target_dir"
    ]  # fmt: skip
    for flag in flags[1:]:
        folder = Path(flag.partition("=")[2])
        folder.mkdir(parents=True)
        for recording in sorted((REPOSITORY / folder).iterdir())[:2]:
            shutil.copy(recording, folder)
    embed_levels(monkeypatch)
    before = sorted(pretrained.MODELS_DIR.rglob("*"))
    done = run_here("evaluate", *flags)
    assert done.returncode == 0, done.stderr
    report = tmp_path / "evaluation" / "vc1-demo" / "step-2000"
    assert "note: speaker_similarity" not in done.stdout
    assert f"Report: {report.relative_to(tmp_path) / 'report.html'}" in done.stdout
    scores = json.loads((report / "metrics.json").read_text())
    voices = {
        (side, speaker): np.array([
            level_embedding(*audio_files.read(path))
            for path in sorted(Path("data/demo", side, speaker).iterdir())
        ])
        for side in ("train", "held_out")
        for speaker in ("heart", "michael")
    }  # fmt: skip
    for direction, source, target in (("A2B", "heart", "michael"), ("B2A", "michael", "heart")):
        total = voices["train", target].sum(axis=0)
        expected = np.mean(voices["held_out", source] @ total / np.linalg.norm(total))
        found = scores[direction]["source"]["speaker_similarity"]
        assert found == pytest.approx(expected, rel=1e-5)
    for systems in scores.values():
        source, converted, best = (
            systems[name]["mcd_db"] for name in ("source", "converted", "world_target")
        )
        assert source - 2 > converted > best + 1
        assert systems["converted"]["log_f0_rmse"] < 0.5 * systems["source"]["log_f0_rmse"]
    assert sorted(pretrained.MODELS_DIR.rglob("*")) == before, "the package stays as it is"


def test_pretrained_models_are_in_the_order_of_their_papers() -> None:
    assert pretrained.names() == ["vc1-demo", "vc2-demo", "vc3-demo", "mask-demo"]


@pytest.mark.parametrize("name", pretrained.names())
@pytest.mark.parametrize("direction", ["A2B", "B2A"])
def test_a_pretrained_model_converts_to_the_target_voice(
    name: str, direction: str, tmp_path: Path
) -> None:
    """The F0 of a held-out sentence moves to the target's mean (107 and 191 Hz)."""
    speaker, f0_hz = {"A2B": ("heart", 107), "B2A": ("michael", 191)}[direction]
    recording = sorted((REPOSITORY / "data" / "demo" / "held_out" / speaker).iterdir())[0]
    done = run_here(
        "convert.py", f"--run_dir=pretrained:{name}", f"--input={recording}",
        f"--output={tmp_path}", f"--direction={direction}",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wave, rate_hz = audio_files.read(tmp_path / f"{recording.stem}.wav")
    found_hz, _ = world.f0(wave, FeatureConfig(f0_method="dio"))
    assert rate_hz == 16_000 and np.abs(wave).max() > 0.1
    assert np.exp(np.log(found_hz[found_hz > 0]).mean()) == pytest.approx(f0_hz, rel=0.12)


@pytest.mark.parametrize("scores", ["{", '{"A2B": {"source": {}}}', '{"A2B": 5}', "[" * 100_000])
def test_damaged_scores_leave_no_half_publication(
    run: run_folder.RunFolder, tmp_path: Path, scores: str
) -> None:
    """The weights were there already, and the next call refused a folder that is not empty."""
    file = run.path / "evaluation" / "step-3" / "metrics.json"
    file.parent.mkdir(parents=True)
    file.write_text(scores)
    with pytest.raises(InputError, match=r"metrics\.json is damaged"):
        publish(run, tmp_path / "published")
    assert not (tmp_path / "published").exists()


def test_a_publication_that_fails_in_the_middle_leaves_nothing(
    run: run_folder.RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(folder: Path, statistics: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(publishing.run_files, "write_statistics", refuse)
    (tmp_path / "published").mkdir()
    with pytest.raises(OSError, match="No space"):
        publish(run, tmp_path / "published")
    assert list((tmp_path / "published").iterdir()) == []
