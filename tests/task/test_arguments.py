"""Arguments arrive as objects, comma strings or JSON text, depending on how a template rendered: all mean the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from airflow_provider_iginsights._compat import DAG
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.hooks.account_ids import parse_account_ids
from airflow_provider_iginsights.operators.instagram import InstagramListAccountsOperator
from airflow_provider_iginsights.operators.token import InstagramRefreshTokenOperator, InstagramTokenExpiresOperator
from airflow_provider_iginsights.task.arguments import (
    parse_boolean,
    parse_breakdowns,
    parse_choice,
    parse_count,
    parse_days,
    parse_metrics,
    parse_names,
    parse_page_ids,
    parse_text,
    parse_timedelta,
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
        ('{"likes": null}', {"likes": ()}),
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


@pytest.mark.parametrize(
    "value",
    [{1: ["a"], None: ["b"]}, {"views": [None]}, {"views": [["a"]]}, {"": ["a"]}, {"views": 1.5}, {"views": b"a"}],
    ids=repr,
)
def test_breakdowns_of_other_things_than_names(value: Any) -> None:
    """One bad name, of a metric or of a breakdown, is enough: half of what was asked for would be fetched silently."""
    with pytest.raises(ConfigurationError, match="must map metrics"):
        parse_breakdowns(value)


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        (None, {}),
        ("None", {}),
        ({}, {}),
        ({"17": "12"}, {"17": "12"}),
        ("{'17': '12'}", {"17": "12"}),
        ({17: 12}, {"17": "12"}),
    ],
    ids=repr,
)
def test_page_ids(value: Any, parsed: dict[str, str]) -> None:
    """A mapping of ids, as an earlier task returns it, or its text."""
    assert parse_page_ids(value) == parsed


@pytest.mark.parametrize("value", ["17", ["17"], {"17": None}, {"brand": "12"}, {"17": "page"}, 17], ids=repr)
def test_page_ids_that_are_none(value: Any) -> None:
    """A list, or one id that is none, is refused as a whole."""
    with pytest.raises(ConfigurationError, match="page_ids must map ids of accounts"):
        parse_page_ids(value)


@pytest.mark.parametrize(
    ("words", "truth"),
    [
        ([True, 1, "True", " TRUE\n", "t", "1", "yes", "Y", "on"], True),
        ([False, 0, "False", " FALSE\n", "f", "0", "no", "N", "off"], False),
    ],
)
def test_booleans(words: list[Any], truth: bool) -> None:
    """Either value, 1 and 0, and what people and templates write for them."""
    assert [parse_boolean(word, argument="deferrable") for word in words] == [truth] * len(words)


@pytest.mark.parametrize("value", [None, "", "maybe", "2", 2, -1, 1.0, 0.0, [], [True], {}], ids=repr)
def test_booleans_that_are_none(value: Any) -> None:
    """Nothing else is guessed to be true."""
    with pytest.raises(ConfigurationError, match="deferrable must be True or False"):
        parse_boolean(value, argument="deferrable")


LONG = "a" * 1024  # BigQuery's longest name of a table


@pytest.mark.parametrize("value", ["brand", "a b", LONG, "Größe"], ids=lambda value: value[:9])
def test_texts(value: str) -> None:
    """A name stays as it is written."""
    assert parse_text(value, argument="dataset_id") == value


@pytest.mark.parametrize(
    "value",
    [None, "", " ", "None", 7, b"brand", ["brand"], f"{LONG}a", "EAAG" + "x" * 60, "a\nb", "a\u202eb"],
    ids=lambda value: repr(value)[:9],
)
def test_texts_that_are_none(value: Any) -> None:
    """What is no text, too long, looks like a token or cannot be printed is refused; a token is not shown."""
    with pytest.raises(ConfigurationError, match=r"dataset_id (must be a name|has characters)") as refused:
        parse_text(value, argument="dataset_id")
    assert "EAAG" not in refused.value.message


@pytest.mark.parametrize("name", ["project_id", "dataset_id", "location", "table_id", "profile_table_id"])
@pytest.mark.parametrize("written", ["{{ ds_nodash }}", "2026_1120", "20261120.0"])
def test_a_name_of_digits_in_a_native_template(name: str, written: str) -> None:
    """Native templates make a number of it, which may stand for another name: refused with the way to write it.

    So written, it is the name.
    """
    started = datetime(2026, 1, 1, tzinfo=UTC)
    with DAG("native", schedule=None, start_date=started, render_template_as_native_obj=True):
        arguments = {"dataset_id": "d", "gcp_conn_id": None, name: written}
        operator = InstagramAccountInsightsToBigQueryOperator(task_id="number", **arguments)
        quoted = InstagramAccountInsightsToBigQueryOperator(task_id="text", **{**arguments, name: f"'{written}'"})
    context: Any = {"ds_nodash": "20261120"}
    with pytest.raises(ConfigurationError, match=rf"{name} must be a name.*quotes of its own") as refused:
        operator.render_template_fields(context)
    assert "'{{ ds_nodash }}'" in refused.value.message
    quoted.render_template_fields(context)
    assert getattr(quoted, name) == written.replace("{{ ds_nodash }}", "20261120")


@pytest.mark.parametrize("value", [["brand"], True, None, ""], ids=repr)
def test_only_a_number_is_explained_as_one(value: Any) -> None:
    """Whatever else is no name has nothing to do with native templates."""
    with pytest.raises(ConfigurationError) as refused:
        parse_text(value, argument="dataset_id")
    assert "native" not in refused.value.message


@pytest.mark.parametrize("value", NOT_GIVEN, ids=repr)
def test_texts_left_open(value: Any) -> None:
    """None where it may be; and what may be left open is still read where it is given."""
    assert parse_text(value, argument="location", optional=True) is None
    assert parse_text("EU", argument="location", optional=True) == "EU"


@pytest.mark.parametrize(
    ("value", "is_one"),
    [
        (timedelta(0), True),
        (timedelta(days=10_000), True),
        (timedelta(microseconds=-1), False),
        (timedelta(days=10_000, microseconds=1), False),
        (3600, False),
        ("1:00:00", False),
        (None, False),
    ],
    ids=repr,
)
def test_timedeltas(value: Any, is_one: bool) -> None:
    """From nothing to 10,000 days, or from as much as an argument needs; both ends are allowed."""
    if is_one:
        assert parse_timedelta(value, argument="poll") == value
        assert parse_timedelta(value, argument="poll", least=value) == value
    else:
        with pytest.raises(ConfigurationError, match="poll must be a timedelta"):
            parse_timedelta(value, argument="poll")


@pytest.mark.parametrize(("length", "is_one"), [(200, True), (201, False)])
def test_the_longest_name(length: int, is_one: bool) -> None:
    """Meta's names are far shorter: a longer one is a text in the wrong place."""
    name = "a" * length
    if is_one:
        assert parse_names([name], argument="allow") == (name,)
    else:
        with pytest.raises(ConfigurationError, match="allow must be a list"):
            parse_names([name], argument="allow")


@pytest.mark.parametrize("name", ["a\nb", "a\x00", "\u202ea"], ids=ascii)
def test_names_can_be_printed(name: str) -> None:
    """A name with a control character is refused, and what is empty between two commas is none."""
    with pytest.raises(ConfigurationError, match="allow must be a list"):
        parse_names([name], argument="allow")
    assert parse_names("a,, ,b", argument="allow") == ("a", "b")


@pytest.mark.parametrize(
    ("value", "most", "is_one"),
    [(0, 5, True), (5, 5, True), ("5", 5, True), (5.0, 5, True), (5.5, 5, False), (6, 5, False)],
)
def test_counts(value: Any, most: int, is_one: bool) -> None:
    """A whole number from 0 to the most that there may be, both included."""
    if is_one:
        assert parse_count(value, argument="size", most=most) == int(value)
    else:
        with pytest.raises(ConfigurationError, match="size must be a whole number, 0 or more and at most 5"):
            parse_count(value, argument="size", most=most)


@pytest.mark.parametrize(("days", "is_one"), [(10_000, True), (10_001, False)])
def test_the_most_days(days: int, is_one: bool) -> None:
    """More than the API is old, and few enough for every calendar."""
    if is_one:
        assert parse_days(days, argument="refresh_days") == days
    else:
        with pytest.raises(ConfigurationError, match="at most 10000"):
            parse_days(days, argument="refresh_days")


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
