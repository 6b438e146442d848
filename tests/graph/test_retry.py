"""Retries: bounded in tries and in time, the server's word first; what may be too large is asked for in parts."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.errors import MetricRefused, ServerTrouble, TooMuchData
from airflow_provider_iginsights.graph.error_mapping import GraphFailure
from airflow_provider_iginsights.graph.retry import RequestSize, Retrier
from airflow_provider_iginsights.graph.settings import GraphSettings


def _retrier(pauses: list[float], moment: list[float], *, tries: int = 5, seconds: float = 120) -> Retrier:
    def sleep(duration: float) -> None:
        pauses.append(duration)
        moment[0] += duration

    return Retrier(max_tries=tries, max_seconds=seconds, sleep=sleep, clock=lambda: moment[0])


def test_stops_with_the_first_settled_result(pauses: list[float], moment: list[float]) -> None:
    """A result that is not worth another try is returned, and nothing is tried after it."""
    results = iter(["bad", "bad", "good", "never asked"])
    found = _retrier(pauses, moment).call(
        lambda: next(results), retry_if=lambda it: it == "bad", retry_after=lambda _: None
    )
    assert found == "good"
    assert next(results) == "never asked"


def test_tries_are_bounded_and_the_last_result_returned(pauses: list[float], moment: list[float]) -> None:
    """Five tries make four pauses of about 1, 2, 4 and 8 seconds, each with up to a second of jitter."""
    count = iter(range(100))
    retrier = _retrier(pauses, moment)
    assert retrier.call(lambda: next(count), retry_if=lambda _: True, retry_after=lambda _: None) == 4
    assert [int(pause) for pause in pauses] == pytest.approx([1, 2, 4, 8], abs=1)
    assert len(set(pauses)) == 4


def test_time_is_bounded(pauses: list[float], moment: list[float]) -> None:
    """However many tries are allowed, none starts after the bound, also when the tries themselves take long."""
    starts: list[float] = []

    def attempt() -> str:
        starts.append(moment[0])
        moment[0] += 50
        return "slow"

    _retrier(pauses, moment, tries=99).call(attempt, retry_if=lambda _: True, retry_after=lambda _: None)
    assert len(starts) == 3
    assert starts[-1] - starts[0] <= 120


def test_the_servers_word_wins(pauses: list[float], moment: list[float]) -> None:
    """Seconds that the server names replace the back-off; beyond the bound they end the tries at once."""
    words = iter([7.0, 11.0, 5000.0, 1.0])
    last = _retrier(pauses, moment).call(
        lambda: next(words), retry_if=lambda _: True, retry_after=lambda seconds: seconds
    )
    assert pauses == [7.0, 11.0]
    assert last == 5000.0


def test_the_default_bounds_outlast_a_minute(pauses: list[float], moment: list[float]) -> None:
    """With the client's own bounds the last try begins more than a minute, and less than two, after the first."""
    settings = GraphSettings(token="EAAG")
    retrier = _retrier(pauses, moment, tries=settings.max_tries, seconds=settings.max_wait)
    retrier.call(lambda: "bad", retry_if=lambda _: True, retry_after=lambda _: None)
    assert 60 <= sum(pauses) <= 120


def test_a_server_that_asks_for_no_pause_shortens_none() -> None:
    """``Retry-After: 0`` does not use up the tries within an instant: the back-off holds."""
    hasty = GraphFailure(ServerTrouble("It failed.", retry_after=0), retryable=True)
    assert RequestSize(1).find_wait(hasty) is None


def test_what_asks_for_less_is_no_further_try(pauses: list[float], moment: list[float]) -> None:
    """A smaller question follows at once and uses up no try; the time is bounded for it as for any other."""
    sizes = iter([8, 4, 2, 1, 1, 1, 0])
    found = _retrier(pauses, moment, tries=3).call(
        lambda: next(sizes), retry_if=bool, retry_after=lambda size: 0.0 if size > 1 else None
    )
    assert (found, len(pauses)) == (1, 2)

    def attempt() -> str:
        moment[0] += 50
        return "too large"

    begun = moment[0]
    _retrier(pauses, moment).call(attempt, retry_if=lambda _: True, retry_after=lambda _: 0.0)
    assert moment[0] - begun == pytest.approx(150)


def test_what_asks_for_less_is_asked_after_the_last_try(pauses: list[float], moment: list[float]) -> None:
    """A size that was found too large at the last try is halved all the same."""
    results = iter(["busy", "too large", "good"])
    waits = {"busy": None, "too large": 0.0}
    found = _retrier(pauses, moment, tries=2).call(
        lambda: next(results), retry_if=waits.__contains__, retry_after=waits.get
    )
    assert found == "good"


UNCLEAR = GraphFailure(ServerTrouble("It failed."), retryable=True, may_be_size=True)
OTHER = GraphFailure(ServerTrouble("It failed."), retryable=True)
NAMED = GraphFailure(TooMuchData("It was too much."), retryable=True, max_tries=2, may_be_size=True)
LARGE = GraphFailure(TooMuchData("It was too large."), may_be_size=True)
REFUSED = GraphFailure(MetricRefused("It was refused."))


@pytest.mark.parametrize(
    ("items", "failure", "asked"),
    [
        (100, UNCLEAR, [100, 100, 50, 25, 13, 10, 10, 10]),
        (50, UNCLEAR, [50, 50, 25, 13, 10, 10, 10, 10]),
        (11, UNCLEAR, [11, 11, 10, 10, 10, 10, 10, 10]),
        (7, UNCLEAR, [7] * 8),
        (1, UNCLEAR, [1] * 8),
        (100, OTHER, [100] * 8),
        (100, NAMED, [100, 100, 50, 25, 13, 10, 5, 3]),
        (5, NAMED, [5, 5, 3, 2, 1]),
        (1, NAMED, [1, 1]),
        (40, LARGE, [40, 20, 10, 5, 3, 2, 1]),
        (100, REFUSED, [100]),
    ],
)
def test_which_sizes_are_asked(items: int, failure: GraphFailure, asked: list[int]) -> None:
    """One quick retry, then halves: down to 10, which is then retried, or to 1 where the server names the size."""
    size, seen = RequestSize(items), [items]
    while size.record_failure(failure) and len(seen) < 8:
        seen.append(size.items)
    assert seen == asked
