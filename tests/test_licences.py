"""docs/licences.md names all that comes with the package, and nothing comes whose licence is unclear or forbids use."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from importlib.metadata import Distribution, PackageNotFoundError
from pathlib import Path

import pytest

from tests.support.airflow_versions import has_pinned_airflow
from tests.support.licences import (
    ALLOWED,
    INSTALLS,
    PAGE,
    READ,
    Dependency,
    UnclearLicence,
    is_allowed,
    list_dependencies,
    read_licence,
)

NAMED = dict(re.findall(r"^\| \**`([\w.-]+)`\** \| (.+?) \|", PAGE.read_text("utf-8"), re.MULTILINE))


def list_installed(install: str) -> list[Dependency]:
    """Return what an install brings; skip where it is not installed.

    Nobody bounds what an older Google provider brings: chardet, for example, was under the LGPL.
    """
    if install == "google" and not has_pinned_airflow():
        pytest.skip("The page is that of the Google provider which is pinned; others bring other distributions.")
    try:
        return list_dependencies(install)
    except PackageNotFoundError as missing:
        pytest.skip(f"[{install}] is not installed here: {missing}")


@pytest.mark.parametrize("install", INSTALLS)
def test_all_that_comes_with_the_package_may_be_used(install: str) -> None:
    """Every dependency, however far, says a licence that is allowed; the package brings Airflow and Google's client."""
    found = list_installed(install)
    assert [(each.name, each.licence) for each in found if not is_allowed(each.licence)] == []
    assert any(each.direct for each in found)
    assert install or {"apache-airflow", "google-cloud-bigquery", "requests"} <= {each.name for each in found}


@pytest.mark.parametrize("install", INSTALLS)
def test_the_page_names_what_is_pinned(install: str) -> None:
    """The page has each dependency, with its licence, of the Airflow that is pinned."""
    found = {each.name: each.licence for each in list_installed(install)}
    if not has_pinned_airflow() or sys.version_info[:2] != (3, 11):
        pytest.skip("The page is that of Python 3.11 and the pinned Airflow; others need other distributions.")
    assert {name: NAMED.get(name) for name in found} == found, "Run: make licences"


def make_distribution(folder: Path, lines: Sequence[str]) -> Distribution:
    """Return a distribution with these lines in its metadata."""
    info = folder / "some_thing-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("\n".join(["Metadata-Version: 2.4", "Name: some-thing", "Version: 1.0", *lines]))
    return Distribution.at(info)


@pytest.mark.parametrize(
    ("lines", "licence"),
    [
        (["License-Expression: MIT OR Apache-2.0"], "MIT OR Apache-2.0"),
        (["License: mit"], "MIT"),
        (["License: Apache 2.0"], "Apache-2.0"),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: ISC License (ISCL)"], "ISC"),
        (["Classifier: License :: OSI Approved", "License: BSD-3-Clause"], "BSD-3-Clause"),
    ],
)
def test_a_licence_is_read(tmp_path: Path, lines: list[str], licence: str) -> None:
    """The expression comes first, then a short text, then the classifiers."""
    assert read_licence(make_distribution(tmp_path, lines)) == licence


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["License: Dual License"],
        ["License: see LICENSE"],
        ["Classifier: License :: OSI Approved"],
        ["Classifier: License :: Other/Proprietary License"],
        ["Classifier: License :: OSI Approved :: MIT License", "Classifier: License :: Free For Home Use"],
    ],
)
def test_an_unclear_licence_is_an_error(tmp_path: Path, lines: list[str]) -> None:
    """What the metadata do not say, nobody guesses: somebody reads the file and writes it down."""
    with pytest.raises(UnclearLicence, match="some-thing says"):
        read_licence(make_distribution(tmp_path, lines))


@pytest.mark.parametrize(
    ("expression", "allowed"),
    [
        ("MIT", True),
        ("MIT AND PSF-2.0", True),
        ("Apache-2.0 OR GPL-3.0-only", True),
        ("(MIT AND Zlib) OR GPL-3.0-only", True),
        ("GPL-3.0-only", False),
        ("LGPL-3.0-or-later", False),
        ("MIT AND GPL-2.0-only", False),
        ("AGPL-3.0-only OR SSPL-1.0", False),
    ],
)
def test_what_is_allowed(expression: str, allowed: bool) -> None:
    """All parts of one alternative must be on the list."""
    assert is_allowed(expression) is allowed
    assert not any(name.startswith(("GPL", "LGPL", "AGPL")) for name in ALLOWED)


def test_what_was_read_is_needed() -> None:
    """A licence that was written down by hand belongs to something that still comes with the package."""
    assert READ.keys() <= NAMED.keys()
