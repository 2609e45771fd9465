"""How each Adam follows this project's, and the formula that explains what is between them."""

from dataclasses import dataclass

import numpy as np

from parity import adams

STEPS, WEIGHTS, EPSILON = 1000, 16, 1e-8

PER_STEP = 1e-15
"""How far an Adam may be from one with the same formula, a step: weights of about 1 are rounded to
1.1e-16 at every step."""


@dataclass(frozen=True)
class Followed:
    """An Adam beside this project's, after 1,000 steps in float64.

    Attributes:
        name: Which.
        scale: Of the gradients.
        first: Drift after the first step: distance over the way gone.
        last: Drift after the last.
        formula: What it computes.
        unexplained: Largest distance from that formula at any step, over the number of the step.
    """

    name: str
    scale: float
    first: float
    last: float
    formula: str
    unexplained: float

    @property
    def passed(self) -> bool:
        """Whether the formula accounts for it."""
        return self.unexplained <= PER_STEP


def follow(scale: float) -> list[Followed]:
    """All Adams on the same 1,000 gradients, of a deviation of `scale`."""
    rng = np.random.default_rng(0)
    start, gradients = (
        rng.standard_normal(WEIGHTS), scale * rng.standard_normal((STEPS, WEIGHTS))
    )  # fmt: skip
    rate, beta2 = (float(np.float32(each)) for each in (adams.RATE, adams.BETA2))

    def textbook(*, inside: bool = False, **rounded: float) -> np.ndarray:
        return adams.textbook(start, gradients, EPSILON, inside=inside, **rounded)

    ours = adams.ours(start, gradients, EPSILON)
    found = []
    for name, theirs, formula, expected in (
        (
            "the companion's",
            adams.companion(start, gradients, EPSILON),
            "this project's",
            ours,
        ),
        (
            "torch.optim.Adam",
            adams.torchs(start, gradients, EPSILON),
            "epsilon times sqrt(1 - beta2^t)",
            textbook(inside=True),
        ),
        (
            "keras.optimizers.Adam, floatx float64",
            adams.keras_adam(start, gradients, EPSILON, floatx="float64"),
            "bias corrected with beta2 rounded to float32",
            textbook(power_beta2=beta2),
        ),
        (
            "keras.optimizers.Adam, floatx float32",
            adams.keras_adam(start, gradients, EPSILON, floatx="float32"),
            "the same, and the rate rounded to float32",
            textbook(power_beta2=beta2, rate=rate),
        ),
        (
            "keras.optimizers.legacy.Adam",
            adams.keras_adam(start, gradients, EPSILON, floatx="float64", legacy=True),
            "rate and beta2 rounded to float32 throughout",
            textbook(power_beta2=beta2, beta2=beta2, rate=rate),
        ),
    ):
        numbers = np.arange(1, STEPS + 1)[:, np.newaxis]
        found.append(
            Followed(
                name,
                scale,
                adams.drift(start, theirs[:1], ours[:1]),
                adams.drift(start, theirs, ours),
                formula,
                float(np.max(np.abs(theirs - expected) / numbers)),
            )
        )
    return found
