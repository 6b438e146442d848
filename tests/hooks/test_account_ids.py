"""Which accounts a hook reads (given, the connection's, all), and the rows it yields for other destinations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine

from airflow_provider_iginsights.errors import AccountUnavailable, ConfigurationError
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World
from airflow_provider_iginsights.sandbox.graph.numbers import account_day

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def graph() -> Iterator[GraphSandbox]:
    """Run a Graph API with three accounts on a November noon."""
    with (
        time_machine.travel(NOW, tick=True),
        GraphSandbox(World.build(accounts=3, media_per_account=4, now=NOW), clock=Clock(NOW)) as sandbox,
    ):
        yield sandbox


def _hook(monkeypatch: pytest.MonkeyPatch, graph: GraphSandbox, **extra: object) -> InstagramHook:
    connection = {
        "conn_type": "instagram",
        "host": graph.url,
        "password": graph.world.system_user_token,
        "extra": extra,
    }
    monkeypatch.setenv("AIRFLOW_CONN_INSTAGRAM_DEFAULT", json.dumps(connection))
    return InstagramHook()


@pytest.mark.parametrize("given", [None, "", "  ", "None", "null"])
def test_nothing_given_means_all_that_the_token_sees(
    monkeypatch: pytest.MonkeyPatch, graph: GraphSandbox, given: str | None
) -> None:
    """Left out, blank or rendered from nothing: the accounts are discovered, unless the connection names some."""
    with _hook(monkeypatch, graph).get_conn():
        assert set(_hook(monkeypatch, graph).find_account_ids(given)) == set(graph.world.accounts)
    first = next(iter(graph.world.accounts))
    assert _hook(monkeypatch, graph, account_ids=first).find_account_ids(given) == (first,)


@pytest.mark.parametrize("given", [[], (), "[]", ","])
def test_an_empty_list_is_refused(monkeypatch: pytest.MonkeyPatch, graph: GraphSandbox, given: object) -> None:
    """An empty list must not turn into every account that the token sees."""
    with pytest.raises(ConfigurationError, match="empty list"):
        _hook(monkeypatch, graph).find_account_ids(given)


def test_a_token_that_sees_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch, graph: GraphSandbox) -> None:
    """Meta answers an empty list without an error; we say what may be missing."""
    graph.world.accounts.clear()
    with pytest.raises(ConfigurationError, match="business_management"):
        _hook(monkeypatch, graph).find_account_ids()


def test_the_hook_yields_the_rows_of_the_transfers(monkeypatch: pytest.MonkeyPatch, graph: GraphSandbox) -> None:
    """For another destination: the same rows, for the accounts and metrics asked for."""
    hook = _hook(monkeypatch, graph)
    account_id = next(iter(graph.world.accounts))
    with hook.get_conn():
        rows = list(
            hook.account_insights(
                account_id, metrics="likes", breakdowns={"likes": []}, lookback_days=0, since="2026-11-10"
            )
        )
        media = list(hook.media_insights(account_id, metrics="reach", refresh_days=None))
        stories = list(hook.story_insights(account_id, metrics="reach"))
    day = datetime(2026, 11, 10, tzinfo=UTC).date()
    assert [(row["metric_date"], row["value"]) for row in rows] == [
        (day, account_day(graph.world.seed, account_id, "likes", day))
    ]
    assert {row["media_id"] for row in media} == {post.id for post in graph.world.media_of(account_id, NOW)}
    assert {row["media_id"] for row in stories} == {story.id for story in graph.world.stories_of(account_id, NOW)}


def test_the_hook_raises_after_the_rows_of_the_others(monkeypatch: pytest.MonkeyPatch, graph: GraphSandbox) -> None:
    """One account that cannot be read costs none of the others' rows."""
    hook = _hook(monkeypatch, graph)
    known = next(iter(graph.world.accounts))
    rows: list[dict[str, object]] = []
    with hook.get_conn(), pytest.raises(AccountUnavailable, match="17849999999999999"):
        rows.extend(hook.media_insights([known, "17849999999999999"], metrics="reach", refresh_days=None))
    assert {row["account_id"] for row in rows} == {known}
