"""Arguments arrive as objects, comma strings or JSON text, depending on how a template rendered: all mean the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from airflow_provider_iginsights._compat import DAG
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.hooks.account_ids import parse_account_ids
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.operators.token import InstagramRefreshTokenOperator, InstagramTokenExpiresOperator
from airflow_provider_iginsights.task.arguments import (
    parse_breakdowns,
    parse_choice,
    parse_days,
    parse_metrics,
    parse_names,
)
from airflow_provider_iginsights.transfers.instagram_to_bigquery import (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
    InstagramStoryInsightsToBigQueryOperator,
)

OPERATORS = (
    InstagramAccountInsightsToBigQueryOperator,
    InstagramMediaInsightsToBigQueryOperator,
    InstagramStoryInsightsToBigQueryOperator,
)
NOT_GIVEN = [None, "", "  ", "None", "none", "null"]


@pytest.mark.parametrize("value", NOT_GIVEN, ids=repr)
@pytest.mark.parametrize("parse", [parse_metrics, parse_breakdowns], ids=lambda parse: parse.__name__)
def test_what_renders_as_nothing_is_not_given(parse: Callable[[Any], Any], value: Any) -> None:
    """None and the texts that templates make of it count as left out."""
    assert parse(value) is None


@pytest.mark.parametrize(
    "value",
    [["1", "2"], ("1", "2"), [1, 2], "1,2", " 1 , 2 ,", '["1", "2"]', "[1, 2]", "['1', '2']", ["1", "2", "1"], "1,2,1"],
    ids=repr,
)
def test_account_ids(value: Any) -> None:
    """Every spelling of two ids, that of a rendered template among them, is the same two ids, each once, in order."""
    assert parse_account_ids(value) == ("1", "2")


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("all", ("all",)),
        (["all"], ("all",)),
        ('["all"]', ("all",)),
        ("default, +new_name,-reach", ("default", "+new_name", "-reach")),
        ("['reach', 'likes']", ("reach", "likes")),
        ("reach", ("reach",)),
        ("reach, follower_demographics/this_week", ("reach", "follower_demographics/this_week")),
        (["reach", "all"], ("reach", "all")),
        ([], ()),
    ],
    ids=repr,
)
def test_metrics(value: Any, parsed: Any) -> None:
    """Names and sets are taken as they are, signs included; an empty list stays empty."""
    assert parse_metrics(value) == parsed


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ({"views": ["follow_type"]}, {"views": ("follow_type",)}),
        ({"views": "follow_type"}, {"views": ("follow_type",)}),
        ('{"views": ["follow_type"]}', {"views": ("follow_type",)}),
        ("{'views': ['follow_type']}", {"views": ("follow_type",)}),
        ({"likes": []}, {"likes": ()}),
        ({"likes": None}, {"likes": ()}),
        ({"follower_demographics": ["country", "age,gender"]}, {"follower_demographics": ("country", "age,gender")}),
    ],
    ids=repr,
)
def test_breakdowns(value: Any, parsed: Any) -> None:
    """A mapping or its JSON text; a single string is a list of one; an empty list asks for none."""
    assert parse_breakdowns(value) == parsed


@pytest.mark.parametrize("value", ["follow_type", ["follow_type"], "[1]", '{"views": '], ids=repr)
def test_breakdowns_that_are_none(value: Any) -> None:
    """What is no mapping is refused with an example of one, or as text that is cut short."""
    with pytest.raises(ConfigurationError, match=r"must map metrics|looks like a list or a mapping"):
        parse_breakdowns(value)


@pytest.mark.parametrize(("value", "days"), [(0, 0), (3, 3), ("28", 28), (" 7 ", 7)], ids=repr)
def test_days(value: Any, days: int) -> None:
    """A number of days or its text."""
    assert parse_days(value, argument="lookback_days") == days


@pytest.mark.parametrize("value", [-1, "-1", "three", True, [], "1.5"], ids=repr)
def test_days_that_are_none(value: Any) -> None:
    """Anything else is refused by the argument's name."""
    with pytest.raises(ConfigurationError, match="refresh_days must be a whole number"):
        parse_days(value, argument="refresh_days", optional=True)


def test_days_left_open() -> None:
    """Only an argument that may be left open takes None."""
    assert parse_days("None", argument="refresh_days", optional=True) is None
    with pytest.raises(ConfigurationError, match="lookback_days"):
        parse_days(None, argument="lookback_days")


def test_choice() -> None:
    """A choice is one of those offered; the message offers them."""
    assert parse_choice("skip", ("fail", "skip"), argument="on_account_error") == "skip"
    with pytest.raises(ConfigurationError, match="fail, skip, not 'ignore'"):
        parse_choice("ignore", ("fail", "skip"), argument="on_account_error")


def test_names_of_another_kind() -> None:
    """Numbers in a list are read as names; other objects are not."""
    assert parse_names([1, "b"], argument="allow") == ("1", "b")
    with pytest.raises(ConfigurationError, match="allow must be a list"):
        parse_names([None], argument="allow")


@pytest.mark.parametrize(
    "operator",
    [*OPERATORS, InstagramListAccountsOperator, InstagramRefreshTokenOperator, InstagramTokenExpiresOperator],
    ids=lambda operator: operator.__name__,
)
def test_arguments_are_kept_untouched(operator: Any) -> None:
    """The constructor stores the very objects it is given, so that templates, mapping and results of tasks work."""
    with DAG("brand", schedule=None):
        earlier = InstagramListAccountsOperator(task_id="earlier")
        given: dict[str, Any] = {name: earlier.output[name] for name in operator.template_fields}
        made = operator(task_id="t", **given)
    assert all(getattr(made, name) is given[name] for name in given)


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.__name__)
def test_templates_render(operator: Any) -> None:
    """since, until and the table ids take templates; breakdowns keep their structure."""
    made = operator(
        task_id="t",
        dataset_id="{{ params.dataset }}",
        since="{{ data_interval_start }}",
        until="{{ ds }}",
        account_ids="{{ params.ids }}",
        breakdowns={"views": ["{{ params.by }}"]},
    )
    start = datetime(2026, 11, 20, 8, tzinfo=UTC)
    params = {"dataset": "brand", "ids": ["1", "2"], "by": "follow_type"}
    made.render_template_fields({"data_interval_start": start, "ds": "2026-11-21", "params": params})
    assert (made.dataset_id, made.since, made.until) == ("brand", "2026-11-20 08:00:00+00:00", "2026-11-21")
    assert made.breakdowns == {"views": ["follow_type"]}
    assert made.account_ids == "['1', '2']"
