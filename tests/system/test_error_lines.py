"""Lines of errors."""

from cyclegan_vc_tf.system import errors


def test_a_very_long_error_keeps_its_ends() -> None:
    """A refused value of 5000 digits filled the screen."""
    line = errors.single_line("--step is " + "9" * 5000 + "\n; expected a number")
    assert line.startswith("--step is 99") and line.endswith("9 ; expected a number")
    assert len(line) == 4003
