"""The last numbers of stories, as Meta's webhook sends them, written to BigQuery beside the ones that were polled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_iginsights.bigquery.refused_rows import write_row
from airflow_provider_iginsights.catalog.tables import STORY_INSIGHTS
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.stories.webhook_rows import REDELIVERY, StoryNumbers, read_story_insights
from airflow_provider_iginsights.task.arguments import is_not_given
from airflow_provider_iginsights.task.failures import failing_without_retry
from airflow_provider_iginsights.transfers.operator_links import list_operator_links
from airflow_provider_iginsights.transfers.target import TARGET_FIELDS, OpenDataset, WritesToBigQuery
from airflow_provider_iginsights.webhooks.payload import Notification, find_notifications, read_json

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import BaseOperatorLink, Context
    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.bigquery.target import LoadResult, TargetTable
    from airflow_provider_iginsights.catalog.tables import Table
    from airflow_provider_iginsights.graph_api import Login

Received = tuple[Notification, datetime | None]


class InstagramStoryWebhookToBigQueryOperator(WritesToBigQuery):
    """Write the numbers of ``story_insights`` webhooks to BigQuery, one row per story and metric.

    In a Dag that is scheduled on the asset of the receiver, or on one that watches a message queue, nothing else is
    needed: all events that started the run are read. Repeating a run, or receiving a message twice, changes nothing.
    Rows have the source ``webhook``, ``is_final`` is true; what Meta does not say (the story's publication) is NULL.

    :param payload: notifications as a mapping, a list, JSON text or a template that gives one of these, in any
        envelope; None = from the extras of the run's asset events.
    :param dataset_id: BigQuery dataset.
    :param table_id: table for the numbers, that of :class:`InstagramStoryInsightsToBigQueryOperator`.
    :param gcp_conn_id: Google Cloud connection; None = application default credentials.
    :param impersonation_chain: service account(s) to impersonate.
    :param project_id: Google Cloud project of the dataset; None = the credentials' own.
    :param job_project_id: Google Cloud project that runs and pays for the jobs; None = that of the dataset.
    :param maximum_bytes_billed: bytes that no query or statement may exceed; None = no limit.
    :param location: location of the dataset, such as ``EU``; None = wherever it lies.
    :param create_dataset: create the dataset where it is missing.
    :param inherit_expiration: let a new table expire as the dataset's default says; False = it never expires.
    :param table_options: labels, ``kms_key_name``, ``expiration_days`` and ``partition_expiration_days`` of the table.
    """

    operator_extra_links: Sequence[BaseOperatorLink] = list_operator_links((STORY_INSIGHTS,), accounts=False)
    template_fields: Sequence[str] = ("payload", *TARGET_FIELDS)
    template_fields_renderers: ClassVar[dict[str, str]] = {"payload": "json", "table_options": "json"}

    def __init__(
        self,
        *,
        payload: Mapping[str, Any] | Sequence[Any] | str | None = None,
        table_id: str = STORY_INSIGHTS.default_id,
        **kwargs: Any,
    ) -> None:
        super().__init__(table_id=table_id, **kwargs)
        self.payload = payload

    def find_outputs(self) -> Mapping[Table, str]:
        """Return the table of the numbers."""
        return {STORY_INSIGHTS: self.table_id}

    def find_login(self) -> Login:
        """Return the login whose apps Meta sends these numbers to."""
        return "facebook"

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the numbers and return a summary: rows, stories, accounts, what was left out and why, job ids.

        :raises ConfigurationError: there is no payload, or it is no JSON; not retried.
        :raises LoadError: BigQuery refused.
        """
        from airflow_provider_iginsights.task.airflow_metrics import count_summary
        from airflow_provider_iginsights.task.asset_events import fill_asset_events
        from airflow_provider_iginsights.task.log_lines import describe_webhook_summary
        from airflow_provider_iginsights.task.summary_size import shorten_summary

        with failing_without_retry():
            self.check_target()
            payload = self._read_payload(context)
            with self.open_dataset(context, STORY_INSIGHTS) as dataset:
                received = [(notification, at or dataset.clock.now()) for notification, at in payload]
                numbers = read_story_insights(received, run_id=context["ti"].run_id)
                results = self._load(context, dataset, numbers, left_out_log := LeftOutLog())
                costs = dataset.loader.session.costs.take()
        summary = _summarize(numbers, results, refused=left_out_log.count)
        summary |= {"bigquery_bytes": costs, "notes": dataset.notes}
        count_summary(context, summary)
        fill_asset_events(context, self.outlets, summary)
        for line in describe_webhook_summary(summary):
            self.log.info("%s", line)
        short = shorten_summary(summary)
        context["ti"].xcom_push(key="summary", value=short)
        return short

    def _read_payload(self, context: Context) -> list[Received]:
        """Return the notifications, each with the time of its event; None = now, where they were given by hand."""
        if is_not_given(self.payload):
            return list(_read_events(context, task_id=self.task_id))
        value = self.payload
        if isinstance(value, str):
            try:
                value = read_json(value)
            except ValueError as error:
                raise ConfigurationError(
                    f"The payload of task {self.task_id!r} is no JSON: {error}. A template must give the notification "
                    "as JSON, such as {{ ... | tojson }}."
                ) from error
        return [(notification, None) for notification in _find_any(value)]

    def _load(
        self, context: Context, dataset: OpenDataset, numbers: StoryNumbers, left_out_log: LeftOutLog
    ) -> tuple[LoadResult, ...]:
        destination = self.make_target(STORY_INSIGHTS, project=dataset.client.project, table_id=self.table_id)
        # Its keys (source "webhook") are its own, so a table in which polls are appended takes them, too.
        dataset.loader.ensure([destination], load_mode=None)
        with _make_row_file(destination) as row_file:
            for row in numbers.rows:
                write_row(row_file, row, left_out_log)
            results = dataset.loader.commit([row_file])
        self.link_table(context, destination)
        return results


def _read_events(context: Context, *, task_id: str) -> Iterator[Received]:
    """Yield the notifications in the extras of the events that started the run, each with the time of its event."""
    events = context.get("triggering_asset_events")
    if not events:
        raise ConfigurationError(
            f"Task {task_id!r} has no payload, and no asset event started this run. Schedule the Dag on the asset that "
            "the receiver or the queue's watcher fills, or give the argument payload."
        )
    for event in (event for group in events.values() for event in group):
        for notification in _find_any(event.extra):
            yield notification, event.timestamp


def _find_any(value: Any) -> list[Notification]:
    """Return the notifications of a message; an empty one where it has none, so that it is told as left out."""
    return list(find_notifications(value)) or ([{}] if value else [])


def _make_row_file(destination: TargetTable) -> RowFile:
    """Return a file whose keys are looked up in the days around its rows, and those not found there in all days.

    ``snapshot_date`` is the day on which Meta sent the numbers, which is no part of the key: a repetition, or the same
    story sent anew by hand, has another one.
    """
    from airflow_provider_iginsights.bigquery.row_file import RowFile

    return RowFile(destination, repeated_within=REDELIVERY, moves=True)


def _summarize(numbers: StoryNumbers, results: Sequence[LoadResult], *, refused: int) -> dict[str, Any]:
    return {
        "tables": {result.target.path: result.rows for result in results},
        "rows": len(numbers.rows) - refused,
        "rows_changed": sum(result.affected for result in results),
        "stories": numbers.stories,
        "accounts": numbers.accounts,
        "left_out": {**numbers.left_out, **({"row_refused": refused} if refused else {})},
        "bigquery_jobs": [job for result in results for job in (result.load_job_id, result.merge_job_id) if job],
    }
