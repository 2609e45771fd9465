"""All that is compared, gathered in one run."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from cyclegan_vc_tf.system.progress import progress_bar
from parity import demo
from parity.cases.catalogue import CASES
from parity.cases.compare import Row, compare
from parity.mutation import mutants as mutants_module
from parity.trainings import convergence as convergence_module
from parity.trainings import optimizers, trajectories
from parity.trainings.convergence import Results
from parity.trainings.optimizers import Followed
from parity.trainings.separability import KINDS, between
from parity.trainings.trajectories import EXACT, Envelope
from parity.traps.catalogue import TRAPS, Finding, spring


@dataclass(frozen=True)
class Evidence:
    """What a run of the suite found.

    Attributes:
        rows: Of the cases.
        findings: Of the traps.
        survivors: Names of mutants that no case saw.
        mutants: How many faults were put in.
        followed: The Adams.
        exact: Relative differences of losses in float64, (steps,); None if not run.
        envelopes: By type.
        convergence: What the long study found.
    """

    rows: list[Row]
    findings: list[Finding]
    followed: list[Followed]
    survivors: list[str] = field(default_factory=list)
    mutants: int = 0
    exact: np.ndarray | None = None
    envelopes: dict[str, Envelope] = field(default_factory=dict)
    convergence: Results = field(default_factory=dict)

    def failures(self) -> list[str]:
        """What did not hold, a line each."""
        said = [
            f"case {row.case}, {row.dtype}, {row.kind}: {row.worst} is {row.distance:.2g} apart, "
            f"expected at most {row.tolerance:.0e}"
            for row in self.rows
            if not row.passed
        ]
        said += [
            f"trap {each.trap.name}: the right form is {each.right:.2g} off, expected at most "
            f"{each.trap.tolerance:.0e}; {each.trap.wrong_way} {each.wrong:.2g}, expected at least "
            f"{each.trap.at_least:.0e}"
            for each in self.findings
            if not each.passed
        ]
        said += [
            f"optimiser {each.name}: {each.unexplained:.2g} a step from {each.formula}, expected "
            f"at most {optimizers.PER_STEP:.0e}"
            for each in self.followed
            if not each.passed
        ]
        said += [f"mutant {name} was seen by no case" for name in self.survivors]
        if self.exact is not None:
            said += [
                f"trajectory, float64: {self.exact[:steps].max():.2g} apart within {steps} steps, "
                f"expected at most {tolerance:.0e}"
                for steps, tolerance in EXACT.items()
                if not self.exact[:steps].max() <= tolerance
            ]
        said += [
            f"envelope, {dtype}: outside of it at step {step}"
            for dtype, envelope in self.envelopes.items()
            for step, inside in zip(envelope.steps, envelope.inside(), strict=True)
            if not inside
        ]
        if self.convergence:
            found = {
                kind: between(self.convergence, "tensorflow", "pytorch", kind) for kind in KINDS
            }
            said += [
                f"convergence: the frameworks' {kind} losses are separable, p {each.p:.2g}"
                for kind, each in found.items()
                if each.separable or np.isnan(each.p)
            ]
        return said


def gather(*, quick: bool) -> Evidence:
    """Runs the suite.

    Args:
        quick: Leave out the paper's width, the mutants, the trajectories and the long study.

    Raises:
        InputError: The results of the long study are missing or not of today's settings.
    """
    # What can be refused is refused before any work is done.
    study = {} if quick else convergence_module.load()
    cases = [case for case in CASES if not (quick and case.slow)]
    rows = [
        row
        for case in progress_bar(cases, desc="cases")
        for dtype in case.dtypes
        for row in compare(case, dtype)
    ]
    findings = [spring(trap) for trap in progress_bar(TRAPS, desc="traps")]
    followed = [each for scale in (1.0, 1e-5) for each in optimizers.follow(scale)]
    if quick:
        return Evidence(rows, findings, followed)
    faults = [*mutants_module.in_parts(), *mutants_module.in_networks()]
    survivors = [
        each.name for each in progress_bar(faults, desc="mutants") if mutants_module.survives(each)
    ]
    corpus = demo.load()
    runs: dict[str, Callable[[], Envelope]] = {
        "float64": lambda: trajectories.envelope(corpus, "float64", steps=100, window=10, nudges=3),
        "float32": lambda: trajectories.envelope(corpus),
    }
    return Evidence(
        rows,
        findings,
        followed,
        survivors,
        len(faults),
        trajectories.exact(corpus),
        {dtype: run() for dtype, run in progress_bar(runs.items(), desc="trajectories")},
        study,
    )
