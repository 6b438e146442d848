"""Two and a half days of hourly polls with outages, small enough for the suite: no story is lost without a word."""

from __future__ import annotations

from tests.support.transfers.story_week import Setting, simulate


def test_what_could_be_caught_is_caught_and_what_could_not_is_told() -> None:
    """Every story that a poll could see is stored, with its last numbers where a poll was near; all else is told."""
    figures = simulate(Setting(accounts=2, stories_per_day=12, hours=57, outages=((1, 30), (35, 1))))
    assert figures.faults == []
    assert figures.lost + figures.without_final == figures.told
    assert min(figures.lost, figures.without_final, figures.with_final) > 0
