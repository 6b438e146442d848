"""A few nights with random faults of every kind; benchmarks/soak.py plays hundreds."""

from __future__ import annotations

from tests.support.soak import Footprint, play

SEEDS = (1, 2)
NIGHTS = 3


def test_nights_of_random_faults_leave_the_truth_and_nothing_else() -> None:
    """After two seasons of faults the tables are exact, and no thread, file or socket is left from the second."""
    seasons = [play(SEEDS[0], NIGHTS)]
    before = Footprint.now()
    seasons.append(play(SEEDS[1], NIGHTS))
    after = Footprint.now()
    assert sum(season.nights for season in seasons) == len(SEEDS) * NIGHTS
    assert sum(season.refused for season in seasons) >= len(SEEDS) * NIGHTS, "the faults were too few to show anything"
    assert after.threads == before.threads
    assert after.files == before.files
    assert after.megabytes < before.megabytes + 50
