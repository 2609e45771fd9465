"""All that is compared, gathered in one run."""

import json
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import torch

from cyclegan_vc_tf.progress import bar
from parity import convergence, demo, mutants, optimizers, trajectories
from parity.cases import CASES
from parity.compare import Row, compare_all
from parity.optimizers import Followed
from parity.separability import Results
from parity.trajectories import EXACT, Envelope
from parity.traps import TRAPS, Finding, spring


@dataclass(frozen=True)
class Evidence:
    """What a run of the suite found.

    Attributes:
        rows: Of the cases.
        findings: Of the traps.
        survivors: Names of mutants that no case saw, of `mutants` in all; None if none were made.
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
        return said


def gather(*, quick: bool) -> Evidence:
    """Runs the suite.

    Args:
        quick: Leave out the paper's width, the mutants, the trajectories and the long study.
    """
    cases = [case for case in CASES if not (quick and case.slow)]
    # A case's rows come all together: the bar counts what is to be run.
    rows = [row for case in bar(cases, desc="cases") for row in compare_all([case])]
    findings = [spring(trap) for trap in bar(TRAPS, desc="traps")]
    followed = [each for scale in (1.0, 1e-5) for each in optimizers.follow(scale)]
    if quick:
        return Evidence(rows, findings, followed)
    faults = [*mutants.in_parts(), *mutants.in_networks()]
    survivors = [each.name for each in bar(faults, desc="mutants") if mutants.survives(each)]
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
        {dtype: run() for dtype, run in bar(runs.items(), desc="trajectories")},
        json.loads(convergence.RESULTS.read_text(encoding="utf-8")),
    )


def circumstances() -> str:
    """Versions, machine and date, in a line."""
    cpu = Path("/proc/cpuinfo")
    models = [line for line in cpu.read_text().splitlines() if line.startswith("model name")] if (
        cpu.exists()
    ) else []  # fmt: skip
    model = models[0].split(":")[1].strip() if models else platform.machine()
    return (
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}, PyTorch {torch.__version__}, "
        f"NumPy {np.__version__}, Python {platform.python_version()}; {os.cpu_count()} cores of "
        f"{model}; {date.today().isoformat()}"
    )
