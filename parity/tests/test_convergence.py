"""The long study: its arms, its statistics and its findings."""

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch

from cyclegan_vc_tf.config.run import RunConfig
from cyclegan_vc_tf.system.errors import InputError
from parity.companion import train_step
from parity.demo import PAIRINGS, Demo
from parity.trainings import convergence
from parity.trainings.convergence import ARMS, STUDY
from parity.trainings.runs import LOSSES, TensorFlowRun, TorchRun
from parity.trainings.separability import (
    KINDS,
    POWER,
    SIGNIFICANCE,
    Comparison,
    between,
    columns,
    final_losses,
    held_out_losses,
    paired,
    unpaired,
)

RESULTS = convergence.load()


Compare = Callable[[np.ndarray, np.ndarray], Comparison]


def norms(run: TensorFlowRun | TorchRun) -> list[torch.nn.Module]:
    kinds = torch.nn.InstanceNorm1d | torch.nn.InstanceNorm2d
    networks = run.networks().values()
    return [each for network in networks for each in network.modules() if isinstance(each, kinds)]


def test_arms_differ_from_what_they_are_compared_with_in_what_they_say() -> None:
    def changed(name: str) -> set[str]:
        found = set()
        config = ARMS[name].config(0)
        for part in dataclasses.fields(RunConfig):
            ours, study = getattr(config, part.name), getattr(STUDY, part.name)
            found |= {
                each.name
                for each in dataclasses.fields(ours)
                if getattr(ours, each.name) != getattr(study, each.name)
            }
        return found | ({ARMS[name].pairing} - {"independent"})

    assert {name: changed(name) for name in ARMS if changed(name)} == {
        "pytorch_defaults": {"adam_beta1"},
        "beta1": {"adam_beta1"},
        "sigmoid": {"discriminator_sigmoid"},
        "strong": {"discriminator_learning_rate"},
        "strong_sigmoid": {"discriminator_learning_rate", "discriminator_sigmoid"},
        "kernels": {"generator_kernels"},
        "same_index": {"same index"},
        "cached": {"cached"},
    }
    assert ARMS["beta1"].config(3).training.seed == 3


def test_companions_draw_and_move_as_they_say() -> None:
    runs = {name: arm.build(arm.config(0)) for name, arm in ARMS.items() if "py" in name}
    runs["not_affine"] = ARMS["not_affine"].build(ARMS["not_affine"].config(0))
    for name, run in runs.items():
        assert isinstance(run, TorchRun)
        (adam, _) = run.companion.optimizers().values()
        theirs = name in ("pytorch_adam", "pytorch_defaults")
        assert isinstance(adam, torch.optim.Adam if theirs else train_step.Adam)
        # 32 channels to 128 over 3 frames: Glorot's bound, or 1 / sqrt(fan in).
        default = name in ("pytorch_initialiser", "pytorch_defaults")
        bound = 1 / np.sqrt(3 * 32) if default else np.sqrt(6 / (3 * 32 + 3 * 128))
        kernel = run.networks()["A2B"].residual[0].conv
        assert 0.98 * bound < float(kernel.weight.detach().abs().max()) <= bound
        assert bool((kernel.bias == 0).all()) == (not default)
        before = kernel.weight.detach().clone()
        # Kernel, scale and offset after a step, in all four networks.
        run.step(tuple(np.random.default_rng(0).standard_normal((2, 1, 16, 24), np.float32)))
        assert not torch.equal(run.networks()["A2B"].residual[0].conv.weight, before)
        for each in norms(run):
            still = bool((each.weight == 1).all() and (each.bias == 0).all())
            assert still == (name == "not_affine"), name
    assert len(norms(runs["not_affine"])) == 2 * (2 + 2 + 2) + 2 * 3


def test_crops_are_paired_as_they_say(corpus: Demo) -> None:
    seen = {each: list(corpus.batches(40, 4, seed=1, pairing=each)) for each in PAIRINGS}
    independent, same, cached = (seen[each] for each in PAIRINGS)
    # One epoch is 80 recordings, 20 steps.
    for step in range(20):
        assert np.array_equal(cached[step][0], cached[step + 20][0])
        assert not np.array_equal(independent[step][0], independent[step + 20][0])
        assert np.array_equal(independent[step][0], cached[step][0])
        assert np.array_equal(independent[step][0], same[step][0])
        assert not np.array_equal(independent[step][1], same[step][1])


def test_one_index_is_one_index(corpus: Demo) -> None:
    """The recordings of A and B have one index, and crops at different places."""
    for pairing, equal in (("same index", True), ("independent", False)):
        crops = corpus.crops(128, 1, pairing)
        places = [[tuple(map(int, each.place(visit))) for visit in range(40)] for each in crops]
        indices = [[index for index, _ in each] for each in places]
        assert (indices[0] == indices[1]) == equal
        assert places[0] != places[1]


def test_held_out_crops_are_in_the_units_of_the_training(corpus: Demo) -> None:
    a, b = corpus.held_out_batch()
    assert a.shape == b.shape == (12, 128, 24)
    # Other sentences of the speakers: mean near 0, standard deviation near 1.
    for each in (a, b):
        assert abs(each.mean()) < 0.2
        assert 0.8 < each.std() < 1.2


@pytest.mark.parametrize("arm", ["tensorflow", "pytorch"])
def test_a_training_of_the_study(
    arm: str, corpus: Demo, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """Run the command with four steps of a tiny network; a second call does nothing."""
    tiny = dataclasses.replace(
        STUDY,
        network=dataclasses.replace(STUDY.network, channels=2),
        training=dataclasses.replace(STUDY.training, steps=4, batch_size=1, crop_frames=32),
    )
    monkeypatch.setattr(convergence, "STUDY", tiny)
    monkeypatch.setattr(convergence, "WINDOW", 2)
    monkeypatch.setitem(ARMS, arm, dataclasses.replace(ARMS[arm], seeds=1))
    path = f"{tmp_path}/results.json"
    monkeypatch.setattr(sys, "argv", ["convergence", f"--arm={arm}", f"--results={path}"])
    assert convergence.main() == 0
    with open(path) as file:
        first = file.read()
    written = json.loads(first)
    assert written["command"] == "python -m parity.trainings.convergence"
    assert "PyTorch" in written["circumstances"]
    found = written["arms"][arm]["seeds"]["0"]
    assert np.shape(found["losses"]) == (2, len(LOSSES))
    assert len(found["adversarial_gradient"]) == (2 if arm == "tensorflow" else 0)
    assert set(found["held_out"]) == {name for name in LOSSES if "_" in name} - {
        "discriminator_A", "discriminator_B",
    }  # fmt: skip
    # The total is the weighted sum of the terms, so that every loss is in its column.
    columns = dict(zip(LOSSES, np.transpose(found["losses"]), strict=True))
    total = sum(
        weight * (columns[f"{kind}_{a}"] + columns[f"{kind}_{b}"])
        for kind, weight, a, b in (
            ("adversarial", 1, "A2B", "B2A"), ("cycle", 10, "A", "B"), ("identity", 5, "A", "B"),
        )
    )  # fmt: skip
    np.testing.assert_allclose(columns["generator"], total, rtol=1e-4)
    monkeypatch.setattr(convergence, "run", lambda *given: pytest.fail("trained again"))
    assert convergence.main() == 0
    with open(path) as file:
        assert file.read() == first
    # With other settings the training is repeated.
    monkeypatch.setattr(convergence, "STUDY", STUDY)
    with pytest.raises(pytest.fail.Exception, match="trained again"):
        convergence.main()


def test_results_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"lacks trainings of tensorflow, pytorch, .*; run python"):
        convergence.load(tmp_path / "none.json")
    found = convergence.read(convergence.RESULTS)
    del found["beta1"]["seeds"]["3"]
    found["sigmoid"]["settings"]["training"]["steps"] = 900
    convergence.write(found, tmp_path / "some.json")
    with pytest.raises(InputError, match=r"lacks trainings of beta1, sigmoid with today's"):
        convergence.load(tmp_path / "some.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_file_of_something_else_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "results.json"
    path.write_text(text)
    monkeypatch.setattr(sys, "argv", ["convergence", f"--results={path}"])
    with pytest.raises(SystemExit) as ended:
        convergence.main()
    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"error: {path} holds no results of this study; remove it")
    assert path.read_text() == text


def test_final_losses_by_hand() -> None:
    windows = np.zeros((20, len(LOSSES)))
    windows[-2:, LOSSES.index("cycle_A")] = 1.0, 3.0
    windows[-2:, LOSSES.index("cycle_B")] = 5.0, 7.0
    arm = {"7": {"losses": windows.tolist(), "held_out": {"cycle_A": 1.0, "cycle_B": 2.0}}}
    assert final_losses(arm, "cycle") == {"7": 4.0}
    assert final_losses(arm, "identity") == {"7": 0.0}
    assert held_out_losses(arm, "cycle") == {"7": 1.5}


ONE, OTHER = np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 4, 6, 8, 10])


def test_welchs_test_by_hand() -> None:
    """Means 3 and 6, variances 2.5 and 10, five each: t = 3 / sqrt(2.5) at 5.882 degrees."""
    found = unpaired(ONE, OTHER)
    assert found.difference == pytest.approx(3.0)
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(1.8974, 5.8824), rel=1e-3)
    assert found.p == pytest.approx(scipy.stats.ttest_ind(ONE, OTHER, equal_var=False).pvalue)
    assert not found.separable


def test_the_paired_test_by_hand() -> None:
    """Differences 1 to 5: mean 3, deviation sqrt(2.5), t = 3 / sqrt(0.5) at 4 degrees."""
    found = paired(ONE, OTHER)
    assert found.difference == pytest.approx(3.0)
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(4.2426, 4), rel=1e-3)
    assert found.p == pytest.approx(scipy.stats.ttest_rel(ONE, OTHER).pvalue)
    assert found.separable
    assert not found.certain


@pytest.mark.parametrize("compare", [paired, unpaired])
def test_groups_without_spread_are_no_comparison(compare: Compare) -> None:
    found = compare(np.ones(5), np.ones(5))
    assert np.isnan(found.p)
    assert not found.separable


@pytest.mark.parametrize("compare", [paired, unpaired])
def test_the_power_is_what_it_says(compare: Compare) -> None:
    """The difference is found in four of five draws of groups with that distance."""
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 6))
    apart = compare(one, other).detectable
    trials = 4000
    if compare is paired:
        deviation = (other - one).std(ddof=1)
        drawn = deviation * rng.standard_normal((trials, 6)) + apart
        p = scipy.stats.ttest_1samp(drawn, 0.0, axis=1).pvalue
    else:
        a = one.std(ddof=1) * rng.standard_normal((trials, 6))
        b = other.std(ddof=1) * rng.standard_normal((trials, 6)) + apart
        p = scipy.stats.ttest_ind(a, b, axis=1, equal_var=False).pvalue
    assert np.mean(p < SIGNIFICANCE) == pytest.approx(POWER, abs=0.06)


def test_arms_of_one_framework_are_compared_seed_by_seed() -> None:
    def arm(*losses: float) -> dict[str, dict]:
        held = [{"cycle_A": each, "cycle_B": each} for each in losses]
        return {str(seed): {"held_out": each} for seed, each in enumerate(held)}

    results = {
        "tensorflow": arm(1.0, 2.0, 3.0, 4.0), "beta1": arm(1.1, 2.2, 3.1),
        "pytorch": arm(1.1, 2.2, 3.1),
    }  # fmt: skip
    within = between(results, "tensorflow", "beta1", "cycle", held_out_losses)
    across = between(results, "tensorflow", "pytorch", "cycle", held_out_losses)
    expected = scipy.stats.ttest_rel([1.0, 2.0, 3.0], [1.1, 2.2, 3.1]).pvalue
    assert within.p == pytest.approx(expected)
    expected = scipy.stats.ttest_ind([1.0, 2, 3, 4], [1.1, 2.2, 3.1], equal_var=False).pvalue
    assert across.p == pytest.approx(expected)


# Findings of the study.

EVERYWHERE = [(kind, final_losses) for kind in KINDS] + [
    (kind, held_out_losses) for kind in KINDS[:2]
]


def curve(arm: str, kind: str) -> np.ndarray:
    """Return a kind of loss over windows of 50 steps, mean over both directions and all seeds."""
    trainings = RESULTS[arm].values()
    return np.mean([np.array(one["losses"])[:, columns(kind)] for one in trainings], (0, 2))


def gradient(arm: str) -> np.ndarray:
    """Return the norm of the gradient at the fakes, over windows, mean over all seeds."""
    return np.mean([one["adversarial_gradient"] for one in RESULTS[arm].values()], axis=0)


@pytest.mark.parametrize("kind", KINDS)
def test_the_frameworks_are_not_separable(kind: str) -> None:
    """A difference of 1 %, of 3.5 % in adversarial losses, would have been detected."""
    found = between(RESULTS, "tensorflow", "pytorch", kind)
    assert not found.separable
    assert found.detectable < (0.035 if kind == "adversarial" else 0.0105) * found.mean


def test_of_pytorchs_defaults_the_initialiser_makes_a_difference() -> None:
    """Losses fall faster at first and end higher, the adversarial loss certainly."""
    found = {kind: between(RESULTS, "pytorch", "pytorch_initialiser", kind) for kind in KINDS}
    assert found["adversarial"].certain
    assert found["adversarial"].difference > 0.05 * found["adversarial"].mean
    for kind in ("cycle", "identity"):
        assert found[kind].difference > 0.005 * found[kind].mean
    assert curve("pytorch_initialiser", "cycle")[0] < 0.97 * curve("pytorch", "cycle")[0]


def test_with_all_of_pytorchs_defaults_a_head_start_is_lost() -> None:
    assert between(RESULTS, "pytorch", "pytorch_defaults", "adversarial").certain
    ahead = curve("pytorch_defaults", "cycle") < curve("pytorch", "cycle")
    assert ahead[:17].all()
    assert not ahead[17:].any()


@pytest.mark.parametrize("arm", ["beta1", "not_affine"])
def test_no_effect_was_seen(arm: str) -> None:
    """Neither beta1 0.9 nor a missing scale and offset has an effect of 4 % or more."""
    for kind, measure in EVERYWHERE:
        found = between(RESULTS, ARMS[arm].against, arm, kind, measure)
        assert not found.separable
        assert found.detectable < 0.04 * found.mean


def test_no_effect_of_torchs_adam_was_seen() -> None:
    """An effect of 1 % would have been detected."""
    for kind in KINDS:
        found = between(RESULTS, "pytorch", "pytorch_adam", kind)
        assert not found.separable
        assert found.detectable < 0.0105 * found.mean


def test_one_index_for_both_speakers() -> None:
    """Training losses are 0.5 % to 1 % higher. Held-out losses show no difference."""
    for kind in ("cycle", "identity"):
        found = between(RESULTS, "tensorflow", "same_index", kind)
        assert found.separable
        assert 0.005 * found.mean < found.difference < 0.01 * found.mean
        assert not between(RESULTS, "tensorflow", "same_index", kind, held_out_losses).separable


def test_kernels_of_3_are_no_worse() -> None:
    """Only the adversarial loss is higher."""
    for kind in ("cycle", "identity"):
        for measure in (final_losses, held_out_losses):
            found = between(RESULTS, "tensorflow", "kernels", kind, measure)
            assert not found.separable
            assert found.difference < 0
    assert between(RESULTS, "tensorflow", "kernels", "adversarial").certain


def test_strong_discriminators_do_harm_with_or_without_a_sigmoid() -> None:
    """The discriminators have twenty times their learning rate."""
    for kind in ("cycle", "identity"):
        found = between(RESULTS, "tensorflow", "strong", kind)
        assert found.certain
        assert found.difference > 0.04 * found.mean
        assert not between(RESULTS, "strong", "strong_sigmoid", kind).separable
    without, behind = (curve(arm, "discriminator") for arm in ("strong", "strong_sigmoid"))
    assert behind.min() < without.min() / 2
    assert behind[-1] > 2 * behind.min()


def test_a_sigmoid_shortens_the_gradient() -> None:
    without, behind = gradient("tensorflow"), gradient("sigmoid")
    assert behind[0] < without[0] / 10
    assert (behind < 0.8 * without).all()
    for kind in ("cycle", "identity"):
        assert not between(RESULTS, "tensorflow", "sigmoid", kind).separable


def test_cached_crops_are_learned_by_heart() -> None:
    """Training losses are lower, held-out losses higher."""
    for kind in ("cycle", "identity"):
        trained = between(RESULTS, "tensorflow", "cached", kind)
        unseen = between(RESULTS, "tensorflow", "cached", kind, held_out_losses)
        assert trained.certain
        assert unseen.certain
        assert trained.difference < -0.09 * trained.mean
        assert unseen.difference > 0.1 * unseen.mean
