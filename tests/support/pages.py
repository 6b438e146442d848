"""README.md and the pages of docs/, as the tests read them: blocks, sections, words, links and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import airflow_provider_iginsights

ROOT = Path(__file__).parents[2]
PACKAGE = Path(airflow_provider_iginsights.__file__).parent
"""The package as it is imported: of the tree, or of an installed wheel, beside which the tree need not be."""
README, DOCS = ROOT / "README.md", ROOT / "docs"
FENCE = re.compile(r"^```([\w{}-]*).*\n((?:.*\n)*?)```$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block. ``key``: the heading above it, and its number below that."""

    key: str
    language: str
    text: str


def list_pages() -> list[Path]:
    """Return the README and all pages of docs/."""
    return [README, *list_docs()]


def list_docs() -> list[Path]:
    """Return all pages of docs/."""
    return sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)


@cache
def read_pages() -> str:
    """Return the text of all pages, one after the other."""
    return "\n\n".join(path.read_text("utf-8") for path in list_pages())


def find_sections(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each heading of a page, and the text from there to the next."""
    # A comment of a shell block would be taken for a heading.
    for section in re.split(r"^#+ ", path.read_text("utf-8"), flags=re.MULTILINE):
        heading, _, text = section.partition("\n")
        yield heading, text


def find_section(heading: str) -> str:
    """Return the text under a heading that stands in one page only."""
    [text] = [text for path in list_pages() for each, text in find_sections(path) if each == heading]
    return text


def find_blocks(path: Path) -> Iterator[Block]:
    """Yield the blocks of a page, but for Sphinx's directives, such as ``{toctree}``."""
    for heading, text in find_sections(path):
        found = [match for match in FENCE.findall(text) if not match[0].startswith("{")]
        for number, (language, body) in enumerate(found, start=1):
            yield Block(f"{heading} {number}", language, body)


@cache
def list_blocks() -> list[Block]:
    """Return the blocks of all pages."""
    return [block for path in list_pages() for block in find_blocks(path)]


def find_block(key: str) -> str:
    """Return the text of a block by its heading and number, such as ``A first Dag 1``."""
    [block] = [block for block in list_blocks() if block.key == key]
    return block.text


def find_directives(path: Path, name: str) -> Iterator[tuple[str, str]]:
    """Yield argument and content of each of a page's directives, such as ``toctree``."""
    text = path.read_text("utf-8")
    yield from re.findall(rf"^```{{{name}}} *(.*)\n((?:.*\n)*?)```$", text, re.MULTILINE)


@cache
def read_code_words() -> set[str]:
    """Return every identifier and every option that the pages write as code."""
    return find_code_words(read_pages())


def find_code_words(text: str) -> set[str]:
    """Return every identifier and every option that a text writes as code."""
    code = " ".join(re.findall(r"```.*?```|`[^`\n]+`", text, re.DOTALL))
    return {*re.findall(r"\w+", code), *re.findall(r"(?<!\S)\W?(--[a-z][a-z-]*)", code)}


def list_anchors(path: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub and MyST make them."""
    headings = re.findall(r"^#+ (.+)$", _without_blocks(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def list_links(path: Path) -> list[str]:
    """Return the targets of a page's links and pictures."""
    return re.findall(r"\]\(([^)\s]+)\)", _without_blocks(path))


def _without_blocks(path: Path) -> str:
    return FENCE.sub("", path.read_text("utf-8"))
