"""Cases: every part of this project equals its twin, and every public part is in the list."""

import dataclasses
import inspect
import types

import numpy as np
import pytest
import tensorflow as tf
import torch

from cyclegan_vc_tf.features import normalization
from cyclegan_vc_tf.interop import public_layouts
from cyclegan_vc_tf.models import discriminators, frame_layers, generators, layers, stft
from cyclegan_vc_tf.training import losses, optimizer, trainer
from cyclegan_vc_tf.vocoder_training import spectrum_discriminators, waveform_losses
from cyclegan_vc_tf.vocoders import source_filter
from parity.cases.case import Case, single_input
from parity.cases.catalogue import CASES
from parity.cases.compare import compare, difference
from parity.cases.pairs import Functions, Networks

MODULES = (
    layers, losses, generators, discriminators, normalization, optimizer, frame_layers, stft,
    source_filter, spectrum_discriminators, waveform_losses,
)  # fmt: skip

INITIAL = {"generators.set_linear_skip", "generators.linear_skip_output"}
"""Functions of a generator's initial linear map, which no paper has. tests/training tests them, and
cases compare generators with the map."""

WINDOW = {"stft.hann_window"}
"""NumPy function. Cases of spectra use it, against torch's window."""


def public_names(module: types.ModuleType) -> set[str]:
    """Functions and classes that a module defines under names without an underscore."""
    return {
        f"{module.__name__.split('.')[-1]}.{name}"
        for name, value in vars(module).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or inspect.isclass(value))
        and value.__module__ == module.__name__
    }


def uncovered_names() -> set[str]:
    covered = {name for case in CASES for name in case.covers}
    public = set().union(*(public_names(module) for module in MODULES))
    return public - covered - INITIAL - WINDOW


@pytest.mark.parametrize(
    ("case", "dtype"),
    [(case, dtype) for case in CASES for dtype in case.dtypes],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_a_part_equals_its_twin(case: Case, dtype: str) -> None:
    for row in compare(case, dtype):
        assert row.passed, row


def test_every_public_part_is_in_a_case() -> None:
    assert uncovered_names() == set()
    assert "trainer.Trainer" in {name for case in CASES for name in case.covers}
    assert inspect.isclass(trainer.Trainer)


def test_a_new_part_without_a_case_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    def a_new_loss() -> None: ...

    a_new_loss.__module__ = losses.__name__
    monkeypatch.setattr(losses, "a_new_loss", a_new_loss, raising=False)
    assert uncovered_names() == {"losses.a_new_loss"}


def test_every_name_that_is_covered_exists() -> None:
    known = set().union(*(public_names(module) for module in (*MODULES, public_layouts)))
    others = {
        "trainer.Trainer", "converter.Converter", "melgan.melgan_generator",
        "public_melgan.from_public_state", "public_weights.translate",
    }  # fmt: skip
    assert {name for case in CASES for name in case.covers} <= known | others


def test_every_learned_part_is_compared_in_its_gradients() -> None:
    for case in CASES:
        if case.covers[0].split(".")[0] in ("layers", "losses", "generators", "discriminators"):
            assert isinstance(case.pair, Networks | Functions), case.name


def test_shapes_are_even_and_odd_and_batches_one_and_three() -> None:
    for case in CASES:
        if case.covers[0].startswith("layers."):
            lengths = {shape[-2] % 2 for shape, *_ in case.shapes}
            assert lengths == {0, 1}, case.name
        if case.covers[0].startswith("generators.") and not case.slow:
            # With a linear skip, the output has to be as long as the input it is added to.
            remainders = {0} if case.name.endswith("with a linear skip") else {0, 1, 2}
            assert {shape[1] % 4 for shape, *_ in case.shapes} == remainders, case.name
        module = case.covers[0].split(".")[0]
        if module in ("layers", "losses") or (
            module in ("generators", "discriminators") and not case.slow
        ):
            assert {shapes[0][0] for shapes in case.shapes} == {1, 3}, case.name


def made_up(fault: float) -> Case:
    """Make a case of a product with 2, and with 2 + `fault` in the twin."""
    return Case(
        "made up",
        (),
        Functions(lambda x: 2.0 * x, lambda x: (2.0 + fault) * x),
        single_input((3, 4)),
    )


@pytest.mark.parametrize(("fault", "passed"), [(1e-13, True), (1e-9, False), (np.nan, False)])
def test_a_difference_fails_from_its_tolerance_on(fault: float, passed: bool) -> None:
    rows = compare(made_up(fault), "float64")
    assert [row.kind for row in rows] == ["output", "gradient"]
    assert [row.passed for row in rows] == [passed, passed]


def test_a_gradient_alone_can_fail() -> None:
    case = dataclasses.replace(
        made_up(0.0),
        pair=Functions(lambda x: 2.0 * x, lambda x: x + x.detach()),
    )
    assert [row.passed for row in compare(case, "float64")] == [True, False]


def zero_gradient(x: torch.Tensor) -> torch.Tensor:
    """Return the input, with a gradient of zero."""
    return x.detach() + 0.0 * x


def unit_gradient(x: torch.Tensor) -> torch.Tensor:
    """Return the input, with a gradient of one."""
    return 1.0 * x


def nan_gradient(x: torch.Tensor) -> torch.Tensor:
    """Return the input, with a gradient that is NaN."""
    return x + (x - x).sqrt()


@pytest.mark.parametrize(
    ("ours", "twin", "passed"),
    [
        (lambda x: tf.stop_gradient(x) + 0.0 * x, zero_gradient, True),
        (lambda x: tf.stop_gradient(x) + 0.0 * x, unit_gradient, False),
        (lambda x: tf.stop_gradient(x) + 0.0 * x, nan_gradient, False),
        (lambda x: x + tf.sqrt(x - x), zero_gradient, False),
        (tf.identity, zero_gradient, False),
        (tf.identity, unit_gradient, False),
    ],
    ids=["zero", "twin's is not", "twin's is NaN", "ours is NaN", "ours is not", "equal, not zero"],
)
def test_a_zero_gradient_has_to_be_zero_on_both_sides(
    ours: object, twin: object, passed: bool
) -> None:
    case = dataclasses.replace(
        made_up(0.0),
        pair=Functions(ours, twin),  # type: ignore[arg-type]
        zero_gradients="input 1",
    )
    output, gradient = compare(case, "float64")
    assert output.passed
    assert gradient.kind == "zero gradient"
    assert gradient.passed == passed


def test_another_shape_and_a_missing_gradient_are_rows_that_fail() -> None:
    shorter = dataclasses.replace(made_up(0.0), pair=Functions(lambda x: x[:, 1:], lambda x: x))
    (row,) = compare(shorter, "float64")
    assert row.absolute == np.inf
    assert not row.passed
    cut = dataclasses.replace(made_up(0.0), pair=Functions(tf.stop_gradient, lambda x: 1.0 * x))
    output, gradient = compare(cut, "float64")
    assert output.passed
    assert np.isnan(gradient.distance)
    assert not gradient.passed


def test_the_sentence_of_a_failure_has_the_figure_that_was_compared() -> None:
    """The factors differ by 1e-9 of 2, and the largest input is not 1."""
    row, _ = compare(made_up(1e-9), "float64")
    assert row.distance == pytest.approx(5e-10, rel=1e-3)
    assert row.absolute != pytest.approx(row.distance, rel=0.05)
    assert row.failure() == (
        "case made up, float64, output: output on 3x4: relative difference 5e-10, expected at "
        f"most 5.7e-14 (absolute difference {row.absolute:.2g})"
    )


def test_differences_are_those_of_numbers_worked_out_by_hand() -> None:
    assert difference(np.array([1.0, 4.5]), np.array([1.0, 5.0])) == (0.5, 0.1)
    assert difference(np.zeros(2), np.zeros(2)) == (0.0, 0.0)
    assert difference(np.zeros(2), np.zeros(3)) == (np.inf, np.inf)
    assert difference(np.ones(2), np.zeros(2)) == (1.0, np.inf)
