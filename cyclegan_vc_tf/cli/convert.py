"""Convert recordings to the voice of another speaker with a trained run.

python convert.py --run_dir=runs/anna-ben --direction=A2B --input=anna.wav --output=converted
python convert.py --run_dir=pretrained:vc1-demo --input=anna.wav --output=anna-converted.wav
python convert.py --run_dir=anna-ben.onnx --input=anna.wav --output=anna-converted.wav

Folders are converted recursively, one process per core, keeping their structure. The exit status is
1 if some recordings failed; each is listed.
"""

from absl import flags

from cyclegan_vc_tf import api
from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import overrides, settings
from cyclegan_vc_tf.config.commands import ConvertConfig
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.runs.exported_files import is_exported
from cyclegan_vc_tf.system import startup
from cyclegan_vc_tf.system.errors import InputError, escape_controls


def define(values: flags.FlagValues) -> None:
    """Define the flags of the command."""
    settings.define_flags(ConvertConfig, values)
    settings.define_flags(VocoderConfig, values)


def convert(values: flags.FlagValues) -> int:
    """Convert all recordings, and list those that failed."""
    config = settings.from_flags(ConvertConfig, values, ConvertConfig())
    run_dir = api.find_run(config.run_dir)
    source = paths.required("input", config.input)
    output = paths.required("output", config.output)
    importing = startup.collect_later if is_exported(run_dir) else startup.fast_import
    with importing():
        from cyclegan_vc_tf.audio import audio_files
        from cyclegan_vc_tf.conversion.recordings import plan_outputs

    outputs = plan_outputs(source, output)
    voices = api.load(run_dir, config.step, **overrides.given_settings(VocoderConfig, values))
    result = voices.convert_files(
        outputs,
        config.direction,
        f0=config.f0,
        semitones=config.semitones,
        adapt_source=config.adapt_source,
        keep_sample_rate=config.keep_sample_rate,
    )
    if source.is_file() and result.failed:
        reason = result.failed[source]
        if reason.startswith(str(outputs[source])):
            raise InputError(f"--output {reason}")
        raise InputError(f"--input {source} {reason}")
    for path, warnings in result.warnings.items():
        for warning in warnings:
            print(escape_controls(f"warning: {path} {warning}"))
    if source.is_dir() and (unreadable := audio_files.find_unreadable(source)):
        print(escape_controls(f"warning: {audio_files.describe_unreadable(unreadable)}"))
    for wav, peak in result.scaled.items():
        print(escape_controls(f"scaled down: {wav} had a peak of {peak:.2f}, full scale is 1"))
    for path, reason in result.failed.items():
        print(escape_controls(f"failed: {path} {reason}"))
    converted = len(outputs) - len(result.failed)
    print(f"Converted {converted} of {len(outputs)} with step {voices.step}: {output}")
    return command.SOME_FAILED if result.failed else command.DONE


def main() -> None:
    """Run the command."""
    command.run(__doc__, define, convert)
