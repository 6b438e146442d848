"""The reference tables of the docs are the catalog's."""

from __future__ import annotations

from pathlib import Path

import pytest

from airflow_provider_iginsights.catalog.reference import rewrite
from tests.support.pages import list_pages, read_pages
from tests.support.reference_sections import SECTIONS


@pytest.mark.parametrize("page", list_pages(), ids=lambda page: page.stem)
def test_the_page_is_up_to_date(page: Path) -> None:
    """Writing the generated sections anew changes nothing: whoever changes the code has run ``make reference``."""
    text = page.read_text(encoding="utf-8")
    assert rewrite(text, SECTIONS) == text, "Run: make reference"


def test_each_section_stands_in_one_page() -> None:
    """None is forgotten, and none is printed twice."""
    assert [name for name in SECTIONS if read_pages().count(f"<!-- begin {name} -->") != 1] == []


def test_a_stale_section_is_rewritten_and_the_rest_kept() -> None:
    """Only what stands between the marks changes."""
    text = "before\n<!-- begin tables -->\nstale\n<!-- end tables -->\nafter | as it was\n"
    written = rewrite(text)
    assert written.startswith("before\n<!-- begin tables -->\n## `instagram_account_insights`")
    assert written.endswith("\n<!-- end tables -->\nafter | as it was\n")
    assert "stale" not in written
