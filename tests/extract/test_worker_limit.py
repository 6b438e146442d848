"""How many accounts are read at once: more while Meta answers, fewer near the app's limit; and what that costs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_provider_iginsights.errors import AccountUnavailable, GraphFacts, InsightsError, ServerTrouble, Throttled
from airflow_provider_iginsights.extract.account_pool import AccountPool
from airflow_provider_iginsights.extract.rows import TableRow
from airflow_provider_iginsights.extract.worker_limit import START_WORKERS, WorkerLimit
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.sandbox.graph import World
from tests.support.readers import ACCOUNT_KEY, NOW, Numbers, Readers, numbers_of, open_readers

ROUNDS_TO_SIXTEEN = sum(range(4, 16))


def throttled(code: int | None) -> Throttled:
    """Return a rate limit's error."""
    return Throttled("wait", facts=GraphFacts(code=code))


@pytest.mark.parametrize("ceiling", [1, 2, 4, 5, 16, 32])
def test_one_more_per_clean_round_up_to_the_ceiling(ceiling: int) -> None:
    """The number begins at four or the ceiling, and after as many accounts as it allows it allows one more."""
    limit = WorkerLimit(ceiling)
    allowed = min(START_WORKERS, ceiling)
    for _ in range(ceiling):
        assert limit.allowed == allowed
        for _ in range(allowed):
            assert limit.allowed == allowed
            limit.record_result()
        allowed = min(allowed + 1, ceiling)
    assert limit.allowed == ceiling


@pytest.mark.parametrize(
    ("error", "usage", "allowed"),
    [
        (throttled(4), 0, 8),
        (throttled(17), 0, 8),
        (throttled(341), 0, 8),
        (throttled(613), 0, 8),
        (None, 81, 8),
        (AccountUnavailable("gone"), 100, 8),
        (throttled(80002), 0, 16),
        (throttled(32), 0, 16),
        (throttled(None), 0, 16),
        (None, 80, 16),
        (AccountUnavailable("gone"), 0, 16),
        (ServerTrouble("down"), 0, 16),
    ],
)
def test_only_limits_of_the_app_or_the_user_halve(error: InsightsError | None, usage: float, allowed: int) -> None:
    """An account's own limit, and an error that is none, leave the number as it is."""
    usages = [0.0] * ROUNDS_TO_SIXTEEN + [usage]
    limit = WorkerLimit(16, take_app_usage=lambda: usages.pop(0))
    for _ in range(ROUNDS_TO_SIXTEEN):
        limit.record_result()
    assert limit.allowed == 16
    limit.record_result(error)
    assert limit.allowed == allowed


def test_it_never_falls_below_one_and_grows_again() -> None:
    """However often the limit is met, one account at a time is read; then the number grows from there."""
    limit = WorkerLimit(16)
    for _ in range(10):
        limit.record_result(throttled(4))
    assert limit.allowed == 1
    for allowed in (2, 3, 4):
        for _ in range(allowed - 1):
            limit.record_result()
        assert limit.allowed == allowed


def test_a_round_with_an_error_is_not_clean() -> None:
    """After a server error the round begins anew."""
    limit = WorkerLimit(16)
    for error in (None, None, None, ServerTrouble("down"), None, None, None):
        limit.record_result(error)
    assert limit.allowed == START_WORKERS
    limit.record_result()
    assert limit.allowed == START_WORKERS + 1


def test_no_more_accounts_than_allowed_are_read_at_once() -> None:
    """Sixteen threads, but only as many at work as the limit allows at that moment; at the end, all of them."""
    under_way, peaks, lock, together = 0, [0], threading.Lock(), threading.Barrier(16, timeout=10)
    late = [str(number) for number in range(ROUNDS_TO_SIXTEEN, ROUNDS_TO_SIXTEEN + 16)]

    def read(account_id: str) -> Iterator[TableRow]:
        nonlocal under_way
        with lock:
            under_way += 1
            peaks.append(under_way)
            assert under_way <= pool._worker_limit.allowed
        if account_id in late:
            together.wait()
        yield "t", {"account_id": account_id}
        with lock:
            under_way -= 1

    pool = AccountPool(read, workers=16)
    assert len(list(pool.read(map(str, range(ROUNDS_TO_SIXTEEN + 16))))) == ROUNDS_TO_SIXTEEN + 16
    assert pool.results.failed == {}
    assert max(peaks) == 16


def read_until_done(readers: Readers, *, ceiling: int) -> tuple[Numbers, int]:
    """Read all accounts, an hour later those that are missing, and so on; return all numbers and the refused calls."""
    numbers: Numbers = {}
    missing = [account.id for account in readers.accounts]
    for _ in range(10):
        with GraphClient(readers.client.settings) as client:
            source = replace(readers.open_source(["reach", "views"]), client=client)
            read = source.read_accounts(lookback_days=3, profiles=True)
            pool = AccountPool(read, workers=ceiling, take_app_usage=client.take_app_usage)
            numbers |= numbers_of(pool.read(missing), ACCOUNT_KEY)
        missing = [account_id for account_id in missing if account_id not in pool.results.done]
        if not missing:
            return numbers, readers.sandbox.usage.app_refused
        readers.sandbox.clock.advance(timedelta(hours=1, seconds=1))
    raise AssertionError(f"{len(missing)} accounts were never read")


@pytest.mark.parametrize("app_limit", [150, 330])
def test_no_more_calls_are_refused_than_with_four_fixed_workers(
    monkeypatch: pytest.MonkeyPatch, app_limit: int
) -> None:
    """Against an app's limit that is kept, 16 workers that follow it lose no more calls than 4 that know nothing."""
    world = World.build(accounts=60, media_per_account=0, now=NOW)
    found: list[tuple[Numbers, int]] = []
    for ceiling in (16, 4):
        with monkeypatch.context() as patch, open_readers(world) as readers:
            if ceiling == 4:
                patch.setattr(WorkerLimit, "record_result", lambda *_: None)
            readers.sandbox._application.latency = 0.01
            readers.sandbox.usage.app_limit = app_limit
            found.append(read_until_done(readers, ceiling=ceiling))
    (numbers, refused), (whole, refused_of_four) = found
    assert numbers.keys() == whole.keys()
    assert 0 < refused <= refused_of_four
