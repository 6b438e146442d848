"""Patience: bounded in tries and in time, the server's word first."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.graph.retry import Patience
from airflow_provider_iginsights.graph.settings import GraphSettings


def _patience(pauses: list[float], moment: list[float], *, tries: int = 5, seconds: float = 120) -> Patience:
    def sleep(duration: float) -> None:
        pauses.append(duration)
        moment[0] += duration

    return Patience(tries=tries, seconds=seconds, sleep=sleep, clock=lambda: moment[0])


def test_stops_with_the_first_settled_result(pauses: list[float], moment: list[float]) -> None:
    """A result that is not worth another try is returned, and nothing is tried after it."""
    results = iter(["bad", "bad", "good", "never asked"])
    found = _patience(pauses, moment).persist(lambda: next(results), again=lambda it: it == "bad", told=lambda _: None)
    assert found == "good"
    assert next(results) == "never asked"


def test_tries_are_bounded_and_the_last_result_returned(pauses: list[float], moment: list[float]) -> None:
    """Five tries make four pauses of about 1, 2, 4 and 8 seconds, each with up to a second of jitter."""
    count = iter(range(100))
    patience = _patience(pauses, moment)
    assert patience.persist(lambda: next(count), again=lambda _: True, told=lambda _: None) == 4
    assert [int(pause) for pause in pauses] == pytest.approx([1, 2, 4, 8], abs=1)
    assert len(set(pauses)) == 4


def test_time_is_bounded(pauses: list[float], moment: list[float]) -> None:
    """However many tries are allowed, none starts after the bound, also when the tries themselves take long."""
    starts: list[float] = []

    def attempt() -> str:
        starts.append(moment[0])
        moment[0] += 50
        return "slow"

    _patience(pauses, moment, tries=99).persist(attempt, again=lambda _: True, told=lambda _: None)
    assert len(starts) == 3
    assert starts[-1] - starts[0] <= 120


def test_the_servers_word_wins(pauses: list[float], moment: list[float]) -> None:
    """Seconds that the server names replace the back-off; beyond the bound they end the tries at once."""
    words = iter([7.0, 11.0, 5000.0, 1.0])
    last = _patience(pauses, moment).persist(lambda: next(words), again=lambda _: True, told=lambda seconds: seconds)
    assert pauses == [7.0, 11.0]
    assert last == 5000.0


def test_the_default_patience_outlasts_a_minute(pauses: list[float], moment: list[float]) -> None:
    """With the client's own bounds the last try begins more than a minute, and less than two, after the first."""
    settings = GraphSettings(token="EAAG")
    patience = _patience(pauses, moment, tries=settings.max_tries, seconds=settings.max_wait)
    patience.persist(lambda: "bad", again=lambda _: True, told=lambda _: None)
    assert 60 <= sum(pauses) <= 120


def test_a_server_that_asks_for_no_pause_shortens_none(pauses: list[float], moment: list[float]) -> None:
    """``Retry-After: 0`` does not use up the tries within an instant."""
    _patience(pauses, moment, tries=7).persist(lambda: "bad", again=lambda _: True, told=lambda _: 0.0)
    assert sum(pauses) >= 60
