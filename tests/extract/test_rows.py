"""The answers that Meta's pages print, and strange ones that users met, become the rows that the tables describe."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.extract.rows import (
    describe,
    find_missing_half,
    is_pacific_midnight,
    join_values,
    keep_distinct,
    name_group,
    read_end_time,
    read_entries,
    read_numbers,
)
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.pacific import format_instant, pacific_midnight
from airflow_provider_iginsights.sandbox.server import Server
from airflow_provider_iginsights.task.source import Source
from airflow_provider_iginsights.window import Window

SHAPES = Path(__file__).parent / "answers"
ACCOUNT, MEDIA = "17841405822304914", "17874602505612323"
Rows = list[dict[str, Any]]


def shape(name: str) -> Any:
    """Return an answer from the folder beside this module."""
    return json.loads((SHAPES / f"{name}.json").read_text("utf-8"))


class CannedGraph:
    """A Graph API of one answer: whoever asks for insights of this kind gets it, everything else is empty."""

    def __init__(self) -> None:
        self.insights: Any = {"data": []}
        self.asked: Mapping[str, str] = {}
        self.product_type = "FEED"
        self.served_version = "v25.0"
        self.login = "/graph.instagram.com"
        self.server = Server(Starlette(routes=[Route("/{path:path}", self._answer)]), name="canned")

    async def _answer(self, request: Request) -> Response:
        edge = request.path_params["path"].rpartition("/")[2]
        params = request.query_params
        body = self._find(params) if edge == "insights" else self._listing(params.get("fields", ""))
        return JSONResponse(body, headers={"facebook-api-version": self.served_version})

    def _listing(self, fields: str) -> Any:
        item = {"id": MEDIA, "timestamp": "2026-11-20T07:59:59+0000", "media_type": "IMAGE"}
        inside = re.search(r"insights\.metric\((.*?)\)", fields)
        insights = {"insights": self._find({"metric": inside[1]})} if inside else {}
        return {"data": [item | {"media_product_type": self.product_type} | insights]}

    def _find(self, params: Mapping[str, str]) -> Any:
        if not self.asked.items() <= dict(params).items():
            return {"data": []}
        names = params["metric"].split(",")
        entries = self.insights.get("data")
        return self.insights | {"data": entries and [entry for entry in entries if entry["name"] in names]}

    def read(self, kind: str, *, metrics: list[str], days: tuple[str, str], now: datetime, version: str) -> Rows:
        """Read with the real reader over a real socket, and return the rows of the insights table."""
        first, last = map(date.fromisoformat, days)
        window = Window(
            since=pacific_midnight(first), until=pacific_midnight(last + timedelta(days=1)), rule="given", now=now
        )
        settings = GraphSettings(token="IGAAtoken", base_url=self.server.url + self.login, api_version=version)
        with GraphClient(settings, sleep=lambda _: None) as client:
            source = Source(
                client=client, window=window, provenance=Provenance(run_id="run", clock=lambda: now), metrics=metrics
            )
            readers: dict[str, Callable[[], Callable[[str], Iterator[tuple[str, dict[str, Any]]]]]] = {
                "account": lambda: source.read_accounts(lookback_days=0, profiles=False),
                "media": lambda: source.read_media(refresh_days=None),
                "story": source.read_stories,
            }
            return [row for table, row in readers[kind]()(ACCOUNT) if table.endswith("insights")]


@pytest.fixture
def canned() -> Iterator[CannedGraph]:
    """Serve a Graph API of one answer."""
    graph = CannedGraph()
    with graph.server:
        yield graph


def account_row(metric: str, value: Any, day: str, **columns: Any) -> dict[str, Any]:
    """Return a row of account insights as its table describes it."""
    start = pacific_midnight(date.fromisoformat(day))
    end = pacific_midnight(date.fromisoformat(day) + timedelta(days=1)) - timedelta(seconds=1)
    described = {
        "account_id": ACCOUNT,
        "metric": metric,
        "period": "day",
        "timeframe": "",
        "breakdown": "",
        "breakdown_value": "",
        "metric_date": date.fromisoformat(day),
        "value": value,
        "window_start": start.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "window_end": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    return {name: value for name, value in (described | columns).items() if value is not None}


def snapshot(metric: str, value: Any, breakdown: str, breakdown_value: str, **columns: Any) -> dict[str, Any]:
    """Return a row of an audience, read on 2026-11-21."""
    undated = {"window_start": None, "window_end": None, "period": "lifetime", "timeframe": ""}
    return account_row(
        metric, value, "2026-11-21", **undated | {"breakdown": breakdown, "breakdown_value": breakdown_value} | columns
    )


NOW = datetime(2026, 11, 21, 20, 30, tzinfo=UTC)
TODAY = {"days": ("2026-11-20", "2026-11-20"), "now": NOW, "version": "v25.0"}

ACCOUNT_SHAPES: dict[str, tuple[dict[str, Any], Mapping[str, str], Rows]] = {
    "account_series_of_2017": (
        {
            "metrics": ["impressions", "reach", "profile_views"],
            "days": ("2017-05-04", "2017-05-05"),
            "now": datetime(2017, 5, 6, 12, tzinfo=UTC),
            "version": "v10.0",
        },
        {"metric": "impressions,reach,profile_views", "period": "day"},
        [
            account_row(metric, value, day, end_time=f"{day}T07:00:00Z")
            for metric, values in {"impressions": (4, 66), "reach": (3, 36), "profile_views": (0, 2)}.items()
            for day, value in zip(("2017-05-04", "2017-05-05"), values, strict=True)
        ],
    ),
    "account_series_of_2018": (
        {
            "metrics": ["impressions", "reach", "profile_views"],
            "days": ("2018-01-11", "2018-01-12"),
            "now": datetime(2018, 1, 13, 12, tzinfo=UTC),
            "version": "v10.0",
        },
        {"metric": "impressions,reach,profile_views", "period": "day"},
        [
            account_row(metric, value, day, end_time=f"{day}T08:00:00Z")
            for metric, value in {"impressions": 32, "reach": 12, "profile_views": 15}.items()
            for day in ("2018-01-11", "2018-01-12")
        ],
    ),
    "account_series_with_paging": (
        {
            "metrics": ["reach"],
            "days": ("2018-01-12", "2018-01-12"),
            "now": datetime(2018, 1, 13, 12, tzinfo=UTC),
            "version": "v25.0",
        },
        {"metric": "reach", "metric_type": "time_series"},
        # The point of the 11th was not asked for: rows outside the window are another run's.
        [account_row("reach", 12, "2018-01-12", end_time="2018-01-12T08:00:00Z")],
    ),
    "total": (
        TODAY | {"metrics": ["likes"]},
        {"metric": "likes", "metric_type": "total_value", "breakdown": "media_product_type"},
        [account_row("likes", 304, "2026-11-20")],
    ),
    "total_with_breakdown": (
        TODAY | {"metrics": ["reach"]},
        {"breakdown": "media_product_type"},
        # The total of reach comes from its series.
        [
            account_row("reach", value, "2026-11-20", breakdown="media_product_type", breakdown_value=name)
            for name, value in (("CAROUSEL_CONTAINER", 100), ("POST", 124))
        ],
    ),
    "breakdown_without_total": (
        TODAY | {"metrics": ["follows_and_unfollows"]},
        {"breakdown": "follow_type"},
        [
            account_row("follows_and_unfollows", value, "2026-11-20", breakdown="follow_type", breakdown_value=name)
            for name, value in (("FOLLOWER", 17), ("NON_FOLLOWER", 20))
        ],
    ),
    "neither_total_nor_breakdown": (TODAY | {"metrics": ["follows_and_unfollows"]}, {}, []),
    "audience_with_timeframe": (
        TODAY | {"metrics": ["engaged_audience_demographics"]},
        {"breakdown": "country", "timeframe": "this_month"},
        [
            snapshot("engaged_audience_demographics", value, "country", name, timeframe="LAST_90_DAYS")
            for name, value in (("AR", 1), ("US", 7))
        ],
    ),
    "audience_of_two_dimensions": (
        TODAY | {"metrics": ["follower_demographics"]},
        {"breakdown": "age,gender"},
        [
            snapshot("follower_demographics", value, "age|gender", name, timeframe="THIS_MONTH")
            for name, value in (("25-34|F", 41), ("65+|U", 2))
        ],
    ),
    "audience_without_timeframe": (
        TODAY | {"metrics": ["follower_demographics"]},
        {"breakdown": "city"},
        [
            snapshot("follower_demographics", value, "city", name)
            for name, value in (("London, England", 263), ("São Paulo, São Paulo (state)", 12))
        ],
    ),
    "hours": (
        {
            "metrics": ["online_followers"],
            "days": ("2025-06-09", "2025-06-10"),
            "now": datetime(2025, 6, 11, 12, tzinfo=UTC),
            "version": "v23.0",
        },
        {"period": "lifetime"},
        [
            account_row(
                "online_followers",
                value,
                "2025-06-09",
                period="lifetime",
                breakdown="hour",
                breakdown_value=hour,
                end_time="2025-06-09T07:00:00Z",
            )
            for hour, value in (("0", 159), ("1", 157), ("23", 0))
        ],
    ),
    "audience_of_2022": (
        {
            "metrics": ["audience_gender_age"],
            "days": ("2022-07-24", "2022-07-24"),
            "now": datetime(2022, 7, 25, 12, tzinfo=UTC),
            "version": "v10.0",
        },
        {"period": "lifetime"},
        [
            account_row(
                "audience_gender_age",
                value,
                "2022-07-25",
                period="lifetime",
                breakdown="gender_age",
                breakdown_value=name,
                end_time="2022-07-25T07:00:00Z",
            )
            for name, value in (("F.25-34", 5), ("M.18-24", 263), ("U.13-17", 7))
        ],
    ),
    "audience_without_end_time": (
        TODAY | {"metrics": ["audience_country"], "version": "v10.0"},
        {},
        [snapshot("audience_country", value, "country", name) for name, value in (("US", 900), ("BR", 41))],
    ),
}


@pytest.mark.parametrize("name", ACCOUNT_SHAPES)
def test_account_answers(canned: CannedGraph, name: str) -> None:
    """A printed answer about an account becomes exactly these rows, every column."""
    options, canned.asked, expected = ACCOUNT_SHAPES[name]
    canned.insights, canned.served_version = shape(name), options["version"]
    rows = canned.read("account", **options)
    fetched_at = options["now"].strftime("%Y-%m-%dT%H:%M:%SZ")
    provenance = {"api_version": options["version"], "fetched_at": fetched_at, "run_id": "run"}
    assert [{column: value for column, value in row.items() if value is not None} for row in rows] == [
        row | provenance for row in expected
    ]


MEDIA_ROW = {
    "media_id": MEDIA,
    "account_id": ACCOUNT,
    "breakdown": "",
    "breakdown_value": "",
    "published_at": "2026-11-20T07:59:59Z",
    "fetched_at": "2026-11-21T20:30:00Z",
    "snapshot_date": date(2026, 11, 21),
    "run_id": "run",
}
POST_ROW = MEDIA_ROW | {"media_product_type": "FEED"}
STORY_ROW = MEDIA_ROW | {
    "snapshot_at": "2026-11-21T20:00:00Z",
    "source": "poll",
    "expires_at": "2026-11-21T07:59:59Z",
    "is_final": True,
}

MEDIA_SHAPES: dict[str, tuple[str, str, list[str], Rows]] = {
    "media_of_2018": (
        "media",
        "v10.0",
        ["engagement", "impressions", "reach"],
        [
            POST_ROW | {"metric": metric, "value": value}
            for metric, value in (("engagement", 8), ("impressions", 13), ("reach", 13))
        ],
    ),
    "media_total": ("media", "v25.0", ["reach"], [POST_ROW | {"metric": "reach", "value": 4569}]),
    "media_total_with_breakdown": (
        "story",
        "v25.0",
        ["navigation"],
        [STORY_ROW | {"metric": "navigation", "value": 25}]
        + [
            STORY_ROW
            | {
                "metric": "navigation",
                "value": value,
                "breakdown": "story_navigation_action_type",
                "breakdown_value": name,
            }
            for name, value in (("tap_forward", 19), ("tap_back", 4), ("tap_exit", 1), ("swipe_forward", 1))
        ],
    ),
}


@pytest.mark.parametrize("name", MEDIA_SHAPES)
def test_media_answers(canned: CannedGraph, name: str) -> None:
    """A printed answer about a post or a story becomes exactly these rows, every column."""
    kind, version, metrics, expected = MEDIA_SHAPES[name]
    canned.insights, canned.served_version = shape(name), version
    canned.product_type = "STORY" if kind == "story" else "FEED"
    rows = canned.read(kind, metrics=metrics, days=TODAY["days"], now=NOW, version=version)
    order = metrics.index
    assert sorted(rows, key=lambda row: order(row["metric"])) == [row | {"api_version": version} for row in expected]


def test_the_version_that_answered_is_stored(canned: CannedGraph) -> None:
    """Where Meta serves another version than the one asked for, the rows say which."""
    canned.insights, canned.served_version = shape("total"), "v26.0"
    rows = canned.read("account", metrics=["likes"], **TODAY)
    assert {row["api_version"] for row in rows} == {"v26.0"}


POINT = "2026-11-20T08:00:00+0000"
ODD: dict[str, tuple[dict[str, Any], list[tuple[Any, ...]]]] = {
    "nothing but a name": ({"name": "reach"}, []),
    "no values": ({"name": "reach", "values": []}, []),
    "values are null": ({"name": "reach", "values": None}, []),
    "a point without a value": ({"values": [{"end_time": POINT}]}, []),
    "a null value": ({"values": [{"value": None, "end_time": POINT}]}, []),
    "no hours": ({"values": [{"value": {}, "end_time": POINT}]}, []),
    "an hour that is null": ({"values": [{"value": {"0": None, "1": 5}}]}, [(5, "hour", "1", "", None)]),
    "an empty total": ({"total_value": {}}, []),
    "a null total": ({"total_value": {"value": None}}, []),
    "a total that is null beside values": ({"total_value": None, "values": [{"value": 3}]}, [(3, "", "", "", None)]),
    "a total without a value beside values": (
        {"total_value": {"breakdowns": []}, "values": [{"value": 3}]},
        [(3, "", "", "", None)],
    ),
    "a total that has a null value beside values": (
        {"total_value": {"value": None}, "values": [{"value": 3}]},
        [(3, "", "", "", None)],
    ),
    "a zero": ({"total_value": {"value": 0}}, [(0, "", "", "", None)]),
    "a zero in a series": ({"values": [{"value": 0, "end_time": POINT}]}, [(0, "", "", "", POINT)]),
    "a negative count": ({"values": [{"value": -1}]}, [(-1, "", "", "", None)]),
    "a percentage": ({"values": [{"value": 48.4}]}, [(48.4, "", "", "", None)]),
    "a count beyond 64 bits": ({"values": [{"value": 10**20}]}, [(10**20, "", "", "", None)]),
    "a breakdown without results": ({"total_value": {"breakdowns": [{"dimension_keys": ["age"]}]}}, []),
    "a breakdown whose results are null": (
        {"total_value": {"value": 7, "breakdowns": [{"dimension_keys": ["age"], "results": None}]}},
        [(7, "", "", "", None)],
    ),
    "a breakdown value without a number": (
        {"total_value": {"breakdowns": [{"dimension_keys": ["age"], "results": [{"dimension_values": ["65+"]}]}]}},
        [],
    ),
    "a dimension value nobody has heard of": (
        {
            "total_value": {
                "breakdowns": [
                    {"dimension_keys": ["media_product_type"], "results": [{"dimension_values": ["IGTV"], "value": 1}]}
                ]
            }
        },
        [(1, "media_product_type", "IGTV", "", None)],
    ),
    "values in lower case stay so": (
        {
            "total_value": {
                "breakdowns": [{"dimension_keys": ["x"], "results": [{"dimension_values": ["tap_Exit"], "value": 1}]}]
            }
        },
        [(1, "x", "tap_Exit", "", None)],
    ),
    "the timeframe in another place": (
        {
            "total_value": {
                "breakdowns": [
                    {
                        "dimension_keys": ["city", "timeframe"],
                        "results": [{"dimension_values": ["Rome, Lazio", "THIS_WEEK"], "value": 1}],
                    }
                ]
            }
        },
        [(1, "city", "Rome, Lazio", "THIS_WEEK", None)],
    ),
    "two breakdowns in one answer": (
        {
            "total_value": {
                "value": 3,
                "breakdowns": [
                    {"dimension_keys": ["a"], "results": [{"dimension_values": ["x"], "value": 1}]},
                    {"dimension_keys": ["b"], "results": [{"dimension_values": ["y"], "value": 2}]},
                ],
            }
        },
        [(3, "", "", "", None), (1, "a", "x", "", None), (2, "b", "y", "", None)],
    ),
}


@pytest.mark.parametrize(("entry", "numbers"), ODD.values(), ids=ODD)
def test_odd_answers(entry: dict[str, Any], numbers: list[tuple[Any, ...]]) -> None:
    """What is missing is no number and never 0; what is unknown, negative or fractional is kept as it came."""
    dimension = "hour" if any(number[1] == "hour" for number in numbers) else ""
    assert [tuple(number) for number in read_numbers(entry, map_dimension=dimension)] == numbers


@pytest.mark.parametrize(
    ("entry", "dimension", "why"),
    [
        ({"values": [{"end_time": "2026-11-20T08:00:00+0000"}]}, "", "an element of values has no value."),
        ({"values": [{"error": {"code": 1}}]}, "", "an element of values has no value."),
        ({"total_value_new": {"value": 1}}, "", "it has neither values nor a total_value."),
        ({"total_value": None, "values": None}, "", "it has neither values nor a total_value."),
        ({"values": [{"value": {"0": None}}]}, "hour", "a value inside an object is null."),
        ({"values": [{"value": {"": 1}}]}, "hour", "a value inside an object has an empty key."),
        ({"total_value": {"value_new": 1}}, "", "total_value has neither a value nor breakdowns."),
        ({"values": [{"value": 0}]}, "hour", "a value is a number instead of an object."),
        (
            {"total_value": {"value": 1, "breakdowns": [None]}},
            "",
            "an element of breakdowns is null instead of an object",
        ),
        (
            {"total_value": {"breakdowns": [{"dimension_keys": ["a"], "results": [{"dimension_values": ["b"]}]}]}},
            "",
            "a result of a breakdown has no value.",
        ),
        (
            {"total_value": {"value": 1, "breakdowns": [{"dimension_keys": ["a"], "results": None}]}},
            "",
            "results is null instead of a list.",
        ),
    ],
    ids=[
        "a point without a value",
        "an error instead of a point",
        "no container",
        "containers that are null",
        "an hour that is null",
        "an hour without its key",
        "a total without a value",
        "a number instead of hours",
        "a breakdown that is null",
        "a result without a value",
        "results that are null",
    ],
)
def test_what_is_missing_inside_is_told(entry: dict[str, Any], dimension: str, why: str) -> None:
    """No number is made of it, and the loss is noted."""
    notes: list[str] = []
    found = read_numbers(entry, map_dimension=dimension, note=notes.append)
    assert [number for number in found if number.breakdown or dimension] == []
    assert len(notes) == 1
    assert notes[0].startswith(why)


@pytest.mark.parametrize("body", [{"data": []}, {"data": [{"name": "likes"}]}], ids=str)
def test_empty_answers_are_no_rows(canned: CannedGraph, body: Any) -> None:
    """An empty answer writes nothing and is no error."""
    canned.insights = body
    assert canned.read("account", metrics=["likes", "follower_demographics"], **TODAY) == []


@pytest.mark.parametrize(
    ("end_time", "stored", "day"),
    [
        ("2026-11-20T08:00:00+0000", "2026-11-20T08:00:00Z", date(2026, 11, 20)),
        ("2026-07-01T07:00:00+0000", "2026-07-01T07:00:00Z", date(2026, 7, 1)),
        ("2026-11-01T07:00:00+0000", "2026-11-01T07:00:00Z", date(2026, 11, 1)),
        ("2026-11-02T08:00:00+0000", "2026-11-02T08:00:00Z", date(2026, 11, 2)),
        ("2026-11-20T06:59:59+0000", "2026-11-20T06:59:59Z", date(2026, 11, 19)),
        ("2026-11-20T17:00:00+0900", "2026-11-20T08:00:00Z", date(2026, 11, 20)),
    ],
)
def test_end_times(end_time: str, stored: str, day: date) -> None:
    """An end_time is stored as the same instant, and its day is the Pacific one, in summer, in winter and between."""
    assert read_end_time(end_time) == (stored, day)
    assert format_instant(datetime.fromisoformat(stored)) == stored


@pytest.mark.parametrize(
    ("end_time", "is_midnight"),
    [
        ("2026-07-04T07:00:00+0000", True),
        ("2026-11-20T08:00:00+0000", True),
        ("2026-11-20T00:00:00-0800", True),
        ("2026-07-04T08:00:00+0000", False),
        ("2026-11-20T07:00:00+0000", False),
        ("2026-11-20T08:00:01+0000", False),
        ("soon", False),
        ("", False),
    ],
)
def test_which_end_times_are_midnights(end_time: str, is_midnight: bool) -> None:
    """A Pacific day begins at 07:00 UTC in summer and at 08:00 in winter."""
    assert is_pacific_midnight(end_time) is is_midnight


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x", "a text"),
        (True, "true or false"),
        ({}, "an object"),
        ([], "a list"),
        (None, "null"),
        (1, "a number"),
        (1.5, "a number"),
    ],
)
def test_a_value_is_named_by_its_kind(value: object, words: str) -> None:
    """A note says what was there, and never shows it."""
    assert describe(value) == words


NOT_REQUESTED = "Meta answered with a metric that was not requested, or with one twice, and without this one."


@pytest.mark.parametrize(
    ("data", "read", "noted"),
    [
        ([{"name": "views"}, {"name": "reach"}], ["views", "reach"], []),
        ([{"name": "reach"}], ["reach"], []),  # silence is noted elsewhere
        ([], [], []),
        ([{"name": "reach"}, {"name": "likes"}], ["reach"], [("views", NOT_REQUESTED)]),
        ([{"name": "reach"}, {"name": "reach"}], ["reach", "reach"], [("views", NOT_REQUESTED)]),
        ([{"name": "likes"}], [], [("reach", NOT_REQUESTED), ("views", NOT_REQUESTED)]),
        ([{"name": 7}, {"name": "reach"}], ["reach"], [("insights", "the name of a metric is a number.")]),
        ([{}, {"name": "reach"}], ["reach"], [("insights", "the name of a metric is null.")]),
        (["x", {"name": "reach"}], ["reach"], [("insights", "an element of data is a text instead of an object.")]),
        ({"name": "reach"}, [], [("insights", "data is an object instead of a list.")]),
    ],
)
def test_elements_of_an_answer(data: Any, read: list[str], noted: list[tuple[str, str]]) -> None:
    """Only metrics that were requested are read, and one bad element costs no other."""
    notes: list[tuple[str, str]] = []
    found = list(read_entries(data, names=("views", "reach"), note=lambda *note: notes.append((note[0], note[2]))))
    assert [name for name, _ in found] == read
    assert all(entry["name"] == name for name, entry in found)
    assert notes == noted


TOTAL, PART = {"value": 5}, {"dimension_keys": ["city"], "results": [{"dimension_values": ["Rome"], "value": 5}]}
EMPTY = {"dimension_keys": ["city"]}


@pytest.mark.parametrize(
    ("total_value", "requested", "wants_total", "missing"),
    [
        (TOTAL, "", True, None),
        (TOTAL | {"breakdowns": [PART]}, "city", True, None),
        (TOTAL | {"breakdowns": [EMPTY]}, "city", True, None),  # nobody was there to be broken down
        ({"breakdowns": [PART]}, "city", False, None),
        ({"breakdowns": [PART]}, "city", True, ("reach", "asked for its total as well")),
        (TOTAL, "city", True, ("reach by city", "sent the total only")),
        (TOTAL, "city", False, ("reach by city", "sent the total only")),
        ({"value": 0}, "city", True, None),
        ({"breakdowns": [EMPTY]}, "city", True, None),  # no number at all: that is told as such
    ],
)
def test_half_of_an_answer_is_missing(
    total_value: dict[str, Any], requested: str, wants_total: bool, missing: tuple[str, str] | None
) -> None:
    """A breakdown without the total that was asked for, or a total without its breakdown, is told by name."""
    entry = {"name": "reach", "total_value": total_value}
    numbers = read_numbers(entry, requested=requested)
    found = find_missing_half(entry, numbers, requested=requested, wants_total=wants_total)
    assert (found and found[0]) == (missing and missing[0])
    assert not missing or (found and missing[1] in found[1])


@pytest.mark.parametrize(
    ("entry", "numbers", "noted"),
    [
        ({"values": [{"value": {"DE": 5}}]}, [], "a value is an object"),
        ({"values": [{"value": {}}]}, [], ""),
        ({"values": [{"value": 5}, {"value": 6}]}, [5, 6], ""),
        ({"total_value": {"value": 5}}, [5], ""),
        ({"total_value": {"breakdowns": []}}, [], ""),
        ({"total_value": {}}, [], "total_value has neither a value nor breakdowns."),
        ({"total_value": {"value": 2**60}}, [2**60], ""),
        ({"values": [{"value": -(2**60)}]}, [-(2**60)], ""),
        ({"values": [{"value": 10**40}]}, [], "a value is a number that its column cannot store."),
        ({"values": [{"value": True}]}, [], "a value is true or false"),
    ],
)
def test_what_stands_where_a_number_should(entry: dict[str, Any], numbers: list[int], noted: str) -> None:
    """A whole number of any size that fits is read; an object nobody asked for is none, and empty is silent."""
    notes = list[str]()
    assert [number.value for number in read_numbers(entry, note=notes.append)] == numbers
    assert bool(notes) == bool(noted)
    assert not noted or notes[0].startswith(noted)


def test_contradictions_cost_both_numbers_and_no_other() -> None:
    """Equal numbers are one row, different ones none, however often they come."""
    notes: list[tuple[str, str]] = []
    given = [("a", 1), ("b", 1), ("c", 1), ("b", 1), ("a", 2), ("a", 1), ("a", 3), ("d", 0)]
    rows = keep_distinct(
        ((key, {"metric": key, "value": value}) for key, value in given), lambda *note: notes.append(note[:2])
    )
    assert [(row["metric"], row["value"]) for row in rows] == [("b", 1), ("c", 1), ("d", 0)]
    assert notes == [("a", "Contradictory")]


@pytest.mark.parametrize(
    ("breakdown", "group"),
    [
        ("", {"account_id": ("1",), "metric_date": ("2026-11-20",), "breakdown": ("",)}),
        ("city", {"account_id": ("1",), "metric_date": ("2026-11-20",), "breakdown": ("", "city")}),
        ("age,gender", {"account_id": ("1",), "metric_date": ("2026-11-20",)}),
    ],
)
def test_what_all_rows_of_an_answer_share(breakdown: str, group: dict[str, tuple[str, ...]]) -> None:
    """An answer brings the total beside its breakdown; the order of several dimensions is Meta's."""
    assert name_group(breakdown, account_id=["1"], metric_date=[date(2026, 11, 20)]) == group


@pytest.mark.parametrize(
    ("values", "joined"),
    [(["a|b\\"], "a|b\\"), (["a", "b"], "a|b"), (["a|b", "c\\", ""], r"a\|b|c\\|"), ([], "")],
)
def test_values_of_several_dimensions_are_one_text(values: list[str], joined: str) -> None:
    """Inside several, the sign between them is escaped; one alone stays as Meta sent it."""
    assert join_values(values) == joined


def broken_down(*results: Any, keys: Any = ("city",)) -> dict[str, Any]:
    """Return an answer with this breakdown."""
    return {"name": "reach", "total_value": {"breakdowns": [{"dimension_keys": list(keys), "results": list(results)}]}}


@pytest.mark.parametrize(
    ("keys", "requested", "is_read"),
    [
        (["city"], "city", True),
        (["city"], None, True),
        (["timeframe", "city"], "city", True),
        (["gender", "age"], "age,gender", True),
        (["country"], "city", False),
        (["city", "age"], "city", False),
        (["city"], "city,age", False),
        (["city", "city"], "city", False),
        (["city", "city"], None, False),
        (["timeframe"], None, False),
        (["timeframe"], "city", False),
        ([], None, False),
        ([None], None, False),
        (["city"], "", False),  # only the total was requested
    ],
)
def test_only_the_requested_dimensions_are_read(keys: list[Any], requested: str | None, is_read: bool) -> None:
    """In any order, the timeframe aside; what was not requested would have the key of something else."""
    values = ["this_week" if key == "timeframe" else f"a {key}" for key in keys]
    entry, notes = broken_down({"dimension_values": values, "value": 5}, keys=keys), list[str]()
    numbers = read_numbers(entry, requested=requested, note=notes.append)
    assert [number.value for number in numbers] == ([5] if is_read else [])
    assert bool(notes) == (not is_read and requested != "")


def test_a_bad_result_costs_no_other() -> None:
    """Results with too few values, or a timeframe of no known form, are noted; those after them are read."""
    notes = list[str]()
    entry = broken_down(
        {"dimension_values": ["this_week"], "value": 1},
        {"dimension_values": ["?", "Rome"], "value": 2},
        {"dimension_values": ["this_week", "Łódź"], "value": 3},
        {"dimension_values": ["last_14_days", "Rome"], "value": 4},
        keys=("timeframe", "city"),
    )
    numbers = read_numbers(entry, requested="city", note=notes.append)
    assert [(each.value, each.breakdown_value, each.timeframe) for each in numbers] == [
        (3, "Łódź", "this_week"),
        (4, "Rome", "last_14_days"),
    ]
    assert len(notes) == 2
