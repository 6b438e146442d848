"""Where a transfer writes: one BigQuery dataset, as whom, and what a kill has to cancel there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow_provider_iginsights.task.arguments import is_not_given, parse_boolean, parse_count, parse_text
from airflow_provider_iginsights.task.identity import identify_task
from airflow_provider_iginsights.transfers.lineage import LineageOperator
from airflow_provider_iginsights.transfers.literal_arguments import LiteralArguments
from airflow_provider_iginsights.transfers.operator_links import LinkedOperator
from airflow_provider_iginsights.transfers.table_options import parse_table_options

if TYPE_CHECKING:
    from google.cloud.bigquery import Client

    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.bigquery.fan_in import FanInLoader
    from airflow_provider_iginsights.bigquery.lookup import Lookup
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.catalog.tables import Table
    from airflow_provider_iginsights.clock import RunClock

TARGET_FIELDS = (
    "gcp_conn_id",
    "impersonation_chain",
    "project_id",
    "job_project_id",
    "dataset_id",
    "location",
    "table_id",
    "table_options",
    "maximum_bytes_billed",
)
"""The arguments that say where to and as whom; all of them are templates."""
Load = Literal["write", "stage"]
LOADS: tuple[Load, ...] = get_args(Load)
_BOOLEANS = ("create_dataset", "inherit_expiration", "create_views", "deferrable")


@dataclass(frozen=True, slots=True)
class OpenDataset:
    """The dataset as one try uses it: client, loader and lookups. ``clock`` is the run's."""

    client: Client
    loader: FanInLoader
    lookup: Lookup

    @property
    def clock(self) -> RunClock:
        """Return the run's clock."""
        return self.loader.clock

    @property
    def notes(self) -> list[str]:
        """Return what somebody should know about the target; it grows."""
        return self.loader.notes


class WritesToBigQuery(LiteralArguments, LinkedOperator, LineageOperator):
    """An operator that writes to one dataset; its arguments say where to and as whom."""

    literal_arguments: ClassVar[Mapping[str, Callable[[Any], object]]] = {
        name: partial(parse_boolean, argument=name) for name in ("create_dataset", "inherit_expiration")
    }
    ui_color = "#f7e1ef"

    def __init__(
        self,
        *,
        dataset_id: str,
        table_id: str,
        gcp_conn_id: str | None = "google_cloud_default",
        impersonation_chain: str | Sequence[str] | None = None,
        project_id: str | None = None,
        job_project_id: str | None = None,
        location: str | None = None,
        create_dataset: bool = False,
        inherit_expiration: bool = False,
        table_options: Mapping[str, Mapping[str, Any]] | str | None = None,
        maximum_bytes_billed: int | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.dataset_id = dataset_id
        self.table_id = table_id
        self.gcp_conn_id = gcp_conn_id
        self.impersonation_chain = impersonation_chain
        self.project_id = project_id
        self.job_project_id = job_project_id
        self.location = location
        self.create_dataset = create_dataset
        self.inherit_expiration = inherit_expiration
        self.table_options = table_options
        self.maximum_bytes_billed = maximum_bytes_billed
        self.refuse_literals(vars(self))

    def check_arguments(self) -> None:
        """Refuse what cannot be; see the base class."""
        self.check_target()

    def check_target(self) -> None:
        """Refuse what cannot name a place in BigQuery, and what does not say how to write there.

        :raises ConfigurationError: an argument is no text, or neither true nor false.
        """
        for name in _BOOLEANS:
            parse_boolean(getattr(self, name, False), argument=name)
        for name in ("dataset_id", "table_id"):
            parse_text(getattr(self, name), argument=name)
        for name in ("gcp_conn_id", "project_id", "job_project_id", "location"):
            self.read_optional(name)
        parse_table_options(self.table_options)
        self._read_bytes_limit()

    def read_optional(self, argument: str) -> str | None:
        """Return an argument that may be left out; None where it is, also as the text that a template renders for None.

        :raises ConfigurationError: it is no text.
        """
        return parse_text(getattr(self, argument, None), argument=argument, optional=True)

    @contextmanager
    def open_dataset(self, context: Context, table: Table, *, load: Load = "write") -> Iterator[OpenDataset]:
        """Connect as the arguments say, for the time of the block, and set the run's clock by BigQuery's.

        :param table: any that the operator writes.
        :param load: ``"stage"``: what is committed waits for another task.
        """
        from airflow_provider_iginsights.bigquery.fan_in import FanInLoader, StagingLoader
        from airflow_provider_iginsights.bigquery.lookup import Lookup
        from airflow_provider_iginsights.bigquery.session import JobOptions
        from airflow_provider_iginsights.hooks.bigquery import get_bigquery_client

        identity = identify_task(context)
        client = get_bigquery_client(
            gcp_conn_id=self.read_optional("gcp_conn_id"),
            impersonation_chain=self.impersonation_chain,
            project_id=self.read_optional("project_id"),
            location=self.read_optional("location"),
        )
        with (
            closing(client),
            (StagingLoader if load == "stage" else FanInLoader)(
                client,
                identity=identity,
                create_dataset=parse_boolean(self.create_dataset, argument="create_dataset"),
                inherit_expiration=parse_boolean(self.inherit_expiration, argument="inherit_expiration"),
                options=JobOptions(job_project=self._job_project, maximum_bytes_billed=self._read_bytes_limit()),
            ) as loader,
        ):
            self._stops = (loader.cancel,)
            # The first request to BigQuery: a dataset that is missing or closed to us is named before anything else is
            # done.
            loader.read_clock(self.make_target(table, project=client.project, table_id=self.table_id))
            self.begin_lineage(context, loader)
            lookup = Lookup(loader.session)
            try:
                yield OpenDataset(client, loader, lookup)
            finally:
                # Also after a failure: what was written until then, and the job that failed. A link is not worth a
                # second error.
                with suppress(Exception):
                    self.link_jobs(context, loader.session.jobs.sent.values())

    @property
    def _job_project(self) -> str | None:
        from airflow_provider_iginsights.bigquery.identifiers import checked

        project = self.read_optional("job_project_id")
        return checked(project, part="project") if project else None

    def _read_bytes_limit(self) -> int | None:
        given, argument = self.maximum_bytes_billed, "maximum_bytes_billed"
        return None if is_not_given(given) else parse_count(given, argument=argument, of=" of bytes", most=2**62)

    def log_summary(self, summary: Mapping[str, Any]) -> None:
        """Log a summary in a few lines; XCom has it whole."""
        from airflow_provider_iginsights.task.log_lines import describe_summary

        for line in describe_summary(summary):
            self.log.info("%s", line)

    def make_target(self, table: Table, *, project: str, table_id: str) -> TargetTable:
        """Return a table of the dataset."""
        from airflow_provider_iginsights.bigquery.target import TargetTable

        return TargetTable(
            table=table,
            project=project,
            dataset=self.dataset_id,
            table_id=table_id,
            location=self.read_optional("location"),
            options=parse_table_options(self.table_options)[table.name],
        )
