"""The inputs that do not come out right yet, by test. A line goes as soon as its test passes: the mark is strict."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

OPEN: Mapping[str, tuple[str, ...]] = {
    "silence is not named": ("test_silence_is_named",),
    "me/accounts is asked with a Page token": (
        "test_a_page_token_finds_its_account",
        "test_a_page_token_finds_its_account_for_every_operator[media]",
        "test_a_page_token_finds_its_account_for_every_operator[story]",
    ),
    "the account of a Page is not looked up": (
        "test_a_pages_id_is_told_with_its_account",
        "test_a_pages_id_does_not_cost_the_others[account]",
        "test_a_pages_id_does_not_cost_the_others[media]",
        "test_a_pages_id_does_not_cost_the_others[story]",
    ),
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
