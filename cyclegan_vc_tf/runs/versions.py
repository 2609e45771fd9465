"""Of what a run was trained by: which versions, from which step on."""

import json
import platform
from dataclasses import dataclass
from pathlib import Path

import cyclegan_vc_tf
from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import InputError


def current_versions() -> dict[str, str]:
    """Those of this process, by package; Python is one of them."""
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
    """The file of a run's versions: {"STEP": {"tensorflow": "2.15.1", …}}.

    An entry holds for what was trained from its step on; runs from before there was such a file
    have none, or none of step 0.
    """

    path: Path

    def all(self) -> dict[int, dict[str, str]]:
        """By step, ascending.

        Raises:
            InputError: The file is damaged.
        """
        if not self.path.exists():
            return {}
        try:
            data = json.loads(self.path.read_text(encoding="utf-8"))
            known = {int(step): dict(versions) for step, versions in data.items()}
            return {step: known[step] for step in sorted(known)}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise InputError(
                f"{self.path} is damaged ({error}); remove it to go on without the versions"
            ) from error

    def note(self, step: int) -> None:
        """Notes that what follows `step` is trained by this process, if that is something new."""
        noted = self.all()
        known = {each: versions for each, versions in noted.items() if each <= step}
        if not known or known[max(known)] != current_versions():
            known[step] = current_versions()
        if known != noted:
            files.write_json(self.path, {str(each): versions for each, versions in known.items()})
