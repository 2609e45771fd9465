"""Order of the packages, and rules that hold in every file."""

import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
from conftest import REPOSITORY, STACK_INDEPENDENT

PACKAGE = REPOSITORY / "cyclegan_vc_tf"
PARITY = REPOSITORY / "parity"
BENCHMARKS = REPOSITORY / "benchmarks"

ORDER = {
    "cyclegan_vc_tf": (
        "__main__", "cli", "serving", "exchange", "exports", "evaluations", "api", "interop",
        "inspection", "vocoder_training", "training", "hub", "evaluation", "conversion",
        "streaming", "runs", "data", "vocoders", "models", "features", "audio", "config", "system",
    ),
    "parity": (
        "__main__", "settings", "report", "stack_results", "pictures", "evidence", "traps",
        "mutation", "cases", "trainings", "companion", "demo", "circumstances", "precision",
        "tolerances",
    ),
}  # fmt: skip
"""Packages from the top down: each imports only from those below it.

The project's `__init__` is the public API: it imports lazily, and nothing imports it.
"""

MAX_LINES = 400
"""A longer file is cut by subject."""


def sources(root: Path) -> list[Path]:
    """Python files of a package without its tests and its `__init__` files."""
    return [
        path
        for path in sorted(root.rglob("*.py"))
        if path.name not in ("__init__.py", "conftest.py") and "tests" not in path.parts
    ]


def module_name(path: Path) -> str:
    """Dotted name of a file, such as `cyclegan_vc_tf.audio.plots`."""
    return ".".join(path.relative_to(REPOSITORY).with_suffix("").parts)


def imported_modules(source: str, root: str) -> Iterator[str]:
    """Modules and packages below `root` that a source imports anywhere, dotted, without `root`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            raise AssertionError(f"line {node.lineno} imports relatively; name the package")
        if isinstance(node, ast.ImportFrom) and node.module:
            head, *rest = node.module.split(".")
            if head == root:
                yield from (".".join([*rest, alias.name]) for alias in node.names)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                head, *rest = alias.name.split(".")
                if head == root and rest:
                    yield ".".join(rest)


def upward_imports(name: str, source: str) -> list[str]:
    """Imports of a module that lead to its own level or above it.

    Args:
        name: Dotted name of the module.
        source: Its text.
    """
    root, package, *_ = name.split(".")
    order = ORDER[root]
    return [
        imported
        for imported in imported_modules(source, root)
        if imported != "__version__"
        and order.index(imported.split(".")[0]) <= order.index(package)
        and imported.split(".")[0] != package
    ]


def third_party(path: Path) -> set[str]:
    """Names of all packages that a file imports anywhere."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    return found


def test_every_package_has_its_place() -> None:
    for root, order in ORDER.items():
        found = {
            path.stem if path.is_file() else path.name
            for path in (REPOSITORY / root).iterdir()
            if (path.is_dir() and any(path.glob("*.py"))) or path.suffix == ".py"
        }
        assert found - {"__init__", "conftest", "tests"} == set(order)


@pytest.mark.parametrize("path", [*sources(PACKAGE), *sources(PARITY)], ids=module_name)
def test_packages_import_only_from_below(path: Path) -> None:
    assert upward_imports(module_name(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "package",
    [path for root in (PACKAGE, PARITY) for path in sorted(root.iterdir()) if path.is_dir()],
    ids=module_name,
)
def test_modules_of_a_package_import_in_one_direction(package: Path) -> None:
    root, name = package.parent.name, package.name
    graph = {}
    for path in sources(package):
        imports = imported_modules(path.read_text(encoding="utf-8"), root)
        inner = (each.split(".") for each in imports if each.startswith(f"{name}."))
        graph[path.stem] = {parts[1] for parts in inner}
    # Raises CycleError where two modules need each other.
    TopologicalSorter(graph).prepare()


def test_a_cycle_is_seen() -> None:
    with pytest.raises(ValueError, match="cycle"):
        TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


@pytest.mark.parametrize(
    "line",
    [
        "from cyclegan_vc_tf.training import trainer",
        "from cyclegan_vc_tf.training.trainer import Trainer",
        "import cyclegan_vc_tf.training.tensorboard",
        "def late():\n    from cyclegan_vc_tf.evaluation import evaluator",
    ],
)
def test_an_upward_import_is_seen(line: str) -> None:
    assert upward_imports("cyclegan_vc_tf.conversion.converter", line)


def test_torch_is_imported_by_the_parity_suite_and_three_modules_alone() -> None:
    """The reader of its files, and the benchmarks of the companion."""
    elsewhere = [
        *REPOSITORY.glob("*.py"), *(REPOSITORY / "tests").rglob("*.py"), *PACKAGE.rglob("*.py"),
        *BENCHMARKS.rglob("*.py"),
    ]  # fmt: skip
    assert {path.name for path in elsewhere if third_party(path) & {"torch", "parity"}} == {
        "torch_files.py", "companion.py", "convert.py"
    }  # fmt: skip
    assert "torch" in third_party(PARITY / "companion" / "vc1.py")


@pytest.mark.parametrize(
    ("package", "module"), [("tensorflow_addons", "stack"), ("pyworld", "world")]
)
def test_packages_with_a_notice_are_imported_in_one_place(package: str, module: str) -> None:
    line = re.compile(rf"^\s*(import|from) {package}\b", re.MULTILINE)
    assert [path.stem for path in sources(PACKAGE) if line.search(path.read_text())] == [module]


def asks_for_the_stack(source: str) -> list[int]:
    """Lines of a source that decide by the stack: by versions, by Keras' parts or by Addons.

    A version may stand in a text or in a dictionary of facts, for a report.
    """
    found = []

    def visit(node: ast.AST, reported: bool) -> None:
        text = ast.unparse(node) if isinstance(node, ast.expr | ast.stmt) else ""
        if isinstance(node, ast.Import | ast.ImportFrom) and "tensorflow_addons" in text:
            found.append(node.lineno)
        versions = ("keras.__version__", "tf.__version__", "tensorflow.__version__")
        if isinstance(node, ast.Attribute) and text in versions and not reported:
            found.append(node.lineno)
        if isinstance(node, ast.If | ast.IfExp) and re.match(
            r"(not )?keras\b(?!\.mixed_precision)", ast.unparse(node.test)
        ):
            found.append(node.lineno)
        if isinstance(node, ast.Call) and re.match(r"(has|get)attr\((tf|keras)\b", text):
            found.append(node.lineno)
        for child in ast.iter_child_nodes(node):
            visit(child, isinstance(node, ast.JoinedStr | ast.Dict | ast.FormattedValue))

    visit(ast.parse(source), False)
    return found


def test_one_module_alone_knows_that_there_are_two_stacks() -> None:
    every = [*sources(PACKAGE), *sources(PARITY), *sources(BENCHMARKS)]
    asking = {
        module_name(path): lines
        for path in every
        if (lines := asks_for_the_stack(path.read_text(encoding="utf-8")))
    }
    assert set(asking) == {"cyclegan_vc_tf.models.stack"}, asking


@pytest.mark.parametrize(
    "line",
    [
        "import tensorflow_addons as tfa",
        "old = keras.__version__.startswith('2.')",
        "if tf.__version__ < '2.16': pass",
        "if keras.backend.backend(): pass",
        "kind = getattr(keras.optimizers, 'legacy', None)",
    ],
)
def test_a_question_for_the_stack_is_seen(line: str) -> None:
    assert asks_for_the_stack(line)
    assert not asks_for_the_stack("print(f'{keras.__version__}'); facts = {'tf': tf.__version__}")


def test_what_the_living_stack_leaves_out_exists() -> None:
    for name in STACK_INDEPENDENT:
        file, _, test = name.partition("[")[0].partition("::")
        path = REPOSITORY / "tests" / file
        assert path.exists() and (not test or f"def {test}" in path.read_text("utf-8")), name


def test_packages_do_nothing_at_import() -> None:
    for path in PACKAGE.glob("*/**/__init__.py"):
        assert third_party(path) == set()


@pytest.mark.parametrize("path", [*sources(PACKAGE), *sources(PARITY)], ids=module_name)
def test_nothing_is_unpickled(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None)}
            assert not names & {"pickle", "dill", "joblib", "shelve", "marshal"}
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "np.load":
            assert "allow_pickle=False" in ast.unparse(node)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
            assert "weights_only=True" in ast.unparse(node)


def test_no_two_test_modules_have_one_name() -> None:
    """Test folders are no packages: pytest imports a module by its file name alone."""
    names = Counter(
        path.name for path in (REPOSITORY / "tests").rglob("*.py") if path.name != "conftest.py"
    )
    assert [name for name, number in names.items() if number > 1] == []


def test_files_stay_short() -> None:
    every = [*sources(PACKAGE), *sources(PARITY), *sources(BENCHMARKS)]
    lengths = {module_name(path): len(path.read_text().splitlines()) for path in every}
    assert {name: length for name, length in lengths.items() if length > MAX_LINES} == {}
    commands = {path.name: len(path.read_text().splitlines()) for path in PACKAGE.glob("cli/*.py")}
    assert {name: length for name, length in commands.items() if length > 80} == {}


@pytest.mark.parametrize(
    "module",
    [
        "data.preparation", "conversion.batch", "cli.train", "cli.convert", "cli.prepare",
        "cli.import_vocoder",
    ],
)  # fmt: skip
def test_workers_and_commands_import_without_tensorflow(module: str) -> None:
    code = f"import sys, cyclegan_vc_tf.{module}; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


@pytest.mark.parametrize("module", ["models.stack", "features.world"])
def test_the_notice_of_a_package_is_silenced_and_no_other(module: str) -> None:
    code = (
        "import warnings\n"
        "warnings.simplefilter('error', UserWarning)\n"
        f"import cyclegan_vc_tf.{module}\n"
        "try:\n"
        "    warnings.warn('another', UserWarning)\n"
        "except UserWarning:\n"
        "    print('heard')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == "heard", done.stderr
