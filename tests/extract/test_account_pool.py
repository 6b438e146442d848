"""Many accounts in threads: every row once, one account's failure its own, memory flat, nobody left hanging."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from airflow_provider_iginsights._compat import AirflowSkipException
from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    BrokenResponse,
    PolicyBlocked,
    Throttled,
    TokenExpired,
)
from airflow_provider_iginsights.extract.account_pool import CHUNK_SIZE, AccountPool
from airflow_provider_iginsights.extract.rows import TableRow


def rows_of(account_id: str, count: int = 3) -> Iterator[TableRow]:
    """Yield that many rows."""
    return (("t", {"account_id": account_id, "n": number}) for number in range(count))


def numbers_in(rows: Iterator[TableRow]) -> Counter[tuple[str, int]]:
    """Count the rows by account and number."""
    return Counter((row["account_id"], row["n"]) for _, row in rows)


@pytest.mark.parametrize("workers", [1, 4, 64])
@pytest.mark.parametrize("count", [0, 1, CHUNK_SIZE, 2 * CHUNK_SIZE + 1])
def test_every_row_arrives_once(workers: int, count: int) -> None:
    """Whatever the number of threads and rows, each row comes exactly once and each account is done."""
    accounts = [str(account) for account in range(10)]
    pool = AccountPool(lambda account_id: rows_of(account_id, count), workers=workers)
    found = numbers_in(pool.read(accounts))
    assert found == Counter((account, number) for account in accounts for number in range(count))
    assert sorted(pool.results.done) == sorted(accounts)
    assert pool.results.failed == {}


def test_no_accounts() -> None:
    """Nobody to read is no error."""
    pool = AccountPool(rows_of, workers=4)
    assert list(pool.read([])) == []


def test_accounts_are_read_at_the_same_time_but_no_more_than_allowed() -> None:
    """Three workers are at work at once, never four; each account is read by one thread."""
    together, under_way, peak = threading.Barrier(3, timeout=10), 0, 0
    lock = threading.Lock()

    def read(account_id: str) -> Iterator[TableRow]:
        nonlocal under_way, peak
        with lock:
            under_way += 1
            peak = max(peak, under_way)
        together.wait()
        yield from rows_of(account_id)
        with lock:
            under_way -= 1

    pool = AccountPool(read, workers=3)
    assert len(list(pool.read(map(str, range(9))))) == 27
    assert peak == 3


@pytest.mark.parametrize(
    "error", [AccountUnavailable("gone"), Throttled("wait")], ids=lambda error: type(error).__name__
)
def test_one_account_fails_alone(error: AccountUnavailable | Throttled) -> None:
    """The rows before the failure and all rows of the others arrive; the error is kept under the account's id."""

    def read(account_id: str) -> Iterator[TableRow]:
        yield from rows_of(account_id, CHUNK_SIZE)
        if account_id == "2":
            raise error

    pool = AccountPool(read, workers=2)
    found = numbers_in(pool.read(["1", "2", "3"]))
    assert {account for account, _ in found} == {"1", "2", "3"}
    assert pool.results.failed == {"2": error}
    assert sorted(pool.results.done) == ["1", "3"]


@pytest.mark.parametrize("kind", [TokenExpired, PolicyBlocked])
def test_a_token_error_stops_those_not_yet_begun(kind: type[TokenExpired]) -> None:
    """What concerns the token is every account's failure: no further account is asked."""
    asked: list[str] = []

    def read(account_id: str) -> Iterator[TableRow]:
        asked.append(account_id)
        if account_id == "2":
            raise kind("dead")
        yield from rows_of(account_id)

    pool = AccountPool(read, workers=1)
    found = numbers_in(pool.read(["1", "2", "3", "4"]))
    assert {account for account, _ in found} == {"1"}
    assert asked == ["1", "2"]
    assert set(pool.results.failed) == {"2", "3", "4"}
    assert len(set(map(id, pool.results.failed.values()))) == 1


@pytest.mark.parametrize(
    "fault", [KeyError("a bug"), TypeError(), RecursionError(), UnicodeEncodeError("a", "", 0, 0, "")]
)
def test_our_own_faults_cost_one_account(fault: Exception) -> None:
    """What is no InsightsError is the account's BrokenResponse: its rows so far and all the others' arrive."""

    def read(account_id: str) -> Iterator[TableRow]:
        yield from rows_of(account_id)
        if account_id == "2":
            raise fault

    pool = AccountPool(read, workers=2)
    assert len(list(pool.read(["1", "2", "3"]))) == 9
    assert sorted(pool.results.done) == ["1", "3"]
    assert type(pool.results.failed["2"]) is BrokenResponse
    assert "account 2" in str(pool.results.failed["2"])


@pytest.mark.parametrize("signal", [KeyboardInterrupt(), SystemExit(1), AirflowSkipException("no")])
def test_what_ends_the_task_is_raised(signal: BaseException) -> None:
    """What ends the process, or is Airflow's own word on the task, is raised, and the threads end."""

    def read(account_id: str) -> Iterator[TableRow]:
        yield from rows_of(account_id)
        raise signal

    pool = AccountPool(read, workers=2)
    with pytest.raises(type(signal)):
        list(pool.read(["1", "2", "3"]))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("iginsights")]


def test_a_receiver_that_goes_away_ends_the_threads() -> None:
    """When nobody takes rows any more, endless readers end, and the queue does not hold them up."""

    def read(account_id: str) -> Iterator[TableRow]:
        number = 0
        while True:
            yield "t", {"account_id": account_id, "n": number}
            number += 1

    reading = AccountPool(read, workers=4).read(map(str, range(8)))
    assert next(reading)
    reading.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("iginsights")]


def test_fast_readers_wait_for_a_slow_receiver() -> None:
    """No more rows are held than the queue's chunks and one chunk per thread, however many there are to come."""
    made = 0
    lock = threading.Lock()

    def read(account_id: str) -> Iterator[TableRow]:
        nonlocal made
        for row in rows_of(account_id, 50 * CHUNK_SIZE):
            with lock:
                made += 1
            yield row

    workers = 2
    reading = AccountPool(read, workers=workers).read(["1", "2", "3"])
    for taken, _ in enumerate(reading, start=1):
        with lock:
            assert made - taken <= CHUNK_SIZE * (2 * workers + workers + 1)
        if taken == 20 * CHUNK_SIZE:
            break
    reading.close()  # type: ignore[attr-defined]
