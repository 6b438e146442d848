"""An account's profile comes with its first insights, at no request of its own; its faults are the account's."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from asking import NOW, Asking, open_asking

from airflow_provider_iginsights.catalog.plan import AccountPlan, plan_account
from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    MetricRefused,
    PermissionMissing,
    ServerTrouble,
    Throttled,
)
from airflow_provider_iginsights.extract.account import AccountReader
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, Fault, NullItem, World

YESTERDAY = date(2026, 11, 20)
PROFILE = r"^/?\d+$"


def read(asking: Asking, *, days: int = 1, metrics: Any = None, **options: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the rows of the first account for so many days up to yesterday."""
    plan = plan_account(metrics, None, version="v25.0", login=asking.client.settings.login)
    return rows_of(asking, plan, tuple(YESTERDAY - timedelta(days=days - 1 - step) for step in range(days)), **options)


def rows_of(
    asking: Asking, plan: AccountPlan, days: tuple[date, ...], **options: Any
) -> list[tuple[str, dict[str, Any]]]:
    """Return the rows of the first account."""
    reader = AccountReader(
        client=asking.client,
        plan=plan,
        days=days,
        stamp=asking.stamp,
        findings=asking.findings,
        refusals=asking.refusals,
        **options,
    )
    return list(reader.read(asking.accounts[0].id))


def fault(asking: Asking, effect: Any, *, times: int | None = None) -> None:
    """Strike whoever asks for the profile, by itself or in a batch."""
    asking.sandbox.faults.add(Fault(effect=effect, path=PROFILE, times=times))


@pytest.mark.parametrize("login", ["facebook", "instagram"])
def test_one_row(login: str) -> None:
    """The profile is one row, first, with what the account says of itself at that moment."""
    with open_asking(login=login) as asking:
        (first, profile), *others = read(asking)
        account = asking.accounts[0]
        assert first == "accounts"
        assert {table for table, _ in others} == {"account_insights"}
        assert profile["account_id"] == account.id
        assert profile["username"] == account.username
        assert profile["snapshot_date"] == NOW.date()
        assert profile["run_id"] == "run"


def test_no_request_of_its_own() -> None:
    """A daily run of an account, audience and profile included, is one HTTP request."""
    with open_asking() as asking:
        rows = read(asking, days=4)
        assert asking.http == 1
        calls = asking.calls
        asking.sandbox.clear_log()
        assert len(read(asking, days=4, profiles=False)) == len(rows) - 1
        assert (asking.http, asking.calls) == (1, calls - 1)


@pytest.mark.parametrize("days", [10, 30, 60])
def test_more_than_a_batch(days: int) -> None:
    """Where the insights take several batches, the profile still comes once, and nothing is lost."""
    with open_asking() as asking:
        rows = read(asking, days=days)
        assert [table for table, _ in rows].count("accounts") == 1
        insights = [row for table, row in rows if table != "accounts"]
        alone = [row for _, row in read(asking, days=days, profiles=False)]
        assert [row | {"fetched_at": ""} for row in insights] == [row | {"fetched_at": ""} for row in alone]


def test_without_insights() -> None:
    """Where there is nothing else to ask, the profile is asked for by itself."""
    with open_asking() as asking:
        nothing = AccountPlan(series=(), totals=(), snapshots=())
        assert [table for table, _ in rows_of(asking, nothing, ())] == ["accounts"]
        assert asking.http == 1


@pytest.mark.parametrize("options", [{"profiles": False}, {"current": False}])
def test_not_wanted(options: dict[str, bool]) -> None:
    """A backfill of old days, or a run without the profiles' table, does not ask for it."""
    with open_asking() as asking:
        assert "accounts" not in {table for table, _ in read(asking, **options)}


def test_an_item_that_is_left_out() -> None:
    """A profile that Meta did not get to in the batch is asked again."""
    with open_asking() as asking:
        fault(asking, NullItem(), times=1)
        assert [table for table, _ in read(asking)].count("accounts") == 1
        assert asking.http == 2


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (ErrorEffect(100, subcode=33, message="Unsupported get request."), AccountUnavailable),
        (ErrorEffect(2, message="Service temporarily unavailable"), ServerTrouble),
        (ErrorEffect(80002, message="There have been too many calls"), Throttled),
    ],
)
def test_what_the_profile_is_refused_for(effect: ErrorEffect, error: type[Exception]) -> None:
    """The account fails by name with the profile's own error, and gives no row."""
    with open_asking() as asking:
        fault(asking, effect)
        with pytest.raises(error, match=asking.accounts[0].id):
            read(asking)


@pytest.mark.parametrize(
    ("code", "message", "error"),
    [
        (100, "(#100) metric", MetricRefused),
        (10, "(#10) Application does not have permission", PermissionMissing),
        (80002, "There have been too many calls", Throttled),
    ],
)
def test_refused_insights_do_not_cost_the_profile(code: int, message: str, error: type[Exception]) -> None:
    """An account whose insights are all refused fails after its profile was given, from one request."""
    with open_asking(World.build(accounts=1, media_per_account=0, now=NOW)) as asking:
        effect = ErrorEffect(code, message=message)
        asking.sandbox.faults.add(Fault(effect=effect, path="/insights$", times=None))
        reader = AccountReader(
            client=asking.client,
            plan=plan_account(["reach"], None, version="v25.0", login="facebook"),
            days=(YESTERDAY,),
            stamp=asking.stamp,
            findings=asking.findings,
            refusals=asking.refusals,
        )
        rows = reader.read(asking.accounts[0].id)
        assert next(rows)[0] == "accounts"
        with pytest.raises(error):
            next(rows)
        assert asking.http == 1
