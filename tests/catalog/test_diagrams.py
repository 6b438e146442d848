"""The pictures of the tables are those of the catalogue, and what they say of Meta's edges is what is asked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES
from airflow_provider_iginsights.catalog.views import VIEWS
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from tests.support.diagrams import DIAGRAMS, EDGES, IG_MEDIA, IG_USER
from tests.support.pages import DOCS
from tests.support.sandboxes import END, START, Sandboxes

SVG = "{http://www.w3.org/2000/svg}"
KINDS = ("account", "media", "story")


def find_texts(name: str, kind: str) -> list[str]:
    """Return the texts of a picture's elements of a kind."""
    return [each.text or "" for each in ET.fromstring(DIAGRAMS[name]).iter(f"{SVG}{kind}")]  # noqa: S314 - our own


@pytest.mark.parametrize("name", DIAGRAMS)
def test_the_picture_is_up_to_date(name: str) -> None:
    """Drawing it anew changes nothing: whoever changes the catalogue has run ``make reference``."""
    assert (DOCS / "images" / name).read_text("utf-8") == DIAGRAMS[name], "Run: make reference"


def test_every_table_and_view_is_drawn() -> None:
    """Each table stands in both pictures, with the columns of its key in one; each view in the other."""
    relations, lineage = find_texts("tables.svg", "text"), find_texts("lineage.svg", "text")
    for table in ALL_TABLES:
        begin = relations.index(table.default_id) + 1
        assert relations[begin : begin + len(table.key)] == [f"* {name}" for name in table.key]
        assert table.default_id in lineage
    assert {view.view_id(view.table.default_id) for view in VIEWS} <= set(lineage)


def test_every_table_hangs_on_another() -> None:
    """A line leads from each table to the account or the post of its rows, and what feeds it is named."""
    drawn = " ".join(find_texts("tables.svg", "title"))
    assert [table.default_id for table in ALL_TABLES if table.default_id not in drawn] == []
    assert EDGES.keys() == {table.name for table in ALL_TABLES}


def test_the_edges_are_those_that_are_asked(small_sandboxes: Sandboxes) -> None:
    """To read a kind of insights, no other edges are asked than feed its tables; each that is drawn is asked."""
    owner, asked = small_sandboxes.account.id, set()
    for kind in KINDS:
        before = len(small_sandboxes.graph.log)
        tables = {table for table, _ in InstagramHook().read(kind, [owner], since=START, until=END)}
        found = set(find_edges(small_sandboxes, owner, since=before))
        assert found
        assert found <= {edge for table in tables for edge in EDGES[table]}
        asked |= found
    assert asked == {edge for edges in EDGES.values() for edge in edges if edge.startswith("/")}


def find_edges(sandboxes: Sandboxes, owner: str, *, since: int) -> Iterator[str]:
    """Yield the edges of accounts and media that were asked, batches' items among them."""
    for request in sandboxes.graph.log[since:]:
        for address in request.items or (request.path,):
            found = re.match(r"/?(?:v[\d.]+/)?(\d+)(/\w+)?", address)
            assert found, address
            yield (IG_USER if found[1] == owner else IG_MEDIA) + (found[2] or "")
