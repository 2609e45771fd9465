"""The suite's report: Markdown, the same as a web page, and pictures."""

import base64
import re
from collections.abc import Sequence
from pathlib import Path

import markdown
import numpy as np
from tabulate import tabulate

from cyclegan_vc_tf.system import files
from parity import pictures
from parity.circumstances import circumstances
from parity.evidence import Evidence
from parity.trainings import convergence, separability
from parity.trainings.optimizers import PER_STEP
from parity.trainings.separability import KINDS, final_losses, held_out
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


def verdict(passed: bool) -> str:
    """What stands in the last column."""
    return "equal" if passed else "**FAILS**"


def case_table(evidence: Evidence, style: str = "github") -> str:
    """One row a case, type, and kind of quantity."""
    header = ("case", "type", "of", "compared", "max abs", "max rel", "tolerance", "verdict")
    return _table(
        [
            (
                row.case, row.dtype, row.kind, row.compared, f"{row.absolute:.1e}",
                "" if row.kind == "zero gradient" else f"{row.relative:.1e}",
                f"{row.tolerance:.0e}" + (" abs" if row.kind == "zero gradient" else ""),
                verdict(row.passed),
            )
            for row in evidence.rows
        ],
        header,
        style,
    )  # fmt: skip


def trap_table(evidence: Evidence, style: str = "github") -> str:
    """One row a trap."""
    header = ("trap", "right form", "at most", "wrong way", "off by", "at least", "verdict")
    return _table(
        [
            (
                each.trap.name, f"{each.right:.1e}", f"{each.trap.tolerance:g}",
                each.trap.wrong_way, f"{each.wrong:.2g}", f"{each.trap.at_least:g}",
                "told apart" if each.passed else "**FAILS**",
            )
            for each in evidence.findings
        ],
        header,
        style,
    )  # fmt: skip


def optimiser_table(evidence: Evidence, style: str = "github") -> str:
    """One row an Adam and size of gradients."""
    header = (
        "optimiser", "gradients", "drift, 1 step", "drift, 1,000 steps", "it computes",
        "unexplained a step", "verdict",
    )  # fmt: skip
    return _table(
        [
            (
                each.name, f"{each.scale:.0e}", f"{each.first:.1e}", f"{each.last:.1e}",
                each.formula, f"{each.unexplained:.1e}",
                "explained" if each.passed else "**FAILS**",
            )
            for each in evidence.followed
        ],
        header,
        style,
    )  # fmt: skip


def convergence_table(evidence: Evidence, style: str = "github") -> str:
    """One row an arm of the long study, compared with the arm it differs from in one thing."""
    results = evidence.convergence
    measures = {
        **{f"{kind}, training": (kind, final_losses) for kind in KINDS},
        **{f"{kind}, held out": (kind, held_out) for kind in KINDS[:2]},
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
        what = f"{name}: {convergence.ARMS[name].what}"
        rows.append((what, against, len(arm), *cells))
    header = ("arm", "against", "seeds", *measures)
    return _table(rows, header, style)


def power(evidence: Evidence) -> str:
    """What the comparison of the two frameworks would have seen."""
    said = []
    for kind in KINDS:
        found = separability.between(evidence.convergence, "tensorflow", "pytorch", kind)
        said.append(
            f"{kind} {found.detectable:.4f} ({found.detectable / found.mean:.1%}; measured "
            f"{abs(found.difference):.4f})"
        )
    return ", ".join(said)


def _table(rows: Sequence[Sequence[object]], header: Sequence[str], style: str) -> str:
    # Numbers stay as they were written.
    return tabulate(rows, header, style, disable_numparse=True)


def write(evidence: Evidence, path: Path, *, quick: bool) -> None:
    """Writes the report as `path`, as a web page beside it, and the pictures beside both.

    The web page stands alone: its pictures are in it.
    """
    parts = [_summary(evidence, path, quick=quick), _traps(evidence), _optimisers(evidence)]
    if not quick:
        drawn = pictures.draw(evidence, path)
        parts += [
            _mutants(evidence), _trajectories(evidence, drawn), _convergence(evidence, drawn),
        ]  # fmt: skip
    text = "\n\n".join([*parts, _cases(evidence)]) + "\n"
    files.write_text(path, text)
    body = markdown.markdown(text, extensions=["tables"])
    files.write_text(path.with_suffix(".html"), PAGE.format(body=_with_pictures(body, path.parent)))


def _summary(evidence: Evidence, path: Path, *, quick: bool) -> str:
    command = "python -m parity" + (" --quick" if quick else "") + f" --report={path}"
    failures = evidence.failures()
    beside = (path.parent / "findings.md").exists()
    findings = "[findings.md](findings.md)" if beside else "docs/notes/findings.md"
    said = [
        "# Parity of TensorFlow and PyTorch",
        f"Written by `{command}`: {circumstances()}.",
        f"**{'Everything holds.' if not failures else f'{len(failures)} FAILURES.'}** "
        f"{len(evidence.rows)} comparisons of {sum(row.compared for row in evidence.rows)} "
        f"tensors, {len(evidence.findings)} traps, {evidence.mutants} mutants, "
        f"{len(evidence.followed)} runs of optimisers.",
        "\n".join(f"- {failure}" for failure in failures),
        f"What this means for anyone who ports such a model: {findings}.",
    ]
    return "\n\n".join(filter(None, said))


def _traps(evidence: Evidence) -> str:
    return f"""## Traps

The right form, in PyTorch where it can be, beside the one that is easily written: how far each is
from this project's result, or from TensorFlow's where this project has no such part. A suite that
could not tell them apart would prove nothing.

{trap_table(evidence)}"""


def _optimisers(evidence: Evidence) -> str:
    return f"""## Optimisers

Every Adam on the same 1,000 gradients, in float64, epsilon 1e-8. Drift: distance from this
project's Adam over the way it went. Unexplained: what is left, a step, when the formula in the
table is computed by NumPy; at most {PER_STEP:.0e}.

{optimiser_table(evidence)}"""


def _mutants(evidence: Evidence) -> str:
    seen = "The cases saw every one of them."
    if evidence.survivors:
        seen = f"Not seen: {', '.join(evidence.survivors)}."
    return f"""## Mutants

{evidence.mutants} faults were put into this project, one at a time: each layer of all networks
broken in turn, each part wrong in one way or several. {seen}"""


def _trajectories(evidence: Evidence, drawn: dict[str, str]) -> str:
    exact = np.asarray(evidence.exact)
    allowed = ", ".join(f"{most:.0e} within {steps} steps" for steps, most in EXACT.items())
    reached = ", ".join(f"{exact[:steps].max():.1e}" for steps in EXACT)
    return f"""## Trajectories

Both frameworks' whole training step on the demo corpus' real features, from the same weights. In
float64 the losses have to agree to {allowed}; they agree to {reached}.

![Relative difference of the losses]({drawn["exact"]})

Training is chaotic: with six residual blocks, a difference of one rounding grows to a percent
within 150 steps in float32, whichever framework it is trained in. So a longer trajectory is
compared with what a nudge of every initial weight by one unit in the last place does within
TensorFlow. The median gap between the frameworks (line) has to lie among the gaps between
TensorFlow and TensorFlow (shaded), or no further off than by a factor of {SLACK:g};
it lies among them {_strictly(evidence)}.

![Gaps between trainings]({drawn["envelope"]})"""


def _convergence(evidence: Evidence, drawn: dict[str, str]) -> str:
    network, training = convergence.STUDY.network, convergence.STUDY.training
    tests = (len(convergence.ARMS) - 1) * len(KINDS)
    return f"""## Convergence

What trainings come to, by `python -m parity.trainings.convergence`: CycleGAN-VC with
{network.channels} base channels and {network.residual_blocks} residual block on the demo corpus'
features, {training.steps} steps, batch {training.batch_size}, rates
{training.generator_learning_rate:g} (generators) and {training.discriminator_learning_rate:g}
(discriminators), constant. An arm differs from the one it is compared with in what it says. Each
seed has crops of its own, the same in all arms; initial
weights are drawn by each framework itself.

Mean ± deviation over seeds of the last {separability.LAST_WINDOWS * convergence.WINDOW} steps, and
of one crop of each held-out recording after the last. p: how probable such a difference is if there
is none, by a paired t-test over seeds within a framework, by Welch's between the two. † below
0.05/{len(KINDS)}, for three kinds of loss; ‡ below 0.05/{tests}, for all {tests} tests in training
together. Without ‡ it may be chance.

{convergence_table(evidence)}

Between the frameworks, the test would have seen (†, four times in five) a difference of:
{power(evidence)}. The run fails if it sees one.

![Losses of the long study]({drawn["convergence"]})"""


def _cases(evidence: Evidence) -> str:
    return f"""## Cases

Each part of the port beside its PyTorch companion: same weights, same inputs, several shapes (the
paper's width at one). Outputs; of what is learned through, gradients with respect to inputs and to
every weight; of trainings, the weights that Adam moved. A difference is relative to the largest
value of its tensor. A zero gradient belongs to a bias in front of a norm: what both
frameworks report is rounding, and both have to be that small.

{case_table(evidence)}"""


def _strictly(evidence: Evidence) -> str:
    return ", ".join(
        f"at {found.strictly_inside().sum()} of {len(found.steps)} checkpoints in {dtype}"
        for dtype, found in evidence.envelopes.items()
    )


def _with_pictures(body: str, folder: Path) -> str:
    def embedded(match: re.Match[str]) -> str:
        data = base64.b64encode((folder / match[1]).read_bytes()).decode()
        return f'src="data:image/png;base64,{data}"'

    return re.sub(r'src="([^":]+\.png)"', embedded, body)
