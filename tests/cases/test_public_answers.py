"""Forms of answers that public fixtures, documents and reports show: each is read as it plainly says, or is named.

One account, or one post, has one form; so all of them are read by a single run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from tests.support.written_answers import CaseRun

Run = Callable[..., CaseRun]
DAY = "2026-11-20T08:00:00+0000"
POST = {"media_type": "IMAGE", "media_product_type": "FEED", "timestamp": "2026-11-20T12:00:00+0000"}


class Form(NamedTuple):
    """A form of an answer, and what is to come of it: values by breakdown value, and the kinds of what is named."""

    metric: str
    entry: Mapping[str, Any]
    values: Mapping[str, int] = {}
    named: frozenset[str] = frozenset()


UNREADABLE = frozenset({"Unreadable"})


def by(keys: list[str], *results: tuple[list[str], int]) -> dict[str, Any]:
    """Return one breakdown."""
    return {"dimension_keys": keys, "results": [{"dimension_values": values, "value": n} for values, n in results]}


OF_ACCOUNTS = {
    # A metric that Meta does not have for the range is described, without any value.
    "no value at all": Form(
        "follows_and_unfollows",
        {"period": "day", "title": "Follows and unfollows", "description": "Not available for the range"},
        named=UNREADABLE,
    ),
    "days end at midnight in UTC": Form(
        "reach",
        {"period": "day", "values": [{"value": 4, "end_time": f"2026-11-{day}T00:00:00+0000"} for day in (20, 21)]},
        {"": 4},
        frozenset({"Undated"}),
    ),
    "more people left than came": Form(
        "follower_count", {"period": "day", "values": [{"value": -2, "end_time": DAY}]}, {"": -2}
    ),
    "the same number in both forms": Form(
        "reach",
        {"period": "day", "values": [{"value": 5, "end_time": DAY}], "total_value": {"value": 5}},
        {"": 5},
    ),
    "another number in the other form": Form(
        "reach",
        {"period": "day", "values": [{"value": 5, "end_time": DAY}], "total_value": {"value": 9}},
        named=frozenset({"Contradictory"}),
    ),
    "values is one object": Form("reach", {"period": "day", "values": {"value": 5, "end_time": DAY}}, named=UNREADABLE),
    "a day without hours beside one with hours": Form(
        "online_followers",
        {
            "period": "lifetime",
            "values": [
                {"value": {}, "end_time": "2026-11-19T08:00:00+0000"},
                {"value": {"9": 20, "12": 100}, "end_time": DAY},
            ],
        },
        {"9": 20, "12": 100},
    ),
    "a breakdown that nobody asked for": Form(
        "follower_demographics",
        {
            "period": "lifetime",
            "total_value": {"breakdowns": [by(["age"], (["18-24"], 5)), by(["gender"], (["F"], 3))]},
        },
        {"18-24": 5},
        UNREADABLE,
    ),
    "a timeframe of no known form": Form(
        "follower_demographics",
        {"period": "lifetime", "total_value": {"breakdowns": [by(["timeframe", "age"], (["lifetime", "65+"], 5))]}},
        named=UNREADABLE,
    ),
    "a total in values beside its breakdown": Form(
        "follower_demographics",
        {
            "period": "lifetime",
            "values": [{"value": 8}],
            "total_value": {"breakdowns": [by(["age"], (["25-34"], 8))]},
        },
        {"25-34": 8},
    ),
}
OF_POSTS = {
    "a total_value": Form("likes", {"period": "lifetime", "total_value": {"value": 5}}, {"": 5}),
    "a value per kind of interaction": Form(
        "likes", {"period": "lifetime", "values": [{"likes": 8, "comments": 2}]}, named=UNREADABLE
    ),
    "two values": Form(
        "likes", {"period": "lifetime", "values": [{"value": 8}, {"value": 9}]}, named=frozenset({"Contradictory"})
    ),
    "both forms": Form("likes", {"period": "lifetime", "values": [{"value": 5}], "total_value": {"value": 5}}, {"": 5}),
    "both forms, differently": Form(
        "likes",
        {"period": "lifetime", "values": [{"value": 5}], "total_value": {"value": 9}},
        named=frozenset({"Contradictory"}),
    ),
    "a number of one day": Form("likes", {"period": "day", "values": [{"value": 8}]}, named=UNREADABLE),
    "no period": Form("likes", {"values": [{"value": 8}]}, {"": 8}),
}


def number(forms: Mapping[str, Form], first: int) -> dict[str, str]:
    """Return an id for each form."""
    return {name: str(first + place) for place, name in enumerate(forms)}


def test_forms_of_account_insights(start: Callable[[dict[str, Any]], Run]) -> None:
    """Each account's rows are what its answer plainly says; what has no plain reading is named for that account."""
    ids = number(OF_ACCOUNTS, 17841400000000001)
    answers = [
        {
            "path": f"{ids[name]}/insights",
            "params": {"metric": f"re:{form.metric}"},
            "body": {"data": [{"name": form.metric, **form.entry, "id": f"{ids[name]}/insights/{form.metric}/x"}]},
        }
        for name, form in OF_ACCOUNTS.items()
    ]
    arguments = {
        "account_ids": [*ids.values()],
        "lookback_days": 0,
        "profile_table_id": None,
        "metrics": sorted({form.metric for form in OF_ACCOUNTS.values()}),
        "breakdowns": {"follower_demographics": ["age"], "follows_and_unfollows": ["follow_type"]},
    }
    done = start({"answers": answers, "run": {"operator": "account", "arguments": arguments}})()
    assert done.error is None
    values = done.values("instagram_account_insights", "account_id", "metric", "breakdown_value")
    wanted = {
        (ids[name], form.metric, key): value for name, form in OF_ACCOUNTS.items() for key, value in form.values.items()
    }
    assert values == wanted
    for name, form in OF_ACCOUNTS.items():
        assert find_kinds(done, f"account {ids[name]}", form.metric) == form.named, name


def test_forms_of_media_insights(start: Callable[[dict[str, Any]], Run]) -> None:
    """Each post's rows are what its answer plainly says; what has no plain reading is named for that post."""
    ids = number(OF_POSTS, 17800000000000001)
    posts = [
        {"id": ids[name], **POST, "insights": {"data": [{"name": form.metric, **form.entry}]}}
        for name, form in OF_POSTS.items()
    ]
    # A last page may have a cursor to what was before, and nothing else.
    page = {"data": posts, "paging": {"cursors": {"before": "QVFI"}}}
    account_id = "17841400000000001"
    arguments = {"account_ids": [account_id], "metrics": ["likes"]}
    answers = [{"path": f"{account_id}/media", "body": page}]
    done = start({"answers": answers, "run": {"operator": "media", "arguments": arguments}})()
    assert done.error is None
    wanted = {(ids[name], key): value for name, form in OF_POSTS.items() for key, value in form.values.items()}
    assert done.values("instagram_media_insights", "media_id", "breakdown_value") == wanted
    for name, form in OF_POSTS.items():
        assert find_kinds(done, f"media {ids[name]}", form.metric) == form.named, name


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"error_type": "OAuthException", "code": 400, "error_message": "Invalid"}, "no answer of the Graph API"),
        ({"meta": {"error_type": "OAuthAccessTokenException", "code": 400}}, "no answer of the Graph API"),
        ([], "no answer of the Graph API"),
        (False, "no answer of the Graph API"),
        ({"error": "invalid_request", "error_description": "Invalid"}, "Meta said: invalid_request"),
        ({"data": [], "error": {"message": "(#10) Not enough", "code": 10}}, "Meta said: (#10) Not enough"),
    ],
    ids=["OAuth", "of the old API", "an empty list", "false", "a text", "beside an empty list"],
)
def test_errors_of_another_form(start: Callable[[dict[str, Any]], Run], body: Any, words: str) -> None:
    """An error in the form of another interface of Meta is no empty list of posts: the account fails with its words."""
    account_id = "17841400000000001"
    answers = [{"path": f"{account_id}/media", "status": 400, "body": body}]
    arguments = {"account_ids": [account_id], "metrics": ["likes"]}
    done = start({"answers": answers, "run": {"operator": "media", "arguments": arguments}})()
    assert words in str(done.error)
    assert account_id in str(done.error)


def test_a_hidden_count_is_no_number(start: Callable[[dict[str, Any]], Run]) -> None:
    """Other interfaces of Instagram say -1 for likes that are hidden: the column stays as it is, and is named."""
    account_id, media_id = "17841400000000001", "17800000000000001"
    post = {"id": media_id, **POST, "comments_count": 4}
    answers = [{"path": f"{account_id}/media", "body": {"data": [post | {"like_count": 7}]}, "times": 1}]
    answers.append({"path": f"{account_id}/media", "body": {"data": [post | {"like_count": -1}]}})
    arguments = {"account_ids": [account_id], "metrics": ["likes"]}
    run = start({"answers": answers, "run": {"operator": "media", "arguments": arguments}})
    run()
    done = run()
    [row] = done.rows("instagram_media")
    assert (row["like_count"], row["comments_count"]) == (7, 4)
    assert find_kinds(done, f"media {media_id}", "like_count") == UNREADABLE


REFUSED = {
    "error": {"message": "Authorization Error", "type": "GraphMethodException", "code": 100, "error_subcode": 33}
}


@pytest.mark.parametrize(
    ("posts", "answered", "is_told"), [(5, 0, True), (3, 0, True), (5, 1, False), (2, 0, False)], ids=str
)
def test_media_that_were_just_listed_are_not_gone(
    start: Callable[[dict[str, Any]], Run], posts: int, answered: int, is_told: bool
) -> None:
    """Where Meta lists an account's media and then knows none of them, a note says so; each is left out by its id.

    A few of many, or one or two, may have been deleted in between.
    """
    account_id, ids = "17841400000000001", [str(17800000000000001 + each) for each in range(posts)]
    insights = {"data": [{"name": "likes", "period": "lifetime", "values": [{"value": 8}]}]}
    answers = [
        {"path": f"{account_id}/media", "params": {"fields": "re:insights"}, "status": 400, "body": REFUSED},
        {"path": f"{account_id}/media", "body": {"data": [{"id": each, **POST} for each in ids]}},
        *({"path": f"{each}/insights", "body": insights} for each in ids[:answered]),
        {"path": r"\d+/insights", "status": 400, "body": REFUSED},
    ]
    arguments = {"account_ids": [account_id], "metrics": ["likes"]}
    done = start({"answers": answers, "run": {"operator": "media", "arguments": arguments}})()
    assert done.error is None
    told = [note for note in done.summary["notes"] if f"each of the {posts} whose insights" in note]
    assert len(told) == is_told
    assert set(done.values("instagram_media_insights", "media_id")) == {(each,) for each in ids[:answered]}
    assert [(each["kind"], each["count"]) for each in done.summary["left_out"]] == [("ObjectGone", posts - answered)]


def find_kinds(done: CaseRun, whom: str, what: str) -> frozenset[str]:
    """Return why something was left out, but for silence: the other metrics were not answered at all."""
    entries = (each for each in done.summary["left_out"] if whom in each["whom"] and each["what"] == what)
    return frozenset(each["kind"] for each in entries if each["kind"] != "NoData")
