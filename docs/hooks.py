"""Hooks of the documentation site: tables of flags, and files of the repository as pages.

A page holds a marker on a line of its own, which the build replaces:

    <!-- flags of all commands -->         one table per command and section
    <!-- settings of a run -->             one table per section of a run's settings
    <!-- include FILE -->                  a Markdown file of the repository
    <!-- include FILE, one level down -->  its headings moved down by one level

Tables come from the flags that the commands define, so they cannot be out of date. A drawing
(an image of an SVG file on a line of its own) becomes part of the page and follows its colours.
Pairs of numbers in tables stay on one line.
"""

import posixpath
import re
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from absl import flags

REPOSITORY = Path(__file__).parents[1]

MARKER = re.compile(r"^<!-- (.+) -->$", re.MULTILINE)
SPACE = "\N{NO-BREAK SPACE}"

DRAWING = re.compile(r"^!\[[^\]]*\]\((\S+\.svg)\)$", re.MULTILINE)
PAIR = re.compile(r"(?<=[\d%]) / (?=\d)")
LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://|#)([^)\s]+)\)")

PAGES = {
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "develop/contributing.md",
    "data/demo/README.md": "reference/demo_corpus.md",
    "cyclegan_vc_tf/hub/models/vc1-demo/card.md": "reference/pretrained.md",
    "cyclegan_vc_tf/hub/models/vc2-demo/card.md": "reference/pretrained.md",
    "cyclegan_vc_tf/hub/models/vc3-demo/card.md": "reference/pretrained.md",
    "cyclegan_vc_tf/hub/models/mask-demo/card.md": "reference/pretrained.md",
}
"""Files of the repository that a page includes."""

SECTIONS = {
    "corpus": "Recordings",
    "features": "Features",
    "network": "Networks",
    "training": "Training",
    "augmentation": "Augmentation",
    "vocoder": "Vocoder",
    "VocoderConfig": "Vocoder",
    "metrics": "Evaluation",
    "MetricsConfig": "Evaluation",
    "preset": "Preset",
    "run": "Run",
    "PublicCorpusConfig": "Public corpora",
    "debug": "Errors",
}
"""Headings of the sections that flags are defined in."""

CHOICES = re.compile(r"^<[^>]*>: ")
ALIAS = re.compile(r"Alias for --(\w+)\.")

LARGE_SECTIONS = ("corpus", "features", "network", "training", "augmentation", "vocoder", "metrics")
"""Sections of a run's settings, which the page of the configuration lists."""


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Replace the markers and drawings of a page.

    Args:
        markdown: Text of the page.
        page: MkDocs' page.
        config: MkDocs' configuration.
        files: MkDocs' files.

    Returns:
        Text with tables and included files in place of the markers.
    """
    del config, files
    name = page.file.src_uri
    if "/" not in name:
        # A page of no section: its navigation would list itself alone.
        page.meta["hide"] = ["navigation"]
    markdown = MARKER.sub(lambda marker: _replacement(marker[1], name), markdown)
    markdown = DRAWING.sub(lambda image: _drawing(Path(__file__).parent / name, image[1]), markdown)
    lines = markdown.split("\n")
    return "\n".join(_join_pairs(line) if line.startswith("|") else line for line in lines)


def _join_pairs(row: str) -> str:
    return "|".join(map(_join_numbers, row.split("|")))


def _join_numbers(cell: str) -> str:
    if "±" in cell:
        # Two means with deviations may break between them.
        return cell.replace(" ± ", f"{SPACE}±{SPACE}")
    return PAIR.sub(f"{SPACE}/{SPACE}", cell)


def _drawing(page: Path, image: str) -> str:
    svg = (page.parent / image).read_text(encoding="utf-8").strip()
    return f'<figure class="drawing">\n{svg}\n</figure>'


def _replacement(marker: str, page: str) -> str:
    if marker == "flags of all commands":
        return "\n\n".join(command_section(*command) for command in find_commands())
    if marker == "settings of a run":
        return settings_sections()
    if marker.startswith("include "):
        name, _, option = marker.removeprefix("include ").partition(", ")
        text = (REPOSITORY / name).read_text(encoding="utf-8")
        if option == "one level down":
            text = re.sub(r"^#", "##", text, flags=re.MULTILINE)
        return LINK.sub(lambda link: move_link(link, Path(name).parent.as_posix(), page), text)
    if marker in ("fmt:off", "fmt:on"):
        # Meant for the formatter of code blocks.
        return ""
    raise ValueError(f"{page}: unknown marker {marker!r}; see docs/hooks.py")


def find_commands() -> list[tuple[str, str, Callable[[flags.FlagValues], None]]]:
    """Return name, description and flag definitions of every command, in alphabetical order."""
    package = import_module("cyclegan_vc_tf.cli")
    commands = []
    for module_info in iter_modules(package.__path__):
        module = import_module(f"{package.__name__}.{module_info.name}")
        if hasattr(module, "define") and hasattr(module, "main"):
            name = module_info.name.removesuffix("_run")
            commands.append((name, (module.__doc__ or "").strip(), module.define))
    if not commands:
        raise ValueError("cyclegan_vc_tf.cli has no module with define() and main()")
    return commands


def command_section(name: str, about: str, define: Callable[[flags.FlagValues], None]) -> str:
    """Return the part of the page that describes one command.

    Args:
        name: Name on the command line.
        about: Docstring of the command's module: one sentence, then commands, then remarks.
        define: Function that defines the command's flags.
    """
    sentence, _, rest = about.partition("\n\n")
    paragraphs = [
        f"```\n{paragraph}\n```" if paragraph.startswith(("python", "cyclegan")) else paragraph
        for paragraph in filter(None, rest.split("\n\n"))
    ]
    values = flags.FlagValues()
    define(values)
    sections = values.flags_by_module_dict()
    parts = [f"## {name}", sentence, *paragraphs]
    shared = [section for section in sections if section in LARGE_SECTIONS]
    for section, defined in sections.items():
        rows = flag_rows(defined, values)
        # Flags of a whole run are listed once, on the page of the configuration.
        if rows and not (section in shared and len(shared) > 1):
            if section in SECTIONS:
                parts.append(f"**{SECTIONS[section]}**")
            parts.append(flag_table(rows))
    if len(shared) > 1:
        parts.append("It also takes every [setting of a run](configuration.md#settings).")
    return "\n\n".join(parts)


def settings_sections() -> str:
    """Return one heading and table per section of a run's settings."""
    from cyclegan_vc_tf.cli import train
    from cyclegan_vc_tf.config import settings
    from cyclegan_vc_tf.config.run import RunConfig

    fields = {field.name: section for section, field, _ in settings.iterate_fields(RunConfig)}
    resumable = {
        field.name
        for _, field, _ in settings.iterate_fields(RunConfig)
        if field.metadata["resumable"]
    }
    values = flags.FlagValues()
    train.define(values)
    parts = []
    for section in dict.fromkeys(fields.values()):
        rows = flag_rows(
            (values[name] for name, place in fields.items() if place == section), values
        )
        marked = [(*row, "yes" if row[0] in resumable else "") for row in rows]
        parts += [f"### {SECTIONS.get(section, section)}", flag_table(marked, "On a resume")]
    return "\n\n".join(parts)


def flag_rows(defined: Iterable[flags.Flag], values: flags.FlagValues) -> list[tuple[str, ...]]:
    """Return name, type, default, allowed values and meaning of flags.

    Args:
        defined: Flags of one section.
        values: All flags of the command, for the older names of each.
    """
    older: dict[str, list[str]] = {}
    for name in values:
        if alias := ALIAS.match(values[name].help or ""):
            older.setdefault(alias[1], []).append(f"`--{name}`")
    rows = []
    for flag in defined:
        # Absl lists the choices in front of the help; the table has a column for them.
        text = CHOICES.sub("", " ".join((flag.help or "").split()))
        if ALIAS.match(text):
            continue
        if flag.name in older:
            text += f" Older name: {', '.join(older[flag.name])}."
        rows.append((flag.name, _type(flag), _default(flag), _allowed(flag.parser), text))
    return rows


def flag_table(rows: Iterable[tuple[str, ...]], *extra: str) -> str:
    """Return a Markdown table of flags.

    Args:
        rows: Cells of each flag.
        extra: Headings of cells after the meaning.
    """
    header = ("Flag", "Type", "Default", "Allowed", "Meaning", *extra)
    lines = [header, ("---",) * len(header)]
    for name, *cells in rows:
        lines.append((f"`--{name}`", *(cell.replace("|", "\\|") for cell in cells)))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def move_link(link: re.Match[str], folder: str, page: str) -> str:
    """Return a link of an included file as the page needs it.

    Args:
        link: Match of `LINK`.
        folder: Folder of the included file in the repository.
        page: Path of the page below docs/.

    Returns:
        A link to a page of the site, or the text alone where the site has no such page.
    """
    text, target = link.groups()
    path, _, anchor = target.partition("#")
    path = posixpath.normpath(posixpath.join(folder, path))
    if path in PAGES:
        destination = PAGES[path]
    elif path.startswith("docs/") and path.endswith(".md"):
        destination = path.removeprefix("docs/")
    else:
        return text
    relative = posixpath.relpath(destination, posixpath.dirname(page) or ".")
    return f"[{text}]({relative}{'#' + anchor if anchor else ''})"


def _type(flag: flags.Flag) -> str:
    if isinstance(flag.parser, flags.EnumParser):
        return "choice"
    kind = "switch" if flag.boolean else str(flag.flag_type())
    return {"int": "integer", "float": "number", "string": "text"}.get(kind, kind).replace(
        "comma separated list", "list"
    )


def _default(flag: flags.Flag) -> str:
    value = flag.default
    if isinstance(value, bool):
        return "`true`" if value else "`false`"
    if isinstance(value, int | float):
        return _number(value)
    text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value or "")
    return f"`{text}`" if text else ""


def _allowed(parser: Any) -> str:
    if isinstance(parser, flags.EnumParser):
        return ", ".join(f"`{value}`" for value in parser.enum_values)
    # A list has the bounds of its elements.
    parser = getattr(parser, "one", parser)
    lowest, highest = (getattr(parser, name, None) for name in ("lower_bound", "upper_bound"))
    if lowest is not None and highest is not None:
        return f"{_number(lowest)} to {_number(highest)}"
    if lowest is not None:
        return f"{_number(lowest)} or more"
    return f"{_number(highest)} or less" if highest is not None else ""


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
