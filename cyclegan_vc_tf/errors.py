"""What is raised when a person has something to mend."""


class InputError(Exception):
    """A flag, folder or file is not what it has to be.

    The message is one line: what was received, what was expected, what to do. The commands print
    it without a traceback and exit with status 2.
    """


class TrainingError(Exception):
    """A training cannot go on; the message names the quantity and the step, and what to do."""
