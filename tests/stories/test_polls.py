"""Which accounts' stories are looked up together."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_iginsights.extract.provenance import FetchTime
from airflow_provider_iginsights.stories.life import Poll
from airflow_provider_iginsights.stories.polls import group_by_pause

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


@pytest.mark.parametrize(
    ("pauses", "groups"),
    [
        ({}, []),
        ({"a": None}, [["a"]]),
        ({"a": DAY / 24, "b": DAY / 24, "c": None}, [["a", "b", "c"]]),
        ({"a": 2 * DAY, "b": 2 * DAY + SECOND}, [["a"], ["b"]]),
        ({"a": 7 * DAY, "b": 8 * DAY, "c": DAY}, [["c"], ["a"], ["b"]]),
        ({"a": 35 * DAY, "b": 36 * DAY}, [["a", "b"]]),
    ],
)
def test_accounts_are_grouped_by_their_pause(pauses: dict[str, timedelta | None], groups: list[list[str]]) -> None:
    """Each account is in one group, with its own last poll; at most three groups, whatever the pauses."""
    began = FetchTime(NOW.isoformat(), "2026-11-20", NOW.isoformat())
    last = {account_id: NOW - pause for account_id, pause in pauses.items() if pause is not None}
    found = list(group_by_pause([Poll(account_id, began) for account_id in pauses], last))
    assert [list(group) for group in found] == groups
    assert {name: at for group in found for name, at in group.items()} == {name: last.get(name, NOW) for name in pauses}
