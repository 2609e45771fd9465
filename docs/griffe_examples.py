"""Extension of the reader of docstrings: sections named `Example` are examples, shown as code.

The reader knows the plural alone; it would take the singular for a box of text.
"""

import re
from typing import Any

import griffe

HEADING = re.compile(r"^Example:$", re.MULTILINE)


class ExampleSections(griffe.Extension):
    """Rename the heading `Example:` to the plural in every docstring."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Change the docstring of an object that was read.

        Args:
            obj: Module, class, function or attribute.
            **kwargs: Other arguments of the hook.
        """
        if obj.docstring:
            obj.docstring.value = HEADING.sub("Examples:", obj.docstring.value)
