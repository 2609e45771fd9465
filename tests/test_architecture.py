"""The house: imports only fall, and doors stay light."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import REPOSITORY

PACKAGE = REPOSITORY / "cyclegan_vc_tf"

ROWS = (
    {
        "cepstra",
        "convolution",
        "errors",
        "files",
        "inspection_texts",
        "metrics",
        "modulation",
        "pieces",
        "processor",
        "progress",
        "report_texts",
        "signals",
        "startup",
        "workers",
    },
    {
        "archives",
        "audio",
        "corpora",
        "dialogue",
        "pretrained",
        "products",
        "profiling",
        "settings",
        "torch_files",
        "utterances",
        "versions",
    },
    {"corpus_config", "fetching", "judges", "levels", "network_config"},
    {"calls", "config", "silences"},
    {
        "checkpoints",
        "evaluations",
        "feature_store",
        "layers",
        "mel",
        "melgan_network",
        "normalization",
        "optimizer",
        "papers",
        "world",
    },
    {
        "discriminators",
        "features",
        "generators",
        "losses",
        "melgan",
        "public_layouts",
        "public_statistics",
        "torch_weights",
        "vocal_tract",
    },
    {
        "analysis",
        "augmentation",
        "corpus_summary",
        "family",
        "generation",
        "melgan_public",
        "pairing",
        "public_files",
        "public_weights",
    },
    {"dataset", "half_precision", "preparation", "run_files", "synthesis"},
    {"run_folder"},
    {"conversion", "evaluation_sets", "exporting", "publishing", "resuming", "summaries"},
    {"evaluation", "trainer"},
    {"damage", "evaluating", "importing", "report"},
    {"held_out", "insight", "inspection"},
    {"training"},
    {"cli"},
    {"__main__"},
)
"""From the ground up; a module imports from rows below its own alone."""

LEVELS = {name: level for level, row in enumerate(ROWS) for name in row}

PARITY = REPOSITORY / "parity"

BENCHMARKS = REPOSITORY / "benchmarks"

PARITY_ROWS = (
    {
        "circumstances",
        "demo",
        "precision",
        "public_tf1",
        "public_torch",
        "torch_melgan",
        "torch_models",
    },
    {"torch_vc2"},
    {"torch_step"},
    {"adams", "runs"},
    {"convergence", "optimizers", "pairs", "trajectories", "twins"},
    {"case", "separability"},
    {"compare", "layer_cases", "network_cases", "public_cases"},
    {"cases"},
    {"faults", "trap"},
    {"broken_parts"},
    {"family_traps", "layer_traps", "mutants", "shuffle_traps", "training_traps"},
    {"traps"},
    {"evidence"},
    {"pictures"},
    {"report"},
    {"__main__"},
)
"""The same for the parity suite, which stands on the whole package."""

PARITY_LEVELS = {name: level for level, row in enumerate(PARITY_ROWS) for name in row}


def room(path: Path) -> str:
    """The name that stands in `ROWS` for a file of the package."""
    first = path.relative_to(PACKAGE).parts[0]
    return first.removesuffix(".py")


def imports(source: str, package: str = "cyclegan_vc_tf") -> set[str]:
    """Modules of a package that a source imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            raise AssertionError(f"line {node.lineno} imports relatively; name the package")
        if isinstance(node, ast.ImportFrom) and node.module:
            head, *rest = node.module.split(".")
            if head == package:
                found |= {rest[0]} if rest else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
            found |= {name[1] for name in names if name[0] == package and len(name) > 1}
    return found


def packages(path: Path) -> set[str]:
    """Names of all packages that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
    return found


def upward(name: str, source: str) -> list[str]:
    """What a module imports that does not lie below it; cli's own rooms may share."""
    return [
        other
        for other in imports(source)
        if LEVELS[other] >= LEVELS[name] and not (name == other == "cli")
    ]


def sources() -> list[Path]:
    return [path for path in PACKAGE.rglob("*.py") if path.name != "__init__.py"]


def test_every_module_has_its_row() -> None:
    assert {room(path) for path in sources()} == set(LEVELS)


@pytest.mark.parametrize("path", sources(), ids=lambda path: path.stem)
def test_imports_fall(path: Path) -> None:
    assert upward(room(path), path.read_text(encoding="utf-8")) == []


def parity_sources() -> list[Path]:
    """The suite without its tests, which import what they like."""
    apart = ("__init__", "conftest")
    return [
        path
        for path in PARITY.glob("*.py")
        if path.stem not in apart and not path.stem.startswith("test_")
    ]


def test_every_module_of_the_parity_suite_has_its_row() -> None:
    assert {path.stem for path in parity_sources()} == set(PARITY_LEVELS)


@pytest.mark.parametrize("path", parity_sources(), ids=lambda path: path.stem)
def test_imports_fall_in_the_parity_suite(path: Path) -> None:
    found = imports(path.read_text(encoding="utf-8"), "parity")
    level = PARITY_LEVELS[path.stem]
    assert [other for other in found if PARITY_LEVELS[other] >= level] == []


def test_torch_is_imported_by_the_parity_suite_and_three_modules_alone() -> None:
    """The reader of its files, and the benchmarks of the companion."""
    elsewhere = [
        *REPOSITORY.glob("*.py"), *(REPOSITORY / "tests").glob("*.py"), *PACKAGE.rglob("*.py"),
        *BENCHMARKS.glob("*.py"),
    ]  # fmt: skip
    assert {path.name for path in elsewhere if packages(path) & {"torch", "parity"}} == {
        "torch_files.py", "companion.py", "convert.py"
    }  # fmt: skip
    assert "torch" in packages(PARITY / "torch_models.py")


@pytest.mark.parametrize(
    "line",
    [
        "from cyclegan_vc_tf import trainer",
        "from cyclegan_vc_tf.trainer import Trainer",
        "import cyclegan_vc_tf.summaries",
        "def late():\n    from cyclegan_vc_tf import conversion",
    ],
)
def test_an_upward_or_sideways_import_is_seen(line: str) -> None:
    assert upward("conversion", line)


@pytest.mark.parametrize(
    ("package", "room"), [("tensorflow_addons", "layers"), ("pyworld", "world")]
)
def test_packages_with_a_notice_are_imported_in_one_place(package: str, room: str) -> None:
    line = re.compile(rf"^\s*(import|from) {package}\b", re.MULTILINE)
    assert [path.stem for path in sources() if line.search(path.read_text())] == [room]


def test_packages_do_nothing_at_import() -> None:
    for path in PACKAGE.rglob("__init__.py"):
        assert imports(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize("path", [*sources(), *parity_sources()], ids=lambda path: path.stem)
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


def test_files_stay_short() -> None:
    every = [*sources(), *parity_sources(), *BENCHMARKS.glob("*.py")]
    lengths = {path.name: len(path.read_text().splitlines()) for path in every}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
    verbs = {path.name: len(path.read_text().splitlines()) for path in PACKAGE.glob("cli/*.py")}
    assert {name: length for name, length in verbs.items() if length > 80} == {}


@pytest.mark.parametrize(
    "module",
    ["preparation", "conversion", "cli.train", "cli.convert", "cli.prepare", "cli.import_vocoder"],
)
def test_workers_and_doors_import_without_tensorflow(module: str) -> None:
    code = f"import sys, cyclegan_vc_tf.{module}; sys.exit('tensorflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, check=True)


@pytest.mark.parametrize("module", ["layers", "world"])
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
