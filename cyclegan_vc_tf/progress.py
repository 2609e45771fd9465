"""Progress bars, on a terminal and in a log."""

import sys
from typing import Any

from tqdm import tqdm


def bar(*iterable: Any, **options: Any) -> tqdm:
    """A progress bar on standard error that moves twice a second, in a log twice a minute."""
    seconds = 0.5 if sys.stderr.isatty() else 30.0
    return tqdm(*iterable, mininterval=seconds, dynamic_ncols=True, **options)
