"""Limits that an app or a user has over all accounts: noticed after a few accounts; no call is wasted after that."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from airflow_provider_iginsights.errors import AccountUnavailable, GraphFacts, Throttled
from airflow_provider_iginsights.extract.account_pool import AccountPool
from airflow_provider_iginsights.extract.rows import TableRow

ACCOUNTS = [str(number) for number in range(10)]


def limited(code: int) -> Throttled:
    """Return a rate limit's error."""
    return Throttled("wait", facts=GraphFacts(code=code), retry_after=60)


def read_all(errors: dict[str, Exception]) -> tuple[AccountPool, list[str]]:
    """Read ten accounts one by one, some of which fail; return the pool and whom it asked."""
    asked: list[str] = []

    def read(account_id: str) -> Iterator[TableRow]:
        asked.append(account_id)
        if account_id in errors:
            raise errors[account_id]
        yield "t", {"account_id": account_id}

    pool = AccountPool(read, workers=1)
    assert [row["account_id"] for _, row in pool.read(ACCOUNTS)] == pool.results.done
    return pool, asked


@pytest.mark.parametrize("code", [4, 17, 341])
def test_three_in_a_row_stop_the_others(code: int) -> None:
    """After three accounts in a row met the app's or user's limit no other is asked; all wait, as long as Meta said."""
    pool, asked = read_all({account: limited(code) for account in ACCOUNTS[2:]})
    assert asked == ACCOUNTS[:5]
    assert pool.results.done == ACCOUNTS[:2]
    assert list(pool.results.failed) == ACCOUNTS[2:]
    assert {type(error) for error in pool.results.failed.values()} == {Throttled}
    assert {error.retry_after for error in pool.results.failed.values()} == {60}  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", [32, 613, 80002, None])
def test_an_account_s_own_limit_stops_nobody_else(code: int | None) -> None:
    """Limits of accounts and Pages are theirs: every account is asked."""
    pool, asked = read_all({account: limited(code) for account in ACCOUNTS[:9]})  # type: ignore[arg-type]
    assert asked == ACCOUNTS
    assert pool.results.done == ACCOUNTS[9:]


def test_an_answer_in_between_says_that_the_limit_is_not_shared() -> None:
    """Where accounts still answer, the limit is not everybody's: all are asked."""
    pool, asked = read_all({account: limited(4) for account in ACCOUNTS if int(account) % 3})
    assert asked == ACCOUNTS
    assert pool.results.done == ACCOUNTS[::3]


def test_failures_hold_no_frames() -> None:
    """A kept error has no traceback: its frames would hold the pages of a thousand failed accounts in memory."""
    pool, _ = read_all({"3": AccountUnavailable("gone")})
    assert pool.results.failed["3"].__traceback__ is None
