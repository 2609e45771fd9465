r"""Write a run for other programs: a generator, all networks for PyTorch, or a web page.

python -m cyclegan_vc_tf export --run_dir=runs/anna-ben --format=onnx --output=anna-ben.onnx
python -m cyclegan_vc_tf export --run_dir=runs/anna-ben --format=torch --output=anna-ben.pt
python -m cyclegan_vc_tf export --run_dir=runs/anna-ben --format=page --output=anna-ben
python -m cyclegan_vc_tf export --vocoder_checkpoint=melgan.npz --format=onnx --output=melgan.onnx
python -m cyclegan_vc_tf export --vocoder_checkpoint=runs/vocoder --format=onnx \
    --output=vocoder.onnx

A generator holds normalisation and statistics, and takes any number of frames. convert.py converts
with an ONNX file, without TensorFlow. A page converts in the browser of its visitor.
"""

from absl import flags

from cyclegan_vc_tf import api, exports
from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import ExportConfig
from cyclegan_vc_tf.system.errors import InputError

RUN = ("run_dir", "step")
MODEL = ("quantize", "about", "licence")
FLAGS = {
    "torch": (*RUN, "layout"),
    "page": (*RUN, *MODEL, "direction", "vocoder_checkpoint", "runtime"),
    "generator": (*RUN, *MODEL, "direction", "calibration_dir"),
    "vocoder": ("quantize", "licence", "vocoder_checkpoint"),
}
"""Flags of each kind of export, beside `format` and `output`."""


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(ExportConfig, values)


def export(values: flags.FlagValues) -> int:
    """Export, and print what the file or folder holds."""
    config = settings.from_flags(ExportConfig, values, ExportConfig())
    is_part = config.format not in FLAGS
    kind = "generator" if is_part else config.format
    if is_part and config.vocoder_checkpoint:
        kind = "vocoder"
    named = "--vocoder_checkpoint" if kind == "vocoder" else f"--format={config.format}"
    for name in sorted({name for names in FLAGS.values() for name in names} - set(FLAGS[kind])):
        if values[name].present:
            raise InputError(f"--{name} has no effect with {named}; leave it out")
    run_dir = "" if kind == "vocoder" else api.find_run(config.run_dir)
    output = paths.required("output", config.output)
    options = {name: getattr(config, name) for name in FLAGS[kind] if name not in RUN[:1]}
    if "about" in options:
        options["about"] = paths.read_text("about", config.about)
    if kind == "torch":
        step, names = exports.export_networks(run_dir, paths.new_file(config.output), **options)
        print(f"Step {step}: {', '.join(names)}: {output}")
        return command.DONE
    if kind == "page":
        if not values["direction"].present:
            options["direction"] = ""
        page = exports.export_page(run_dir, output, **options)
        text = f"Step {page.step}: {', '.join(page.directions)}"
    elif kind == "generator":
        model = exports.export_model(run_dir, output, format=config.format, **options)
        text = f"Step {model.step}: {model.direction}"
    else:
        options["checkpoint"] = options.pop("vocoder_checkpoint")
        about = exports.export_vocoder(output=output, format=config.format, **options)
        text = about.summary
    size = sum(each.stat().st_size for each in (output, *output.rglob("*")) if each.is_file())
    print(f"{text}, {size / 1e6:.1f} MB: {output}")
    return command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, export)
