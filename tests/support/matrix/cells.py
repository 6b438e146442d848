"""The matrix as a table: one row, one environment. Only the standard library is needed to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from types import MappingProxyType
from typing import Literal

End = Literal["floor", "newest"]


@dataclass(frozen=True)
class Airflow:
    """A release of Airflow, and what goes with it.

    ``until`` is the day up to which its own dependencies are taken: a release does not bound them, and its constraints
    file freezes them, so the packages of its time are what is found beside it. None = today's work with it.
    ``google`` and ``requests`` are the oldest that go with it.
    """

    requirement: str
    pythons: tuple[str, ...]
    google: str
    requests: str = "2.32.0"
    until: str | None = None
    more: tuple[str, ...] = ()


# Airflow 3.0 and 3.1 read the fields of a hook that brings them itself, with flask-appbuilder, which FAB brings.
_FAB = ("apache-airflow-providers-fab",)
_THREE = ("3.11", "3.12", "3.13")
AIRFLOWS: Mapping[str, Airflow] = MappingProxyType(
    {
        "2.11": Airflow(
            "apache-airflow==2.11.2", ("3.11", "3.12"), google="10.17.0", requests="2.31.0", until="2026-04-15"
        ),
        "3.0": Airflow("apache-airflow==3.0.6", ("3.11", "3.12"), google="15.1.0", until="2025-10-15", more=_FAB),
        "3.1": Airflow("apache-airflow==3.1.8", _THREE, google="18.0.0", until="2026-04-01", more=_FAB),
        "3.2": Airflow("apache-airflow==3.2.2", _THREE, google="20.0.0", until="2026-07-01"),
        "3.3": Airflow("apache-airflow==3.3.2", _THREE, google="22.0.0"),
        "3.4": Airflow(
            "apache-airflow==3.4.0b2",
            _THREE,
            google="22.5.0",
            more=("apache-airflow-core==3.4.0b2", "apache-airflow-task-sdk==1.4.0b2"),
        ),
    }
)
"""By minor version: its newest release."""

OLDEST_BIGQUERY = "3.20.1"
"""What pyproject.toml allows; every Airflow takes it."""


@dataclass(frozen=True)
class Cell:
    """One environment. ``days_back`` sets the resolver's date back; ``lowest`` takes the oldest of each of ours."""

    name: str
    airflow: str
    python: str
    bigquery: End = "newest"
    requests: End = "newest"
    google: End | None = None
    lowest: bool = False
    days_back: int = 0

    @property
    def pins(self) -> tuple[str, ...]:
        """What is installed in one exact version beside the wheel."""
        oldest = (
            (self.bigquery, f"google-cloud-bigquery=={OLDEST_BIGQUERY}"),
            (self.requests, f"requests=={AIRFLOWS[self.airflow].requests}"),
        )
        return tuple(pin for end, pin in oldest if end == "floor")

    @property
    def of_its_time(self) -> tuple[str, ...]:
        """Airflow, and what goes with packages of its time, too: an old Google provider bounds none of its own."""
        airflow = AIRFLOWS[self.airflow]
        google = (f"apache-airflow-providers-google=={airflow.google}",) if self.google == "floor" else ()
        return (airflow.requirement, *airflow.more, *google)


CELLS: tuple[Cell, ...] = (
    Cell("2.11-py3.11", "2.11", "3.11"),
    Cell("2.11-py3.12", "2.11", "3.12", bigquery="floor", requests="floor"),
    Cell("2.11-py3.11-google-floor", "2.11", "3.11", bigquery="floor", google="floor"),
    Cell("2.11-py3.12-google", "2.11", "3.12", google="newest"),
    Cell("3.0-py3.11", "3.0", "3.11", requests="floor", google="floor"),
    Cell("3.0-py3.12", "3.0", "3.12", google="newest"),
    Cell("3.0-py3.12-floors", "3.0", "3.12", bigquery="floor"),
    Cell("3.1-py3.11", "3.1", "3.11", google="newest"),
    Cell("3.1-py3.12", "3.1", "3.12", bigquery="floor", requests="floor"),
    Cell("3.1-py3.13", "3.1", "3.13", google="floor"),
    Cell("3.2-py3.11", "3.2", "3.11", google="newest"),
    Cell("3.2-py3.12", "3.2", "3.12", bigquery="floor", requests="floor"),
    Cell("3.2-py3.13", "3.2", "3.13", google="floor"),
    Cell("3.3-py3.11", "3.3", "3.11", bigquery="floor", requests="floor"),
    Cell("3.3-py3.12", "3.3", "3.12", google="floor"),
    Cell("3.3-py3.13", "3.3", "3.13", google="newest"),
    Cell("3.4-py3.11", "3.4", "3.11", google="floor"),
    Cell("3.4-py3.12", "3.4", "3.12", requests="floor", google="newest"),
    Cell("3.4-py3.13", "3.4", "3.13", bigquery="floor", requests="floor"),
    Cell("lowest-direct", "2.11", "3.11", bigquery="floor", requests="floor", lowest=True),
    Cell("six-months-ago", "3.2", "3.12", days_back=182),
)

Pair = tuple[tuple[str, object], tuple[str, object]]


def pairs_of(cell: Cell) -> set[Pair]:
    """Return each two choices that a cell tries together."""
    chosen = [(axis, getattr(cell, axis)) for axis in ("airflow", "python", "bigquery", "requests", "google")]
    return {(one, other) for at, one in enumerate(chosen) for other in chosen[at + 1 :]}


def needed_pairs() -> set[Pair]:
    """Return each two choices that Airflow supports together."""
    ends: tuple[End, ...] = ("floor", "newest")
    found = [
        Cell("", minor, python, bigquery, requests, google)
        for minor, airflow in AIRFLOWS.items()
        for python, bigquery, requests, google in product(airflow.pythons, ends, ends, (None, *ends))
    ]
    # From 16.0 on, the Google provider asks for google-cloud-bigquery 3.24 or newer.
    refused = (("bigquery", "floor"), ("google", "newest"))
    return {pair for cell in found for pair in pairs_of(cell)} - {refused}


def choose_cells(names: str) -> Sequence[Cell]:
    """Return the cells of these names, with blanks between them; none = all. Raises ValueError for another name."""
    wanted, by_name = names.split(), {cell.name: cell for cell in CELLS}
    if unknown := set(wanted) - set(by_name):
        raise ValueError(f"There is no cell {', '.join(sorted(unknown))}: there are {', '.join(by_name)}.")
    return [by_name[name] for name in dict.fromkeys(wanted)] or CELLS
