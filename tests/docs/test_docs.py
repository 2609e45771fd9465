"""README, documents and site: links, names and flags exist, and a reader needs no other host."""

import ast
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest
from absl import flags
from conftest import REPOSITORY
from test_architecture import ORDER

import cyclegan_vc_tf
from cyclegan_vc_tf.__main__ import COMMANDS

DOCS = REPOSITORY / "docs"
PACKAGE = REPOSITORY / "cyclegan_vc_tf"
README = REPOSITORY / "README.md"

PAGES = sorted(
    [
        *REPOSITORY.glob("*.md"), *DOCS.rglob("*.md"), *PACKAGE.rglob("card.md"),
        REPOSITORY / "data" / "demo" / "README.md",
    ]
)  # fmt: skip

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
FLAG = re.compile(r"(?<![\w-])--([a-z][\w-]*)")

OTHER_FLAGS = {
    # Of every command.
    "flagfile", "help", "version", "debug",
    # Of pip, MkDocs, TensorBoard and sha256sum.
    "index-url", "strict", "logdir", "check", "dry-run", "no-deps", "target", "python-version",
    "platform", "only-binary", "upgrade",
    # Of the parity suite, the benchmarks and docs/pictures.py.
    "report", "quick", "png", "audio_dir", "seconds", "rounds", "width", "jit", "save", "beside",
    "busy", "paper",
    "python", "minutes", "sentences", "only", "record", "layer", "recordings", "enrolments",
    "enrolment_dir", "voice", "flags",
    # Of docs/screenshots.py.
    "tabs", "live_seconds",
    # Of Docker.
    "user",
    # Of SLURM.
    "job-name", "nodes", "ntasks-per-node", "gpus-per-node", "cpus-per-task", "time", "signal",
    "distribution", "kill-on-bad-exit", "ntasks",
    # Of Dask.
    "host", "port", "nworkers", "nthreads", "scheduler-file",
    # Of benchmarks of clusters, exports and XLA, and of the script of replicas.
    "files", "tasks", "kills", "variants", "limit_s", "devices", "nudge",
    # Of tests of this project.
    "living",
    # Examples of the syntax.
    "name", "noname", "flag",
}  # fmt: skip
"""Flags in documents that belong to no command of the package."""


def page_name(path: Path) -> str:
    """Path of a page in the repository."""
    return path.relative_to(REPOSITORY).as_posix()


def hooks() -> ModuleType:
    """Import `docs/hooks.py`, which is not in a package."""
    spec = importlib.util.spec_from_file_location("docs_hooks", DOCS / "hooks.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def anchors(text: str) -> set[str]:
    """Anchors of the headings of a Markdown text, as GitHub and MkDocs make them."""
    headings = re.findall(r"^#+ (.+)$", CODE.sub("", text), re.MULTILINE)
    words = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"[-\s]+", "-", word) for word in words}


def python_blocks(path: Path) -> list[str]:
    """Python code blocks of a page."""
    return re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL)


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=page_name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for link in LINK.findall(CODE.sub("", page.read_text())):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), f"{link} does not exist"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target.read_text()), f"{link} has no such heading"


def test_a_heading_becomes_an_anchor() -> None:
    text = "# What follows the papers\n\n```\n# comment\n```\n## 1. `tf.reshape`: a (true) shuffle?"
    assert anchors(text) == {"what-follows-the-papers", "1-tfreshape-a-true-shuffle"}


@pytest.mark.parametrize(
    "page",
    [
        README,
        DOCS / "get_started" / "quickstart.md",
        DOCS / "reference" / "api.md",
        DOCS / "guides" / "python.md",
    ],
    ids=page_name,
)
def test_python_examples_use_public_names_as_they_are_defined(page: Path) -> None:
    blocks = python_blocks(page)
    assert blocks
    for block in blocks:
        for node in ast.walk(ast.parse(block)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner, name = ast.unparse(node.func.value), node.func.attr
            arguments: list[object] = [*node.args]
            if owner == "vc":
                assert name in cyclegan_vc_tf.__all__
                function = getattr(cyclegan_vc_tf, name)
                if isinstance(function, type) and issubclass(function, Exception):
                    continue
            elif owner == "voices" or owner.startswith("vc.load("):
                function = getattr(cyclegan_vc_tf.VoiceConverter, name)
                arguments.insert(0, "self")
            else:
                continue
            # Raises TypeError where the function takes other arguments.
            inspect.signature(function).bind(
                *arguments, **{keyword.arg: None for keyword in node.keywords if keyword.arg}
            )


def test_the_readme_counts_as_the_parity_report_does() -> None:
    report = (DOCS / "notes" / "parity.md").read_text()
    counts = re.search(r"(\d+) comparisons of \d+ tensors, \d+ traps, (\d+) mutants", report)
    assert counts is not None
    text = README.read_text()
    assert f" {counts[1]} comparisons," in text
    assert f" {counts[2]} inserted faults " in text


def test_flags_in_documents_exist() -> None:
    known = set(OTHER_FLAGS)
    for _, _, define in hooks().find_commands():
        values = flags.FlagValues()
        define(values)
        known |= {*values, *(f"no{name}" for name in values if values[name].boolean)}
    pages = [
        page for page in PAGES
        # A new loss and a new variant have flags of their own.
        if not page.name.startswith("add_a_") and page != DOCS / "notes" / "parity.md"
    ]  # fmt: skip
    unknown = {
        f"{page_name(page)}: --{flag}"
        for page in pages
        for flag in FLAG.findall(page.read_text())
        if flag not in known
    }
    assert unknown == set()


def test_every_command_and_setting_is_in_the_reference() -> None:
    made = hooks()
    assert {name for name, _, _ in made.find_commands()} == set(COMMANDS)
    settings = made.settings_sections()
    row = "| `--inca_iterations` | integer | 0 | 0 to 100 |"
    assert row in settings
    assert "Older name: `--pairing_rounds`." in settings
    assert "`--steps` | integer | 400,000 | 1 or more |" in settings
    # The last column marks what may change on a resume.
    lines = {line.split("`")[1]: line for line in settings.splitlines() if line.startswith("| `")}
    assert lines["--steps"].endswith("| yes |")
    assert not lines["--seed"].endswith("| yes |")


def test_links_of_included_files_follow_them_into_the_site() -> None:
    made = hooks()

    def moved(text: str, folder: str, page: str) -> str:
        return made.LINK.sub(lambda link: made.move_link(link, folder, page), text)

    assert moved("[a](docs/notes/quality.md#power)", ".", "changelog.md") == (
        "[a](notes/quality.md#power)"
    )
    assert moved("[a](CHANGELOG.md)", ".", "develop/contributing.md") == "[a](../changelog.md)"
    assert moved("[a](../../LICENSE)", "data/demo", "reference/demo_corpus.md") == "a"
    assert moved("[a](https://a.b/c)", ".", "changelog.md") == "[a](https://a.b/c)"


def test_documents_named_in_code_exist() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "*.py", "*.flags", "*.toml", "*.yml", "*.cff", "*.json", ".ci/*"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert len(tracked) > 200
    missing = [
        f"{name}: {path}"
        for name in tracked
        if name != "tests/docs/test_docs.py"
        for path in re.findall(
            r"\bdocs/[\w/.-]+\.\w+", (REPOSITORY / name).read_text(encoding="utf-8")
        )
        if not (REPOSITORY / path).exists()
    ]
    assert missing == []


def test_files_named_in_documents_exist() -> None:
    tree = "|".join(["cyclegan_vc_tf", "parity", "benchmarks", "tests", "configs", "data", "docs"])
    missing = {
        f"{page_name(page)}: {path}"
        for page in PAGES
        # These name files that moved, or that a reader makes.
        if page.name not in ("CHANGELOG.md", "architecture.md")
        and not page.name.startswith("add_a_")
        for path in re.findall(rf"`((?:{tree})/[\w/.-]+)`", page.read_text())
        if not (REPOSITORY / path).exists()
    }
    assert missing == set()


def test_packages_are_listed_in_their_order() -> None:
    text = (DOCS / "develop" / "architecture.md").read_text()
    listed = re.findall(r"^  (\w+)(?:/|\.py) ", text, re.MULTILINE)
    assert tuple(name for name in listed if name != "__init__") == ORDER["cyclegan_vc_tf"]


def test_new_places_of_modules_exist() -> None:
    text = (DOCS / "develop" / "architecture.md").read_text()
    tables = re.findall(r"^\| old module of `(\w+)` .*\n.*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert [root for root, _ in tables] == ["cyclegan_vc_tf", "parity", "benchmarks"]
    for root, rows in tables:
        for row in rows.splitlines():
            for name in re.findall(r"`([\w.]+)`", row.split("|")[2]):
                path = REPOSITORY / root / name.replace(".", "/")
                assert path.with_suffix(".py").exists() or path.is_dir(), row


class Requests(HTMLParser):
    """Collector of the addresses that a browser requests by itself when it shows a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.classes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the addresses of a tag."""
        values = {name: value or "" for name, value in attrs}
        self.classes |= set(values.get("class", "").split())
        self.addresses += [
            values[name] for name in ("src", "srcset", "poster", "data") if name in values
        ]
        if tag == "link" and values.get("rel") not in ("canonical", "next", "prev"):
            self.addresses.append(values.get("href", ""))
        self.addresses += css_addresses(values.get("style", ""))

    def handle_data(self, data: str) -> None:
        """Note the addresses in a style sheet of the page."""
        if self.lasttag == "style":
            self.addresses += css_addresses(data)


def css_addresses(text: str) -> list[str]:
    """Addresses that a style sheet requests."""
    return [
        *re.findall(r"url\(\s*['\"]?([^'\")]+)", text),
        *re.findall(r"@import\s+['\"]([^'\"]+)", text),
    ]


def other_hosts(addresses: list[str]) -> Iterator[str]:
    """Addresses that lead to another host."""
    return (text for text in addresses if re.match(r"\s*(\w+:)?//", text))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the site needs the extra `docs`")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=REPOSITORY,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_the_site_holds_all_pages(site: Path) -> None:
    made = {path.relative_to(site).with_suffix(".md") for path in site.rglob("*.html")}
    assert {path.relative_to(DOCS) for path in DOCS.rglob("*.md")} <= made
    commands = (site / "reference" / "commands.html").read_text()
    assert "--whisper_model" in commands
    assert "<!-- flags" not in commands
    api = (site / "reference" / "api.html").read_text()
    assert "convert_folder" in api
    # A prompt of Python, coloured: examples are code.
    assert '<span class="gp">&gt;&gt;&gt; </span>' in api


def test_the_site_needs_no_other_host(site: Path) -> None:
    found = {}
    for path in site.rglob("*.html"):
        requests = Requests()
        requests.feed(path.read_text(encoding="utf-8"))
        # The theme would fetch the program that draws such diagrams.
        assert "mermaid" not in requests.classes
        found[path.name] = list(other_hosts(requests.addresses))
    for path in site.rglob("*.css"):
        found[path.name] = list(other_hosts(css_addresses(path.read_text(encoding="utf-8"))))
    assert {name: addresses for name, addresses in found.items() if addresses} == {}


@pytest.mark.parametrize(
    "text",
    [
        '<script src="https://cdn.example/a.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<link rel="preconnect" href="https://fonts.example">',
        '<img src="http://a.example/b.png">',
        "<style>@import 'https://a.example/b.css';</style>",
        '<p style="background: url(https://a.example/b.png)">',
    ],
)
def test_another_host_is_seen(text: str) -> None:
    requests = Requests()
    requests.feed(text)
    assert len(list(other_hosts(requests.addresses))) == 1


def test_a_link_to_click_is_no_request() -> None:
    requests = Requests()
    requests.feed('<a href="https://arxiv.org/abs/1711.11293">paper</a><img src="../a.png">')
    assert list(other_hosts(requests.addresses)) == []
