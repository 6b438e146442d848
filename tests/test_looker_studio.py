"""docs/looker-studio.md: its formulas are of fields that exist, and nothing that counts people is added up."""

from __future__ import annotations

import re
from pathlib import Path

from airflow_provider_iginsights.catalog.views import VIEWS
from tests.support.looker_fields import aggregate, find_day

PAGE = (Path(__file__).parents[1] / "docs" / "looker-studio.md").read_text("utf-8")
SHOWN = {view.view_id(view.table.default_id): view for view in VIEWS if not view.parameters}
FUNCTIONS = {"SUM", "MEDIAN", "COUNT_DISTINCT", "FORMAT_DATETIME", "HYPERLINK", "CASE", "WHEN", "THEN", "ELSE", "END"}
COUNT_PEOPLE = {"reach", "accounts_engaged", "followers_on_posting_day"}
RATIOS = r".*(_rate|_by_|_per_).*|.*avg_.*"


def read_formulas() -> list[tuple[str, str, str]]:
    """Return view, name and formula of each calculated field."""
    return re.findall(r"^\| `(instagram_\w+)` \| ([^|]+) \| `(.+)` \| [^|]+ \|$", PAGE, re.MULTILINE)


def test_the_formulas_are_of_fields_that_exist() -> None:
    """Each word of a formula is a function of Looker Studio or a column of the view."""
    formulas = read_formulas()
    assert len(formulas) > 8
    for view_id, name, formula in formulas:
        words = set(re.findall(r"[A-Za-z_]+", re.sub(r'"[^"]*"', "", formula)))
        assert words - FUNCTIONS <= {column.name for column in SHOWN[view_id].columns}, name
        assert not set(re.findall(r"SUM\((\w+)\)", formula)) & COUNT_PEOPLE, name


def test_what_counts_people_is_never_added_up() -> None:
    """Nor are ratios; what may be added is, and texts and dates are not aggregated."""
    for view in SHOWN.values():
        found = {column.name: aggregate(view, column)[0] for column in view.columns}
        for name, how in found.items():
            if name in COUNT_PEOPLE or re.fullmatch(RATIOS, name):
                assert how in ("Median", "Max"), name
        assert {found.get(name, "Sum") for name in ("views", "likes", "total_interactions")} == {"Sum"}
        assert found["account_id"] == found[find_day(view)] == "None"
