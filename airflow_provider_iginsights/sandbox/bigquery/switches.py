"""The limits and races that real BigQuery has and emulators have not, adjustable."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Switches"]


@dataclass(slots=True)
class Switches:
    """What real BigQuery does to its users, adjustable.

    * ``dml_queue``: mutating statements that run and that wait per table; one more fails.
    * ``load_jobs_per_table_per_day``: counted by table name and UTC day, failed ones too.
    * ``insert_race``: a statement takes its snapshot before it has the table to itself; False runs them one by one.
    * ``insert_seconds``: how long jobs.insert waits at most for its job before it answers: a small one is done by then,
      and is not asked for again. BigQuery answers at once.
    * ``snapshot_seconds``: how long before it applies its changes.
    * ``denied_datasets``: answered with accessDenied.
    * ``block_bytes``: logical bytes of a block of a clustered table: smaller partitions are read whole, as Google's
      documentation sees little benefit of clustering below 64 MB.
    * ``pricing``: False = nothing is priced and all bytes are 0, which takes half the time of a small statement.
    * ``billing``: False = a project without billing: DML is refused, tables and partitions live 60 days at most.
    """

    dml_queue: tuple[int, int] = (2, 20)
    load_jobs_per_table_per_day: int = 1500
    insert_race: bool = True
    insert_seconds: float = 0.0
    snapshot_seconds: float = 0.0
    denied_datasets: set[str] = field(default_factory=set)
    block_bytes: int = 64 * 2**20
    pricing: bool = True
    billing: bool = True
