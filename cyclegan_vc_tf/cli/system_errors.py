"""Errors of a command: of the system about a file, with the flag of its folder, and others."""

from pathlib import Path

from absl import flags

from cyclegan_vc_tf.system.files import partial_folder


def describe(error: Exception, values: flags.FlagValues) -> str:
    """Return the text of an error; that of a path begins with its flag, where one has it.

    Args:
        error: Error, such as of a folder that cannot be written, or of a missing package.
        values: Parsed flags.
    """
    if isinstance(error, ModuleNotFoundError):
        # cyclegan-vc-lite has the packages of conversion alone.
        return f"{error}; this command needs all of cyclegan-vc-tf: install it anew"
    if not isinstance(error, OSError):
        return str(error)
    if not isinstance(error.filename, str | bytes) or not error.strerror:
        return str(error)
    file = Path(str(error.filename)).absolute()
    paths = {
        name: Path(flag.value).expanduser().absolute()
        for name, flag in ((name, values[name]) for name in values)
        if flag.present and isinstance(flag.value, str) and "/" in flag.value
    }
    inside = [name for name, path in paths.items() if file.is_relative_to(path)]
    # A folder that is missing is made from the outside inwards.
    above = [name for name, path in paths.items() if path.is_relative_to(file)]
    # A run is built beside its place.
    building = [name for name, path in paths.items() if file.is_relative_to(partial_folder(path))]
    for found in (inside, above, building):
        if found:
            name = max(found, key=lambda each: len(paths[each].parts))
            return f"--{name} {values[name].value} cannot be used: {error.strerror}: {file}"
    return str(error)
