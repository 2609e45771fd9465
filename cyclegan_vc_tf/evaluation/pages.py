"""What the pages and texts of evaluations and comparisons share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

from cyclegan_vc_tf.system import files
from cyclegan_vc_tf.system.errors import escape_bytes


def write(path: Path, template: str, **variables: Any) -> None:
    """Write an HTML page.

    Args:
        path: File to write.
        template: Name of a file in the folder `templates`.
        **variables: Its variables; texts are escaped.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("cyclegan_vc_tf.evaluation", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # A recording's name may hold bytes that are not valid text.
    files.write_text(path, escape_bytes(environment.get_template(template).render(variables)))


def direction_title(direction: str) -> str:
    """Return the name of a direction on a page: "A → B" for "A2B"."""
    return direction.replace("2", " → ")


def to_text(values: Mapping[str, Mapping[str, Mapping[str, float | None]]], digits: int) -> str:
    """Format values as lines to print, one per direction and system; None is left out.

    Args:
        values: Values by direction, system and name.
        digits: Digits after the point.
    """
    lines = []
    for direction, systems in values.items():
        for system, row in systems.items():
            known = (
                f"{name} {value:.{digits}f}" for name, value in row.items() if value is not None
            )
            lines.append(f"{direction} {system}: {', '.join(known)}")
    return "\n".join(lines)
