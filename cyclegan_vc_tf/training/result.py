"""Result of a training; this module imports no TensorFlow."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TrainingResult:
    """State of a run after a call of `cyclegan_vc_tf.train`. It is true if the run is finished.

    Attributes:
        run_dir: Run folder, absolute.
        step: Number of steps done; the last checkpoint is of this step.
        finished: Whether the last step of the settings was reached. If not, the training was
            stopped, and an equal call resumes it.

    Example:
        >>> from pathlib import Path
        >>> import cyclegan_vc_tf as vc
        >>> result = vc.TrainingResult(Path("/runs/anna-ben"), step=120, finished=False)
        >>> "finished" if result else f"stopped at step {result.step}"
        'stopped at step 120'
    """

    run_dir: Path
    step: int
    finished: bool

    def __bool__(self) -> bool:
        """Return whether the training is finished."""
        return self.finished
