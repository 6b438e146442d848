"""What since and until mean: reading them, choosing a window without them, and the Pacific days it covers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lazy_object_proxy import Proxy

from airflow_provider_iginsights.catalog.account_metrics import HISTORY_DAYS, RECENT_DAYS
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.pacific import (
    day_before,
    days_closing,
    pacific_date,
    pacific_day_bounds,
    pacific_midnight,
    request_window,
    split_by_history,
    split_into_requests,
)
from airflow_provider_iginsights.window import (
    LOOKBACK_DAYS,
    REFRESH_DAYS,
    RULES,
    Rule,
    RunDates,
    Window,
    WindowBound,
    parse_window_bound,
    resolve_window,
)

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
DAY = timedelta(days=1)
NO_RUN = RunDates()


def utc(text: str) -> datetime:
    """Return the instant that ``text`` (ISO, UTC) names."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def interval(start: str, end: str, previous: str | None = None, *, by_hand: bool = False) -> RunDates:
    """Return the facts of a run with this data interval."""
    return RunDates(
        data_interval_start=utc(start),
        data_interval_end=utc(end),
        previous_success_end=utc(previous) if previous else None,
        is_manual=by_hand,
    )


def midnight(day: date) -> datetime:
    """Return Pacific midnight by the United States' rule: summer from March's 2nd Sunday to November's 1st."""
    march, november = date(day.year, 3, 8), date(day.year, 11, 1)
    spring, autumn = (first + timedelta(days=(6 - first.weekday()) % 7) for first in (march, november))
    return datetime(day.year, day.month, day.day, 7 if spring < day <= autumn else 8, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-11-20", "2026-11-20T08:00"),
        ("2026-07-04", "2026-07-04T07:00"),
        ("20261120", "2026-11-20T08:00"),
        (20261120, "2026-11-20T08:00"),
        (" 2026-11-20 ", "2026-11-20T08:00"),
        (date(2026, 11, 20), "2026-11-20T08:00"),
        (1795132800, "2026-11-20T00:00"),
        (1795132800.0, "2026-11-20T00:00"),
        ("1795132800.0", "2026-11-20T00:00"),
        ("1795132800", "2026-11-20T00:00"),
        ("1795132800.25", "2026-11-20T00:00:00.25"),
        (1795132800.25, "2026-11-20T00:00:00.25"),
        ("1795132800.123456789", "2026-11-20T00:00:00.123456"),
        ("1795132800.000000", "2026-11-20T00:00"),
        ("2026-W47-5", "2026-11-20T08:00"),
        ("2026W475", "2026-11-20T08:00"),
        ("2026-W47-5T00:00:00Z", "2026-11-20T00:00"),
        ("2026-11-20T00:00:00+00:00", "2026-11-20T00:00"),
        ("2026-11-20 00:00:00+00:00", "2026-11-20T00:00"),
        ("2026-11-20T00:00:00Z", "2026-11-20T00:00"),
        ("2026-11-20T00:00:00.250000+01:00", "2026-11-19T23:00:00.25"),
        ("2026-11-20T00:00:00", "2026-11-20T00:00"),
        ("20261120T000000", "2026-11-20T00:00"),
        ("20261120T000000+0000", "2026-11-20T00:00"),
        (datetime(2026, 11, 20), "2026-11-20T00:00"),  # noqa: DTZ001 - the naive case
        (datetime(2026, 11, 20, tzinfo=ZoneInfo("Asia/Tokyo")), "2026-11-19T15:00"),
    ],
)
def test_reads_every_form_of_an_instant(value: WindowBound, instant: str) -> None:
    """Dates are Pacific, naive instants UTC, ten digits Unix seconds with any fraction, eight digits a date."""
    until = utc(instant) + DAY
    assert resolve_window(value, until, run=RunDates(), now=until).since == utc(instant)


@pytest.mark.parametrize("value", [None, "", "  ", "None", Proxy(lambda: None)])
def test_reads_an_empty_rendering_as_not_given(value: WindowBound) -> None:
    """What a template renders for a missing value counts as left out."""
    assert parse_window_bound(value) is None


@pytest.mark.parametrize(
    "value",
    [
        "yesterday",
        "2026-13-01",
        "1795132800000",
        "-5",
        "{{ ds }}",
        0,
        -1,
        True,
        1.5,
        "1026-11-20",
        "9999-12-31",
        "2026-11",
        "2026-W47",
        "2026W47",
        "2026-W47T08:00",
        "2026-W47 08:00:00Z",
        "1795132800.",
        "1795132800.5.5",
        "1795132800,5",
    ],
)
def test_refuses_what_is_no_instant(value: WindowBound) -> None:
    """A value that cannot be read is named together with its argument."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_window(None, value, run=NO_RUN, now=NOW)
    assert f"until={value!r}" in str(caught.value)


@pytest.mark.parametrize("year", [2000, 2299])
@pytest.mark.parametrize("form", ["{}-06-15", "{}-06-15T12:00:00Z"])
def test_reads_years_of_these_centuries(year: int, form: str) -> None:
    """The first and the last year that are read; the year beside each of them is taken for a slip."""
    bound = parse_window_bound(form.format(year))
    assert bound is not None
    assert bound.year == year
    with pytest.raises(ConfigurationError):
        parse_window_bound(form.format({2000: 1999, 2299: 2300}[year]))


@pytest.mark.parametrize(
    ("run", "since", "until", "rule", "days"),
    [
        (
            interval("2026-11-20T00:00", "2026-11-21T00:00"),
            "2026-11-20T00:00",
            "2026-11-21T00:00",
            "data_interval",
            ["2026-11-19"],
        ),
        (
            interval("2026-11-20T08:00", "2026-11-21T08:00"),
            "2026-11-20T08:00",
            "2026-11-21T08:00",
            "data_interval",
            ["2026-11-20"],
        ),
        (
            interval("2026-11-21T00:00", "2026-11-21T00:00"),
            "2026-11-20T00:00",
            "2026-11-21T00:00",
            "one_day",
            ["2026-11-19"],
        ),
        (
            interval("2026-11-21T00:00", "2026-11-21T00:00", "2026-11-18T00:00"),
            "2026-11-18T00:00",
            "2026-11-21T00:00",
            "since_previous_success",
            ["2026-11-17", "2026-11-18", "2026-11-19"],
        ),
        (
            interval("2026-11-10T00:00", "2026-11-10T00:00", "2026-11-21T00:00"),
            "2026-11-09T00:00",
            "2026-11-10T00:00",
            "one_day",
            ["2026-11-08"],
        ),
        (
            interval("2026-11-10T00:00", "2026-11-10T00:00", "2026-11-10T00:00"),
            "2026-11-09T00:00",
            "2026-11-10T00:00",
            "one_day",
            ["2026-11-08"],
        ),
        (
            RunDates(data_interval_start=utc("2026-11-10T00:00"), partition_date=date(2026, 11, 20)),
            "2026-11-20T08:00",
            "2026-11-21T08:00",
            "partition_date",
            ["2026-11-20"],
        ),
        (
            RunDates(partition_date=date(2026, 11, 20)),
            "2026-11-20T08:00",
            "2026-11-21T08:00",
            "partition_date",
            ["2026-11-20"],
        ),
        (
            RunDates(partition_date=utc("2026-11-20T00:00")),
            "2026-11-20T08:00",
            "2026-11-21T08:00",
            "partition_date",
            ["2026-11-20"],
        ),
        (
            RunDates(run_after=utc("2026-11-15T14:32")),
            "2026-11-14T08:00",
            "2026-11-15T14:32",
            "last_closed_day",
            ["2026-11-14"],
        ),
        (NO_RUN, "2026-11-20T08:00", "2026-11-21T18:00", "last_closed_day", ["2026-11-20"]),
    ],
)
def test_chooses_a_window_by_rule(run: RunDates, since: str, until: str, rule: str, days: list[str]) -> None:
    """Without since and until, the run's own facts decide, in a fixed order, and the rule is recorded."""
    window = resolve_window(None, "None", run=run, now=NOW)
    assert (window.since, window.until, window.rule) == (utc(since), utc(until), rule)
    assert [str(day) for day in window.days()] == days


def test_every_rule_is_told_in_words() -> None:
    """Whatever rule chose a window, the log and the summary can say it."""
    assert set(RULES) == set(get_args(Rule))
    assert all(RULES.values())


@pytest.mark.parametrize(
    ("run", "since", "until", "rule", "days"),
    [
        (
            interval("2026-11-21T14:32", "2026-11-21T14:32", "2026-11-21T11:00", by_hand=True),
            "2026-11-20T08:00",
            "2026-11-21T14:32",
            "last_closed_day",
            ["2026-11-20"],
        ),
        (
            interval("2026-11-21T14:32", "2026-11-21T14:32", "2026-11-18T11:00", by_hand=True),
            "2026-11-18T11:00",
            "2026-11-21T14:32",
            "since_previous_success",
            ["2026-11-18", "2026-11-19", "2026-11-20"],
        ),
        (
            interval("2026-11-21T13:00", "2026-11-21T14:00", by_hand=True),
            "2026-11-20T08:00",
            "2026-11-21T14:00",
            "last_closed_day",
            ["2026-11-20"],
        ),
        (
            interval("2026-11-10T00:00", "2026-11-10T00:00", "2026-11-09T20:00", by_hand=True),
            "2026-11-08T08:00",
            "2026-11-10T00:00",
            "last_closed_day",
            ["2026-11-08"],
        ),
        (
            interval("2026-11-22T02:00", "2026-11-22T02:00", "2026-11-21T20:00", by_hand=True),
            "2026-11-20T08:00",
            "2026-11-22T02:00",
            "last_closed_day",
            ["2026-11-20"],
        ),
    ],
)
def test_a_run_by_hand_never_covers_nothing(run: RunDates, since: str, until: str, rule: str, days: list[str]) -> None:
    """Where the interval of a manual run ends no day, it covers the last closed one; days missed since are not lost."""
    window = resolve_window(None, None, run=run, now=NOW)
    assert (window.since, window.until, window.rule) == (utc(since), utc(until), rule)
    assert [str(day) for day in window.days()] == days


@pytest.mark.parametrize(
    "run",
    [
        interval("2026-11-21T00:00", "2026-11-21T00:00"),
        interval("2026-11-21T00:00", "2026-11-21T00:00", "2026-11-18T00:00"),
        interval("2026-11-20T00:00", "2026-11-21T00:00"),
        interval("2026-11-20T23:00", "2026-11-21T00:00", by_hand=True),
    ],
    ids=["a point", "a point after failures", "a day", "an hour, by hand"],
)
@pytest.mark.parametrize("until", ["2026-11-21T00:00:00+00:00", datetime(2026, 11, 21, tzinfo=UTC), None, "None"])
def test_the_runs_own_interval_given_as_templates_is_the_run(until: WindowBound, run: RunDates) -> None:
    """What the templates of the data interval render is no window of its own: the run decides, as without them."""
    given = resolve_window(str(run.data_interval_start), until, run=run, now=NOW)
    assert given == resolve_window(None, None, run=run, now=NOW)


def test_catches_up_at_most_thirty_days() -> None:
    """A previous success of long ago does not open a window of months."""
    window = resolve_window(
        None, None, run=interval("2026-11-21T00:00", "2026-11-21T00:00", "2026-01-01T00:00"), now=NOW
    )
    assert (window.since, window.rule, len(window.days())) == (utc("2026-10-22T00:00"), "since_previous_success", 30)


DAILY = interval("2026-11-20T00:00", "2026-11-21T00:00")


@pytest.mark.parametrize(
    ("since", "until", "run", "rule", "days"),
    [
        ("2026-11-18", None, DAILY, "given_date", ["2026-11-18"]),
        ("2026-11-18", "", NO_RUN, "given_date", ["2026-11-18"]),
        (None, "2026-11-18", DAILY, "given_date", ["2026-11-17"]),
        ("2026-11-18T00:00:00Z", None, DAILY, "given_since", ["2026-11-17", "2026-11-18", "2026-11-19"]),
        ("2026-11-18T08:00:00Z", None, NO_RUN, "given_since", ["2026-11-18", "2026-11-19", "2026-11-20"]),
        (None, "2026-11-21T08:00:00Z", DAILY, "given_until", ["2026-11-19", "2026-11-20"]),
        (None, "2026-10-02T12:00:00Z", NO_RUN, "given_until", ["2026-10-01"]),
        (None, "2026-11-25T00:00:00Z", NO_RUN, "given_until", ["2026-11-20"]),
        (None, "2026-11-19T00:00:00Z", interval("2026-11-21T00:00", "2026-11-21T00:00"), "given_until", ["2026-11-17"]),
        ("2026-11-18", "2026-11-20", DAILY, "given", ["2026-11-18", "2026-11-19"]),
        ("2026-11-20T00:00:00+00:00", "2026-11-21T00:00:00+00:00", NO_RUN, "given", ["2026-11-19"]),
    ],
)
def test_fills_in_the_side_that_is_not_given(
    since: WindowBound, until: WindowBound, run: RunDates, rule: str, days: list[str]
) -> None:
    """A date alone is one Pacific day; an instant alone takes its other end from the run."""
    window = resolve_window(since, until, run=run, now=NOW)
    assert (window.rule, [str(day) for day in window.days()]) == (rule, days)


@pytest.mark.parametrize(
    ("since", "until", "words"),
    [
        ("2026-11-21", "2026-11-20", ["'2026-11-21'", "'2026-11-20'", "before"]),
        ("2026-11-20", "2026-11-20", ["'2026-11-20'", 'since="2026-11-20" alone']),
        (
            "2026-11-21T00:00:00+00:00",
            "2026-11-21 00:00:00+00:00",
            [
                "'2026-11-21T00:00:00+00:00'",
                "'2026-11-21 00:00:00+00:00'",
                'CronDataIntervalTimetable("0 0 * * *", timezone="America/Los_Angeles")',
            ],
        ),
        ("2026-11-21T12:00:00Z", None, ["2026-11-21T12:00:00Z", "until from the run (2026-11-21T00:00:00Z)"]),
        ("2027-01-01", "2027-01-02", ["2027-01-01", "future"]),
    ],
)
def test_refuses_a_window_that_runs_backward_or_ahead(since: WindowBound, until: WindowBound, words: list[str]) -> None:
    """Both values are named, and the cure where they are equal."""
    with pytest.raises(ConfigurationError) as caught:
        resolve_window(since, until, run=DAILY, now=NOW)
    assert [word for word in words if word not in str(caught.value)] == []


def test_reads_the_days_before_again() -> None:
    """lookback_days counts back from the first day of the window, and ``earliest`` cuts what is too early."""
    window = resolve_window("2026-11-19", "2026-11-21", run=NO_RUN, now=NOW)
    assert window.days(3) == tuple(date(2026, 11, day) for day in (16, 17, 18, 19, 20))
    assert window.days(3, earliest=date(2026, 11, 18)) == tuple(date(2026, 11, day) for day in (18, 19, 20))


def test_a_day_still_open_is_left_out_but_its_lookback_is_read() -> None:
    """At midnight UTC the Pacific day of ``{{ ds }}`` is still open: it is not covered, and it says until when."""
    window = resolve_window("2026-11-20", None, run=NO_RUN, now=utc("2026-11-21T00:00"))
    assert window.days() == ()
    assert window.days(2) == (date(2026, 11, 18), date(2026, 11, 19))
    assert "2026-11-20 is left out because it is still open until 2026-11-21T08:00:00Z" in window.explain()


@pytest.mark.parametrize(
    ("now", "days", "whom", "until"),
    [
        ("2026-11-20T07:59:59", [], "2026-11-19 to 2026-11-21", "2026-11-22T08:00:00Z"),
        ("2026-11-20T08:00:00", ["2026-11-19"], "2026-11-20 to 2026-11-21", "2026-11-22T08:00:00Z"),
        ("2026-11-22T07:59:59", ["2026-11-19", "2026-11-20"], "2026-11-21", "2026-11-22T08:00:00Z"),
        ("2026-11-22T08:00:00", ["2026-11-19", "2026-11-20", "2026-11-21"], None, None),
    ],
)
def test_a_day_is_over_at_the_very_midnight(now: str, days: list[str], whom: str | None, until: str | None) -> None:
    """A second earlier it is open; the days that wait are named, from the first to the last."""
    window = resolve_window("2026-11-19", "2026-11-22", run=NO_RUN, now=utc(now))
    assert [str(day) for day in window.days()] == days
    told = f"Pacific day {whom} is left out because it is still open until {until} (now {now}Z); a later run reads it"
    assert window.explain().startswith(told if whom else "")
    assert bool(window.explain()) == bool(whom)


def test_a_window_may_begin_a_day_ahead_and_no_more() -> None:
    """A run started before its interval begins is no slip of the pen; a second more is."""
    ahead = NOW + DAY
    assert resolve_window(ahead, ahead + DAY, run=NO_RUN, now=NOW).days() == ()
    with pytest.raises(ConfigurationError, match="future"):
        resolve_window(ahead + timedelta(seconds=1), ahead + DAY, run=NO_RUN, now=NOW)


def test_the_defaults_are_those_of_the_docs() -> None:
    """The page about time says how many days are read again where nobody says it."""
    page = (Path(__file__).parents[1] / "docs" / "time.md").read_text(encoding="utf-8")
    assert f"Defaults: `lookback_days={LOOKBACK_DAYS}`, `refresh_days={REFRESH_DAYS}`." in page


def test_an_hourly_window_says_when_the_day_ends() -> None:
    """A window finer than a day may hold no day, then no lookback either, and it says when the next day ends."""
    window = resolve_window(None, None, run=interval("2026-11-21T01:00", "2026-11-21T02:00"), now=NOW)
    assert window.days(3) == ()
    assert "ends at 2026-11-21T08:00:00Z" in window.explain()
    assert resolve_window("2026-11-20", None, run=NO_RUN, now=NOW).explain() == ""


def test_chooses_posts_by_publish_time() -> None:
    """Posts are chosen from refresh_days before since up to until; ``None`` opens the lower end."""
    window = resolve_window(None, None, run=DAILY, now=NOW)
    assert window.published_between(28) == (utc("2026-10-23T00:00"), utc("2026-11-21T00:00"))
    assert window.published_between(None) == (None, utc("2026-11-21T00:00"))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25), ("2026-11-20", 24)])
def test_days_of_23_and_25_hours_are_whole(day: str, hours: int) -> None:
    """A request for one day spans the day's own length less one second."""
    since, until = request_window(date.fromisoformat(day))
    assert until - since == hours * 3600 - 1
    start, end = pacific_day_bounds(date.fromisoformat(day))
    assert (start.timestamp(), end.timestamp()) == (since, until)
    assert pacific_date(start) == pacific_date(end) == date.fromisoformat(day)
    assert pacific_date(end + timedelta(seconds=1)) == date.fromisoformat(day) + DAY


def test_thirty_days_across_november_are_two_requests() -> None:
    """Thirty days with a 25-hour day among them are longer than Meta's 2,592,000 s and are cut after 29."""
    days = [date(2026, 10, 15) + DAY * step for step in range(30)]
    assert [len(chunk) for chunk in split_into_requests(days)] == [29, 1]
    assert [len(chunk) for chunk in split_into_requests([date(2026, 6, 1) + DAY * step for step in range(31)])] == [
        30,
        1,
    ]


@pytest.mark.parametrize("history", [HISTORY_DAYS, RECENT_DAYS])
def test_splits_where_history_begins(history: int) -> None:
    """The day ``history`` days before today is askable, the one before it too old."""
    today = date(2026, 11, 21)
    days = [today - DAY * back for back in (history + 1, history, 1)]
    assert split_by_history(days, history, today) == (tuple(days[1:]), (days[0],))


ZONES = (
    "UTC",
    "America/Los_Angeles",
    "Europe/Berlin",
    "Asia/Tokyo",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)
DAYS = st.dates(date(2008, 1, 1), date(2035, 12, 31))
FIRST, LAST = datetime(2008, 1, 1), datetime(2035, 12, 31)  # noqa: DTZ001 - hypothesis takes naive bounds
INSTANTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


@st.composite
def schedules(draw: st.DrawFn) -> list[datetime]:
    """Draw run times in any zone: by the wall clock, by absolute time, or irregular; DST changes included."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    first = draw(st.datetimes(FIRST, LAST))
    kind = draw(st.sampled_from(("wall", "absolute", "irregular")))
    if kind == "irregular":
        return sorted(draw(st.sets(INSTANTS, min_size=2, max_size=12)))
    step = timedelta(minutes=draw(st.integers(min_value=7, max_value=60 * 24 * 12)))
    count = draw(st.integers(min_value=2, max_value=40))
    if kind == "wall":
        times = {(first + step * run).replace(tzinfo=zone).astimezone(UTC) for run in range(count)}
        return sorted(times)
    return [first.replace(tzinfo=zone).astimezone(UTC) + step * run for run in range(count)]


def closed_by_rule(since: datetime, until: datetime) -> list[date]:
    """Return the days whose closing midnight lies in (since, until], by trying every day around."""
    around = (since.date() - DAY * 3 + DAY * step for step in range((until - since).days + 7))
    return [day for day in around if since < midnight(day + DAY) <= until]


@given(st.one_of(DAYS, st.sampled_from([date(2026, 3, 8), date(2026, 11, 1), date(2024, 2, 29)])))
def test_midnight_follows_the_american_rule(day: date) -> None:
    """Pacific midnight agrees with the daylight-saving law, worked out without the zone data base."""
    assert pacific_midnight(day) == midnight(day)


@given(schedules())
def test_consecutive_intervals_partition_the_closed_days(times: list[datetime]) -> None:
    """Runs with real data intervals cover every closed Pacific day exactly once, in order, and no other."""
    runs = [RunDates(data_interval_start=start, data_interval_end=end) for start, end in pairwise(times)]
    windows = [resolve_window(None, None, run=run, now=times[-1]) for run in runs]
    assert [day for window in windows for day in window.days()] == closed_by_rule(times[0], times[-1])


@given(schedules(), st.data())
def test_points_after_failures_partition_the_closed_days(times: list[datetime], data: st.DataObject) -> None:
    """Runs without width, some of which fail, cover every closed day once as long as no gap exceeds 30 days."""
    succeeded, covered, expected = times[0], list[date](), list[date]()
    for moment in times[1:]:
        point = RunDates(data_interval_start=moment, data_interval_end=moment, previous_success_end=succeeded)
        if data.draw(st.booleans(), label="succeeds"):
            covered += resolve_window(None, None, run=point, now=moment).days()
            expected += closed_by_rule(max(succeeded, moment - timedelta(days=30)), moment)
            succeeded = moment
    assert covered == expected
    assert len(covered) == len(set(covered))


@given(schedules(), st.data())
def test_runs_by_hand_in_between_lose_no_day(times: list[datetime], data: st.DataObject) -> None:
    """Successful points, some started by hand: every closed day is covered; each one by hand covers at least one."""
    succeeded, covered, expected = times[0], set[date](), set[date]()
    for moment in times[1:]:
        by_hand = data.draw(st.booleans(), label="by hand")
        point = RunDates(
            data_interval_start=moment,
            data_interval_end=moment,
            previous_success_end=succeeded,
            is_manual=by_hand,
        )
        window = resolve_window(None, None, run=point, now=moment)
        days = window.days()
        assert all(midnight(day + DAY) <= moment for day in days)
        assert not by_hand or days
        covered.update(days)
        expected.update(closed_by_rule(max(succeeded, moment - timedelta(days=30)), moment))
        succeeded = moment
    assert covered >= expected


@given(schedules(), st.integers(min_value=0, max_value=10))
def test_the_lookback_reads_again_and_adds_no_gap(times: list[datetime], lookback: int) -> None:
    """With a lookback, runs cover the same days and those just before; whoever covers a day goes back as many days."""
    runs = [RunDates(data_interval_start=start, data_interval_end=end) for start, end in pairwise(times)]
    windows = [resolve_window(None, None, run=run, now=times[-1]) for run in runs]
    closed = closed_by_rule(times[0], times[-1])
    again = {day for window in windows for day in window.days(lookback)}
    first = min(closed, default=None)
    assert again == set(closed) | ({first - DAY * back for back in range(1, lookback + 1)} if first else set())
    for window in windows:
        days, plain = window.days(lookback), window.days()
        assert len(days) == (len(plain) + lookback if plain else 0)
        assert days[lookback:] == plain


@given(
    st.dates(date(2022, 1, 1), date(2035, 12, 31)),
    st.integers(min_value=0, max_value=800),
    st.integers(min_value=0, max_value=800),
    st.sampled_from([HISTORY_DAYS, RECENT_DAYS]),
)
def test_no_request_reaches_behind_the_history(today: date, back: int, length: int, history: int) -> None:
    """Split where history begins: no request begins before it, and every day is either asked or too old."""
    days = [today - DAY * step for step in range(back, back - min(length, back), -1)]
    askable, too_old = split_by_history(days, history, today)
    assert [*too_old, *askable] == days
    for chunk in split_into_requests(askable):
        since, until = request_window(chunk[0], chunk[-1])
        assert since >= midnight(today - DAY * history).timestamp()
        assert until < midnight(today).timestamp()
    assert all(midnight(day) < midnight(today - DAY * history) for day in too_old)


@given(
    INSTANTS, st.timedeltas(timedelta(seconds=1), timedelta(days=100)), INSTANTS, st.integers(min_value=0, max_value=10)
)
def test_an_open_day_is_never_covered(since: datetime, width: timedelta, now: datetime, lookback: int) -> None:
    """Whatever the window, each day has ended by ``now``, days are unique and ascending, and gaps are explained."""
    window = Window(since=since, until=since + width, rule="given", now=now)
    days = window.days(lookback)
    assert all(midnight(day + DAY) <= now for day in days)
    assert list(days) == sorted(set(days))
    named = tuple(closed_by_rule(since, since + width))
    assert (window.explain() == "") == (named != () and window.days() == named)


@given(INSTANTS)
@example(datetime(2026, 3, 9, 7, 30, tzinfo=UTC))
@example(datetime(2026, 11, 2, 7, 30, tzinfo=UTC))
def test_one_day_holds_exactly_one_day(end: datetime) -> None:
    """A point without an earlier success covers exactly one Pacific day, also around DST changes."""
    assert len(days_closing(day_before(end), end)) == 1


@given(
    st.sets(DAYS, max_size=200), DAYS, st.integers(min_value=0, max_value=150), st.integers(min_value=1, max_value=30)
)
def test_no_chunk_is_longer_than_meta_allows(scattered: set[date], first: date, length: int, size: int) -> None:
    """Chunks hold every day once, are free of gaps, and keep under both caps, days and seconds."""
    days = scattered | {first + DAY * step for step in range(length)}
    cut = list(split_into_requests(days, size))
    assert [day for chunk in cut for day in chunk] == sorted(days)
    for chunk in cut:
        since, until = request_window(chunk[0], chunk[-1])
        assert len(chunk) == (chunk[-1] - chunk[0]).days + 1 <= size
        assert until - since <= 2_592_000
        assert (since, until) == (midnight(chunk[0]).timestamp(), midnight(chunk[-1] + DAY).timestamp() - 1)


@given(st.datetimes(FIRST, LAST), st.integers(min_value=-14 * 60, max_value=14 * 60))
def test_reads_back_any_rendered_instant(moment: datetime, minutes: int) -> None:
    """Any aware instant survives being rendered by a template, with ``T`` or a blank, whatever its offset."""
    aware = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    assert parse_window_bound(aware.isoformat()) == parse_window_bound(str(aware)) == parse_window_bound(aware) == aware
