"""Pictures of the report."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from cyclegan_vc_tf.system import files
from parity.evidence import Evidence
from parity.trainings.convergence import WINDOW
from parity.trainings.separability import KINDS, columns
from parity.trainings.trajectories import EXACT

SHOWN = {
    "tensorflow": "TensorFlow",
    "pytorch": "PyTorch",
    "pytorch_defaults": "PyTorch, its own initialiser and Adam",
}
"""Labels of the arms of the long study that are drawn."""


def draw(evidence: Evidence, report: Path) -> dict[str, str]:
    """Draw all pictures and return the names of their files beside the report."""
    figures = {
        "exact": exact(evidence),
        "envelope": envelope(evidence),
        "convergence": convergence(evidence),
    }
    names = {}
    for name, figure in figures.items():
        path = report.with_name(f"{report.stem}-{name}.png")
        with files.replacing(path) as partial:
            figure.savefig(partial, format="png", dpi=100)
        names[name] = path.name
    return names


def exact(evidence: Evidence) -> Figure:
    """Draw relative differences of the losses in float64, step by step."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    axes = figure.subplots()
    values = np.asarray(evidence.exact)
    axes.semilogy(np.arange(1, len(values) + 1), values, label="largest of ten losses")
    axes.step(
        [0, *EXACT], [min(EXACT.values()), *EXACT.values()], color="tab:red", label="tolerance"
    )
    axes.set_xlabel("step")
    axes.set_ylabel("relative difference")
    axes.set_title("TensorFlow and PyTorch, float64, equal weights and crops")
    axes.legend()
    return figure


def envelope(evidence: Evidence) -> Figure:
    """Draw the gap between the frameworks and the range of gaps within TensorFlow."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    for axes, (dtype, found) in zip(
        figure.subplots(1, len(evidence.envelopes)), evidence.envelopes.items(), strict=True
    ):
        axes.fill_between(
            found.steps,
            found.within.min(axis=1),
            found.within.max(axis=1),
            alpha=0.3,
            label="TensorFlow, nudged by one ulp",
        )
        axes.semilogy(
            found.steps, np.median(found.across, axis=1), "k.-", label="PyTorch and TensorFlow"
        )
        axes.set_yscale("log")
        axes.set_xlabel("step")
        axes.set_ylabel("mean relative gap of the losses")
        axes.set_title(dtype)
        axes.legend()
    return figure


def convergence(evidence: Evidence) -> Figure:
    """Draw losses of both frameworks and of PyTorch's defaults, mean and range over seeds."""
    figure = Figure(figsize=(12, 3.5), layout="constrained")
    for axes, kind in zip(figure.subplots(1, len(KINDS)), KINDS, strict=True):
        for name, label in SHOWN.items():
            curves = np.array(
                [
                    np.array(training["losses"])[:, columns(kind)].mean(axis=1)
                    for training in evidence.convergence[name].values()
                ]
            )
            steps = WINDOW * np.arange(1, curves.shape[1] + 1)
            axes.fill_between(steps, curves.min(axis=0), curves.max(axis=0), alpha=0.25)
            axes.plot(steps, curves.mean(axis=0), label=label)
        axes.set_xlabel("step")
        axes.set_title(f"{kind} loss")
        axes.legend()
    return figure
