"""List the licences of all that comes with the package: ``make licences`` writes docs/licences.md.

A licence is what the metadata of an installed distribution says: its licence expression (PEP 639), else its short
text, else its classifiers. What says it unclearly is named in :data:`READ`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from airflow_provider_iginsights.catalog.reference import make_table, rewrite
from tests.support.pages import DOCS, ROOT

if TYPE_CHECKING:
    from email.message import Message

PAGE = DOCS / "licences.md"
INSTALLS = ("", "sandbox", "report", "google")
"""What a user may install: the package alone, or with an extra."""
TABLES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"licences": ("", "sandbox", "report"), "licences-google": ("google",)}
)
"""The generated tables of the page. The Google provider has an environment of its own, with other versions."""

ALLOWED = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "Artistic-1.0-Perl",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CC0-1.0",
        "CNRI-Python",
        "ISC",
        "MIT",
        "MIT-0",
        "MPL-2.0",
        "PSF-2.0",
        "Python-2.0",
        "Unlicense",
        "Zlib",
    }
)
"""Licences whose code may be used by a program under Apache-2.0 without a condition for that program."""

CLASSIFIERS: Mapping[str, str] = MappingProxyType(
    {
        "Apache Software License": "Apache-2.0",
        "BSD License": "BSD-3-Clause",
        "ISC License (ISCL)": "ISC",
        "MIT License": "MIT",
        "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
        "Python Software Foundation License": "PSF-2.0",
        "The Unlicense (Unlicense)": "Unlicense",
    }
)
"""The classifiers that leave no choice between licences of different kinds, and their expressions."""

TEXTS: Mapping[str, str] = MappingProxyType(
    {
        "3-Clause BSD License": "BSD-3-Clause",
        "Apache 2.0": "Apache-2.0",
        "Apache License 2.0": "Apache-2.0",
        "Apache License Version 2.0": "Apache-2.0",
        "BSD 2-Clause License": "BSD-2-Clause",
        "BSD 3-Clause OR Apache-2.0": "BSD-3-Clause OR Apache-2.0",
        "ISC License": "ISC",
        "MIT License": "MIT",
    }
)
"""Short texts of the field ``License`` that are no expression, and what they mean."""

READ: Mapping[str, str] = MappingProxyType(
    {
        "google-ads": "Apache-2.0",
        "google-crc32c": "Apache-2.0",
        "pyasn1-modules": "BSD-2-Clause",
        "text-unidecode": "Artistic-1.0-Perl OR GPL-2.0-or-later",
        "tiktoken": "MIT",
    }
)
"""What the licence file of a distribution says whose metadata are unclear."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """A distribution that comes with the package. ``direct``: the package itself names it."""

    name: str
    licence: str
    install: str
    direct: bool


class UnclearLicence(Exception):
    """A distribution's metadata do not say what licence it has."""


def list_dependencies(install: str) -> list[Dependency]:
    """Return what an install brings, by name, without what the package alone brings already.

    :param install: an extra, or ``""`` for the package alone.
    :raises PackageNotFoundError: it is not installed here.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    known = list_distributions(project["dependencies"])
    if install:
        wanted = project["optional-dependencies"][install]
        found = {name: each for name, each in list_distributions(wanted).items() if name not in known}
    else:
        wanted, found = project["dependencies"], known
    direct = {canonicalize_name(Requirement(each).name) for each in wanted}
    return [
        Dependency(name=name, licence=read_licence(each), install=install, direct=name in direct)
        for name, each in sorted(found.items())
    ]


def read_licence(found: Distribution) -> str:
    """Return the SPDX expression of a distribution's licence.

    :raises UnclearLicence: the metadata say none, or several that cannot be told apart.
    """
    metadata = cast("Message", found.metadata)
    name = canonicalize_name(metadata["Name"])
    classifiers = [
        each.split(" :: ")[-1] for each in metadata.get_all("Classifier") or () if each.startswith("License")
    ]
    short = (metadata.get("License") or "").strip()
    candidates = (
        READ.get(name),
        metadata.get("License-Expression"),
        _canonicalize(TEXTS.get(short, short)),
        " OR ".join(sorted(CLASSIFIERS[each] for each in classifiers)) if {*classifiers} <= {*CLASSIFIERS} else None,
    )
    for expression in candidates:
        if expression:
            return expression
    raise UnclearLicence(f"{name} says {short[:60]!r} and {classifiers}: read its licence file and add it to READ.")


def is_allowed(expression: str) -> bool:
    """Say whether one of the alternatives consists of allowed licences only."""
    alternatives = expression.replace("(", "").replace(")", "").split(" OR ")
    return any(all(each in ALLOWED for each in alternative.split(" AND ")) for alternative in alternatives)


def describe_licences(installs: Iterable[str]) -> Iterator[str]:
    """Yield the Markdown lines of a table: each dependency once, those that the package names itself in bold."""
    by_name: dict[str, list[Dependency]] = {}
    for each in (each for install in installs for each in list_dependencies(install)):
        by_name.setdefault(each.name, []).append(each)
    rows = (_describe(found) for _, found in sorted(by_name.items()))
    yield from make_table(("distribution", "licence", "comes with"), rows)


def main() -> None:
    """Write the tables of the page anew whose installs are there in this environment."""
    for table, installs in TABLES.items():
        try:
            lines = list(describe_licences(installs))
        except PackageNotFoundError:
            continue
        PAGE.write_text(rewrite(PAGE.read_text("utf-8"), {table: partial(iter, lines)}), "utf-8")


def _describe(found: Sequence[Dependency]) -> tuple[str, ...]:
    name = f"**`{found[0].name}`**" if any(each.direct for each in found) else f"`{found[0].name}`"
    installs = [f"`[{each.install}]`" if each.install else "the package" for each in found]
    return name, found[0].licence, ", ".join(installs)


def list_distributions(requirements: Iterable[str]) -> dict[str, Distribution]:
    """Return the distributions that these requirements bring, with all that those require in turn, by name."""
    found: dict[str, Distribution] = {}
    pending = [Requirement(each) for each in requirements]
    done: set[tuple[str, str]] = set()
    while pending:
        wanted = pending.pop()
        name = canonicalize_name(wanted.name)
        for extra in {"", *wanted.extras} - {extra for known, extra in done if known == name}:
            done.add((name, extra))
            found[name] = distribution(name)
            pending += _read_requirements(found[name], extra)
    return found


def _read_requirements(found: Distribution, extra: str) -> Iterator[Requirement]:
    for text in found.requires or ():
        required = Requirement(text)
        if required.marker is None or required.marker.evaluate({"extra": extra}):
            yield required


def _canonicalize(text: str) -> str | None:
    # "UNKNOWN" is what setuptools wrote for nothing.
    if not text or text == "UNKNOWN" or not re.fullmatch(r"[\w.+() -]{2,60}", text):
        return None
    try:
        return canonicalize_license_expression(text)
    except InvalidLicenseExpression:
        return None


if __name__ == "__main__":
    main()
