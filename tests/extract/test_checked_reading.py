"""Whatever stands in an answer: what has one plain reading is read, anything else costs that value and is named."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.extract.rows import join_values
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.pacific import pacific_midnight
from airflow_provider_iginsights.sandbox.server import Server
from airflow_provider_iginsights.task.source import Source
from airflow_provider_iginsights.window import Window

ACCOUNT, POST, OTHER = "17841400000000001", "17800000000000001", "17800000000000002"
NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
PROFILE = {"id": ACCOUNT, "username": "brand", "followers_count": 1000, "media_count": 2}
Row = dict[str, Any]


class Answers:
    """A Graph API that gives prepared answers: by the end of the path, and beside that none."""

    def __init__(self) -> None:
        self.bodies: dict[str, Callable[[Mapping[str, str]], Any]] = {}
        self.asked: list[str] = []
        self.server = Server(Starlette(routes=[Route("/{path:path}", self._answer)]), name="answers")

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"].partition("/v25.0/")[2]
        self.asked.append(path)
        body = self.bodies.get(path, lambda _: {"data": []})(request.query_params)
        headers = {"facebook-api-version": "v25.0"}
        return Response(json.dumps(body), headers=headers, media_type="application/json")  # ASCII: halves of emoji too

    def read(
        self, kind: str, metrics: list[str], days: int = 1, **options: Any
    ) -> tuple[list[tuple[str, Row]], Source]:
        """Read one account over the last ``days`` closed days; return the rows, and the source with its findings."""
        first = date(2026, 11, 21) - timedelta(days=days)
        window = Window(
            since=pacific_midnight(first), until=pacific_midnight(date(2026, 11, 21)), rule="given", now=NOW
        )
        url = f"{self.server.url}/graph.instagram.com"
        settings = GraphSettings(token="IGAAtoken", base_url=url, api_version="v25.0", max_tries=1)
        with GraphClient(settings, sleep=lambda _: None) as client:
            source = Source(
                client=client,
                window=window,
                provenance=Provenance(run_id="run", clock=lambda: NOW),
                metrics=metrics,
                breakdowns=options.pop("breakdowns", None),
            )
            readers: dict[str, Callable[[], Any]] = {
                "account": lambda: source.read_accounts(lookback_days=0, profiles=True),
                "media": lambda: source.read_media(**{"refresh_days": 28} | options),
                "story": source.read_stories,
            }
            return list(readers[kind]()(ACCOUNT)), source


@pytest.fixture
def answers() -> Iterator[Answers]:
    """Serve prepared answers."""
    found = Answers()
    found.bodies[ACCOUNT] = lambda _: PROFILE
    with found.server:
        yield found


def left_out(source: Source) -> set[tuple[str, str]]:
    """Return what was left out, and the kind of reason."""
    return {(str(each["what"]), str(each["kind"])) for each in source.left_out_log.summarize()}


def insights(rows: list[tuple[str, Row]], *columns: str) -> list[tuple[Any, ...]]:
    """Return these columns of the rows of insights."""
    return [tuple(row[name] for name in columns) for table, row in rows if table.endswith("insights")]


def post(media_id: Any = POST, **fields: Any) -> Row:
    """Return a listed post with one metric inside."""
    numbers = {"data": [{"name": "reach", "period": "lifetime", "values": [{"value": 101}]}]}
    basic = {"id": media_id, "media_type": "IMAGE", "media_product_type": "FEED", "like_count": 3, "insights": numbers}
    return basic | {"timestamp": "2026-11-20T12:00:00+0000"} | fields


def total(value: Any) -> Row:
    """Return an answer about likes."""
    return {"data": [{"name": "likes", "period": "day", "total_value": value}]}


RESULTS = [{"dimension_values": ["REEL"], "value": 5}]
VALUES: dict[str, tuple[Any, list[Any], set[tuple[str, str]]]] = {
    "a number": (5, [5], set()),
    "digits": ("123", [123], set()),
    "a whole float": (12.0, [12], set()),
    "a word": ("many", [], {("likes", "Unreadable")}),
    "true": (True, [], {("likes", "Unreadable")}),
    "a list": ([5], [], {("likes", "Unreadable")}),
    "an error": ({"error": {"code": 1}}, [], {("likes", "Unreadable")}),
    "beyond the column": (10**29, [], {("likes", "Unreadable")}),
    "beyond the column, as text": ("1" * 30, [], {("likes", "Unreadable")}),
}


@pytest.mark.parametrize(("value", "stored", "named"), VALUES.values(), ids=VALUES)
def test_values_of_an_account(answers: Answers, value: Any, stored: list[Any], named: set[tuple[str, str]]) -> None:
    """A number in another dress is a number; what is none is named and never stored, and the profile arrives."""
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: total({"value": value})
    rows, source = answers.read("account", ["likes"], breakdowns={"likes": []})
    assert [row["value"] for table, row in rows if table == "account_insights"] == stored
    assert left_out(source) == named
    assert [table for table, _ in rows if table == "accounts"] == ["accounts"]


@pytest.mark.parametrize(("value", "stored", "named"), VALUES.values(), ids=VALUES)
def test_values_of_a_post(answers: Answers, value: Any, stored: list[Any], named: set[tuple[str, str]]) -> None:
    """The same inside a listing: the other post's number is not touched."""
    odd = {"data": [{"name": "likes", "values": [{"value": value}]}]}
    plain = {"data": [{"name": "likes", "values": [{"value": 7}]}]}
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": [post(insights=odd), post(OTHER, insights=plain)]}
    rows, source = answers.read("media", ["likes"])
    assert insights(rows, "media_id", "value") == [*((POST, each) for each in stored), (OTHER, 7)]
    assert left_out(source) == named


def test_a_period_of_a_post(answers: Answers) -> None:
    """All numbers of a post are those of its life: what is told of a day is named, and not stored as a total."""
    odd = {"data": [{"name": "likes", "period": "day", "values": [{"value": 5}]}]}
    plain = {"data": [{"name": "likes", "values": [{"value": 7}]}]}
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": [post(insights=odd), post(OTHER, insights=plain)]}
    rows, source = answers.read("media", ["likes"])
    assert insights(rows, "media_id", "value") == [(OTHER, 7)]
    assert left_out(source) == {("likes", "Unreadable")}


@pytest.mark.parametrize(
    "body",
    [
        total(5),
        total([]),
        {"data": [5, None, []]},
        {"data": [{"name": 7, "total_value": {"value": 1}}]},
        {"data": [{"name": "likes", "period": "week", "total_value": {"value": 1}}]},
        {"data": [{"name": "likes", "values": [7]}]},
        {"data": [{"name": "likes", "values": {"value": 7}}]},
        {"data": [{"name": "likes", "total_value": None}]},
        {"data": [{"name": "likes", "values": None}]},
        {"data": [{"name": "likes", "values": None, "total_value": None}]},
    ],
    ids=str,
)
def test_answers_of_another_shape(answers: Answers, body: Any) -> None:
    """An answer that is none costs itself and is named, though the day is so young that no answer would be usual."""
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: body
    rows, source = answers.read("account", ["likes"], breakdowns={"likes": []})
    assert [table for table, _ in rows] == ["accounts"]
    assert "Unreadable" in {kind for _, kind in left_out(source)}


def people(*results: tuple[Any, Any], keys: Any = ("city", "gender")) -> Row:
    """Return an audience by two dimensions."""
    found = [{"dimension_values": values, "value": value} for values, value in results]
    breakdown = {"dimension_keys": list(keys) if isinstance(keys, tuple) else keys, "results": found}
    return {
        "data": [{"name": "follower_demographics", "period": "lifetime", "total_value": {"breakdowns": [breakdown]}}]
    }


GROUPS: dict[str, tuple[Row, list[tuple[str, int]], set[str]]] = {
    "plain": (people((["Rome", "F"], 5)), [("Rome|F", 5)], set()),
    "a bar inside": (people((["A|B", "F"], 5), (["A", "B|F"], 9)), [("A\\|B|F", 5), ("A|B\\|F", 9)], set()),
    "half an emoji": (people((["Rome \ud83d", "F"], 5)), [("Rome \ufffd|F", 5)], set()),
    "a number": (people(([1, "F"], 5)), [("1|F", 5)], set()),
    "null": (people(([None, "F"], 5), (["Rome", "F"], 6)), [("Rome|F", 6)], {"Unreadable"}),
    "too few": (people((["F"], 5), (["Rome", "F"], 6)), [("Rome|F", 6)], {"Unreadable"}),
    "too many": (people((["A", "F", "X"], 5), (["Rome", "F"], 6)), [("Rome|F", 6)], {"Unreadable"}),
    "text for a list": (people(("AF", 5), (["Rome", "F"], 6)), [("Rome|F", 6)], {"Unreadable"}),
    "the same twice": (people((["Rome", "F"], 5), (["Rome", "F"], 5)), [("Rome|F", 5)], set()),
    "twice otherwise": (
        people((["Rome", "F"], 5), (["Rome", "F"], 6), (["Rome", "F"], 5), (["Pisa", "F"], 1)),
        [("Pisa|F", 1)],
        {"Contradictory"},
    ),
    "other dimensions": (people((["25-34", "F"], 5), keys=("age", "gender")), [], {"Unreadable"}),
    "a dimension twice": (people((["Rome", "F"], 5), keys=("city", "city")), [], {"Unreadable"}),
    "no dimensions": (people((["Rome", "F"], 5), keys=None), [], {"Unreadable"}),
    "nobody": (people(), [], {"NoData"}),
}


@pytest.mark.parametrize(("body", "stored", "kinds"), GROUPS.values(), ids=GROUPS)
def test_groups(answers: Answers, body: Row, stored: list[tuple[str, int]], kinds: set[str]) -> None:
    """Never another key: a group whose dimensions are not clear is left out, and a bar inside a value is escaped."""
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: body
    wanted = {"breakdowns": {"follower_demographics": ["city,gender"]}}
    rows, source = answers.read("account", ["follower_demographics"], **wanted)
    assert insights(rows, "breakdown_value", "value") == stored
    assert {kind for _, kind in left_out(source)} == kinds


def test_joined_values_are_never_the_same() -> None:
    """Different values give different texts, whatever bars and backslashes they hold; one stays as sent."""
    parts = ["", "a", "|", "\\", "\\|", "|\\", "||", "\\\\"]
    joined = {join_values([one, other]) for one in parts for other in parts}
    assert len(joined) == len(parts) ** 2
    assert join_values(["a|b\\"]) == "a|b\\"


HOURS: dict[str, tuple[dict[str, Any], list[tuple[str, int]], set[str]]] = {
    "an hour that is null": ({"0": 5, "1": None}, [("0", 5)], {"Unreadable"}),
    "an hour that is a word": ({"0": 5, "1": "many"}, [("0", 5)], {"Unreadable"}),
    "an hour that is an object": ({"0": 5, "1": {}}, [("0", 5)], {"Unreadable"}),
    "an hour without its key": ({"0": 5, "": 9}, [("0", 5)], {"Unreadable"}),
    "an hour that is a text": ({"0": 5, "1": "12"}, [("0", 5), ("1", 12)], set()),
    "an hour of nobody": ({"0": 5, "1": 0}, [("0", 5), ("1", 0)], set()),
    "an hour that is not there": ({"0": 5}, [("0", 5)], set()),
    "no hour": ({}, [], set()),
}


@pytest.mark.parametrize(("hours", "stored", "kinds"), HOURS.values(), ids=HOURS)
def test_hours(answers: Answers, hours: dict[str, Any], stored: list[tuple[str, int]], kinds: set[str]) -> None:
    """Each value inside an object of hours counts by itself: one without a number or a key is named."""
    point = {"value": hours, "end_time": "2026-11-20T08:00:00+0000"}
    entry = {"name": "online_followers", "period": "lifetime", "values": [point]}
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: {"data": [entry]}
    rows, source = answers.read("account", ["online_followers"])
    assert insights(rows, "breakdown_value", "value") == stored
    assert {kind for _, kind in left_out(source)} == kinds


def series(*points: Any) -> Callable[[Mapping[str, str]], Row]:
    """Return a Graph API's answer about reach."""
    return lambda _: {"data": [{"name": "reach", "period": "day", "values": list(points)}]}


POINTS: dict[str, tuple[int, list[Row], list[tuple[Any, date]], set[str]]] = {
    "none of four is dated": (4, [{"value": n} for n in (11, 12, 13, 14)], [], {"Undated"}),
    "one day was asked": (1, [{"value": 11}], [(11, date(2026, 11, 20))], set()),
    "two for one day": (1, [{"value": 11}, {"value": 12}], [], {"Contradictory"}),
    "in Unix seconds": (1, [{"value": 11, "end_time": 1795161600}], [], {"Undated"}),
    "without its offset": (4, [{"value": 11, "end_time": "2026-11-20T08:00:00"}], [], {"Undated"}),
    "no date": (4, [{"value": 11, "end_time": {"date": "x"}}], [], {"Undated"}),
    "another day": (1, [{"value": 11, "end_time": "2026-11-18T08:00:00+0000"}], [], set()),
    "another midnight, another day": (1, [{"value": 11, "end_time": "2026-11-18T00:00:00+0000"}], [], {"Undated"}),
}


@pytest.mark.parametrize(("days", "points", "stored", "kinds"), POINTS.values(), ids=POINTS)
def test_points(
    answers: Answers, days: int, points: list[Row], stored: list[tuple[Any, date]], kinds: set[str]
) -> None:
    """A point is dated by its own end_time, or by a question about one day; never by anything else."""
    answers.bodies[f"{ACCOUNT}/insights"] = series(*points)
    rows, source = answers.read("account", ["reach"], days, breakdowns={"reach": []})
    assert insights(rows, "value", "metric_date") == stored
    assert {kind for _, kind in left_out(source)} - {"NoData"} == kinds


def test_another_midnight(answers: Answers) -> None:
    """Points at UTC's midnight are stored under their Pacific date, with one remark for the metric."""
    dates = [f"2026-11-{day}T00:00:00+0000" for day in (18, 19, 20)]
    answers.bodies[f"{ACCOUNT}/insights"] = series(*({"value": n, "end_time": at} for n, at in enumerate(dates)))
    rows, source = answers.read("account", ["reach"], 3, breakdowns={"reach": []})
    assert insights(rows, "value", "metric_date") == [(1, date(2026, 11, 18)), (2, date(2026, 11, 19))]
    assert left_out(source) == {("reach", "Undated")}
    [remark] = source.left_out_log.list_remarks()
    assert remark.startswith(f"reach of account {ACCOUNT}: Meta's end_time is no Pacific midnight")


@pytest.mark.parametrize("timestamp", [None, "", "yesterday", 1795161600, {}, "2026-11-20T12:00:00"])
@pytest.mark.parametrize("kind", ["media", "story"])
def test_no_timestamp(answers: Answers, kind: str, timestamp: Any) -> None:
    """Without a usable timestamp there is no row of the media, as its date is the partition; its numbers are kept."""
    edge = "media" if kind == "media" else "stories"
    answers.bodies[f"{ACCOUNT}/{edge}"] = lambda _: {"data": [post(timestamp=timestamp), post(OTHER)]}
    rows, source = answers.read(kind, ["reach"])
    assert [row["media_id"] for table, row in rows if table == "media"] == [OTHER]
    published = insights(rows, "media_id", "value", "published_at")
    assert published == [(POST, 101, None), (OTHER, 101, "2026-11-20T12:00:00Z")]
    assert left_out(source) == {("timestamp", "Undated")}
    if kind == "story":
        assert insights(rows, "expires_at", "is_final")[0] == (None, False)


@pytest.mark.parametrize("media_id", [None, "", {}, 1.5, "../me", True])
def test_no_identity(answers: Answers, media_id: Any) -> None:
    """What has no id is left out by name, and elements that are no media; the others are read."""
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": [post(media_id), None, 7, post(OTHER), post(OTHER)]}
    rows, source = answers.read("media", ["reach"])
    assert insights(rows, "media_id", "value") == [(OTHER, 101)]
    assert [(each["what"], each["kind"], each["count"]) for each in source.left_out_log.summarize()] == [
        ("media", "Unreadable", 3)
    ]


def test_an_id_without_quotes(answers: Answers) -> None:
    """An id that came as a number is that id."""
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": [post(int(POST))]}
    rows, _ = answers.read("media", ["reach"])
    assert {row["media_id"] for _, row in rows} == {POST}


def test_fields_of_a_post(answers: Answers) -> None:
    """Read what is plain; null empties the owner's texts only; an absent field is no member of the row."""
    odd = post(
        caption=None, like_count=None, comments_count="4", username=123, permalink={"error": 1}, shortcode="\ud83d"
    )
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": [odd]}
    rows, source = answers.read("media", ["reach"])
    [row] = [row for table, row in rows if table == "media"]
    assert row["caption"] == ""
    assert (row["comments_count"], row["username"], row["shortcode"]) == (4, "123", "\ufffd")
    assert row.keys().isdisjoint(("like_count", "permalink", "alt_text"))
    assert left_out(source) == {("permalink", "Unreadable")}


def test_fields_of_a_profile(answers: Answers) -> None:
    """The same for a profile: a count as text is a count, and what is absent is no member of the row."""
    answers.bodies[ACCOUNT] = lambda _: {"id": ACCOUNT, "followers_count": "1000", "name": [], "biography": None}
    rows, source = answers.read("account", ["reach"], breakdowns={"reach": []})
    [row] = [row for table, row in rows if table == "accounts"]
    assert (row["followers_count"], row["biography"]) == (1000, "")
    assert row.keys().isdisjoint(("name", "username", "website"))
    assert ("name", "Unreadable") in left_out(source)


def test_a_metric_that_was_not_asked_for(answers: Answers) -> None:
    """Whatever else an answer holds, only what was asked is stored."""
    extra = {"data": [*post()["insights"]["data"], {"name": "views", "values": [{"value": 1}]}]}
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": [post(insights=extra)]}
    rows, source = answers.read("media", ["reach"])
    assert insights(rows, "metric", "value") == [("reach", 101)]
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: {"data": [{"name": "likes", "total_value": {"value": 5}}]}
    rows, source = answers.read("account", ["views"], 4, breakdowns={"views": []})
    assert insights(rows, "metric") == []
    assert left_out(source) == {("views", "NoData"), ("views", "Unreadable")}


def test_silence_of_an_account(answers: Answers) -> None:
    """What neither arrived nor was refused is named per metric, but not for days that Meta may still fill in."""
    _, source = answers.read("account", ["reach", "views", "follower_demographics"], 4)
    assert left_out(source) == {(name, "NoData") for name in ("reach", "views", "follower_demographics")}
    assert source.no_data_metrics.metrics == {ACCOUNT: {"reach", "views", "follower_demographics"}}
    _, source = answers.read("account", ["reach", "views"], 1)
    assert left_out(source) == set()


SILENT: dict[str, list[Row]] = {
    "null": [{"name": "reach", "period": "day", "values": [{"value": None, "end_time": "2026-11-17T08:00:00+0000"}]}],
    "no point": [{"name": "reach", "period": "day", "values": []}],
    "no metric": [],
}


@pytest.mark.parametrize("series", SILENT)
def test_a_total_is_missed_beside_its_breakdown(answers: Answers, series: str) -> None:
    """A total that does not come is named, though the same metric comes by a breakdown in an answer of its own."""
    parts = {"dimension_keys": ["follow_type"], "results": [{"dimension_values": ["FOLLOWER"], "value": 3}]}
    by_follow_type = {"name": "reach", "period": "day", "total_value": {"value": 3, "breakdowns": [parts]}}
    answers.bodies[f"{ACCOUNT}/insights"] = lambda asked: {
        "data": [by_follow_type] if "breakdown" in asked else SILENT[series]
    }
    rows, source = answers.read("account", ["reach"], 4, breakdowns={"reach": ["follow_type"]})
    assert set(insights(rows, "breakdown", "value")) == {("follow_type", 3)}
    assert left_out(source) == {("reach", "NoData")}


def test_a_total_is_missed_beside_another_breakdown(answers: Answers) -> None:
    """The total comes with the first of several breakdowns: where that answer is empty, the others are no answer."""
    parts = {"dimension_keys": ["follow_type"], "results": [{"dimension_values": ["FOLLOWER"], "value": 3}]}
    by_follow_type = {"name": "views", "period": "day", "total_value": {"value": 3, "breakdowns": [parts]}}
    answers.bodies[f"{ACCOUNT}/insights"] = lambda asked: {
        "data": [by_follow_type] if asked.get("breakdown") == "follow_type" else []
    }
    rows, source = answers.read("account", ["views"], 4, breakdowns={"views": ["media_product_type", "follow_type"]})
    assert set(insights(rows, "breakdown", "value")) == {("follow_type", 3)}
    assert left_out(source) == {("views", "NoData")}


@pytest.mark.parametrize("day", [16, 21], ids=["the day before", "the running day"])
def test_a_neighbouring_day_is_no_answer(answers: Answers, day: int) -> None:
    """Meta adds points of days that were not asked for: what was asked for is missing all the same, and is named."""
    answers.bodies[f"{ACCOUNT}/insights"] = series({"value": 11, "end_time": f"2026-11-{day}T08:00:00+0000"})
    rows, source = answers.read("account", ["reach"], 4, breakdowns={"reach": []})
    assert insights(rows, "value") == []
    assert left_out(source) == {("reach", "NoData")}
    assert source.no_data_metrics.metrics == {ACCOUNT: {"reach"}}


def test_silence_about_few_followers(answers: Answers) -> None:
    """An account under 100 followers does not get three metrics: that is why they are missing."""
    answers.bodies[ACCOUNT] = lambda _: PROFILE | {"followers_count": 50}
    names = ["follower_count", "online_followers", "follows_and_unfollows"]
    _, source = answers.read("account", names, 1)
    assert left_out(source) == {(name, "TooFewFollowers") for name in names}


def test_days_that_meta_has_no_more(answers: Answers) -> None:
    """One entry names the real span, however many metrics it is about."""
    with_history = ["reach", "views", "likes"]
    first = (date(2026, 11, 21) - date(2023, 1, 1)).days
    _, source = answers.read("account", with_history, first)
    [entry] = [each for each in source.left_out_log.summarize() if each["kind"] == "BeyondHistory"]
    assert entry["what"] == "all metrics from 2023-01-01 to 2024-11-21"


@pytest.mark.parametrize("inside", [{}, {"insights": None}, {"insights": {}}, {"insights": {"data": []}}], ids=str)
def test_a_silent_post_is_asked_again(answers: Answers, inside: Row) -> None:
    """A post whose insights are missing inside its page is asked by itself; its numbers arrive."""
    quiet = {name: value for name, value in post().items() if name != "insights"} | inside
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": [quiet, post(OTHER)]}
    answers.bodies[f"{POST}/insights"] = lambda _: {"data": [{"name": "reach", "values": [{"value": 5}]}]}
    rows, source = answers.read("media", ["reach"])
    assert sorted(insights(rows, "media_id", "value")) == [(POST, 5), (OTHER, 101)]
    assert left_out(source) == set()


def test_silent_posts_are_not_asked_for_ever(answers: Answers) -> None:
    """When the first three do not come the others are named without being asked."""
    quiet = [post(str(17800000000000000 + n), insights=None) for n in range(10)]
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": quiet}
    rows, source = answers.read("media", ["reach"])
    assert insights(rows, "value") == []
    assert len(answers.asked) == 1 + 3
    assert [(each["what"], each["kind"], each["count"]) for each in source.left_out_log.summarize()] == [
        ("reach", "NoData", 10)
    ]


@pytest.mark.parametrize(("count", "remarks"), [(2, 0), ("2", 0), (3, 1), ("many", 0), (None, 0)])
def test_fewer_posts_than_the_profile_counts(answers: Answers, count: Any, remarks: int) -> None:
    """Where every post is wanted, a listing that is more than 5 % short is a remark; it costs one request."""
    answers.bodies[ACCOUNT] = lambda _: {"id": ACCOUNT, "media_count": count}
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": [post(), post(OTHER)]}
    _, source = answers.read("media", ["reach"], refresh_days=None)
    assert len(source.left_out_log.list_remarks()) == remarks
    assert answers.asked.count(ACCOUNT) == 1
    _, source = answers.read("media", ["reach"])
    assert answers.asked.count(ACCOUNT) == 1


def test_an_empty_breakdown_beside_a_total_is_an_answer(answers: Answers) -> None:
    """A total alone is an answer, whether the breakdown was asked with it or beside it."""

    def answer(params: Mapping[str, str]) -> Row:
        if params.get("metric_type") == "time_series":
            points = [{"value": 5, "end_time": f"2026-11-{day}T08:00:00+0000"} for day in (17, 18, 19, 20)]
            return {"data": [{"name": "reach", "period": "day", "values": points}]}
        if "likes" not in params["metric"]:
            return {"data": []}
        return {"data": [{"name": "likes", "period": "day", "total_value": {"value": 5, "breakdowns": []}}]}

    answers.bodies[f"{ACCOUNT}/insights"] = answer
    rows, source = answers.read("account", ["reach", "likes"], 4)
    assert sorted(insights(rows, "metric", "value")) == [("likes", 5)] * 4 + [("reach", 5)] * 4
    assert left_out(source) == set()


@pytest.mark.parametrize("days", [1, 4], ids=["yesterday", "four days"])
@pytest.mark.parametrize(
    ("value", "named"),
    [
        ({"value": 5}, "likes by media_product_type"),
        ({"value": 5, "breakdowns": None}, "likes by media_product_type"),
        ({"value": 0}, None),
        ({"value": 5, "breakdowns": [{"dimension_keys": ["media_product_type"]}]}, None),
        ({"breakdowns": [{"dimension_keys": ["media_product_type"], "results": RESULTS}]}, "likes"),
    ],
    ids=["no breakdown", "null", "a total of nothing", "a breakdown of nobody", "no total"],
)
def test_half_of_what_was_asked_is_missing(answers: Answers, value: Row, named: str | None, days: int) -> None:
    """What was asked with its breakdown and came without it is named, and so is a total that is missing beside it."""
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: total(value)
    _, source = answers.read("account", ["likes"], days)
    assert left_out(source) == ({(named, "NoData")} if named else set())


def test_a_story_without_the_breakdown_that_was_asked(answers: Answers) -> None:
    """Its total stands in ``values`` as well: it is stored, and the breakdown is named."""
    entry = {"name": "navigation", "period": "lifetime", "values": [{"value": 25}]}
    answers.bodies[f"{ACCOUNT}/stories"] = lambda _: {"data": [post(media_product_type="STORY", insights=None)]}
    answers.bodies[f"{POST}/insights"] = lambda _: {"data": [entry]}
    rows, source = answers.read("story", ["navigation"])
    assert insights(rows, "metric", "breakdown", "value") == [("navigation", "", 25)]
    assert left_out(source) == {("navigation by story_navigation_action_type", "NoData")}


def test_a_timeframe_that_is_none(answers: Answers) -> None:
    """A city never gets into the column of the timeframe. Another timeframe than the one asked is kept as that."""
    frames = ["THIS_MONTH", "Rome, Lazio", "US", "18-24", "F", "THIS_WEEK"]
    results = [{"dimension_values": [frame, f"city {place}"], "value": place} for place, frame in enumerate(frames)]
    value = {"breakdowns": [{"dimension_keys": ["timeframe", "city"], "results": results}]}
    entry = {"name": "reached_audience_demographics", "period": "lifetime", "total_value": value}
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: {"data": [entry]}
    rows, source = answers.read("account", [entry["name"]], breakdowns={entry["name"]: ["city"]})
    assert insights(rows, "timeframe", "breakdown_value") == [("THIS_MONTH", "city 0"), ("THIS_WEEK", "city 5")]
    assert left_out(source) == {(entry["name"], "Unreadable")}


def test_another_metric_instead_of_the_one_that_was_asked(answers: Answers) -> None:
    """That is not NoData: it is named though the day is young. Beside what was asked, another metric is no matter."""
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: {"data": [{"name": "impressions", "total_value": {"value": 5}}]}
    _, source = answers.read("account", ["views"], breakdowns={"views": []})
    assert left_out(source) == {("views", "Unreadable")}
    both = [{"name": name, "total_value": {"value": 5}} for name in ("impressions", "views")]
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: {"data": both}
    rows, source = answers.read("account", ["views"], breakdowns={"views": []})
    assert insights(rows, "metric") == [("views",)]
    assert left_out(source) == set()


def test_a_metric_twice_instead_of_two(answers: Answers) -> None:
    """The one that is missing is named: its numbers may be those under the other's name, of which two are none."""
    twice = [{"name": "views", "total_value": {"value": number}} for number in (5, 6)]
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: {"data": twice}
    rows, source = answers.read("account", ["likes", "views"], breakdowns={"likes": [], "views": []})
    assert insights(rows, "metric") == []
    assert left_out(source) == {("likes", "Unreadable"), ("views", "Contradictory")}


@pytest.mark.parametrize("product_type", [7, None, "", {}, "HOLOGRAM"])
def test_an_unknown_product_type(answers: Answers, product_type: Any) -> None:
    """Where nobody can say which metrics a post has beside those of all, that is named, and the others are read."""
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": [post(media_product_type=product_type), post(OTHER)]}
    rows, source = answers.read("media", ["reach", "ig_reels_avg_watch_time"])
    assert insights(rows, "media_id", "value") == [(POST, 101), (OTHER, 101)]
    assert ("metrics of one product type", "NoData") in left_out(source)


def test_two_objects_under_one_id(answers: Answers) -> None:
    """The same object twice on a page is one; two different ones under one id are both left out and named."""
    pages = [post(), post(), post(OTHER, like_count=1), post(OTHER, like_count=2), post(OTHER, like_count=1)]
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": pages}
    rows, source = answers.read("media", ["reach"])
    assert {row["media_id"] for _, row in rows} == {POST}
    assert left_out(source) == {("media", "Contradictory")}


@pytest.mark.parametrize("odd", [None, {"dimension_values": ["FEED"]}, {"dimension_values": ["FEED"], "value": None}])
def test_a_group_without_a_number_is_named(answers: Answers, odd: Any) -> None:
    """A group of a breakdown that is null, or has no value, costs itself, and its neighbours nothing."""
    results = [{"dimension_values": ["REELS"], "value": 7}, odd]
    breakdowns = [{"dimension_keys": ["media_product_type"], "results": results}]
    total = {"value": 9, "breakdowns": breakdowns}
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: {
        "data": [{"name": "views", "period": "day", "total_value": total}]
    }
    rows, source = answers.read("account", ["views"], breakdowns={"views": ["media_product_type"]})
    found = [(row["breakdown_value"], row["value"]) for table, row in rows if table == "account_insights"]
    assert sorted(found) == [("", 9), ("REELS", 7)]
    assert ("views", "Unreadable") in {(each["what"], each["kind"]) for each in source.left_out_log.summarize()}


@pytest.mark.parametrize(("day", "kinds"), [("2027-11-19", {"Undated"}), ("2025-11-20", {"Undated"})])
def test_a_point_of_a_day_far_away_is_named(answers: Answers, day: str, kinds: set[str]) -> None:
    """A point that is dated far from the days that were asked for is stored nowhere, and named."""
    points = [{"value": 5, "end_time": f"{day}T08:00:00+0000"}]
    answers.bodies[f"{ACCOUNT}/insights"] = lambda _: {"data": [{"name": "reach", "period": "day", "values": points}]}
    rows, source = answers.read("account", ["reach"], days=2)
    assert [table for table, _ in rows] == ["accounts"]
    assert kinds <= {each["kind"] for each in source.left_out_log.summarize()}


@pytest.mark.parametrize("profile", [{}, {"id": ACCOUNT}, {"username": {}}])
def test_a_profile_that_says_nothing_is_no_row(answers: Answers, profile: Row) -> None:
    """Where the answer holds none of the fields there is no profile of the day, and that is named."""
    answers.bodies[ACCOUNT] = lambda _: profile
    rows, source = answers.read("account", ["reach"])
    assert [row for table, row in rows if table == "accounts"] == []
    assert ("profile", "NoData") in {(each["what"], each["kind"]) for each in source.left_out_log.summarize()}


CHILD, SECOND = {"id": "21", "media_type": "IMAGE", "media_url": "https://x/1?a"}, {"id": "22", "media_type": "VIDEO"}
CHILDREN: dict[str, tuple[Any, list[tuple[str, int]], set[tuple[str, str]]]] = {
    "two": ({"data": [CHILD, SECOND]}, [("21", 1), ("22", 2)], set()),
    "the same twice": ({"data": [CHILD, CHILD, SECOND]}, [("21", 1), ("22", 2)], set()),
    "all of them twice": ({"data": [CHILD, CHILD, SECOND, SECOND]}, [("21", 1), ("22", 2)], set()),
    "another under the same id": (
        {"data": [CHILD, CHILD | {"media_type": "VIDEO"}, SECOND]},
        [("22", 3)],
        {("children", "Contradictory")},
    ),
    "two versions, one of them again": (
        {"data": [CHILD, CHILD | {"media_type": "VIDEO"}, CHILD | {"media_type": "VIDEO"}, SECOND]},
        [("22", 3)],
        {("children", "Contradictory")},
    ),
    "one without an id": ({"data": [{"media_type": "IMAGE"}, SECOND]}, [("22", 2)], {("children", "Unreadable")}),
    "no object": ({"data": ["21", SECOND]}, [("22", 2)], {("children", "Unreadable")}),
    "an id as a number": ({"data": [CHILD | {"id": 21}]}, [("21", 1)], set()),
    "a field that is none": (
        {"data": [CHILD | {"permalink": []}]},
        [("21", 1)],
        {("children.permalink", "Unreadable")},
    ),
    "another page": (
        {"data": [CHILD], "paging": {"next": "https://x"}},
        [("21", 1)],
        {("children", "Incomplete")},
    ),
    "an empty list": ({"data": []}, [], {("children", "NoData")}),
    "null": (None, [], {("children", "NoData")}),
    "no list": ({"data": {"id": "21"}}, [], {("children", "Unreadable")}),
    "a text": ("21", [], {("children", "Unreadable")}),
}


@pytest.mark.parametrize("name", CHILDREN)
def test_children(answers: Answers, name: str) -> None:
    """Each child is a row with its place; what cannot be read is named, and protects what is stored of the album."""
    answer, wanted, named = CHILDREN[name]
    album = post(media_type="CAROUSEL_ALBUM", children=answer)
    answers.bodies[f"{ACCOUNT}/media"] = lambda _: {"data": [album, post(OTHER)]}
    rows, source = answers.read("media", ["reach"])
    children = [row for table, row in rows if table == "media_children"]
    assert [(row["child_id"], row["position"]) for row in children] == wanted
    assert {(row["account_id"], row["media_id"]) for row in children} <= {(ACCOUNT, POST)}
    assert left_out(source) == named
    is_protected = any(
        kind in ("Unreadable", "Incomplete", "Contradictory") and "." not in what for what, kind in named
    )
    assert bool(source.left_out_log.list_unreadable()) == is_protected
    asked, answers.asked = answers.asked, []
    answers.read("media", ["reach"], children=False)
    assert asked == answers.asked, "children cost no request"


@pytest.mark.parametrize("lost", ["children", "owner", "thumbnail_url", "permalink"])
def test_refused_fields_of_posts(answers: Answers, lost: str) -> None:
    """A refused field falls out by name, with all that is inside it; what children refuse, their album keeps."""
    album = post(media_type="CAROUSEL_ALBUM", permalink="https://p", owner={"id": "9"}, children={"data": [CHILD]})
    text = f"(#100) Tried accessing nonexisting field ({lost}) on node type (ShadowIGMedia)"
    error = {"error": {"message": text, "type": "OAuthException", "code": 100}}

    def answer(query: Mapping[str, str]) -> Any:
        fields = query["fields"].partition("children{")[2] if lost == "permalink" else query["fields"]
        answered = {name: value for name, value in album.items() if name in query["fields"]}
        return error if lost in fields else {"data": [answered]}

    answers.bodies[f"{ACCOUNT}/media"] = answer
    rows, source = answers.read("media", ["reach"])
    [media] = [row for table, row in rows if table == "media"]
    assert (media["permalink"], media.get("owner_id")) == ("https://p", None if lost == "owner" else "9")
    assert all(lost in what.split(".") for what, _ in left_out(source))
    children = [row["child_id"] for table, row in rows if table == "media_children"]
    assert children == ([] if lost == "children" else ["21"])
