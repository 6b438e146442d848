"""What real Graph APIs answered, and real users entered: each input ends with the tables that its ``right`` names."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from airflow_provider_iginsights import errors
from airflow_provider_iginsights._compat import AirflowFailException
from tests.support.written_answers import CaseRun, read_input

A, B = "17841400000000001", "17841400000000002"
ONE, TWO, NINE = "17800000000000001", "17800000000000002", "17800000000000009"
POSTS, NUMBERS, ACCOUNTS, PROFILES = (
    "instagram_media",
    "instagram_media_insights",
    "instagram_account_insights",
    "instagram_accounts",
)
OF_B = {(NINE, "reach"): 109, (NINE, "likes"): 19}

Run = Callable[..., CaseRun]
Given = dict[str, Any]


def numbers(done: CaseRun) -> dict[tuple[str, ...], Any]:
    """Return the numbers of the posts by post and metric."""
    return done.values(NUMBERS, "media_id", "metric")


def column(done: CaseRun, table_id: str, key: str, name: str) -> dict[str, Any]:
    """Return one column of a table by another."""
    return {row[key]: row[name] for row in done.rows(table_id)}


def post_of(given: Given, place: int = 0, entry: int = 0) -> dict[str, Any]:
    """Return a post of a listing in an input, to be changed."""
    return given["answers"][entry]["body"]["data"][place]  # type: ignore[no-any-return]


def page_error(code: int, subcode: int | None = None, message: str = "An unknown error", **more: Any) -> dict[str, Any]:
    """Return the body of an error."""
    error = {"message": message, "type": "OAuthException", "code": code, **more}
    return {"error": error | ({"error_subcode": subcode} if subcode else {})}


def test_an_empty_page_is_not_the_end(start: Callable[[Given], Run]) -> None:
    """Posts that follow behind an empty page are read."""
    done = start(read_input("empty_page_then_more_media"))()
    assert numbers(done) == {
        (ONE, "reach"): 101,
        (ONE, "likes"): 11,
        (TWO, "reach"): 102,
        (TWO, "likes"): 12,
        **OF_B,
    }
    assert column(done, POSTS, "media_id", "account_id") == {ONE: A, TWO: A, NINE: B}
    assert done.summary["left_out"] == []


@pytest.mark.parametrize("empty", [1, 3, 9])
def test_several_empty_pages_in_a_row_are_walked_through(start: Callable[[Given], Run], empty: int) -> None:
    """Up to ten empty pages that name a next one are no end."""
    given = read_input("empty_page_then_more_media")
    first, _, last, other = given["answers"]
    between = [
        {
            "path": first["path"],
            "params": {"after": f"C{n}"},
            "body": {"data": [], "paging": {"cursors": {"after": f"C{n + 1}"}, "next": f"https://x/?after=C{n + 1}"}},
        }
        for n in range(1, empty + 1)
    ]
    given["answers"] = [first, *between, {**last, "params": {"after": f"C{empty + 1}"}}, other]
    done = start(given)()
    assert {post for post, _ in numbers(done)} == {ONE, TWO, NINE}


def test_endless_empty_pages_end_with_a_note(start: Callable[[Given], Run]) -> None:
    """A listing whose empty pages never end is left, and that is said."""
    given = read_input("empty_page_then_more_media")
    body = {"data": [], "paging": {"cursors": {"after": "X$N"}, "next": "https://x/?after=X$N"}}
    first, _, _, other = given["answers"]
    given["answers"] = [first, {"path": first["path"], "raw": json.dumps(body)}, other]
    done = start(given)()
    assert {post for post, _ in numbers(done)} == {ONE, NINE}
    assert len(done.graph.log) < 40
    assert done.named("empty")


@pytest.mark.parametrize("field", ["caption", "alt_text", "username"])
def test_half_an_emoji_costs_nothing_but_itself(start: Callable[[Given], Run], field: str) -> None:
    """The lone half becomes U+FFFD; everything else is loaded."""
    given = read_input("half_an_emoji_in_a_caption")
    if field != "caption":
        text = given["answers"][0]["raw"].replace("sale \\ud83d", "sale").replace('"username": "brand", ', "", 1)
        given["answers"][0]["raw"] = text.replace('"shortcode"', f'"{field}": "sale \\ud83d", "shortcode"', 1)
    done = start(given)()
    assert column(done, POSTS, "media_id", field)[ONE] == "sale \ufffd"
    assert set(numbers(done)) == {(post, metric) for post in (ONE, TWO, NINE) for metric in ("reach", "likes")}


@pytest.mark.parametrize("timestamp", ["absent", None, "", 1795176000, "2026-13-01T00:00:00+0000"])
def test_a_post_without_a_timestamp_loses_only_its_media_row(start: Callable[[Given], Run], timestamp: Any) -> None:
    """Its numbers are stored with no published_at; the media row is named."""
    given = read_input("post_without_timestamp")
    if timestamp != "absent":
        post_of(given)["timestamp"] = timestamp
    done = start(given)()
    assert numbers(done)[ONE, "reach"] == 101
    assert len(numbers(done)) == 6
    assert {row["published_at"] for row in done.rows(NUMBERS) if row["media_id"] == ONE} == {None}
    assert set(column(done, POSTS, "media_id", "account_id")) == {TWO, NINE}
    assert done.named(ONE)


@pytest.mark.parametrize(
    ("value", "stored"), [("123", 123), (123.0, 123), ("0", 0), ("many", None), (True, None), ([1], None), (-1.5, -1.5)]
)
def test_a_value_is_stored_where_it_has_one_plain_reading(
    start: Callable[[Given], Run], value: Any, stored: Any
) -> None:
    """A digit string is a number; what is none costs that value alone, by name."""
    given = read_input("number_as_text")
    post_of(given)["insights"]["data"][0]["values"][0]["value"] = value
    done = start(given)()
    found = numbers(done)
    assert found.pop((ONE, "reach"), None) == stored
    assert found == {(ONE, "likes"): 3, (TWO, "reach"): 102, (TWO, "likes"): 12, **OF_B}
    assert (done.summary["left_out"] == []) is (stored is not None)
    assert stored is not None or done.named(ONE, "reach")


@pytest.mark.parametrize("field", ["like_count", "comments_count"])
def test_a_count_as_text_is_a_count(start: Callable[[Given], Run], field: str) -> None:
    """The fields of a post are read as its metrics are."""
    given = read_input("number_as_text")
    post_of(given)[field] = "77"
    done = start(given)()
    assert column(done, POSTS, "media_id", field)[ONE] == 77


@pytest.mark.parametrize("total", [5, "5", [5], True, {"value": "x"}, {"value": {}}])
def test_an_odd_total_is_left_out_by_name(start: Callable[[Given], Run], total: Any) -> None:
    """It costs that answer of that account; the other account's numbers are there."""
    given = read_input("total_value_is_a_number")
    given["answers"][2]["body"]["data"][0]["total_value"] = total
    done = start(given)()
    found = done.values(ACCOUNTS, "account_id", "metric", "metric_date")
    assert {key[:2] for key in found} == {(B, "views")}
    assert set(found.values()) == {7}
    assert done.named(A, "views")
    assert column(done, PROFILES, "account_id", "followers_count") == {A: 1000, B: 1000}


def test_what_a_later_answer_lacks_stays_stored(start: Callable[[Given], Run]) -> None:
    """Absent fields keep what the first run stored, in both tables; a kept value is no change."""
    once = start(read_input("later_answer_lacks_fields"))
    once()
    done = once()
    row = next(row for row in done.rows(POSTS) if row["media_id"] == ONE)
    assert row["caption"] == "hello"
    assert row["permalink"] == "https://example.org/p/1"
    assert row["like_count"] == 11
    assert row["media_product_type"] == "FEED"
    assert numbers(done) == {(ONE, "reach"): 101, (ONE, "likes"): 11, **OF_B}
    assert {row["media_product_type"] for row in done.rows(NUMBERS)} == {"FEED"}
    assert done.summary["rows_changed"] == 0


@pytest.mark.parametrize(
    ("field", "value", "stored"),
    [
        ("like_count", None, 11),
        ("caption", None, None),
        ("caption", "", None),
        ("permalink", None, "https://example.org/p/1"),
    ],
)
def test_null_empties_only_the_owners_texts(start: Callable[[Given], Run], field: str, value: Any, stored: Any) -> None:
    """Null or an empty text removes a caption; counts and identity keep what is stored."""
    given = read_input("later_answer_lacks_fields")
    post_of({"answers": given["second"]})[field] = value
    once = start(given)
    once()
    assert column(once(), POSTS, "media_id", field)[ONE] == stored


def test_points_without_a_date_are_left_out(start: Callable[[Given], Run]) -> None:
    """Nobody gave the four points a day, so none is stored."""
    done = start(read_input("series_points_without_end_time"))()
    assert {(row["account_id"], row["metric_date"].isoformat()) for row in done.rows(ACCOUNTS)} == {(B, "2026-11-20")}
    assert done.named(A, "reach")


@pytest.mark.parametrize("end_time", [None, "tomorrow", 1795161600, ["2026-11-20T08:00:00+0000"], "2026-11-20"])
def test_an_end_time_that_is_no_instant_dates_nothing(start: Callable[[Given], Run], end_time: Any) -> None:
    """A point with an odd end_time beside good ones is left out by name, and the good ones are stored."""
    given = read_input("series_points_without_end_time")
    given["answers"][2]["body"]["data"][0]["values"] = [
        {"value": 18, "end_time": "2026-11-18T08:00:00+0000"},
        {"value": 19, "end_time": end_time},
    ]
    done = start(given)()
    found = {row["metric_date"].isoformat(): row["value"] for row in done.rows(ACCOUNTS) if row["account_id"] == A}
    assert found == {"2026-11-18": 18}
    assert done.named(A, "reach")


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, {"data": "none"}, [], {"success": True}])
def test_an_answer_that_is_no_listing_is_broken(start: Callable[[Given], Run], body: Any) -> None:
    """It is tried again, and its account fails; the other one is loaded."""
    given = read_input("listing_without_data")
    given["answers"][0]["body"] = body
    done = start(given)()
    assert isinstance(done.error, errors.BrokenResponse)
    assert not isinstance(done.error, AirflowFailException)
    assert A in str(done.error)
    assert numbers(done) == OF_B


def test_silence_is_named(start: Callable[[Given], Run]) -> None:
    """Metrics that were asked and neither arrived nor were refused are named per account."""
    done = start(read_input("account_that_answers_nothing"))()
    silent = {what for what, kind in done.left_out if kind == "NoData"}
    assert any("reach" in what for what in silent)
    assert any("views" in what for what in silent)
    assert any("follower_demographics" in what for what in silent)
    silences = {what: entry for (what, kind), entry in done.left_out.items() if kind == "NoData"}
    whole = [entry for what, entry in silences.items() if " by " not in what]  # B sends totals without a breakdown
    assert all(any(A in whom for whom in entry["whom"]) for entry in whole)
    assert {row["account_id"] for row in done.rows(ACCOUNTS)} == {B}


def test_a_page_token_finds_its_account(start: Callable[[Given], Run]) -> None:
    """Without account_ids a Page token reads the account of its Page."""
    done = start(read_input("page_token_without_account_ids"))()
    assert done.error is None
    assert done.summary["accounts_done"] == [A]


@pytest.mark.parametrize("operator", ["media", "story"])
def test_a_page_token_finds_its_account_for_every_operator(start: Callable[[Given], Run], operator: str) -> None:
    """The finding of accounts is the same for all transfers."""
    given = read_input("page_token_without_account_ids")
    given["run"]["operator"] = operator
    assert start(given)().summary["accounts_done"] == [A]


def test_a_pages_id_is_told_with_its_account(start: Callable[[Given], Run]) -> None:
    """The message names the Page and its Instagram account, and nothing is tried again."""
    done = start(read_input("page_id_as_account_id"))()
    assert isinstance(done.error, errors.AccountUnavailable | errors.ConfigurationError)
    assert isinstance(done.error, AirflowFailException)
    assert "102030405060708" in str(done.error)
    assert A in str(done.error)
    assert "Page" in str(done.error)


@pytest.mark.parametrize("operator", ["account", "media", "story"])
def test_a_pages_id_does_not_cost_the_others(start: Callable[[Given], Run], operator: str) -> None:
    """An account beside a Page's id is read."""
    given = read_input("page_id_as_account_id")
    given["run"] = {"operator": operator, "arguments": {"account_ids": ["102030405060708", B]}}
    done = start(given)()
    assert isinstance(done.error, errors.AccountUnavailable | errors.ConfigurationError)
    assert A in str(done.error)
    assert done.summary["accounts_done"] == [B]


def test_one_missing_post_costs_no_other(start: Callable[[Given], Run]) -> None:
    """The other post has its numbers; the missing one is named."""
    done = start(read_input("one_post_with_an_error"))()
    assert done.error is None
    assert numbers(done) == {(TWO, "reach"): 102, (TWO, "likes"): 12, **OF_B}
    assert done.named(ONE)


@pytest.mark.parametrize(
    ("code", "subcode"),
    [
        (24, None),
        (-1, 2207001),
        (12, None),
        (25, 2207050),
        (33, None),
        (9, None),
        (21009, None),
        (-2, None),
        (3001, 1504028),
    ],
)
def test_a_code_of_one_post_costs_that_post(start: Callable[[Given], Run], code: int, subcode: int | None) -> None:
    """Whatever code one post answers, the posts beside it are stored; it is named."""
    given = read_input("one_post_with_an_error")
    for place in (0, 2):
        given["answers"][place]["body"] = page_error(code, subcode)
    done = start(given)()
    assert {key: value for key, value in numbers(done).items() if key[0] != ONE} == {
        (TWO, "reach"): 102,
        (TWO, "likes"): 12,
        **OF_B,
    }
    assert done.named(ONE)
    assert {ONE, TWO, NINE} == set(column(done, POSTS, "media_id", "account_id"))


def test_a_refused_field_costs_that_field(start: Callable[[Given], Run]) -> None:
    """The profile comes without it, the insights whole, and it is named."""
    done = start(read_input("one_refused_field"))()
    assert done.error is None
    assert column(done, PROFILES, "account_id", "biography") == {A: "b", B: "b"}
    assert column(done, PROFILES, "account_id", "website") == {A: None, B: "w"} or done.named("website", B)
    assert {row["account_id"] for row in done.rows(ACCOUNTS)} == {A, B}
    assert done.named("website", A)


@pytest.mark.parametrize("field", ["alt_text", "like_count"])
@pytest.mark.parametrize("code", [100, 10])
def test_a_refused_field_of_posts_costs_that_field(start: Callable[[Given], Run], field: str, code: int) -> None:
    """A listing comes without a field that does not exist, or may not be read, for this account."""
    given = read_input("number_as_text")
    text = f"(#{code}) Tried accessing nonexisting field ({field}) on node type (ShadowIGMedia)"
    refusal = {
        "path": f"{A}/media",
        "params": {"fields": f"re:{field}"},
        "status": 400,
        "body": page_error(code, message=text),
    }
    given["answers"].insert(0, refusal)
    done = start(given)()
    assert done.error is None
    assert numbers(done)[ONE, "reach"] == 123
    assert done.named(field, A)


@pytest.mark.parametrize(
    ("status", "code", "subcode", "message"),
    [
        (500, 1, 99, "An unknown error occurred"),
        (400, 1, None, "(#1) Please reduce the amount of data you're asking for, then retry your request"),
        (500, 1, None, "Reduzieren Sie bitte die angeforderte Datenmenge."),
        (503, 2, None, "Service temporarily unavailable"),
        (500, -3, None, "Fatal"),
    ],
    ids=("1/99", "in English", "in German", "2", "-3"),
)
def test_too_much_data_in_any_words_lowers_the_limit(
    start: Callable[[Given], Run], status: int, code: int, subcode: int | None, message: str
) -> None:
    """The page is halved until it answers, with its metrics."""
    given = read_input("too_much_data_in_other_words")
    given["answers"][0] |= {"status": status, "body": page_error(code, subcode, message)}
    done = start(given)()
    assert done.error is None
    assert numbers(done) == {(ONE, "reach"): 101, (ONE, "likes"): 11, **OF_B}
    limits = [asked.params["limit"] for asked in done.graph.log if asked.path == f"{A}/media"]
    assert limits in (["100", "100", "50", "25"], ["100", "100", "50", "50", "25"])


def test_a_gateway_that_times_out_lowers_the_limit(start: Callable[[Given], Run]) -> None:
    """504 with a page of HTML is too much data, too."""
    given = read_input("too_much_data_in_other_words")
    del given["answers"][0]["body"]
    given["answers"][0] |= {"status": 504, "raw": "<html><body><h1>504 Gateway Time-out</h1></body></html>"}
    done = start(given)()
    assert numbers(done) == {(ONE, "reach"): 101, (ONE, "likes"): 11, **OF_B}


def test_a_separator_inside_a_value_is_escaped(start: Callable[[Given], Run]) -> None:
    """Two groups that would be joined to the same text stay two."""
    done = start(read_input("pipe_inside_a_value"))()
    assert done.values(ACCOUNTS, "breakdown_value") == {("A\\|B|F",): 5, ("A|B\\|F",): 9}


def test_a_backslash_inside_a_value_is_escaped(start: Callable[[Given], Run]) -> None:
    """The sign of the escape is escaped itself; a value that stands alone is stored as it was sent."""
    given = read_input("pipe_inside_a_value")
    breakdown = given["answers"][2]["body"]["data"][0]["total_value"]["breakdowns"][0]
    breakdown["results"] = [
        {"dimension_values": ["A\\", "|F"], "value": 5},
        {"dimension_values": ["A\\|", "F"], "value": 9},
    ]
    done = start(given)()
    assert sorted(done.values(ACCOUNTS, "breakdown_value").values()) == [5, 9]
    assert set(done.values(ACCOUNTS, "breakdown_value")) == {("A\\\\|\\|F",), ("A\\\\\\||F",)}


def test_the_same_group_twice_is_one_row_or_none(start: Callable[[Given], Run]) -> None:
    """Equal numbers are one row; different ones are both left out, by name."""
    given = read_input("pipe_inside_a_value")
    breakdown = given["answers"][2]["body"]["data"][0]["total_value"]["breakdowns"][0]
    breakdown["results"] = [
        {"dimension_values": values, "value": value}
        for values, value in ((["A", "F"], 5), (["A", "F"], 5), (["B", "F"], 6), (["B", "F"], 7), (["C", "M"], 8))
    ]
    done = start(given)()
    assert done.values(ACCOUNTS, "breakdown_value") == {("A|F",): 5, ("C|M",): 8}
    assert done.named(A, "follower_demographics")


def test_a_post_of_two_accounts_is_each_accounts(start: Callable[[Given], Run]) -> None:
    """Both accounts keep the post and their own numbers of it."""
    done = start(read_input("one_post_in_two_accounts"))()
    assert done.values(NUMBERS, "account_id", "media_id", "metric") == {
        (A, ONE, "reach"): 100,
        (A, ONE, "likes"): 1,
        (B, ONE, "reach"): 7000,
        (B, ONE, "likes"): 2,
    }
    assert sorted(row["account_id"] for row in done.rows(POSTS)) == [A, B]


def test_a_point_at_another_midnight_has_its_pacific_date(start: Callable[[Given], Run]) -> None:
    """00:00Z is still the day before in the Pacific zone; a day that was not asked is left out; both are said."""
    done = start(read_input("end_time_at_another_midnight"))()
    found = {row["metric_date"].isoformat(): row["value"] for row in done.rows(ACCOUNTS)}
    asked = {"2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"}
    by_date = {"2026-11-16": 17, "2026-11-17": 18, "2026-11-18": 19, "2026-11-19": 20}
    assert found == {day: value for day, value in by_date.items() if day in asked}
    assert done.named("reach", A)


@pytest.mark.parametrize("hour", ["00:00:00+0100", "12:34:56+0000", "00:00:00+0900"])
def test_a_point_at_any_other_hour_has_its_pacific_date(start: Callable[[Given], Run], hour: str) -> None:
    """The rule holds for the midnight of any zone."""
    from datetime import datetime

    from airflow_provider_iginsights.pacific import PACIFIC

    given = read_input("end_time_at_another_midnight")
    end_time = f"2026-11-19T{hour}"
    given["answers"][2]["body"]["data"][0]["values"] = [{"value": 19, "end_time": end_time}]
    done = start(given)()
    day = datetime.fromisoformat(end_time).astimezone(PACIFIC).date()
    assert [(row["metric_date"], row["value"]) for row in done.rows(ACCOUNTS)] == [(day, 19)]
    assert done.named("reach", A)


def test_the_inputs_say_what_is_right() -> None:
    """Every input names its complaint, its sources and what must hold, and no number of a collection."""
    from tests.support.written_answers import INPUTS

    for path in INPUTS.glob("*.json"):
        given: Mapping[str, Any] = json.loads(path.read_text("utf-8"))
        assert given["complaint"], path.name
        assert given["sources"], path.name
        assert given["right"], path.name
