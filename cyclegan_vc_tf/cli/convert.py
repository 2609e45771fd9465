"""Converts recordings to another speaker's voice with a trained run.

python convert.py --run_dir=runs/anna-ben --direction=A2B --input=anna.wav --output=converted
"""

from pathlib import Path

from absl import flags

from cyclegan_vc_tf.audio import audio_files
from cyclegan_vc_tf.cli import command, paths
from cyclegan_vc_tf.config import settings
from cyclegan_vc_tf.config.commands import ConvertConfig
from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.config.run import VocoderConfig
from cyclegan_vc_tf.system import startup
from cyclegan_vc_tf.system.errors import InputError


def define(values: flags.FlagValues) -> None:
    """Defines the command's flags."""
    settings.define_flags(ConvertConfig, values)
    settings.define_flags(VocoderConfig, values)


def convert(values: flags.FlagValues) -> int:
    """Converts everything there is to convert; lists at the end what failed."""
    config = settings.from_flags(ConvertConfig, values, ConvertConfig())
    run_dir = paths.run_dir(config.run_dir)
    source = paths.required("input", config.input)
    output = paths.required("output", config.output)
    folder, names = _recordings(source, output)
    # TensorFlow takes seconds to import: wrong flags are refused without it.
    with startup.fast_import():
        from cyclegan_vc_tf.conversion.batch import convert_files, wav_names
        from cyclegan_vc_tf.conversion.converter import Converter, F0Options
        from cyclegan_vc_tf.runs import run_folder

    outputs = {folder / name: output / wav for name, wav in wav_names(names).items()}
    _refuse_overwriting(outputs)
    run = run_folder.open_run(run_dir)
    direction = Direction(config.direction)
    generator, step = run.load_generator(direction, run.pick(config.step))
    vocoder = settings.from_flags(VocoderConfig, values, run.config.vocoder)
    converter = Converter.for_run(run, direction, generator, vocoder)
    options = F0Options(convert=config.f0 == "convert", semitones=config.semitones)
    converter.check(options)
    output.mkdir(parents=True, exist_ok=True)
    done = convert_files(converter, outputs, options, keep_sample_rate=config.keep_sample_rate)
    if source.is_file() and done.failed:
        raise InputError(f"--input {source} {done.failed[source]}")
    for path, warnings in done.warnings.items():
        for warning in warnings:
            print(f"warning: {path} {warning}")
    if source.is_dir() and (unreadable := audio_files.find_unreadable(source)):
        print(f"warning: {audio_files.describe_unreadable(unreadable)}")
    for wav, peak in done.scaled.items():
        print(f"scaled down: {wav} had a peak of {peak:.2f}, full scale is 1")
    for path, reason in done.failed.items():
        print(f"failed: {path} {reason}")
    converted = len(outputs) - len(done.failed)
    print(f"Converted {converted} of {len(outputs)} with step {step}: {output}")
    return command.SOME_FAILED if done.failed else command.DONE


def main() -> None:
    """The command."""
    command.run(__doc__, define, convert)


def _recordings(source: Path, output: Path) -> tuple[Path, list[str]]:
    """The folder that names are relative to, and the names, without an `output` further down."""
    if source.is_file():
        return source.parent, [source.name]
    if not source.exists():
        raise InputError(f"--input {source} is not there; expected a recording or a folder")
    names, apart = audio_files.find(source), output.resolve()
    if source.resolve() in apart.parents:
        names = [name for name in names if apart not in (source / name).resolve().parents]
    if not names:
        raise InputError(f"--input {source} has no audio file; expected recordings")
    return source, names


def _refuse_overwriting(outputs: dict[Path, Path]) -> None:
    recordings = {path.resolve() for path in outputs}
    for wav in outputs.values():
        if wav.resolve() in recordings:
            raise InputError(f"--output would overwrite {wav}, a recording; give another folder")
