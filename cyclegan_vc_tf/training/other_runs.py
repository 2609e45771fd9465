"""Another run whose generators a training uses: its teacher, or the run of a vocoder's cycles."""

import numpy as np

from cyclegan_vc_tf.config.directions import Direction
from cyclegan_vc_tf.features.normalization import Statistics
from cyclegan_vc_tf.hub import pretrained
from cyclegan_vc_tf.runs import run_folder
from cyclegan_vc_tf.runs.run_folder import RunFolder
from cyclegan_vc_tf.system.errors import InputError

MAX_DISTANCE = 0.15
"""Distance of mean spectra, in standard deviations, above which a speaker is not the run's.

Eight recordings of a demo voice are 0.02 from all of them, and 0.34 to 0.43 from the other voice.
"""


def open_other_run(flag: str, name: str) -> tuple[RunFolder, int]:
    """Return a run that has both generators, and the step of its last checkpoint.

    Args:
        flag: Name of the flag that names the run, for messages.
        name: Its run folder, or "pretrained:NAME".

    Raises:
        InputError: It is not a run, has no checkpoint, or lacks a generator.
    """
    try:
        run = run_folder.open_run(pretrained.find(name))
        step = run.pick("last")
    except InputError as error:
        raise InputError(f"--{flag} {name}: {error}") from error
    if missing := set(Direction) - set(run.directions(step)):
        raise InputError(
            f"--{flag} {name} has no generator of {', '.join(sorted(missing))}; expected a run "
            "with both directions"
        )
    return run, step


def mean_distance(spectra: np.ndarray, statistics: Statistics) -> float:
    """Return the distance of the mean of spectra from a speaker's, averaged over the bins.

    Args:
        spectra: (frames, bins).
        statistics: Statistics of the speaker.

    Returns:
        Mean of |mean of the spectra - mean| / standard deviation.
    """
    mean = spectra.mean(axis=0, dtype=np.float64)
    return float(np.mean(np.abs(mean - statistics.mean) / statistics.scale))


def describe_other_voice(
    folder: str, spectra: np.ndarray, statistics: Statistics, speaker: str, flag: str, name: str
) -> str:
    """Return a sentence that names a folder whose voice is not the run's speaker; or no text.

    Args:
        folder: Name of the folder.
        spectra: Spectra of some of its recordings, (frames, bins).
        statistics: Statistics of the run's speaker.
        speaker: Name of the speaker, "A" or "B".
        flag: Name of the flag that names the run.
        name: Value of the flag.
    """
    distance = mean_distance(spectra, statistics)
    if distance <= MAX_DISTANCE:
        return ""
    return (
        f"warning: {folder} does not sound like speaker {speaker} of --{flag} {name}: mean spectra "
        f"differ by {distance:.2f} standard deviations, expected at most {MAX_DISTANCE}."
    )
