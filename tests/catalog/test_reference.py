"""The README's reference tables are the catalog's."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_iginsights.catalog.reference import SECTIONS, rewrite

README = Path(__file__).parents[2] / "README.md"


def test_the_readme_is_up_to_date() -> None:
    """Writing the reference tables anew changes nothing: whoever changes the catalog has rewritten them."""
    text = README.read_text(encoding="utf-8")
    assert all(f"<!-- begin {name} -->" in text for name in SECTIONS)
    assert rewrite(text) == text


def test_a_stale_section_is_rewritten_and_the_rest_kept() -> None:
    """Only what stands between the marks changes."""
    text = "before\n<!-- begin tables -->\nstale\n<!-- end tables -->\nafter | as it was\n"
    written = rewrite(text)
    assert written.startswith("before\n<!-- begin tables -->\n#### `instagram_account_insights`")
    assert written.endswith("\n<!-- end tables -->\nafter | as it was\n")
    assert "stale" not in written
