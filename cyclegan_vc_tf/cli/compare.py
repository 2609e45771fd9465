r"""Make a page that plays several runs side by side, and measure the faults that one hears.

python -m cyclegan_vc_tf compare --run_dirs=runs/anna-ben,runs/anna-ben-vc2 --output=comparison
python -m cyclegan_vc_tf compare --run_dirs=runs/mask --output=comparison \
    --vocoders=griffin_lim,runs/vocoder
"""

from absl import flags

from cyclegan_vc_tf import evaluations
from cyclegan_vc_tf.cli import command
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import CompareConfig
from cyclegan_vc_tf.system.errors import escape_controls


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(CompareConfig, values)


def compare(values: flags.FlagValues) -> int:
    """Write the page, and print the measures."""
    config = settings.from_flags(CompareConfig, values, CompareConfig())
    comparison = evaluations.compare(
        config.run_dirs,
        config.output,
        config.step,
        vocoders=config.vocoders,
        held_out_source_dir=config.held_out_source_dir,
        held_out_target_dir=config.held_out_target_dir,
        examples=config.examples,
    )
    from cyclegan_vc_tf.evaluation import comparison_page

    print(comparison_page.to_text(comparison))
    for sentence in comparison.left_out:
        print(escape_controls(f"left out: {sentence}"))
    for path, warnings in comparison.warnings.items():
        for warning in warnings:
            print(escape_controls(f"warning: {path} {warning}"))
    print(f"Page: {config.output}/index.html")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, compare)
