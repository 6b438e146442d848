"""docs/behavior.md and the code agree: each surprise of Meta's has one id, a source, and its place in the code."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator

import pytest

from tests.support.pages import DOCS, PACKAGE

ID = re.compile(r"META-\d{2}\b")
PAGE = (DOCS / "behavior.md").read_text("utf-8")
ENTRIES = dict(re.findall(r"^### (META-\d\d): (.+?)(?=^##|\Z)", PAGE, re.MULTILINE | re.DOTALL))


def find_cited() -> Iterator[tuple[str, str]]:
    """Yield the module and the id of each citation in a comment of the package."""
    for path in PACKAGE.rglob("*.py"):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
            if token.type == tokenize.COMMENT:
                yield from ((str(path.relative_to(PACKAGE)), each) for each in ID.findall(token.string))


def test_ids_are_unique_and_in_order() -> None:
    """One entry per id, numbered without gaps."""
    assert re.findall(r"^### (META-\d\d)", PAGE, re.MULTILINE) == [
        f"META-{number:02}" for number in range(1, len(ENTRIES) + 1)
    ]
    assert len(ENTRIES) >= 30


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=ENTRIES)
def test_each_entry_says_what_where_from_and_what_follows(entry: str) -> None:
    """What was seen, a source that is public, what the package does about it."""
    parts = dict(re.findall(r"^\* (Seen|Source|We): (.+)$", entry, re.MULTILINE))
    assert list(parts) == ["Seen", "Source", "We"]
    assert "https://" in parts["Source"] or re.search(r"[Rr]eported", parts["Source"])
    assert len(parts["Seen"]) > 20
    assert len(parts["We"]) > 20


def test_what_the_code_cites_is_there() -> None:
    """No comment names an id that the page does not have."""
    cited = list(find_cited())
    assert [(name, each) for name, each in cited if each not in ENTRIES] == []
    assert len(cited) >= 30


def test_what_is_there_is_cited() -> None:
    """Each entry stands behind a line of code, the sandbox's not counted, or says that none follows from it."""
    cited = {each for name, each in find_cited() if not name.startswith("sandbox")}
    assert {each for each, text in ENTRIES.items() if each not in cited and "(no code)" not in text} == set()


def test_no_other_text_cites_an_id() -> None:
    """Ids stand in comments, where the test of citations finds them, and in no message to a user."""
    comments = sorted(find_cited())
    texts = [
        (str(path.relative_to(PACKAGE)), each)
        for path in PACKAGE.rglob("*.py")
        for each in ID.findall(path.read_text("utf-8"))
    ]
    assert sorted(texts) == comments
