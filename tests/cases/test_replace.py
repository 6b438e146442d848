"""``load_mode="replace"`` beside answers that cannot be read: only groups that nobody can judge keep what is gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

import pytest

from airflow_provider_iginsights.pacific import request_window
from tests.support.written_answers import CaseRun

Start = Callable[[Mapping[str, Any]], Callable[..., CaseRun]]

A, B = "17841400000000001", "17841400000000002"
FIRST, SECOND = date(2026, 11, 19), date(2026, 11, 20)
POSTS = ("17800000000000001", "17800000000000002")
ODD: Mapping[str, Any] = {
    "a value that is none": {"dimension_values": ["UNKNOWN"], "value": "many"},
    "two values for one dimension": {"dimension_values": ["FOLLOWER", "DE"], "value": 3},
    "no value": {"dimension_values": ["UNKNOWN"]},
    "another number for the same": {"dimension_values": ["FOLLOWER"], "value": 77},
    "no object": 5,
}


def answer(metric: str, dimension: str, results: Sequence[Any], **more: Any) -> dict[str, Any]:
    """Return the total of a metric with its breakdown."""
    total = {"value": 9, "breakdowns": [{"dimension_keys": [dimension], "results": list(results)}]}
    return {"data": [{"name": metric, **more, "total_value": total}]}


def result(name: str, value: int) -> dict[str, Any]:
    """Return one result of a breakdown."""
    return {"dimension_values": [name], "value": value}


def day_answers(odd: Any) -> list[dict[str, Any]]:
    """Return the answers about two accounts and two days, where only the first of both is odd, unless None is."""
    found = []
    for account in (A, B):
        for day in (FIRST, SECOND):
            results = [result("FOLLOWER", 1)] if odd is not None else [result("FOLLOWER", 1), result("NON_FOLLOWER", 2)]
            if odd is not None and (account, day) == (A, FIRST):
                results.append(odd)
            found.append(
                {
                    "path": f"{account}/insights",
                    "params": {"since": str(request_window(day, day)[0]), "breakdown": "follow_type"},
                    "body": answer("views", "follow_type", results, period="day"),
                }
            )
    return found


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_day_of_an_account(start: Start, odd: Any) -> None:
    """A value that an answer lacks goes, but where a result of the same account, day and metric is unreadable."""
    arguments = {"account_ids": [A, B], "metrics": ["views"], "breakdowns": {"views": ["follow_type"]}}
    arguments |= {"lookback_days": 1, "load_mode": "replace", "profile_table_id": None}
    given = {
        "run": {"operator": "account", "arguments": arguments},
        "answers": day_answers(None),
        "second": day_answers(odd),
    }
    run = start(given)
    assert gone(run(), "account_id", "metric_date") == sorted((a, str(d)) for a in (A, B) for d in (FIRST, SECOND))
    assert gone(run(), "account_id", "metric_date") == [(A, str(FIRST))]


def gone(done: CaseRun, *columns: str) -> list[tuple[str, ...]]:
    """Return where the value stands that the second answers lack."""
    rows = [*done.rows("instagram_account_insights"), *done.rows("instagram_media_insights")]
    return sorted(tuple(str(row[name]) for name in columns) for row in rows if row["breakdown_value"] == "NON_FOLLOWER")


def post_answers(odd: Any) -> list[dict[str, Any]]:
    """Return the answers about two accounts' posts, where only the first post of the first account is odd."""
    found: list[dict[str, Any]] = []
    for account in (A, B):
        listed = []
        for post in POSTS:
            media_id = f"{post[:-1]}{account[-1]}{post[-1]}"
            listed.append(
                {
                    "id": media_id,
                    "media_product_type": "FEED",
                    "media_type": "IMAGE",
                    "timestamp": "2026-11-20T12:00:00+0000",
                }
            )
            results = [result("FOLLOWER", 1)] if odd is not None else [result("FOLLOWER", 1), result("NON_FOLLOWER", 2)]
            if odd is not None and (account, post) == (A, POSTS[0]):
                results.append(odd)
            body = answer("profile_activity", "action_type", results, period="lifetime")
            found.append({"path": f"{media_id}/insights", "params": {"breakdown": "action_type"}, "body": body})
        found.append({"path": f"{account}/media", "body": {"data": listed}})
    return found


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
def test_a_post(start: Start, odd: Any) -> None:
    """The same of posts: the other posts of the account, and the other account's, lose what is gone."""
    arguments = {
        "account_ids": [A, B],
        "metrics": ["profile_activity"],
        "breakdowns": {"profile_activity": ["action_type"]},
    }
    arguments |= {"load_mode": "replace"}
    given = {
        "run": {"operator": "media", "arguments": arguments},
        "answers": post_answers(None),
        "second": post_answers(odd),
    }
    run = start(given)
    first = gone(run(), "account_id", "media_id")
    assert len(first) == 4
    assert gone(run(), "account_id", "media_id") == first[:1]
