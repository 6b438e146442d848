"""What the steps of a load are told and return: where rows go, who writes them, what was done."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from airflow_provider_iginsights.bigquery.identifiers import checked

if TYPE_CHECKING:
    from airflow_provider_iginsights.catalog.tables import Table

LoadMode = Literal["merge", "replace", "append"]
LOAD_MODES: tuple[LoadMode, ...] = get_args(LoadMode)
SALT_LABEL = "iginsights_hash_salt"
"""The label with the fingerprint of the salt, of a table that holds hashes."""
ProtectedGroups = Collection[Mapping[str, Sequence[str]]]
"""Groups of rows of which nothing is deleted: each maps columns to the texts (ISO dates) that they hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableOptions:
    """What a user wants of a target beside its columns; None = nothing is said.

    ``labels``: pairs; others' labels stay. ``kms_key_name``: of Cloud KMS, for a new table and for staging tables.
    ``expiration_days``: the whole table goes so many days after its creation. ``partition_expiration_days``: each day's
    rows go so many days after that day. ``hash_salt``: fingerprint of the salt whose hashes the table gets.
    """

    labels: tuple[tuple[str, str], ...] = ()
    kms_key_name: str | None = None
    expiration_days: int | None = None
    partition_expiration_days: int | None = None
    hash_salt: str | None = None

    @property
    def all_labels(self) -> dict[str, str]:
        """Return the labels, that of the salt among them."""
        return dict(self.labels) | ({SALT_LABEL: self.hash_salt} if self.hash_salt else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetTable:
    """A target table. ``location`` None = wherever its dataset lies. Raises ConfigurationError for an invalid id."""

    table: Table
    project: str
    dataset: str
    table_id: str
    location: str | None = None
    options: TableOptions = TableOptions()

    def __post_init__(self) -> None:
        # Ids become parts of SQL and of resource paths, so none is used that was not checked.
        checked(self.project, part="project")
        checked(self.dataset, part="dataset")
        checked(self.table_id, part="table")

    @property
    def dataset_path(self) -> str:
        """Return ``project.dataset``."""
        return f"{self.project}.{self.dataset}"

    @property
    def path(self) -> str:
        """Return ``project.dataset.table``."""
        return f"{self.dataset_path}.{self.table_id}"

    def beside(self, table_id: str) -> str:
        """Return the path of another table of the same dataset."""
        return f"{self.dataset_path}.{table_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskIdentity:
    """The Airflow task instance that writes. ``deployment`` tells several Airflows apart that share a dataset."""

    deployment: str
    dag_id: str
    task_id: str
    run_id: str
    map_index: int
    try_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadResult:
    """What was done to one target.

    ``rows`` were sent; ``affected`` were inserted, updated or deleted in the target (0 where nothing changed);
    ``deduplicated`` keys had been inserted twice by tasks that wrote at the same moment, and are single again. The
    job ids are None where there was nothing to load.
    """

    target: TargetTable
    rows: int
    load_job_id: str | None = None
    merge_job_id: str | None = None
    affected: int = 0
    deduplicated: int = 0
