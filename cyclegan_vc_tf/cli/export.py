"""Write a run for other programs: one generator, or all networks as PyTorch state dictionaries.

python -m cyclegan_vc_tf export --run_dir=runs/anna-ben --format=onnx --output=anna-ben.onnx
python -m cyclegan_vc_tf export --run_dir=runs/anna-ben --format=torch --output=anna-ben.pt

A generator holds normalisation and statistics, and takes any number of frames. convert.py converts
with an ONNX file, without TensorFlow.
"""

from absl import flags

from cyclegan_vc_tf import api, exchange
from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import ExportConfig
from cyclegan_vc_tf.system.errors import InputError

TORCH_ONLY, MODEL_ONLY = ("layout",), ("quantize", "calibration_dir", "about", "licence")
"""Flags that belong to one kind of format."""


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(ExportConfig, values)


def export(values: flags.FlagValues) -> int:
    """Export, and print what the file holds."""
    config = settings.from_flags(ExportConfig, values, ExportConfig())
    run_dir = api.find_run(config.run_dir)
    is_torch = config.format == "torch"
    for name in (*MODEL_ONLY, "direction") if is_torch else TORCH_ONLY:
        if values[name].present:
            raise InputError(f"--{name} has no effect with --format={config.format}; leave it out")
    if is_torch:
        output = paths.new_file(config.output)
        step, names = exchange.export_networks(
            run_dir, output, layout=config.layout, step=config.step
        )
        print(f"Step {step}: {', '.join(names)}: {output}")
        return command.DONE
    output = paths.required("output", config.output)
    about = paths.read_text("about", config.about)
    written = exchange.export_model(
        run_dir,
        output,
        config.direction,
        format=config.format,
        step=config.step,
        quantize=config.quantize,
        calibration_dir=config.calibration_dir,
        about=about,
        licence=config.licence,
    )
    size = sum(each.stat().st_size for each in (output, *output.rglob("*")) if each.is_file())
    print(f"Step {written.step}: {written.direction}, {size / 1e6:.1f} MB: {output}")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, export)
