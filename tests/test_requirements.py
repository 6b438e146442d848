"""What ``make`` installs is pinned by hash, complete, and the same in all files: nothing else can come in."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.airflow_versions import has_pinned_airflow
from tests.support.licences import list_distributions
from tests.support.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# What each file is for: the wishes that it must fulfil.
WISHES: dict[str, list[str]] = {
    "demo": [*PROJECT["dependencies"], *EXTRAS["sandbox"], "hatchling"],
    "test": [*PROJECT["dependencies"], *EXTRAS["dev"], *EXTRAS["report"], *EXTRAS["sandbox"], "hatchling"],
    "types": EXTRAS["types"],
}
FILES = sorted((ROOT / "requirements").glob("*.txt"))
CONSTRAINTS = [ROOT / "constraints.txt", ROOT / "constraints-google.txt"]


def read_requirements(path: Path) -> list[tuple[Requirement, list[str]]]:
    """Return each requirement of a file, with its hashes."""
    text = re.sub(r"^#.*\n", "", path.read_text("utf-8"), flags=re.MULTILINE).replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        requirement, *hashes = line.split(" --hash=")
        found.append((Requirement(requirement), [each.strip() for each in hashes]))
    return found


def read_pins(path: Path) -> dict[str, set[str]]:
    """Return the versions of a file by name: one, or one for each kind of machine."""
    pins: dict[str, set[str]] = {}
    for requirement, _ in read_requirements(path):
        pins.setdefault(canonicalize_name(requirement.name), set()).add(str(requirement.specifier))
    return pins


def test_there_is_a_file_for_each_use() -> None:
    """The files that make installs from are those that this module judges."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert {path.stem for path in FILES} == WISHES.keys() == set(re.findall(r"requirements/(\w+)\.txt", makefile))
    assert makefile.count("--require-hashes") == 2  # the environments of demo and test, and pyright beside the latter


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_line_is_a_version_with_hashes(path: Path) -> None:
    """Without one, pip would refuse the whole file (``--require-hashes``)."""
    for requirement, hashes in read_requirements(path):
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), requirement
        assert hashes, requirement
        assert [each for each in hashes if not re.fullmatch(r"sha256:[0-9a-f]{64}", each)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_versions_are_those_of_the_constraints(path: Path) -> None:
    """One version of each distribution, wherever it is installed from."""
    pinned = read_pins(CONSTRAINTS[0])
    assert {name: pins for name, pins in read_pins(path).items() if not pins <= pinned.get(name, set())} == {}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_wishes_are_fulfilled(path: Path) -> None:
    """What pyproject.toml asks for is there, in a version that it allows: who changes it runs ``make constraints``."""
    pins = read_pins(path)
    for wish in map(Requirement, WISHES[path.stem]):
        found = pins.get(canonicalize_name(wish.name), set())
        assert found, f"{wish} is missing in {path.name}. Run: make constraints"
        for pin in found:
            assert wish.specifier.contains(pin.removeprefix("=="), prereleases=True), (
                f"{wish}: {pin}. Run: make constraints"
            )


@pytest.mark.parametrize("extra", EXTRAS)
def test_each_extra_is_pinned(extra: str) -> None:
    """What has no file of hashes is in the constraints as well, which ``make constraints`` resolves for all extras."""
    pins = read_pins(CONSTRAINTS[extra == "google"])
    for wish in map(Requirement, EXTRAS[extra]):
        found = pins.get(canonicalize_name(wish.name), set())
        assert found, f"{wish} is in no constraints. Name the extra {extra} in the Makefile, and run: make constraints"
        assert all(wish.specifier.contains(pin.removeprefix("=="), prereleases=True) for pin in found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_that_is_needed_is_missing(path: Path) -> None:
    """Since pip resolves nothing (``--no-deps``), what each distribution requires must be in the file as well."""
    if not has_pinned_airflow():
        pytest.skip("Another Airflow than the pinned one needs other distributions.")
    try:
        needed = list_distributions(WISHES[path.stem])
    except PackageNotFoundError as missing:
        pytest.skip(f"This is not installed here: {missing}")
    assert sorted(needed.keys() - read_pins(path).keys()) == []


@pytest.mark.parametrize("path", [*FILES, *CONSTRAINTS], ids=lambda path: path.stem)
def test_files_name_no_address(path: Path) -> None:
    """Where distributions come from is the installer's choice; no index, no file and no machine is named."""
    text = path.read_text("utf-8")
    assert not re.search(r"://|--(extra-)?index|--find-links|^(-e|/|\.)|\b(tmp|home|root)/", text, re.MULTILINE)
