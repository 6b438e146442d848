"""An account's profile comes with its first insights, at no request of its own; its faults are the account's."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.catalog.plan import AccountPlan, plan_account
from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    MetricRefused,
    PermissionMissing,
    Throttled,
)
from airflow_provider_iginsights.extract.account import AccountReader
from airflow_provider_iginsights.extract.account_pool import AccountPool
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, NullItem, World
from airflow_provider_iginsights.sandbox.graph.api import GraphAnswer
from tests.support.readers import NOW, Readers, open_readers

YESTERDAY = date(2026, 11, 20)
PROFILE = r"^/?\d+$"


def read(readers: Readers, *, days: int = 1, metrics: Any = None, **options: Any) -> list[tuple[str, dict[str, Any]]]:
    """Return the rows of the first account for so many days up to yesterday."""
    plan = plan_account(metrics, None, version="v25.0", login=readers.client.settings.login)
    return rows_of(readers, plan, tuple(YESTERDAY - timedelta(days=days - 1 - step) for step in range(days)), **options)


def rows_of(
    readers: Readers, plan: AccountPlan, days: tuple[date, ...], **options: Any
) -> list[tuple[str, dict[str, Any]]]:
    """Return the rows of the first account."""
    reader = AccountReader(
        client=readers.client,
        plan=plan,
        days=days,
        provenance=readers.provenance,
        left_out_log=readers.left_out_log,
        refused_metrics=readers.refused_metrics,
        **options,
    )
    return list(reader.read(readers.accounts[0].id))


def fault(readers: Readers, effect: Any, *, times: int | None = None) -> None:
    """Strike whoever asks for the profile, by itself or in a batch."""
    readers.sandbox.faults.add(GraphFault(effect=effect, path=PROFILE, times=times))


@pytest.mark.parametrize("login", ["facebook", "instagram"])
def test_one_row(login: str) -> None:
    """The profile is one row, first, with what the account says of itself at that moment."""
    with open_readers(login=login) as readers:
        (first, profile), *others = read(readers)
        account = readers.accounts[0]
        assert first == "accounts"
        assert {table for table, _ in others} == {"account_insights"}
        assert profile["account_id"] == account.id
        assert profile["username"] == account.username
        assert profile["snapshot_date"] == NOW.date()
        assert profile["run_id"] == "run"


def test_no_request_of_its_own() -> None:
    """A daily run of an account, audience and profile included, is one HTTP request."""
    with open_readers() as readers:
        rows = read(readers, days=4)
        assert readers.http == 1
        calls = readers.calls
        readers.sandbox.clear_log()
        assert len(read(readers, days=4, profiles=False)) == len(rows) - 1
        assert (readers.http, readers.calls) == (1, calls - 1)


@pytest.mark.parametrize("days", [10, 30, 60])
def test_more_than_a_batch(days: int) -> None:
    """Where the insights take several batches, the profile still comes once, and nothing is lost."""
    with open_readers() as readers:
        rows = read(readers, days=days)
        assert [table for table, _ in rows].count("accounts") == 1
        insights = [row for table, row in rows if table != "accounts"]
        alone = [row for _, row in read(readers, days=days, profiles=False)]
        assert [row | {"fetched_at": ""} for row in insights] == [row | {"fetched_at": ""} for row in alone]


def test_without_insights() -> None:
    """Where there is nothing else to ask, the profile is asked for by itself."""
    with open_readers() as readers:
        nothing = AccountPlan(series=(), totals=(), snapshots=())
        assert [table for table, _ in rows_of(readers, nothing, ())] == ["accounts"]
        assert readers.http == 1


@pytest.mark.parametrize("options", [{"profiles": False}, {"current": False}])
def test_not_wanted(options: dict[str, bool]) -> None:
    """A backfill of old days, or a run without the profiles' table, does not ask for it."""
    with open_readers() as readers:
        assert "accounts" not in {table for table, _ in read(readers, **options)}


def test_an_item_that_is_left_out() -> None:
    """A profile that Meta did not get to in the batch is asked again."""
    with open_readers() as readers:
        fault(readers, NullItem(), times=1)
        assert [table for table, _ in read(readers)].count("accounts") == 1
        assert readers.http == 2


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        (ErrorEffect(100, subcode=33, message="Unsupported get request."), AccountUnavailable),
        (ErrorEffect(80002, message="There have been too many calls"), Throttled),
    ],
)
def test_what_the_profile_is_refused_for(effect: ErrorEffect, error: type[Exception]) -> None:
    """The account fails by name with the profile's own error, and gives no row."""
    with open_readers() as readers:
        fault(readers, effect)
        with pytest.raises(error, match=readers.accounts[0].id):
            read(readers)


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
    with open_readers(World.build(accounts=1, media_per_account=0, now=NOW)) as readers:
        effect = ErrorEffect(code, message=message)
        readers.sandbox.faults.add(GraphFault(effect=effect, path="/insights$", times=None))
        reader = AccountReader(
            client=readers.client,
            plan=plan_account(["reach"], None, version="v25.0", login="facebook"),
            days=(YESTERDAY,),
            provenance=readers.provenance,
            left_out_log=readers.left_out_log,
            refused_metrics=readers.refused_metrics,
        )
        rows = reader.read(readers.accounts[0].id)
        assert next(rows)[0] == "accounts"
        with pytest.raises(error):
            next(rows)
        assert readers.http == 1


def test_an_error_of_the_profile_costs_no_insights() -> None:
    """A profile that Meta's servers fail on stays open; the account's insights are all there."""
    with open_readers() as readers:
        fault(readers, ErrorEffect(2, message="Service temporarily unavailable"))
        pool = AccountPool(readers.open_source().read_accounts(lookback_days=0, profiles=True), workers=1)
        given = list(pool.read([readers.accounts[0].id]))
        assert {table for table, _ in given} == {"account_insights"}
        assert [question.what for question in pool.results.unanswered[readers.accounts[0].id]] == ["profile"]


NAMED = "(#100) Tried accessing nonexisting field (website) on node type (IGUser)"


@pytest.mark.parametrize(
    ("code", "message", "http"),
    [
        (100, NAMED, 2),
        (100, "(#100) このフィールドは無効です", 3),
        (10, "(#10) No permission to read (website)", 2),
        (10, "(#10) Application does not have permission for this action", 4),
    ],
    ids=["named", "nameless", "permission", "nameless permission"],
)
def test_a_refused_field_costs_itself(monkeypatch: pytest.MonkeyPatch, code: int, message: str, http: int) -> None:
    """All other fields and all insights arrive; the field is named, and not asked again of the account."""
    with open_readers() as readers:
        refuse_field(readers, monkeypatch, "website", ErrorEffect(code, message=message))
        rows = read(readers)
        [profile] = [row for table, row in rows if table == "accounts"]
        assert profile["username"] == readers.accounts[0].username
        assert profile["followers_count"] is not None
        assert "website" not in profile
        assert {table for table, _ in rows} == {"accounts", "account_insights"}
        assert [what for what, _ in readers.left_out] == ["website"]
        assert readers.http == http


def test_a_profile_that_may_not_be_read_is_the_accounts() -> None:
    """Where not even the id may be read, no field is looked for: the insights are given, then the account fails."""
    with open_readers() as readers:
        fault(readers, ErrorEffect(10, message="(#10) Application does not have permission for this action"))
        pool = AccountPool(readers.open_source().read_accounts(lookback_days=0, profiles=True), workers=1)
        assert {table for table, _ in pool.read([readers.accounts[0].id])} == {"account_insights"}
        assert [type(error) for error in pool.results.failed.values()] == [PermissionMissing]
        assert readers.http == 2


def test_another_kind_of_node_is_no_refused_field(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Page's id has none of the fields: it is the wrong id, and no field is looked for."""
    with open_readers() as readers:
        message = "(#100) Tried accessing nonexisting field (website) on node type (Page)"
        refuse_field(readers, monkeypatch, "website", ErrorEffect(100, message=message))
        with pytest.raises(AccountUnavailable, match=readers.accounts[0].id):
            read(readers)
        assert readers.http == 1


@pytest.mark.parametrize("name", ["alt_text", "like_count", "caption"])
@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (100, "(#100) Tried accessing nonexisting field ({}) on node type (IGMedia)", "MetricRefused"),
        (100, "(#100) 無効", "MetricRefused"),
        (10, "(#10) Application does not have permission for this action", "PermissionMissing"),
        (10, "(#10) 権限がありません", "PermissionMissing"),
    ],
)
def test_a_refused_field_of_a_listing(
    monkeypatch: pytest.MonkeyPatch, name: str, code: int, message: str, kind: str
) -> None:
    """The media come without the field, with all their numbers, on every page."""
    with open_readers(World.build(accounts=1, media_per_account=130, now=NOW)) as readers:
        whole = readers.read_media()
        refuse_field(readers, monkeypatch, name, ErrorEffect(code, message=message.format(name)))
        assert readers.read_media() == whole
        assert [found for found in readers.left_out if found[1] == kind] == [(name, kind)]


def refuse_field(readers: Readers, monkeypatch: pytest.MonkeyPatch, name: str, effect: ErrorEffect) -> None:
    """Let the API refuse whatever asks for the field."""
    answer = readers.sandbox._api.answer

    def refuse(request: Any, work: Any = None) -> Any:
        if name in request.params.get("fields", "").split(","):
            error = effect.error()
            return GraphAnswer(status=error.kind.http, body=error.body("A1"))
        return answer(request, work)

    monkeypatch.setattr(readers.sandbox._api, "answer", refuse)
