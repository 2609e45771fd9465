"""Results of a run of the suite."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from cyclegan_vc_tf.system.errors import InputError
from cyclegan_vc_tf.system.progress import progress_bar
from parity import demo
from parity.cases.case import Case
from parity.cases.catalogue import CASES
from parity.cases.compare import Row, compare
from parity.mutation import mutants as mutants_module
from parity.trainings import convergence as convergence_module
from parity.trainings import optimizers, trajectories
from parity.trainings.convergence import Results
from parity.trainings.optimizers import Drift
from parity.trainings.separability import KINDS, SIGNIFICANCE, between
from parity.trainings.trajectories import EXACT, Envelope
from parity.traps.catalogue import TRAPS, Finding, measure_trap


@dataclass(frozen=True)
class Evidence:
    """Results of a run of the suite.

    Attributes:
        rows: Rows of the cases.
        findings: Distances of the traps.
        drifts: Drifts of the implementations of Adam.
        survivors: Names of mutants that no case saw.
        mutants: Number of faults that were put in.
        exact: Relative differences of losses in float64, (steps,); None if not run.
        envelopes: Gaps between trainings, by type.
        convergence: Results of the long study.
    """

    rows: list[Row]
    findings: list[Finding]
    drifts: list[Drift]
    survivors: list[str] = field(default_factory=list)
    mutants: int = 0
    exact: np.ndarray | None = None
    envelopes: dict[str, Envelope] = field(default_factory=dict)
    convergence: Results = field(default_factory=dict)

    def failures(self) -> list[str]:
        """Return a sentence for each result that failed, with the figure that was compared."""
        failed = [row.failure() for row in self.rows if not row.passed]
        failed += [finding.failure() for finding in self.findings if not finding.passed]
        failed += [drift.failure() for drift in self.drifts if not drift.passed]
        failed += [f"mutant {name} was seen by no case" for name in self.survivors]
        if self.exact is not None:
            failed += [
                f"trajectory, float64: relative difference {self.exact[:steps].max():.2g} of the "
                f"losses within {steps} steps, expected at most {most:.2g}"
                for steps, most in EXACT.items()
                if not self.exact[:steps].max() <= most
            ]
        failed += [
            f"envelope, {dtype}: {sentence}"
            for dtype, envelope in self.envelopes.items()
            for sentence in envelope.failures()
        ]
        if self.convergence:
            comparisons = {
                kind: between(self.convergence, "tensorflow", "pytorch", kind) for kind in KINDS
            }
            failed += [
                f"convergence: the frameworks' {kind} losses differ, p = {comparison.p:.2g}, "
                f"expected at least {SIGNIFICANCE:.2g}"
                for kind, comparison in comparisons.items()
                if comparison.separable or np.isnan(comparison.p)
            ]
        return failed


def gather(*, quick: bool, mutants: bool = True) -> Evidence:
    """Run the suite.

    Args:
        quick: Leave out the paper's width, the mutants, the trajectories and the long study.
        mutants: Put faults in, if the run is not quick.

    Raises:
        InputError: Results of the long study are missing or do not have today's settings.
    """
    # Missing results are reported before any work is done.
    study = {} if quick else convergence_module.load()
    rows = _compare_all([case for case in CASES if not (quick and case.slow)])
    findings = [measure_trap(trap) for trap in progress_bar(TRAPS, desc="traps")]
    drifts = [drift for scale in (1.0, 1e-5) for drift in optimizers.measure_drifts(scale)]
    if quick:
        return Evidence(rows, findings, drifts)
    faults = (
        [*mutants_module.mutants_of_parts(), *mutants_module.mutants_of_networks()]
        if mutants
        else []
    )
    survivors = [
        mutant.name
        for mutant in progress_bar(faults, desc="mutants")
        if mutants_module.survives(mutant)
    ]
    corpus = demo.load()
    runs: dict[str, Callable[[], Envelope]] = {
        "float64": lambda: trajectories.envelope(corpus, "float64", steps=100, window=10, nudges=3),
        "float32": lambda: trajectories.envelope(corpus),
    }
    return Evidence(
        rows,
        findings,
        drifts,
        survivors,
        len(faults),
        trajectories.exact(corpus),
        {dtype: run() for dtype, run in progress_bar(runs.items(), desc="trajectories")},
        study,
    )


def gather_only(text: str) -> Evidence:
    """Run the cases that have a text in their names, and nothing else.

    Raises:
        InputError: No case has it.
    """
    cases = [case for case in CASES if text in case.name]
    if not cases:
        names = "; ".join(case.name for case in CASES)
        raise InputError(f"--only is {text!r}; expected a text in the name of a case: {names}")
    return Evidence(_compare_all(cases), [], [])


def _compare_all(cases: Sequence[Case]) -> list[Row]:
    """Compare cases in each of their types, with a progress bar."""
    return [
        row
        for case in progress_bar(cases, desc="cases")
        for dtype in case.dtypes
        for row in compare(case, dtype)
    ]
