"""Whatever stands in an argument, it is read or refused in words: no operator ends in another exception."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_iginsights.catalog.plan import plan_account, plan_media, plan_story
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.sandbox.graph import World
from airflow_provider_iginsights.task.arguments import (
    parse_boolean,
    parse_breakdowns,
    parse_choice,
    parse_count,
    parse_days,
    parse_metrics,
    parse_names,
    parse_timedelta,
)
from airflow_provider_iginsights.window import RunDates, resolve_window
from tests.support.sandboxes import NOW, Sandboxes, open_sandboxes

TOKEN = "EAAG" + "aB3x" * 45
DEEP = "[" * 100_000
MAX = datetime.max.replace(tzinfo=UTC)


class Broken(tzinfo):
    """A time zone without methods of its own, as tzinfo is."""


class Unprintable:
    """An object whose text cannot be had."""

    def __repr__(self) -> str:
        """Fail."""
        raise RuntimeError("no text")


class Lazy(Sequence[Any]):
    """A sequence that is no list, as Airflow hands over the results of a mapped task."""

    def __init__(self, *items: Any) -> None:
        self.items = items

    def __getitem__(self, index: Any) -> Any:
        """Return one item."""
        return self.items[index]

    def __len__(self) -> int:
        """Count the items."""
        return len(self.items)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.builds(lambda: 10**5000),
    st.builds(lambda: DEEP),
    st.builds(lambda: "[" + "-" * 100_000),
    st.sampled_from([-(10**30), 2**63, 1.9, -0.0, 1e300, math.inf, -math.inf, math.nan, 10**10]),
    st.floats(),
    st.decimals(),
    st.text(),
    st.text(st.characters(codec=None)),
    st.binary(max_size=8),
    st.dates(),
    st.datetimes(),
    st.timedeltas(),
    st.sampled_from(["None", "null", "all", "reach", "1.9", "١٢", "{", "[1", "\ud800", "2026-11-20", "now", TOKEN]),
    st.sampled_from(["['\\d']", "{[]: 1}", "[1 2]", "{1, 2}", "1e999", "[NaN]", "0x10", "1_0"]),
    st.builds(object),
    st.builds(Unprintable),
    st.just(print),
    st.just(datetime.max.replace(tzinfo=timezone(timedelta(hours=-14)))),
    st.builds(lambda: datetime(2026, 11, 20, tzinfo=Broken())),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.builds(Lazy, inner, inner),
        st.dictionaries(
            st.one_of(st.sampled_from(["views", "reach", 1, None]), st.text(max_size=3)), inner, max_size=3
        ),
        st.frozensets(st.one_of(st.integers(), st.text(max_size=3)), max_size=3),
    ),
    max_leaves=5,
)
PLANS = [plan_account, plan_media, plan_story]


def refused_or_read(read: Callable[[], Any]) -> Any:
    """Return what was read, or None where it was refused in words that hold no secret and can be printed."""
    try:
        return read()
    except ConfigurationError as error:
        message = str(error)
        assert message.isprintable()
        assert message.rstrip().endswith((".", "?", ")"))
        assert len(message) < 2000
        assert TOKEN[:40] not in message
        return None


@given(VALUES)
@example({"views": 1})
@example({"views": [["follow_type"]]})
@example({"views": {"follow_type": 1}})
def test_metrics_and_breakdowns(value: Any) -> None:
    """Any value, nested or not, of metrics and breakdowns is planned or refused, for every kind of insights."""
    for plan in PLANS:
        refused_or_read(lambda: plan(parse_metrics(value), None, version="v25.0", login="facebook"))  # noqa: B023
        refused_or_read(lambda: plan(None, parse_breakdowns(value), version="v25.0", login="facebook"))  # noqa: B023


@given(VALUES)
@example(1.9)
@example("1.9")
@example(math.inf)
def test_days_counts_and_names(value: Any) -> None:
    """A number of days is a whole number within the calendar or refused; so are counts, names, choices, durations."""
    days = refused_or_read(lambda: parse_days(value, argument="lookback_days"))
    assert days is None or (type(days) is int and NOW - timedelta(days=days))
    refused_or_read(lambda: parse_count(value, argument="chunk_size"))
    names = refused_or_read(lambda: parse_names(value, argument="allow"))
    assert names is None or all(name and name == name.strip() for name in names)
    truth = refused_or_read(lambda: parse_boolean(value, argument="deferrable"))
    assert truth is None or type(truth) is bool
    refused_or_read(lambda: parse_choice(value, ("fail", "skip"), argument="on_account_error"))
    duration = refused_or_read(lambda: parse_timedelta(value, argument="throttle_timeout"))
    assert duration is None or NOW + duration


@given(VALUES, VALUES)
@example(True, None)
@example(None, TOKEN)
def test_since_and_until(since: Any, until: Any) -> None:
    """Any pair is a window whose days can be named, or refused."""
    window = refused_or_read(lambda: resolve_window(since, until, run=RunDates(), now=NOW))
    assert window is None or (window.since < window.until and len(window.days(3)) < 12_000)


@pytest.mark.parametrize("value", [1795219200, "1795219200", 1795219200.0, "1795219200.0"], ids=repr)
def test_unix_seconds(value: Any) -> None:
    """Unix seconds are read as a number and as the text that timestamp() renders to."""
    window = resolve_window(value, None, run=RunDates(data_interval_start=NOW, data_interval_end=NOW), now=NOW)
    assert window.since == datetime.fromtimestamp(1795219200, UTC)


@pytest.mark.parametrize(("value", "days"), [(3.0, 3), ("3.0", 3), (" 3 ", 3), (0, 0), (10_000, 10_000)], ids=repr)
def test_days_with_one_plain_reading(value: Any, days: int) -> None:
    """Whole floats and texts of whole numbers are read."""
    assert parse_days(value, argument="lookback_days") == days


WRONG: dict[str, list[Any]] = {
    "lookback_days": [1.9, "1.9", math.inf, math.nan, True, -1, 10**30, "x", [3], Decimal("1.5"), None],
    "metrics": [{"reach": 1}, 5.5, object(), [["reach"]], [None], b"reach", DEEP, "nonsense", [], "reach\x00"],
    "breakdowns": [
        {"views": 1},
        {"views": [1]},
        {1: ["x"]},
        ["views"],
        7,
        DEEP,
        {"views": ["a,,b"]},
        {"views": 1.5},
    ],
    "since": [True, math.nan, 12, "soon", date(1999, 1, 1), [NOW], {}, 10**5000, TOKEN, MAX],
    "until": ["soon", object(), "2026-13-01"],
    "on_account_error": [None, 1, "ignore", ["fail"], math.nan],
    "load_mode": [None, 1, "overwrite", {"merge"}],
    "throttle_timeout": [None, 60, "6h", timedelta(days=-1), timedelta.max],
    "account_ids": [{}, 1.5, [None], object(), DEEP, [], b"1", True, TOKEN],
    "instagram_conn_id": [None, 7, "", [], "nobody", "a\x00b", "x" * 5000, TOKEN],
}
NOT_TRUE_OR_FALSE: list[Any] = [None, "", "None", "maybe", 2, -1, 1.0, 0.0, [], [True], {}, b"true", object(), TOKEN]
BOOLEANS = ("create_dataset", "inherit_expiration", "create_views", "deferrable")
WRONG |= dict.fromkeys(BOOLEANS, NOT_TRUE_OR_FALSE)
NAMES = ["dataset_id", "table_id", "profile_table_id", "project_id", "location", "gcp_conn_id"]
WRONG |= {name: [5, 1.5, {"a": 1}, ["a"], True, "a\x00", "\ud800", b"x", "x" * 5000, TOKEN] for name in NAMES}
CASES = [(name, value) for name, values in WRONG.items() for value in values]


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    """Serve one small account."""
    with open_sandboxes(World.build(now=NOW, accounts=1, media_per_account=1, stories_per_account=0)) as opened:
        yield opened


@pytest.mark.parametrize(("name", "value"), CASES, ids=[f"{name}-{place}" for place, (name, _) in enumerate(CASES)])
def test_a_transfer_refuses_before_it_asks(sandboxes: Sandboxes, name: str, value: Any) -> None:
    """A wrong argument of a transfer is a ConfigurationError that names it, and nothing was asked of Meta."""
    asked = len(sandboxes.graph.log)
    with pytest.raises(ConfigurationError) as caught:
        sandboxes.run("account", **{"metrics": "reach", name: value})
    assert len(sandboxes.graph.log) == asked
    assert TOKEN[:40] not in str(caught.value)
    assert str(caught.value).isprintable()


STORY = {"capture": [None, "later", 1], "final_within": [1, timedelta(0), timedelta.max, None]}
STORY |= {"capture_for": [0, timedelta(-1), timedelta.max, "1h"], "capture_lead": [None, timedelta.max, 5]}


@pytest.mark.parametrize("capture", ["now", "before_expiry"])
@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in STORY.items() for value in values])
def test_a_story_transfer_refuses(sandboxes: Sandboxes, name: str, value: Any, capture: str) -> None:
    """So is a wrong argument of the story transfer, also one that only the other way of capturing uses."""
    with pytest.raises(ConfigurationError, match=name):
        sandboxes.run("story", **{"capture": capture, name: value})


@pytest.mark.parametrize("name", ["table_id", "dataset_id"])
@pytest.mark.parametrize("value", [None, "", " ", "None", [], {}], ids=repr)
def test_where_to_write_is_required(sandboxes: Sandboxes, name: str, value: Any) -> None:
    """The tables that a transfer cannot do without have a name."""
    with pytest.raises(ConfigurationError, match=name):
        sandboxes.run("story", **{name: value})


OPTIONAL = {
    "account": ("profile_table_id",),
    "media": ("media_table_id", "children_table_id"),
    "story": ("media_table_id", "polls_table_id"),
}
RUNS = ("runs_table_id", "left_out_table_id")
CREDENTIALS = ("gcp_conn_id", "impersonation_chain", "project_id", "job_project_id", "location")


@pytest.mark.parametrize("kind", OPTIONAL)
@pytest.mark.parametrize("nothing", ["None", "none", "null", "", " "])
def test_the_text_for_nothing_is_nothing(sandboxes: Sandboxes, kind: str, nothing: str) -> None:
    """What a template renders for None leaves a table out, and an account of Google's, as None itself does."""
    given = dict.fromkeys((*OPTIONAL[kind], *RUNS, *CREDENTIALS), nothing)
    summary = sandboxes.run(kind, metrics="reach", dataset_id=f"{kind}_only", **given)
    assert list(summary["tables"]) == [f"sandbox-project.{kind}_only.instagram_{kind}_insights"]
    assert sandboxes.bigquery.tables(f"{kind}_only") == [f"instagram_{kind}_insights"]


@pytest.mark.parametrize("value", [1.9, math.inf, "x", None, -1], ids=repr)
def test_the_hook_refuses(sandboxes: Sandboxes, value: Any) -> None:
    """The hook's iterators read their arguments as the operators do."""
    hook = InstagramHook()
    with pytest.raises(ConfigurationError, match="lookback_days"):
        next(hook.account_insights(lookback_days=value))
    with pytest.raises(ConfigurationError, match="refresh_days"):
        next(hook.media_insights(refresh_days=-5 if value is None else value))
    with pytest.raises(ConfigurationError, match="breakdowns"):
        next(hook.story_insights(breakdowns={"views": 1}))
    assert sandboxes.graph.url


@pytest.mark.parametrize("value", [-1, 1.9, "x", 10**30, [], math.nan], ids=repr)
def test_a_media_transfer_refuses(sandboxes: Sandboxes, value: Any) -> None:
    """So are days of refreshing that are none."""
    with pytest.raises(ConfigurationError, match="refresh_days"):
        sandboxes.run("media", refresh_days=value)


LISTER: dict[str, list[Any]] = {
    "portfolios": NOT_TRUE_OR_FALSE,
    "deferrable": NOT_TRUE_OR_FALSE,
    "instagram_conn_ids": [[], 5.5, {"a": 1}, [None], DEEP, [[]], object()],
    "chunk_size": [1.9, None, "many", -1, math.inf, [50]],
    "minimum_followers": [None, -1, 1.5, "few", [], math.nan],
    "throttle_timeout": [None, 5, timedelta(-1)],
    "allow": [{"a": 1}, 1.5, [None], DEEP],
    "deny": [{"a": 1}, 1.5, [None], DEEP],
    "account_ids": [[], "[]", ",", {}, 1.5, [None], "brand"],
    "instagram_conn_id": [None, 7, ""],
}


LISTED = [(name, value, {}) for name, values in LISTER.items() for value in values]
LISTED += [
    (name, value, {"instagram_conn_ids": ["instagram_default"]})
    for name in ("chunk_size", "minimum_followers", "throttle_timeout", "allow", "deny", "portfolios")
    for value in LISTER[name]
]


@pytest.mark.parametrize(("name", "value", "beside"), LISTED)
def test_the_lister_refuses(sandboxes: Sandboxes, name: str, value: Any, beside: dict[str, Any]) -> None:
    """So is a wrong argument of the lister, also beside several connections, none of which is blamed for it."""
    asked = len(sandboxes.graph.log)
    with pytest.raises(ConfigurationError, match=name):
        InstagramListAccountsOperator(task_id="accounts", **beside, **{name: value}).execute({})
    assert len(sandboxes.graph.log) == asked
