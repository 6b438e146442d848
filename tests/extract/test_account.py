"""An account's insights when something is refused, unanswered or too old: what arrives all the same, what is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.catalog.plan import plan_account
from airflow_provider_iginsights.errors import AccountUnavailable, MetricRefused, ServerTrouble
from airflow_provider_iginsights.extract.account import AccountReader
from airflow_provider_iginsights.extract.refused_metrics import MIN_REFUSING_ACCOUNTS
from airflow_provider_iginsights.extract.unanswered import IncompleteAccount
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, World, errors, rules
from tests.support.readers import ACCOUNT_KEY, NOW, Numbers, Readers, by_key, open_readers
from tests.support.truth import DEFAULT_ACCOUNT, account_rows

YESTERDAY = date(2026, 11, 20)
DAYS = tuple(YESTERDAY - timedelta(days=3 - step) for step in range(4))
OF_BREAKDOWN = "(#100) Incompatible breakdowns ({breakdown}) for metric ({metric})"


def truth_of(readers: Readers, *, account: int = 0, days: tuple[date, ...] = DAYS) -> Numbers:
    """Return all numbers of an account for the days."""
    return by_key(account_rows(readers.world, readers.accounts[account], days, now=NOW), ACCOUNT_KEY)


def less(numbers: Numbers, metric: str, breakdown: str | None = None) -> Numbers:
    """Return the numbers less those of a metric, or of a metric broken down so."""
    return {key: value for key, value in numbers.items() if key[1] != metric or breakdown not in (None, key[4])}


def refuse(readers: Readers, message: str, *, code: int = 100, **where: object) -> None:
    """Let the API refuse, wherever the conditions hold."""
    readers.sandbox.faults.add(GraphFault(effect=ErrorEffect(code, message=message), times=None, **where))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "refusal",
    [
        errors.Kind(100, OF_BREAKDOWN),
        errors.Kind(100, "(#100) この内訳は使用できません"),
    ],
    ids=["named", "unnamed"],
)
@pytest.mark.parametrize(
    ("metric", "breakdown"),
    [("likes", "media_product_type"), ("views", "follow_type"), ("profile_links_taps", "contact_button_type")],
)
def test_a_breakdown_is_refused(
    monkeypatch: pytest.MonkeyPatch, refusal: errors.Kind, metric: str, breakdown: str
) -> None:
    """The metric loses its breakdown and keeps its total; nothing else is missing; 3 more requests suffice."""
    monkeypatch.setitem(
        rules.USER_METRICS,  # type: ignore[arg-type]
        metric,
        replace(
            rules.USER_METRICS[metric],
            breakdowns=tuple(name for name in rules.USER_METRICS[metric].breakdowns if name != breakdown),
        ),
    )
    monkeypatch.setitem(errors.ERRORS, "not_that_breakdown", refusal)  # type: ignore[arg-type]
    with open_readers(tries=1) as readers:
        assert readers.read_account(DAYS) == less(truth_of(readers), metric, breakdown)
        assert readers.refused == [(f"{metric} by {breakdown}", "MetricRefused")]
        assert readers.http <= 2 + 3


@pytest.mark.parametrize(
    "message",
    [
        "(#100) metric[3] must be one of the following values: reach, views",
        "(#100) La métrica likes no existe",
        "(#100) 無効な指標",
    ],
    ids=["position", "name", "neither"],
)
def test_a_metric_is_refused(message: str) -> None:
    """A metric that is refused with and without its breakdown is missing, and nothing else."""
    with open_readers() as readers:
        refuse(readers, message, metric="likes")
        assert readers.read_account(DAYS) == less(truth_of(readers), "likes")
        assert "likes by media_product_type" in {what for what, _ in readers.refused}
        assert {what.split()[0] for what, _ in readers.refused} == {"likes"}
        assert readers.http <= 2 + 3


def test_a_metric_is_refused_on_one_day() -> None:
    """A metric refused for one request only is missing from that request only."""
    with open_readers() as readers:
        effect = ErrorEffect(100, message="(#100) likes")
        readers.sandbox.faults.add(GraphFault(effect=effect, metric="likes", times=1))
        read, whole = readers.read_account(DAYS), truth_of(readers)
        missing = {key for key in whole if key not in read}
        assert read.items() <= whole.items()
        assert {(key[1], key[4], key[6]) for key in missing} == {("likes", "media_product_type", str(DAYS[0]))}


def test_what_all_accounts_refuse() -> None:
    """After a few accounts refused a metric that none answers, the rest of the run does not ask for it."""
    world = World.build(accounts=MIN_REFUSING_ACCOUNTS + 2, media_per_account=0, now=NOW)
    with open_readers(world) as readers:
        refuse(readers, "(#100) metric[3] must be one of the following values: reach", metric="likes")
        requests = []
        for number in range(len(readers.accounts)):
            readers.sandbox.clear_log()
            assert readers.read_account(DAYS, account=number) == less(truth_of(readers, account=number), "likes")
            requests.append(readers.http)
        assert requests == [2] * MIN_REFUSING_ACCOUNTS + [1, 1]
        assert readers.left_out["likes by media_product_type", "MetricRefused"]["count"] == len(readers.accounts)


def test_what_one_account_refuses() -> None:
    """A metric that one account refuses is asked of the others."""
    world = World.build(accounts=3, media_per_account=0, now=NOW)
    with open_readers(world) as readers:
        refuse(readers, "(#100) likes", metric="likes", object_id=readers.accounts[0].id)
        assert readers.read_account(DAYS) == less(truth_of(readers), "likes")
        for number in (1, 2):
            assert readers.read_account(DAYS, account=number) == truth_of(readers, account=number)


def test_a_small_account() -> None:
    """What Meta keeps back below 100 followers is named, and the other numbers arrive."""
    world = World.build(accounts=1, media_per_account=0, now=NOW)
    world.put(replace(next(iter(world.accounts.values())), followers_count=99))
    with open_readers(world) as readers:
        read, whole = readers.read_account(DAYS), truth_of(readers)
        silent = {"follower_demographics", "engaged_audience_demographics", "follower_count", "online_followers"}
        silent |= {"follows_and_unfollows"}
        assert read == {key: value for key, value in whole.items() if key[1] not in silent}
        assert set(readers.left_out) == {
            *((metric, "TooFewFollowers") for metric in silent),
            ("replies", "NoData"),
        }
        assert readers.http <= 3


def test_days_beyond_history() -> None:
    """Days that Meta no longer has are named per metric and not asked for."""
    old = tuple(date(2026, 11, 21) - timedelta(days=back) for back in (731, 730, 729, 728))
    with open_readers() as readers:
        read = readers.read_account(old, ["likes", "follower_count"], {"likes": []}, current=False)
        wanted = by_key(
            account_rows(
                readers.world,
                readers.accounts[0],
                old[2:],
                now=NOW,
                offer=replace(DEFAULT_ACCOUNT, series=(), totals={"likes": ("",)}),
                current=False,
            ),
            ACCOUNT_KEY,
        )
        assert read == wanted
        assert set(readers.left_out) == {
            ("likes from 2024-11-20 to 2024-11-21", "BeyondHistory"),
            ("follower_count from 2024-11-20 to 2024-11-23", "BeyondHistory"),
        }
        assert readers.calls == 2


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (ErrorEffect(100, subcode=33, message="(#100) gone"), AccountUnavailable),
        (ErrorEffect(100, message="(#100) no"), MetricRefused),
        (ErrorEffect(2, http=500, message="Service temporarily unavailable"), IncompleteAccount),
    ],
)
def test_an_account_fails(fault: ErrorEffect, error: type[Exception]) -> None:
    """An account that is not there, or answers nothing at all, is an error and not an empty answer."""
    with open_readers() as readers:
        readers.sandbox.faults.add(GraphFault(effect=fault, path="/insights$", times=None))
        with pytest.raises(error):
            readers.read_account(DAYS)


def test_an_error_of_one_day_comes_last() -> None:
    """A server that fails on one request for good is named after the answers to all others were given."""
    with open_readers() as readers:
        fault = ErrorEffect(2, http=500, message="Service temporarily unavailable")
        readers.sandbox.faults.add(GraphFault(effect=fault, metric="accounts_engaged", times=None))
        given: list[tuple[str, dict[str, Any]]] = []
        with pytest.raises(IncompleteAccount) as caught:
            given.extend(_read(readers))
        assert {type(question.error) for question in caught.value.unanswered} == {ServerTrouble}
        named = {row["metric"] for table, row in given if table == "account_insights"}
        assert named == {key[1] for key in truth_of(readers)} - {
            "accounts_engaged",
            "replies",
            "reposts",
            "profile_views",
            "website_clicks",
        }


def _read(readers: Readers) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = AccountReader(
        client=readers.client,
        plan=plan_account(None, None, version="v25.0", login="facebook"),
        days=DAYS,
        provenance=readers.provenance,
        left_out_log=readers.left_out_log,
        refused_metrics=readers.refused_metrics,
    )
    return reader.read(readers.accounts[0].id)
