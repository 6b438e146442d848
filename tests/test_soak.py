"""A few nights with random faults of every kind; benchmarks/soak.py plays hundreds."""

from __future__ import annotations

import pytest

from benchmarks.soak import is_well, main
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
    # A run may lack in the table of runs, which BigQuery refuses at times; most do not.
    assert sum(season.untold for season in seasons) < sum(len(season.runs) for season in seasons) / 4
    assert after.threads == before.threads
    assert after.files == before.files
    assert after.megabytes < before.megabytes + 50


@pytest.mark.parametrize("words", [("--nights", "30"), ("--season", "31"), ("--nights", "34")])
def test_a_growth_that_nothing_could_show_is_refused(words: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is compared with that after night 30, so some season has to end after it."""
    monkeypatch.setattr("sys.argv", ["soak", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("growth", "untold", "left", "well"),
    [
        (0.05, 0.01, [], True),
        (-0.2, 0.0, [], True),
        (0.051, 0.0, [], False),
        (0.0, 0.011, [], False),
        (0.0, 0.0, ["socket"], False),
    ],
)
def test_when_the_nights_passed(growth: float, untold: float, left: list[str], well: bool) -> None:
    """Memory grew by 5 % at most, 1 % of the runs of accounts is untold at most, and nothing is left."""
    assert is_well(growth=growth, untold=untold, left=left) is well
