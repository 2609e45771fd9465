"""README, page about installing and `pyproject.toml` name one set of systems and Pythons."""

import re
from collections.abc import Iterator

import pytest
from conftest import REPOSITORY
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

PROJECT = (REPOSITORY / "pyproject.toml").read_text()
README = (REPOSITORY / "README.md").read_text()
INSTALL = (REPOSITORY / "docs" / "get_started" / "install.md").read_text()

TRIED = "Linux x86-64"
"""System that the tests run on."""


def minor(version: str) -> int:
    """Number n of Python 3.n."""
    return int(version.removeprefix("3."))


REQUIRED = re.search(r'^requires-python = "(.*)"$', PROJECT, re.MULTILINE)[1]
SUPPORTED = {n for n in range(100) if SpecifierSet(REQUIRED).contains(f"3.{n}.5")}
CLASSIFIED = set(map(minor, re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)))


def rows(page: str, title: str) -> list[list[str]]:
    """Cells of the rows of the first table below a heading."""
    section = page.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]
    ]


def pythons(cell: str) -> set[int]:
    """Versions that a cell names: `3.10, 3.11`, `3.10 to 3.13`, `3.14 and later`, `any`."""
    named = list(map(minor, re.findall(r"3\.\d+", cell)))
    if " to " in cell:
        return set(range(named[0], named[1] + 1))
    if "later" in cell:
        return set(range(named[0], 100))
    if "earlier" in cell:
        return set(range(named[0] + 1))
    return set(named) if named else set(range(100))


def systems(cell: str) -> list[str]:
    """Systems that a cell names, without what stands in brackets."""
    return [re.sub(r" \(.*\)", "", system) for system in cell.split(", ")]


def installed(name: str, python: int) -> SpecifierSet:
    """Versions of a package that pip may choose for Python 3.`python`."""
    dependencies = PROJECT.split("\ndependencies = [", 1)[1].split("\n]", 1)[0]
    requirements = map(Requirement, re.findall(r'^    "(.*)",$', dependencies, re.MULTILINE))
    (found,) = [
        requirement.specifier
        for requirement in requirements
        if requirement.name == name
        and (
            not requirement.marker or requirement.marker.evaluate({"python_version": f"3.{python}"})
        )
    ]
    return found


def stacks() -> Iterator[tuple[str, set[int], str]]:
    """Name, Pythons and TensorFlow of each column of the table of the stacks."""
    cells = {row[0]: row[1:] for row in rows(INSTALL, "Two stacks")}
    for name, python, version in zip(
        ("reference stack", "living stack"), cells["Python"], cells["TensorFlow"], strict=True
    ):
        yield name, pythons(python), version


def test_pip_refuses_exactly_the_pythons_that_are_not_named() -> None:
    assert CLASSIFIED == SUPPORTED
    assert f"py3{min(SUPPORTED)}" == re.search(r'target-version = "(.*)"', PROJECT)[1]
    assert f"3.{min(SUPPORTED)}" == re.search(r'\npython_version = "(.*)"', PROJECT)[1]
    first, last = min(SUPPORTED), max(SUPPORTED)
    assert INSTALL.split("\n")[2].startswith(f"On {TRIED} with Python 3.{first} to 3.{last},")
    assert f"python3.{last} -m venv" in INSTALL


@pytest.mark.parametrize(("page", "title"), [(README, "Install"), (INSTALL, "Where it installs")])
def test_each_python_of_the_tried_system_has_one_row_with_its_stack(page: str, title: str) -> None:
    named: list[int] = []
    for system, cell, state in rows(page, title):
        if system == TRIED and "does not install" not in state:
            named += pythons(cell)
            (stack,) = [name for name, versions, _ in stacks() if versions == pythons(cell)]
            assert stack in state
    assert sorted(named) == sorted(SUPPORTED)


def test_pythons_that_do_not_install_are_the_others() -> None:
    refused = [
        pythons(cell)
        for system, cell, state in rows(INSTALL, "Where it installs")
        if system == TRIED and state.startswith("does not install")
    ]
    assert sorted(n for versions in refused for n in versions) == sorted(
        set(range(100)) - SUPPORTED
    )


def test_the_readme_promises_no_more_than_the_page() -> None:
    """On other systems too."""
    page = [
        (system, pythons(cell), state)
        for names, cell, state in rows(INSTALL, "Where it installs")
        for system in systems(names)
    ]
    for names, cell, state in rows(README, "Install"):
        for system in systems(names):
            allowed = [
                (versions, text)
                for name, versions, text in page
                if name.startswith(system) and "does not install" not in text
            ]
            assert pythons(cell) <= set().union(*(versions for versions, _ in allowed)), system
            if "not tried" not in state:
                assert all("not tried" not in text for _, text in allowed), system


def test_the_stacks_are_those_that_pip_installs() -> None:
    for _, versions, tensorflow in stacks():
        for python in versions:
            specifier = installed("tensorflow", python)
            assert specifier.contains(tensorflow)
            assert not specifier.contains(f"{Version(tensorflow).major}.99")
        (state,) = [
            state for _, cell, state in rows(README, "Install")[:2] if pythons(cell) == versions
        ]
        assert f"TensorFlow {tensorflow}" in state
    assert sorted(n for _, versions, _ in stacks() for n in versions) == sorted(SUPPORTED)
