"""Versions of the software that trained a run."""

import platform
from dataclasses import dataclass
from pathlib import Path

import cyclegan_vc_tf
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError


def current_versions() -> dict[str, str]:
    """Return the versions of this process by package, with "python" for Python."""
    import numpy as np
    import tensorflow as tf

    return {
        "cyclegan_vc_tf": cyclegan_vc_tf.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "python": platform.python_version(),
    }


@dataclass(frozen=True)
class Versions:
    """File of a run's versions: {"STEP": {"tensorflow": "2.15.1", …}}.

    An entry holds for the steps after its step, up to the next entry. Old runs have no file, or no
    entry of step 0.
    """

    path: Path

    def all(self) -> dict[int, dict[str, str]]:
        """Read all entries by step, ascending.

        Raises:
            InputError: The file is damaged.
        """
        if not self.path.exists():
            return {}
        try:
            data = files.read_json(self.path)
            known = {int(step): dict(versions) for step, versions in data.items()}
            for versions in known.values():
                for version in versions.values():
                    if not isinstance(version, str):
                        raise ValueError(f"{version!r:.100} is not a version")
            return {step: known[step] for step in sorted(known)}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise InputError(
                f"{self.path} is damaged ({error}); remove it to go on without the versions"
            ) from error

    def note(self, step: int) -> None:
        """Record the versions of this process from a step on, if they changed.

        Entries after the step are removed, because training is about to repeat them.
        """
        recorded = self.all()
        known = {key: versions for key, versions in recorded.items() if key <= step}
        if not known or known[max(known)] != current_versions():
            known[step] = current_versions()
        if known != recorded:
            files.write_json(self.path, {str(key): versions for key, versions in known.items()})
