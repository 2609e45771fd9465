"""Report of the suite: Markdown, a web page and pictures."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path

import markdown
import numpy as np
from tabulate import tabulate

from cyclegan_vc_tf.models import stack
from cyclegan_vc_tf.system import files
from parity import pictures
from parity.circumstances import circumstances
from parity.evidence import Evidence
from parity.stack_results import StackResults, row_key, summarize
from parity.trainings import convergence, separability
from parity.trainings.optimizers import MAX_UNEXPLAINED
from parity.trainings.separability import KINDS, final_losses, held_out_losses
from parity.trainings.trajectories import EXACT, SLACK

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Parity of TensorFlow and PyTorch</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff; }}
table {{ border-collapse: collapse; font-size: 14px; margin: 1rem 0; display: block;
  overflow-x: auto; }}
th, td {{ border: 1px solid #d0d7de; padding: .25rem .6rem; text-align: left;
  font-variant-numeric: tabular-nums; }}
th {{ background: #f6f8fa; }}
img {{ max-width: 100%; }}
code {{ background: #f6f8fa; padding: .1rem .3rem; }}
</style>
</head>
<body>
{body}
</body>
</html>
"""


FAILS = "**FAILS**"
"""Verdict on what does not hold."""


def case_table(
    evidence: Evidence, style: str = "github", beside: StackResults | None = None
) -> str:
    """Format the cases, one row per case, type, and kind of quantity.

    Args:
        evidence: Results of this run.
        style: Style of the table.
        beside: Results of the other stack, which get a column.
    """
    stacks = sorted(filter(None, (summarize(evidence), beside)), key=lambda each: each.stack)[::-1]
    header = (
        "case", "type", "quantity", "tensors", "absolute difference",
        *(f"relative difference, {each.stack} stack" for each in stacks), "tolerance", "verdict",
    )  # fmt: skip
    return _table(
        [
            (
                row.case, row.dtype, row.kind, row.compared, f"{row.absolute:.1e}",
                *(each.distances.get(row_key(row), "not run") for each in stacks),
                f"{row.tolerance:.1e}", "equal" if row.passed else FAILS,
            )
            for row in evidence.rows
        ],
        header,
        style,
    )  # fmt: skip


def trap_table(evidence: Evidence, style: str = "github") -> str:
    """Format the traps, one row per trap."""
    header = (
        "trap", "right form", "at most", "wrong way", "its difference", "at least", "verdict",
    )  # fmt: skip
    return _table(
        [
            (
                finding.trap.name, f"{finding.right:.1e}", f"{finding.trap.tolerance:.1e}",
                finding.trap.wrong_way, f"{finding.wrong:.1e}", f"{finding.trap.at_least:.1e}",
                "distinguished" if finding.passed else FAILS,
            )
            for finding in evidence.findings
        ],
        header,
        style,
    )  # fmt: skip


def optimiser_table(evidence: Evidence, style: str = "github") -> str:
    """Format the drifts, one row per Adam and size of gradients."""
    header = (
        "optimiser", "gradients", "drift, 1 step", "drift, 1,000 steps", "formula",
        "unexplained per step", "verdict",
    )  # fmt: skip
    return _table(
        [
            (
                drift.name, f"{drift.scale:.0e}", f"{drift.first:.1e}", f"{drift.last:.1e}",
                drift.formula, f"{drift.unexplained:.1e}",
                "explained" if drift.passed else FAILS,
            )
            for drift in evidence.drifts
        ],
        header,
        style,
    )  # fmt: skip


def convergence_table(evidence: Evidence, style: str = "github") -> str:
    """Format the long study, one row per arm, compared with the arm it differs from."""
    results = evidence.convergence
    measures = {
        **{f"{kind}, training": (kind, final_losses) for kind in KINDS},
        **{f"{kind}, held out": (kind, held_out_losses) for kind in KINDS[:2]},
    }
    rows = []
    for name, arm in results.items():
        against, cells = convergence.ARMS[name].against, []
        for kind, measure in measures.values():
            values = np.array([*measure(arm, kind).values()])
            cell = f"{values.mean():.3f} ± {values.std(ddof=1):.3f}"
            if against:
                other = separability.between(results, against, name, kind, measure)
                mark = "‡" if other.certain else "†" if other.separable else ""
                cell += f" (p {other.p:.2g}{mark})"
            cells.append(cell)
        rows.append((f"{name}: {convergence.ARMS[name].what}", against, len(arm), *cells))
    header = ("arm", "compared with", "seeds", *measures)
    return _table(rows, header, style)


def power_table(evidence: Evidence, style: str = "github") -> str:
    """Format the differences that the comparison of the frameworks detects, one row per loss."""
    rows = []
    for kind in KINDS:
        found = separability.between(evidence.convergence, "tensorflow", "pytorch", kind)
        detectable, measured = found.detectable / found.mean, abs(found.difference) / found.mean
        rows.append(
            (kind, f"{100 * detectable:.1f} %", f"{100 * measured:.1f} %", f"{found.p:.2g}")
        )
    return _table(rows, ("loss", "detectable difference", "measured difference", "p"), style)


def _table(rows: Sequence[Sequence[object]], header: Sequence[str], style: str) -> str:
    # Numbers stay as they were written.
    return tabulate(rows, header, style, disable_numparse=True)


def write(
    evidence: Evidence, path: Path, *, quick: bool, beside: StackResults | None = None
) -> None:
    """Write the report to `path`, and a web page and the pictures beside it.

    The web page contains its pictures and needs no other file.

    Args:
        evidence: Results of this run.
        path: File of the report.
        quick: Whether the run was quick.
        beside: Results of the other stack, which get a column.
    """
    parts = [_summary(evidence, path, beside, quick=quick), _traps(evidence), _optimisers(evidence)]
    if not quick:
        drawn = pictures.draw(evidence, path)
        parts += [
            _mutants(evidence), _trajectories(evidence, drawn), _convergence(evidence, drawn),
        ]  # fmt: skip
    text = "\n\n".join([*parts, _cases(evidence, beside)]) + "\n"
    files.write_text(path, text)
    body = markdown.markdown(text, extensions=["tables"])
    files.write_text(path.with_suffix(".html"), PAGE.format(body=_with_pictures(body, path.parent)))


def _summary(evidence: Evidence, path: Path, beside: StackResults | None, *, quick: bool) -> str:
    command = "python -m parity" + (" --quick" if quick else "") + f" --report={path}"
    failures = evidence.failures()
    stacks = f"Written by `{command}` on the {stack.NAME} stack: {circumstances()}."
    if beside:
        stacks += f" Column of the {beside.stack} stack: {beside.circumstances}."
        failures += [f"{beside.stack} stack: {failure}" for failure in beside.failures]
    has_findings = (path.parent / "findings.md").exists()
    findings = "[findings.md](findings.md)" if has_findings else "docs/notes/findings.md"
    parts = [
        "# Parity of TensorFlow and PyTorch",
        stacks,
        f"**{'Everything holds.' if not failures else f'{len(failures)} FAILURES.'}** "
        f"{len(evidence.rows)} comparisons of {sum(row.compared for row in evidence.rows)} "
        f"tensors, {len(evidence.findings)} traps, {evidence.mutants} mutants, "
        f"{len(evidence.drifts)} runs of optimisers.",
        "\n".join(f"- {failure}" for failure in failures),
        f"Conclusions for ports of such models: {findings}.",
    ]
    return "\n\n".join(filter(None, parts))


def _traps(evidence: Evidence) -> str:
    return f"""## Traps

A trap is a difference between the frameworks with a right form, in PyTorch where possible, and a
wrong form that is easily written. The table has the largest difference of both forms from this
project's result, relative to its largest value. Where this project has no such part, the result is
TensorFlow's. The suite has to distinguish the two forms.

{trap_table(evidence)}"""


def _optimisers(evidence: Evidence) -> str:
    return f"""## Optimisers

Each Adam gets one set of 1,000 gradients in float64, with epsilon 1e-8. Drift is the distance from
this project's Adam, relative to the length of its path. Unexplained is the largest distance from
the formula in the table, computed by NumPy, per step. It may be at most {MAX_UNEXPLAINED:.1e}.

{optimiser_table(evidence)}"""


def _mutants(evidence: Evidence) -> str:
    outcome = "The cases detected every fault."
    if evidence.survivors:
        outcome = f"Not detected: {', '.join(evidence.survivors)}."
    return f"""## Mutants

{evidence.mutants} faults were put into this project, one at a time. Each layer of every network and
each part of the project was broken in one or more ways. {outcome}"""


def _trajectories(evidence: Evidence, drawn: dict[str, str]) -> str:
    exact = np.asarray(evidence.exact)
    rows = [
        (f"{steps}", f"{exact[:steps].max():.1e}", f"{most:.1e}") for steps, most in EXACT.items()
    ]
    header = ("steps", "relative difference of the losses", "tolerance")
    return f"""## Trajectories

Both frameworks train on features of the demo corpus, from equal weights, in float64.

{_table(rows, header, "github")}

![Relative difference of the losses]({drawn["exact"]})

Training is chaotic. With six residual blocks in float32, a difference of one rounding grows to 1 %
within 150 steps in either framework. Longer trainings are therefore compared with trainings in
TensorFlow from nudged weights: every initial weight is moved by one unit in the last place. The
median gap between the frameworks (line) has to be in the range of the gaps within TensorFlow
(shaded), widened by a factor of {SLACK:g}. It is in the range itself {_strictly(evidence)}.

![Gaps between trainings]({drawn["envelope"]})"""


def _convergence(evidence: Evidence, drawn: dict[str, str]) -> str:
    network, training = convergence.STUDY.network, convergence.STUDY.training
    tests = (len(convergence.ARMS) - 1) * len(KINDS)
    last_steps = separability.LAST_WINDOWS * convergence.WINDOW
    return f"""## Convergence

`python -m parity.trainings.convergence` trains CycleGAN-VC with {network.channels} base channels
and {network.residual_blocks} residual block on features of the demo corpus: {training.steps:,}
steps, batch {training.batch_size}, constant learning rates of
{training.generator_learning_rate:g} (generators) and {training.discriminator_learning_rate:g}
(discriminators). An arm is one way to train, with several seeds. Its name states the difference
from the arm that it is compared with. Crops depend on the seed alone. Each framework draws its own
initial weights.

Cells have the mean ± standard deviation over seeds. Training losses are means over the last
{last_steps} steps. Held-out losses are of one crop of each held-out recording after the last step.
p is the probability of such a difference, or a larger one, by chance. The test is a paired t-test
over seeds within a framework, and Welch's t-test between frameworks. † marks p below
0.05/{len(KINDS)}, for three kinds of loss. ‡ marks p below 0.05/{tests}, for all {tests} tests on
training losses together. A difference without ‡ may be chance.

{convergence_table(evidence)}

Between the frameworks no difference may be found (†). The test finds the detectable difference in
four of five repetitions.

{power_table(evidence)}

![Losses of the long study]({drawn["convergence"]})"""


def _cases(evidence: Evidence, beside: StackResults | None) -> str:
    return f"""## Cases

Each part of the port is compared with its PyTorch companion, with equal weights and inputs, on
several shapes (on one at the paper's width). Compared are outputs; gradients with respect to inputs
and every weight; and of trainings, the weights after the last step as gradients.

A relative difference is the largest absolute difference over the largest value of the tensor. A
zero gradient belongs to a bias in front of a norm and consists of rounding alone. Both frameworks'
values have to be small, relative to the largest gradient of the kernel beside the bias. Tolerances
are counted in roundings (`parity/tolerances.py`), and of trainings they follow from the effect of
one rounding of the initial weights. Absolute differences and verdicts are those of the
{stack.NAME} stack.

{case_table(evidence, beside=beside)}"""


def _strictly(evidence: Evidence) -> str:
    return ", ".join(
        f"in {found.strictly_inside().sum()} of {len(found.steps)} windows in {dtype}"
        for dtype, found in evidence.envelopes.items()
    )


def _with_pictures(body: str, folder: Path) -> str:
    def embedded(match: re.Match[str]) -> str:
        data = base64.b64encode((folder / match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    return re.sub(r'src="([^":]+\.png)"', embedded, body)
