"""What is mutated, by part: files of the package, and the tests that are to notice."""

from __future__ import annotations

from collections.abc import Mapping

LEAST = 85
"""Percentage of the mutants that each part's tests have to notice."""

_PLANNING = ("catalog/test_plan.py", "catalog/test_selection.py")
_STORIES = ("stories/test_life.py", "stories/test_gaps.py", "stories/test_finals.py")
_MERGE = ("bigquery/test_merge.py",)

# Few tests, and such as start no server where possible. Paths begin at the package, and at tests.
PARTS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "window": {"window.py": ("test_window.py",)},
    "pacific": {"pacific.py": ("test_window.py",)},
    "planning": {
        "catalog/plan.py": _PLANNING,
        "catalog/selection.py": _PLANNING,
        "catalog/offer.py": _PLANNING,
    },
    "error table": {
        "graph/error_codes.py": ("graph/test_error_mapping.py",),
        "graph/error_mapping.py": ("graph/test_error_mapping.py",),
    },
    "rows": {"extract/rows.py": ("extract/test_rows.py",)},
    "merge text": {"bigquery/merge.py": _MERGE, "bigquery/partition_range.py": _MERGE},
    "refusals": {
        "task/arguments.py": ("task/test_arguments.py",),
        "task/column_arguments.py": ("task/test_column_arguments.py",),
        "hooks/connection.py": ("hooks/test_connection.py",),
    },
    "story finals": {
        "stories/finals.py": _STORIES,
        "stories/life.py": _STORIES,
        "stories/gaps.py": _STORIES,
    },
}
