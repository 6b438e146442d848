"""The inputs that do not come out right yet, by test. A line goes as soon as its test passes: the mark is strict."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

OPEN: Mapping[str, tuple[str, ...]] = {
    "too much data is known by its English text alone": (
        "test_too_much_data_in_any_words_lowers_the_limit[1/99]",
        "test_too_much_data_in_any_words_lowers_the_limit[in English]",
        "test_too_much_data_in_any_words_lowers_the_limit[in German]",
        "test_too_much_data_in_any_words_lowers_the_limit[2]",
        "test_too_much_data_in_any_words_lowers_the_limit[-3]",
    ),
    "a gateway that times out does not lower the limit": ("test_a_gateway_that_times_out_lowers_the_limit",),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is open."""
    reasons = {name: reason for reason, names in OPEN.items() for name in names}
    for item in items:
        if item.path.parent.name == "cases" and item.name in reasons:
            item.add_marker(pytest.mark.xfail(reason=reasons[item.name], strict=True))
