"""After the others were loaded, the accounts that failed decide how the task ends."""

from __future__ import annotations

import pickle
import traceback
from types import SimpleNamespace

import pytest

from airflow_provider_iginsights import errors
from airflow_provider_iginsights._compat import AirflowFailException
from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    GraphFacts,
    InsightsError,
    PermissionMissing,
    ServerTrouble,
    Throttled,
    TokenExpired,
)
from airflow_provider_iginsights.extract.account_pool import AccountResults
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.unanswered import UnansweredRequest
from airflow_provider_iginsights.task.failures import (
    combine,
    failing_without_retry,
    give_up_unanswered,
    is_last_try,
    raise_failures,
)

FACTS = GraphFacts(asked="GET 1/insights", code=100, subcode=33)


def make_results(*done: str, **failed: InsightsError) -> AccountResults:
    """Return how accounts fared; ``failed`` names them ``a1``, ``a2`` and so on."""
    return AccountResults(done=list(done), failed=dict(failed))


@pytest.mark.parametrize("skips", [False, True])
def test_nobody_failed(skips: bool) -> None:
    """The task succeeds."""
    raise_failures(make_results("1", "2"), skips=skips)


def test_skip_is_content_with_one_account() -> None:
    """One account that answered is enough for "skip"; none is not."""
    raise_failures(make_results("1", a2=AccountUnavailable("gone")), skips=True)
    with pytest.raises(AccountUnavailable, match="gone"):
        raise_failures(make_results(a2=AccountUnavailable("gone")), skips=True)


def test_one_of_one_raises_its_own_error() -> None:
    """A single account's error is raised as it is, facts and all."""
    error = AccountUnavailable("Meta does not know account 1.", facts=FACTS)
    with pytest.raises(AccountUnavailable) as caught:
        raise_failures(make_results(a1=error))
    assert caught.value is error


def test_one_of_many_is_named() -> None:
    """The error says how many failed, which, why, and that the others are loaded."""
    with pytest.raises(AccountUnavailable) as caught:
        raise_failures(make_results("1", "2", a3=AccountUnavailable("Meta does not know it.", facts=FACTS)))
    assert caught.value.message.startswith("1 of 3 accounts failed, all others are loaded.")
    assert "a3: Meta does not know it." in caught.value.message
    assert caught.value.facts == FACTS


@pytest.mark.parametrize(
    ("kinds", "raised", "retry_after"),
    [
        ((PermissionMissing, Throttled), Throttled, 600),
        ((AccountUnavailable, ServerTrouble, PermissionMissing), ServerTrouble, None),
        ((PermissionMissing, AccountUnavailable), PermissionMissing, None),
        ((TokenExpired, TokenExpired), TokenExpired, None),
    ],
)
def test_a_retriable_error_decides(
    kinds: tuple[type[InsightsError], ...], raised: type[InsightsError], retry_after: int | None
) -> None:
    """If a retry helps any of the failed accounts, the task is retried, after as long as Meta said; all are named."""
    failed = {f"a{place}": kind(f"trouble {place}") for place, kind in enumerate(kinds)}
    for error in failed.values():
        if isinstance(error, Throttled):
            error.retry_after = 600
    combined = combine(failed, of=len(failed))
    assert type(combined) is raised
    assert getattr(combined, "retry_after", None) == retry_after
    for place in range(len(kinds)):
        assert f"a{place}: trouble {place}" in combined.message


def test_a_thousand_failures_fit_a_message() -> None:
    """Ten are named, the rest counted."""
    failed: dict[str, InsightsError] = {str(account): AccountUnavailable("gone") for account in range(1000)}
    combined = combine(failed, of=1000)
    assert "and 990 more" in combined.message
    assert len(combined.message) < 500


LEAVES = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, InsightsError)]


@pytest.mark.parametrize("kind", LEAVES, ids=lambda kind: kind.__name__)
def test_errors_cross_processes(kind: type[InsightsError]) -> None:
    """Every error survives pickling with its name, message, facts and attributes."""
    error = kind("What happened. What to do.", facts=FACTS)
    error.retry_after = 5  # type: ignore[attr-defined]
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.message, again.facts, again.retry_after) == (kind, error.message, FACTS, 5)


@pytest.mark.parametrize("kind", [TokenExpired, errors.ConfigurationError, errors.IncompatibleTable])
def test_failing_now_keeps_the_name(kind: type[errors.FatalGraphError]) -> None:
    """What Airflow must not retry is caught by its class; a log shows it once, where it came up, with its cause."""
    error = kind("The token has expired.", facts=FACTS)
    error.__cause__ = KeyError("expires_at")
    with pytest.raises(kind) as caught, failing_without_retry():
        raise error
    assert isinstance(caught.value, AirflowFailException)
    assert type(caught.value).__name__ == f"{kind.__name__}WithoutRetry"
    assert str(caught.value) == str(error)
    shown = "".join(traceback.format_exception(caught.value))
    assert shown.count("The token has expired.") == 1
    assert shown.count("raise error\n") == 1
    assert shown.count("KeyError: 'expires_at'") == 1


def left_open(count: int = 1) -> tuple[UnansweredRequest, ...]:
    """Return open questions about an account."""
    error = ServerTrouble("Meta's servers failed.", facts=GraphFacts(code=2), retry_after=7)
    return tuple(
        UnansweredRequest(whom="account 1", what=f"metric_{number}", error=error, repeat={}) for number in range(count)
    )


def test_an_account_that_is_not_whole_is_tried_again() -> None:
    """Its error is retriable, keeps what Meta said, and names the questions, at most ten."""
    with pytest.raises(ServerTrouble, match=r"metric_0 of account 1.*; and 2 more") as caught:
        raise_failures(AccountResults(unanswered={"1": left_open(12)}))
    assert (caught.value.facts.code, caught.value.retry_after) == (2, 7)
    assert "metric_10" not in str(caught.value)
    with pytest.raises(ServerTrouble, match="2 of 3 accounts failed"):
        raise_failures(
            AccountResults(done=["3"], failed={"2": AccountUnavailable("gone")}, unanswered={"1": left_open()})
        )


def test_what_no_try_will_ask_is_named() -> None:
    """At the end the account is done and its questions stand among what was left out; another failure stays one."""
    fared = AccountResults(failed={"2": AccountUnavailable("gone")}, unanswered=dict.fromkeys("12", left_open(2)))
    left_out_log = LeftOutLog()
    closed = give_up_unanswered(fared, left_out_log)
    assert (closed.done, list(closed.failed), list(closed.unanswered)) == (["1"], ["2"], ["2"])
    assert (fared.done, list(fared.unanswered)) == ((), ["1", "2"])
    assert [(found["what"], found["kind"]) for found in left_out_log.summarize()] == [
        ("metric_0", "ServerTrouble"),
        ("metric_1", "ServerTrouble"),
    ]


@pytest.mark.parametrize(
    ("number", "most", "is_last"),
    [(1, 0, True), (1, 2, False), (2, 2, False), (3, 2, True), (4, 2, True), (None, 2, True)],
)
def test_the_last_try(number: int | None, most: int, is_last: bool) -> None:
    """Airflow counts tries from one and retries from none: with two retries, the third try is the last."""
    assert is_last_try({"ti": SimpleNamespace(try_number=number, max_tries=most)}) is is_last  # type: ignore[typeddict-item]
