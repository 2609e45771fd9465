"""The long study: that its arms are what they say, its statistics, and what it found."""

import dataclasses
import json
import sys

import numpy as np
import pytest
import scipy.stats
import torch

from cyclegan_vc_tf.config import RunConfig
from parity import convergence, separability, torch_step
from parity.convergence import ARMS, STUDY
from parity.demo import PAIRINGS, Demo
from parity.runs import LOSSES, TorchRun
from parity.separability import KINDS, POWER, SIGNIFICANCE, Comparison, compare, final_losses

RESULTS = json.loads(convergence.RESULTS.read_text())


def against(one: str, other: str, kind: str) -> Comparison:
    return compare(final_losses(RESULTS[one], kind), final_losses(RESULTS[other], kind))


def norms(run: TorchRun) -> list[torch.nn.Module]:
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
        assert isinstance(adam, torch.optim.Adam if theirs else torch_step.Adam)
        # 32 channels to 128 over 3 frames: Glorot's bound, or 1 / sqrt(fan in).
        default = name in ("pytorch_initialiser", "pytorch_defaults")
        bound = 1 / np.sqrt(3 * 32) if default else np.sqrt(6 / (3 * 32 + 3 * 128))
        kernel = run.networks()["A2B"].residual[0].conv
        assert 0.98 * bound < float(kernel.weight.detach().abs().max()) <= bound
        assert bool((kernel.bias == 0).all()) == (not default)
        assert all(each.weight.requires_grad != (name == "not_affine") for each in norms(run))


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


def test_held_out_crops_are_in_the_units_of_the_training(corpus: Demo) -> None:
    a, b = corpus.held_out_batch()
    assert a.shape == b.shape == (12, 128, 24)
    # The same voices on other sentences: near zero mean and unit deviation.
    for each in (a, b):
        assert abs(each.mean()) < 0.2
        assert 0.8 < each.std() < 1.2


@pytest.mark.parametrize("arm", ["tensorflow", "pytorch"])
def test_a_training_of_the_study(
    arm: str, corpus: Demo, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    """The command itself, with four steps of a tiny network; a second call does nothing."""
    tiny = dataclasses.replace(
        STUDY,
        network=dataclasses.replace(STUDY.network, channels=2),
        training=dataclasses.replace(STUDY.training, steps=4, batch_size=1, crop_frames=32),
    )
    monkeypatch.setattr(convergence, "STUDY", tiny)
    monkeypatch.setattr(convergence, "WINDOW", 2)
    monkeypatch.setattr(convergence, "SEEDS", (0,))
    path = f"{tmp_path}/results.json"
    monkeypatch.setattr(sys, "argv", ["convergence", f"--arm={arm}", f"--results={path}"])
    assert convergence.main() == 0
    with open(path) as file:
        first = file.read()
    found = json.loads(first)[arm]["0"]
    assert np.shape(found["losses"]) == (2, len(LOSSES))
    assert len(found["adversarial_gradient"]) == (2 if arm == "tensorflow" else 0)
    assert set(found["held_out"]) == {name for name in LOSSES if "_" in name} - {
        "discriminator_A", "discriminator_B",
    }  # fmt: skip
    # The total is the weighted sum of the terms: nothing was put in the wrong column.
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


def test_final_losses_by_hand() -> None:
    windows = np.zeros((20, len(LOSSES)))
    windows[-2:, LOSSES.index("cycle_A")] = 1.0, 3.0
    windows[-2:, LOSSES.index("cycle_B")] = 5.0, 7.0
    arm = {"0": {"losses": windows.tolist(), "held_out": {"cycle_A": 1.0, "cycle_B": 2.0}}}
    assert final_losses(arm, "cycle") == [4.0]
    assert final_losses(arm, "identity") == [0.0]
    assert separability.held_out(arm, "cycle") == [1.5]


def test_welchs_test_by_hand() -> None:
    """Means 3 and 6, variances 2.5 and 10, five each: t = 3 / sqrt(2.5) at 5.882 degrees."""
    found = compare(np.array([1.0, 2, 3, 4, 5]), np.array([2.0, 4, 6, 8, 10]))
    assert found.difference == pytest.approx(3.0)
    assert found.p == pytest.approx(2 * scipy.stats.t.sf(1.8974, 5.8824), rel=1e-3)
    assert not found.separable


def test_the_power_is_what_it_says() -> None:
    """Of groups that far apart, drawn again and again, four in five are found separable."""
    rng = np.random.default_rng(0)
    one, other = rng.standard_normal((2, 5))
    apart = compare(one, other).detectable
    trials = 4000
    a = one.std(ddof=1) * rng.standard_normal((trials, 5))
    b = other.std(ddof=1) * rng.standard_normal((trials, 5)) + apart
    p = scipy.stats.ttest_ind(a, b, axis=1, equal_var=False).pvalue
    assert np.mean(p < SIGNIFICANCE / len(KINDS)) == pytest.approx(POWER, abs=0.06)


def test_the_frameworks_are_not_separable() -> None:
    """And differences of 2 % in cycle and identity loss would have been seen."""
    for kind in KINDS:
        found = against("tensorflow", "pytorch", kind)
        assert not found.separable, (kind, found)
    for kind in ("cycle", "identity"):
        found = against("tensorflow", "pytorch", kind)
        assert found.detectable < 0.02 * found.mean
