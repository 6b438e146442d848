"""The inputs that do not come out right yet, by test. A line goes as soon as its test passes: the mark is strict."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

OPEN: Mapping[str, tuple[str, ...]] = {
    "silence is not named": ("test_what_a_small_account_does_not_get_is_named",),
    "a code of one post costs more than that post": (
        "test_one_media_of_many_costs_itself[24-2207006]",
        "test_one_media_of_many_costs_itself[-1-2207001]",
        "test_one_media_of_many_costs_itself[12-None]",
        "test_one_media_of_many_costs_itself[25-2207050]",
        "test_one_media_of_many_costs_itself[33-None]",
        "test_one_media_of_many_costs_itself[9-None]",
        "test_one_media_of_many_costs_itself[21009-None]",
        "test_one_media_of_many_costs_itself[-2-None]",
    ),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is open."""
    reasons = {name: reason for reason, names in OPEN.items() for name in names}
    for item in items:
        if item.path.parent.name == "cases" and item.name in reasons:
            item.add_marker(pytest.mark.xfail(reason=reasons[item.name], strict=True))
