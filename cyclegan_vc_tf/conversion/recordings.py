"""Recordings of a conversion, found before any work is done, and the wav file of each."""

from pathlib import Path

from cyclegan_vc_tf.audio import audio_files, av_files
from cyclegan_vc_tf.conversion.batch import wav_names
from cyclegan_vc_tf.system.errors import InputError


def plan_outputs(source: Path, output: Path) -> dict[Path, Path]:
    """Return the wav file to write for each recording.

    Args:
        source: A recording, or a folder that is searched recursively.
        output: Folder of the wav files, which keep the structure of `source`. For a single
            recording, a path that ends in .wav names the file itself.

    Raises:
        InputError: There is no recording, a recording would be overwritten, or `output` names
            another kind of audio file.
    """
    folder, names = _find_recordings(source, output)
    if source.is_file() and _names_file(output):
        outputs = {source: output}
    else:
        outputs = {folder / name: output / wav for name, wav in wav_names(names).items()}
    recordings = {path.resolve() for path in outputs}
    for wav in outputs.values():
        if wav.resolve() in recordings:
            raise InputError(f"--output would overwrite {wav}, a recording; give another folder")
    return outputs


def _find_recordings(source: Path, output: Path) -> tuple[Path, list[str]]:
    """Return the folder that names are relative to, and the names.

    An output folder inside the source folder is left out.
    """
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


def _names_file(output: Path) -> bool:
    """Return whether an output path names a wav file rather than a folder."""
    ending = output.suffix.lower()
    if output.is_dir() or ending not in audio_files.EXTENSIONS | av_files.EXTENSIONS:
        return False
    if ending != ".wav":
        raise InputError(f"--output {output} ends in {ending}; expected a .wav file or a folder")
    return True
