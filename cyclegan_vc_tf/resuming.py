"""What a training that goes on must have in common with what began."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cyclegan_vc_tf import settings
from cyclegan_vc_tf.config import RunConfig
from cyclegan_vc_tf.errors import InputError
from cyclegan_vc_tf.run_folder import RunFolder


def check_settings(run: RunFolder, config: RunConfig) -> None:
    """Refuses to go on with settings that may not change.

    Raises:
        InputError: They are other ones. A run without recordings can be given some.
    """
    old = run.config if run.has_recordings else replace(run.config, corpus=config.corpus)
    found = settings.differences(old, config)
    if found:
        raise InputError(
            f"--run_dir {run.path} is a run with other settings: {'; '.join(found)}; "
            "leave them as they were, or give another --run_dir"
        )


def check_recordings(run: RunFolder, corpus: Mapping[str, Any]) -> None:
    """Refuses to go on with other recordings than the run's, if it has some.

    Args:
        run: The run.
        corpus: What there is now, as `preparation.recordings_of` says it.

    Raises:
        InputError: One was added, removed or changed.
    """
    for name, now in corpus.items() if run.has_recordings else ():
        changed = sorted(dict(run.recordings[name].items() ^ now["training"].items()))
        if changed:
            raise InputError(
                f"{len(changed)} recordings in {now['folder']} were added, removed or changed "
                f"since the run began ({changed[0]} is the first); restore them, or give "
                "another --run_dir"
            )
