"""The worked example of docs/develop/add_a_variant.md, carried out on a copy of the repository."""

import ast
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from conftest import REPOSITORY, write_voices

PAGE = REPOSITORY / "docs" / "develop" / "add_a_variant.md"

PLACES = {
    "append": r"At the end of `(?P<path>[^`]+)`:",
    "import": r"After the imports of `(?P<path>[^`]+)`:",
    "entry": r"In `(?P<name>[^`]+)` of `(?P<path>[^`]+)`:",
    "create": r"In a new file `(?P<path>[^`]+)`:",
}
"""Line in front of a code block, by what is done with the block."""


@dataclass(frozen=True)
class Block:
    """A code block of the page.

    Attributes:
        language: Language of its fence.
        before: Last line of text in front of it.
        text: Its lines.
    """

    language: str
    before: str
    text: str


def read_blocks(page: str) -> list[Block]:
    """Return the code blocks of a page, in order."""
    found = re.findall(r"([^\n]*)\n\n```(\w+)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    blocks = [Block(language, before, text) for before, language, text in found]
    assert len(blocks) == page.count("```") // 2
    return blocks


def insert_line(source: str, line: int, text: str) -> str:
    """Return a source with a text behind its first `line` lines."""
    lines = source.splitlines(keepends=True)
    return "".join([*lines[:line], text, *lines[line:]])


def write_block(root: Path, block: Block) -> Path:
    """Write a block to the place that the line in front of it names."""
    places = {name: re.fullmatch(pattern, block.before) for name, pattern in PLACES.items()}
    action, place = next(((name, found) for name, found in places.items() if found), ("", None))
    if place is None:
        raise AssertionError(f"no place is named in front of a block: {block.before!r}")
    path = root / place["path"]
    if action == "create":
        assert not path.exists(), path
        path.write_text(block.text)
        return path
    source = path.read_text()
    body = ast.parse(source).body
    if action == "append":
        path.write_text(f"{source}\n\n{block.text}")
    elif action == "import":
        last = max(node.end_lineno or 0 for node in body if isinstance(node, ast.ImportFrom))
        path.write_text(insert_line(source, last, block.text))
    else:
        targets = {
            target.id: node.value
            for node in body
            if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name)
        }
        closing = targets[place["name"]].end_lineno
        assert closing is not None
        path.write_text(insert_line(source, closing - 1, block.text))
    return path


def run(root: Path, command: str, timeout_s: float = 600) -> str:
    """Run a command of the page in the copy; return what it printed."""
    program, *arguments = shlex.split(command)
    assert program == "python"
    # A cache of features in the user's folder is none of a test's business.
    environment = {**os.environ, "PYTHONPATH": str(root), "XDG_CACHE_HOME": str(root / "cache")}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository in which all blocks of the page were carried out."""
    root = tmp_path_factory.mktemp("repository")
    ignored = shutil.ignore_patterns("__pycache__", "*.npz")
    for folder in ("cyclegan_vc_tf", "parity", "configs"):
        shutil.copytree(REPOSITORY / folder, root / folder, ignore=ignored)
    for file in ("train.py", "pyproject.toml"):
        shutil.copyfile(REPOSITORY / file, root / file)
    write_voices(root / "recordings" / "anna", 210.0, 3)
    write_voices(root / "recordings" / "ben", 110.0, 3)
    written = [
        write_block(root, block)
        for block in read_blocks(PAGE.read_text())
        if block.language != "bash"
    ]
    assert len(written) == 9
    return root


def commands() -> list[str]:
    blocks = [block.text for block in read_blocks(PAGE.read_text()) if block.language == "bash"]
    return [line for text in blocks for line in text.strip().splitlines()]


def test_the_new_variant_trains(copy: Path) -> None:
    (training,) = [command for command in commands() if "train.py" in command]
    run(copy, training)
    config = json.loads((copy / "runs" / "bounded" / "config.json").read_text())
    assert config["network"]["variant"] == "bounded"
    assert (copy / "runs" / "bounded" / "checkpoints" / "ckpt-2.index").is_file()


def test_the_new_variant_is_bounded_and_refuses_what_others_have(copy: Path) -> None:
    """4 · tanh(x / 4) of CycleGAN-VC2's output with the same seed, by NumPy."""
    code = """
import dataclasses
import numpy as np
from cyclegan_vc_tf.config.presets import PRESETS
from cyclegan_vc_tf.models import registry
from cyclegan_vc_tf.system.errors import InputError

network = dataclasses.replace(PRESETS["bounded"].network, channels=2, residual_blocks=1)
features = 100 * np.random.default_rng(0).standard_normal((1, 16, 12)).astype("float32")
builders = [registry.VARIANTS[name].generator for name in ("bounded", "vc2")]
bounded, plain = (build("generator_A2B", 12, network, 0) for build in builders)
output = plain.get_layer("output_conv")
output.set_weights([np.ones_like(weight) for weight in output.get_weights()])
bounded.set_weights(plain.get_weights())
expected = plain(features).numpy()
assert np.abs(expected).max() > 4
np.testing.assert_allclose(bounded(features), 4 * np.tanh(expected / 4), atol=1e-4)
try:
    wrong = dataclasses.replace(network, tfan_layers=2)
    registry.validate_config(dataclasses.replace(PRESETS["bounded"], network=wrong))
except InputError as error:
    print(error)
"""
    (copy / "check.py").write_text(code)
    assert "--tfan_layers is 2, and bounded does not have it" in run(copy, "python check.py")


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra `parity`")
def test_the_new_parity_case_passes(copy: Path) -> None:
    (parity,) = [command for command in commands() if "parity" in command]
    printed = run(copy, f"{parity} -p no:cacheprovider")
    # In float64 and in float32.
    assert re.search(r"\b2 passed", printed), printed


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="needs the extra `parity`")
def test_a_twin_with_another_bound_is_seen(copy: Path) -> None:
    """What passes the parity case is the twin of the page, and no other."""
    file = copy / "parity" / "companion" / "vc2.py"
    source = file.read_text()
    file.write_text(source.replace("4 * torch.tanh(", "3 * torch.tanh("))
    (parity,) = [command for command in commands() if "parity" in command]
    try:
        with pytest.raises(AssertionError, match="2 failed"):
            run(copy, f"{parity} -p no:cacheprovider")
    finally:
        file.write_text(source)


@pytest.mark.parametrize("before", ["Somewhere:", "At the end of cyclegan_vc_tf/models/x.py:"])
def test_a_block_without_a_place_is_refused(before: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no place is named"):
        write_block(tmp_path, Block("python", before, "x = 1\n"))
