"""The page itself: it can ask no server for anything, no text breaks it, it is read aloud, and it is small."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, ACCOUNTS, MEDIA, MEDIA_INSIGHTS, STORY_INSIGHTS
from airflow_provider_iginsights.report.page import read_text
from tests.support.report_pages import ReadPage, build, contrast, digest, list_colors
from tests.support.report_rows import HOSTILE, LAST, MonthRows, make_month

pytest.importorskip("vl_convert", reason="needs the extra report")

Rows = dict[str, Any]
DAY = timedelta(days=1)
MOST_BYTES = 1_550_000  # the script of the charts, most of it, is 500 bytes longer in some releases
TEXT_COLORS = ("--ink", "--muted", "--link", "--blue", "--orange", "--teal", "--purple", "--pink")
SECTIONS = ["daily", "views", "posts", "stories", "audience", "hours", "coverage", "notes"]


def take(month: MonthRows) -> Rows:
    """Return the rows as BigQuery would answer, for the sections with the most marks."""

    def parse(row: Rows) -> Rows:
        made = dict(row)
        for name, value in row.items():
            if name.endswith("_date"):
                made[name] = date.fromisoformat(value)
            elif name.endswith("_at") and value:
                made[name] = datetime.fromisoformat(value)
            elif name == "value":
                made[name] = Decimal(value)
        return made

    def select(table: Any, choose: Callable[[Rows], bool] = lambda row: True) -> list[Rows]:
        rows = [parse(row) for row in month.tables[table]]
        return [row for row in rows if row["account_id"] == "17841405822304914" and choose(row)]

    readings = select(MEDIA_INSIGHTS)
    newest = {(row["media_id"], row["metric"]): row for row in sorted(readings, key=lambda row: row["fetched_at"])}
    days = [{"day": day, "count": 3, "read_last": datetime(2026, 11, 21, 9, tzinfo=UTC)} for day in month.days]
    return {
        "profiles": select(ACCOUNTS),
        "daily": select(ACCOUNT_INSIGHTS, lambda row: row["period"] == "day"),
        "online": select(ACCOUNT_INSIGHTS, lambda row: row["breakdown"] == "hour"),
        "audience": select(
            ACCOUNT_INSIGHTS, lambda row: row["timeframe"] == "this_week" and row["metric_date"] == LAST + DAY
        ),
        "posts": select(MEDIA),
        "post_numbers": list(newest.values()),
        "stories": select(STORY_INSIGHTS, lambda row: row["is_final"]),
        "coverage": dict.fromkeys(("account numbers", "profile", "posts and reels", "story polls"), days),
        "read_ages": lambda metric, ids: [
            row for row in readings if row["metric"] == metric and row["media_id"] in ids
        ],
    }


@pytest.fixture(scope="module")
def month() -> MonthRows:
    """Return 400 days with 400 posts and 300 stories."""
    return make_month(days=400, posts=400, stories=300)


@pytest.fixture(scope="module")
def rows(month: MonthRows) -> Rows:
    """Return what BigQuery would answer."""
    return take(month)


@pytest.fixture(scope="module")
def page(month: MonthRows, rows: Rows) -> ReadPage:
    """Make the page with the script."""
    return build((month.days[0], month.days[-1]), charts="interactive", **rows)


@pytest.fixture(scope="module")
def static() -> ReadPage:
    """Make a month's page without a script."""
    month = make_month(stories=0)
    return build((month.days[0], month.days[-1]), charts="static", **take(month))


def test_it_asks_no_server(page: ReadPage, static: ReadPage) -> None:
    """The policy forbids every request, and no element names a source; its one script is the one that it allows."""
    for each in (page, static):
        assert "default-src 'none'" in each.policy
        assert "base-uri 'none'; form-action 'none'" in each.policy
        assert "unsafe-eval" not in each.policy
        assert not {"img", "link", "iframe", "object", "base", "form"} & {tag for tag, _ in each.attributes}
        for tag, attributes in each.attributes:
            assert not {"src", "srcset", "action"} & attributes.keys(), tag
            assert not [name for name in attributes if name.startswith("on")], tag
    data, script = page.scripts
    assert digest(script) in page.policy
    assert json.loads(data)
    assert static.scripts == []
    assert "script-src 'none'" in static.policy


def test_links_lead_to_instagram_only(page: ReadPage) -> None:
    """A permalink that is none is no link."""
    targets = {attributes.get("href") or "" for tag, attributes in page.attributes if tag == "a"}
    assert {target for target in targets if not target.startswith("#")}
    for target in targets:
        assert target.startswith(("#", "https://www.instagram.com/")), target


def test_it_is_small(page: ReadPage, static: ReadPage) -> None:
    """400 days, 400 posts and 300 stories fit into about 1.5 MB; a month without the script is a small attachment."""
    assert len(page.html.encode()) <= MOST_BYTES
    assert len(static.html.encode()) <= 400_000


def test_no_text_breaks_out(page: ReadPage, static: ReadPage) -> None:
    """Hostile captions are text in the table and in the charts: no element, no end of a script, no other direction."""
    for each in (page, static):
        assert each.tags == []
        assert not re.search("[\u202a-\u202e\u0000-\u0008]", each.html)
    assert len(page.scripts) == 2
    assert "</script" not in page.scripts[0]
    told = [row[0] for row in static.list_rows("best")]
    assert HOSTILE[0] in told
    assert "<b>bold</b> line &amp; line" in told
    assert not {"b", "img"} & {tag for tag, _ in (*page.attributes, *static.attributes)}


@pytest.mark.parametrize("charts", ["interactive", "static"])
def test_signs_that_xml_does_not_know(charts: Any) -> None:
    """Wherever Meta's words stand, they are left out, and the charts are drawn all the same."""
    odd = "a\0\x1b\u202e\uffff\ufffeb"
    post = POST | {"caption": odd, "media_product_type": odd}
    made = build(
        (LAST, LAST),
        charts=charts,
        daily=[
            {
                "metric": "views",
                "breakdown": "media_product_type",
                "breakdown_value": odd,
                "metric_date": LAST,
                "value": 1,
            }
        ],
        audience=[
            {"breakdown": name, "breakdown_value": odd, "metric_date": LAST, "value": 1}
            for name in ("age", "gender", "country", "city")
        ],
        posts=[post],
        post_numbers=[{"media_id": "1", "metric": "views", "snapshot_date": LAST, "value": 1}],
        profiles=[{"snapshot_date": LAST, "username": "a", "name": odd, "followers_count": 1}],
    )
    drawn = made.html.partition("<script>")[0]
    assert not re.search("[\0\x1b\u202e\uffff\ufffe]|u0000|u001b", drawn)
    assert made.texts["h1"] == ["ab (@a)"]
    for key in ("audience-gender", "best", "audience-age"):
        assert made.list_rows(key)[0][0] == "ab"


def test_every_chart_is_vega_lite(page: ReadPage) -> None:
    """The schema of Vega-Lite, as altair brings it, takes each of them."""
    altair = pytest.importorskip("altair")
    jsonschema = pytest.importorskip("jsonschema")
    [path] = Path(altair.__file__).parent.glob("vegalite/v6/schema/vega-lite-schema.json")
    validator = jsonschema.Draft7Validator(json.loads(path.read_text("utf-8")))
    assert len(page.specs) >= 8
    for key, spec in page.specs.items():
        for part in spec["layer"]:
            part["data"]["values"] = part["data"]["values"][:2]
        assert list(validator.iter_errors(spec)) == [], key


def test_every_mark_has_a_name(static: ReadPage) -> None:
    """What is not decoration says its name and number; each figure and table has a title of its own."""
    pictures = re.findall(r"<svg.*?</svg>", static.html, re.DOTALL)
    assert len(pictures) >= 8
    for picture in pictures:
        marks = re.findall(r'<(?:path|text|line)[^>]*role="graphics-symbol"[^>]*>', picture)
        assert marks
        assert all(re.search(r'aria-label="[^"]+: [^"]+"', mark) for mark in marks)
    assert 'aria-label="Day: 20 Nov; Reach: ' in static.html
    ids = [attributes["id"] for _, attributes in static.attributes if attributes.get("id")]
    assert len(ids) == len(set(ids))
    for tag, attributes in static.attributes:
        if named := attributes.get("aria-labelledby"):
            assert named in ids, tag
    assert static.texts["h1"] == ["Nordlicht Coffee (@nordlicht.coffee)"]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_colors_can_be_told_from_the_page(dark: bool) -> None:
    """Text and lines have a contrast of 4.5 or more, on the page and on its cards."""
    colors = list_colors(read_text("style.css"), dark=dark)
    for name in TEXT_COLORS:
        for ground in ("--page", "--card") if name in TEXT_COLORS[:3] else ("--page",):
            assert contrast(colors[name], colors[ground]) >= 4.5, (name, ground)


def test_print_is_light() -> None:
    """The dark colours are for screens alone."""
    style = read_text("style.css")
    assert style.count("prefers-color-scheme") == style.count("@media screen and (prefers-color-scheme: dark)") == 1


POST: Rows = {
    "media_id": "1",
    "media_product_type": None,
    "caption": None,
    "permalink": None,
    "published_at": datetime(2026, 11, 20, 12, tzinfo=UTC),
    "published_date": LAST,
}
ODD: dict[str, Rows] = {
    "nothing": {},
    "a profile alone": {"profiles": [{"snapshot_date": LAST, "username": None, "name": None, "followers_count": None}]},
    "a post without numbers": {"posts": [POST]},
    "a post without a date": {"posts": [POST | {"published_at": None}]},
    "nulls": {
        "daily": [
            {"metric": "reach", "breakdown": "", "breakdown_value": "", "metric_date": LAST, "value": None},
            {
                "metric": "views",
                "breakdown": "media_product_type",
                "breakdown_value": "",
                "metric_date": LAST,
                "value": None,
            },
        ],
        "online": [{"metric_date": LAST, "breakdown_value": "3", "value": None}],
        "audience": [{"breakdown": "age", "breakdown_value": "18-24", "metric_date": LAST, "value": None}],
        "posts": [POST],
        "post_numbers": [{"media_id": "1", "metric": "views", "snapshot_date": LAST, "value": None}],
        "stories": [
            {
                "media_id": "2",
                "published_at": POST["published_at"],
                "metric": "views",
                "breakdown": "",
                "breakdown_value": "",
                "snapshot_at": POST["published_at"],
                "value": None,
                "is_final": None,
            }
        ],
    },
    "an odd hour": {"online": [{"metric_date": LAST, "breakdown_value": "٣", "value": Decimal(4)}]},
    "an unknown product": {
        "daily": [
            {
                "metric": "views",
                "breakdown": "media_product_type",
                "breakdown_value": f"N{n}",
                "metric_date": LAST,
                "value": n,
            }
            for n in range(1, 9)
        ]
    },
    "zeros": {
        "daily": [
            {"metric": "reach", "breakdown": "", "breakdown_value": "", "metric_date": LAST, "value": Decimal(0)}
        ],
        "posts": [POST],
        "post_numbers": [
            {"media_id": "1", "metric": name, "snapshot_date": LAST, "value": Decimal(0)}
            for name in ("views", "reach", "total_interactions")
        ],
    },
}


@pytest.mark.parametrize("rows", ODD.values(), ids=ODD)
def test_little_is_a_page_too(rows: Rows) -> None:
    """One day with hardly anything has all its sections, says what is not there, and no number that is not."""
    made = build((LAST, LAST), zone="Asia/Kolkata", **rows)
    assert made.tags == []
    assert [attributes["id"] for tag, attributes in made.attributes if tag == "section"] == SECTIONS
    assert len(made.list_rows("reach")) == 1
    if "post_numbers" not in rows or rows["post_numbers"][0]["value"] is None:
        assert not re.search(r"<td[^>]*>0(\.0 %)?</td>", made.html.partition('id="table-hours"')[0])


def test_an_account_that_was_unavailable() -> None:
    """Days in a row are told once, by who asked and why."""
    asked = [
        {"snapshot_date": LAST - DAY * n, "transfer": "media_insights", "reason": "AccountUnavailable"}
        for n in (3, 2, 0)
    ]
    told = f"{LAST - DAY * 3} to {LAST - DAY * 2}, {LAST}"
    assert (
        f"The account was unavailable to media_insights on {told}: AccountUnavailable."
        in build((LAST - DAY * 5, LAST), unavailable=asked).texts["li"]
    )


def test_runs_that_did_not_end_well() -> None:
    """Each way to end is told once with its days, also where several runs of a day ended so; and what was left out."""
    row = {"transfer": "media_insights", "status": "done", "reason": None, "left_out": 0, "run_date": LAST}
    throttled = row | {"status": "not_whole", "reason": "Throttled", "run_date": LAST - DAY}
    told = build((LAST - DAY, LAST), runs=[throttled, throttled | {"left_out": 3}, row | {"left_out": 1_200}]).texts[
        "li"
    ]
    assert f"Runs of media_insights ended not whole (Throttled) for the account: {LAST - DAY}." in told
    assert "Runs of media_insights left out 1,203 values that were refused or could not be read." in told


def test_what_was_left_out() -> None:
    """Each metric and reason with three objects and how many more, in days; markup in it is text; ten and no more."""
    row = {"reason": "Unreadable", "what": "reach", "first_day": LAST - DAY, "last_day": LAST}
    many = [row | {"object": f"media {n}"} for n in range(1, 6)]
    odd = {"what": "<b>x</b>\u202e" * 40, "reason": "</li>", "object": "<script>" + "y" * 300}
    one = row | odd | {"first_day": LAST}
    more = [row | {"what": f"m{n}", "object": "media 1"} for n in range(12)]
    told = build((LAST - DAY, LAST), left_out=[*many, one, *more])
    assert f"Examples of reach left out (Unreadable) between {LAST - DAY} and {LAST}: " in " ".join(told.texts["li"])
    assert "media 1, media 2, media 3 and 2 more." in " ".join(told.texts["li"])
    [escaped] = [text for text in told.texts["li"] if "<b>" in text]
    assert f"(</li>) on {LAST}: <script>" in escaped
    assert len(escaped) < 300
    assert "\u202e" not in told.html
    assert not {"b", "script"} & {tag for tag, _ in told.attributes}
    assert len([text for text in told.texts["li"] if text.startswith("Examples of ")]) == 10
    assert "4 more reasons and metrics have examples in the table of what was left out." in told.texts["li"]
    assert "left out" not in " ".join(build((LAST, LAST)).texts["li"])


EARLY, LATE, WEBHOOK = (datetime(year, 11, 20, 9, tzinfo=UTC) for year in (2025, 2026, 9999))
STORY: Rows = {"media_id": "2", "published_at": POST["published_at"], "breakdown": "", "is_final": True}


@pytest.mark.parametrize(
    ("numbers", "cells"),
    [
        ({"views": 10, "exits": 4, "taps_forward": 3, "taps_back": 2}, ["10", "3", "2", "4", "60.0 %"]),
        ({"views": 10, "exits": 4, "tap_exit": 5}, ["10", "–", "–", "5", "50.0 %"]),
        ({"views": 10, "exits": (WEBHOOK, 4), "tap_exit": 2}, ["10", "–", "–", "4", "80.0 %"]),
        ({"views": (WEBHOOK, 10), "exits": (WEBHOOK, 4), "tap_exit": 2}, ["10", "–", "–", "4", "60.0 %"]),
        ({"views": 10, "exits": (EARLY, 4), "tap_exit": 2}, ["10", "–", "–", "2", "80.0 %"]),
        ({"views": (WEBHOOK, 10), "tap_exit": 2}, ["10", "–", "–", "2", "80.0 %"]),
        ({"views": 10, "exits": 10}, ["10", "–", "–", "10", "0.0 %"]),
        ({"views": 10, "exits": 11}, ["10", "–", "–", "11", "–"]),
        ({"views": 0, "exits": 0}, ["0", "–", "–", "0", "–"]),
    ],
)
def test_how_viewers_went_on(numbers: dict[str, Any], cells: list[str]) -> None:
    """Navigation by action, or what the webhook calls it: the later of both; completion is of numbers read together.

    Of more exits than views nobody knows the completion.
    """
    rows = []
    for name, given in numbers.items():
        moment, value = given if isinstance(given, tuple) else (LATE, given)
        part = {"metric": name, "breakdown_value": ""}
        if name == "tap_exit":
            part = {"metric": "navigation", "breakdown": "story_navigation_action_type", "breakdown_value": name}
        rows.append(STORY | part | {"value": Decimal(value), "snapshot_at": moment})
    [row] = build((LAST, LAST), stories=rows).list_rows("stories")
    assert [row[1], *row[4:8]] == cells


def test_zero_is_a_number_and_its_share_none() -> None:
    """0 stays 0; a rate by a reach of 0 is no number."""
    made = build((LAST, LAST), **ODD["zeros"])
    assert made.list_rows("reach")[0][1] == "0"
    assert made.list_rows("best")[0][-1] == "–"


def test_more_product_types_than_colors() -> None:
    """The smallest are drawn together, and the table has each of them."""
    made = build((LAST, LAST), charts="interactive", **ODD["an unknown product"])
    drawn = {value["kind"]: value["views"] for value in made.specs["chart-products"]["layer"][-1]["data"]["values"]}
    assert drawn == {"N8": 8, "N7": 7, "N6": 6, "N5": 5, "Other types": 10}
    assert made.tables["table-products"][0][1:] == [f"N{n}" for n in range(8, 0, -1)]
