"""The task that writes what mapped transfers staged: one statement per table and run, exactly once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from airflow_provider_iginsights.catalog.tables import ACCOUNT_INSIGHTS, TABLES
from airflow_provider_iginsights.task.arguments import parse_choice
from airflow_provider_iginsights.task.failures import failing_without_retry
from airflow_provider_iginsights.transfers.operator_links import list_operator_links
from airflow_provider_iginsights.transfers.target import TARGET_FIELDS, WritesToBigQuery

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import BaseOperatorLink, Context
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from airflow_provider_iginsights.task.staged_chunks import StagedChunk
    from airflow_provider_iginsights.transfers.staged_writing import StagedWriting
    from airflow_provider_iginsights.transfers.target import OpenDataset

OnMissing = Literal["fail", "skip"]
ON_MISSING: tuple[OnMissing, ...] = get_args(OnMissing)


class InstagramWriteStagedToBigQueryOperator(WritesToBigQuery):
    """Write what the mapped tasks of one transfer staged (``load="stage"``), with one statement per table.

    Each mapped task reads and stages its accounts; this one writes the rows of all of them, looks for keys that stand
    twice, compares the polls of stories with the earlier ones, and drops what was staged. It runs when all of them are
    done, also where some failed (trigger rule ``all_done``): their chunks are named, and all others are written.

    A retry, or a clear of some mapped tasks together with this one, writes what is new and changes nothing else.
    Staged rows wait for a week.

    :param staged: what the mapped tasks left in XCom: ``transfer.output["staged"]``.
    :param account_ids: what they were mapped over, so that a chunk of which nothing came is missed:
        ``accounts.output``.
    :param dataset_id: BigQuery dataset, that of the transfer; so are all arguments below.
    :param on_account_error: ``"fail"`` writes all that is there first, and fails then, naming the chunks and accounts
        that are missing; ``"skip"`` only reports them. ``"quarantine"`` is for the mapped tasks, which meet the
        accounts, and refused here: a missing chunk is a task that failed, and no reason to leave its accounts out.
    :param gcp_conn_id: Google Cloud connection; None = application default credentials.
    :param impersonation_chain: service account(s) to impersonate.
    :param project_id: Google Cloud project of the dataset; None = the credentials' own.
    :param job_project_id: Google Cloud project that runs and pays for the jobs; None = that of the dataset.
    :param maximum_bytes_billed: bytes that no query or statement may exceed; None = no limit.
    :param location: location of the dataset, such as ``EU``; None = wherever it lies.
    :param create_dataset: create the dataset where it is missing.
    :param inherit_expiration: let new tables expire as the dataset's default says; False = they never expire.
    :param table_options: as in the transfer.
    """

    operator_extra_links: Sequence[BaseOperatorLink] = list_operator_links(TABLES, accounts=False)
    template_fields: Sequence[str] = ("staged", "account_ids", *TARGET_FIELDS)
    literal_arguments: ClassVar[Mapping[str, Callable[[Any], object]]] = {
        **WritesToBigQuery.literal_arguments,
        "on_account_error": partial(parse_choice, choices=ON_MISSING, argument="on_account_error"),
    }
    template_fields_renderers: ClassVar[dict[str, str]] = {"table_options": "json"}

    def __init__(
        self,
        *,
        staged: Any,
        account_ids: Any,
        on_account_error: OnMissing = "fail",
        trigger_rule: str = "all_done",
        **kwargs: Any,
    ) -> None:
        # The table ids come with what was staged. This one only stands for the dataset, whatever it holds.
        super().__init__(trigger_rule=trigger_rule, table_id=ACCOUNT_INSIGHTS.default_id, **kwargs)
        self.staged = staged
        self.account_ids = account_ids
        self.on_account_error = on_account_error
        self.refuse_literals(vars(self))

    def execute(self, context: Context) -> dict[str, Any]:
        """Write, and return the summary of all chunks: as that of a transfer, with ``chunks_missing``.

        :raises StagedRowsMissing: chunks or accounts are missing; all others are written. Not retried.
        :raises LoadError: BigQuery refused; what was staged is still there.
        """
        from airflow_provider_iginsights.task.airflow_metrics import count_summary
        from airflow_provider_iginsights.task.staged_chunks import find_missing, read_chunks
        from airflow_provider_iginsights.task.summary_size import shorten_summary

        with failing_without_retry():
            skips = parse_choice(self.on_account_error, ON_MISSING, argument="on_account_error") == "skip"
            self.check_target()
            chunks = read_chunks(self.staged)
            missing = find_missing(self.account_ids, chunks)
            summary = self._write(context, chunks, missing)
            # The mapped tasks have counted what they read and left out.
            own = {"left_out": (), **{name: summary[name] for name in ("rows", "rows_changed", "bigquery_bytes")}}
            count_summary(context, own)
            self.log_summary(summary)
            self._raise_missing(context, summary, missing, skips=skips and bool(chunks))
        return shorten_summary(summary)

    def _write(self, context: Context, chunks: Sequence[StagedChunk], missing: dict[int, str]) -> dict[str, Any]:
        """Write what is there; add the chunks of which the staged rows are gone to those that are missing."""
        from airflow_provider_iginsights.task.asset_events import fill_asset_events
        from airflow_provider_iginsights.task.join_summaries import join_summaries

        if not chunks:
            return join_summaries((), ()) | {"chunks_missing": _describe(missing)}
        with self.open_dataset(context, ACCOUNT_INSIGHTS) as dataset:
            self.continue_lineage({}, login=chunks[0].login, protection=chunks[0].protection)
            writing = self._open_writing(context, dataset, chunks)
            missing.update(writing.lost)
            results, found = writing.write()
            summary = join_summaries([*(chunk.summary for chunk in writing.chunks), *found], results)
            summary |= {"bigquery_bytes": dataset.loader.session.costs.take(), "chunks_missing": _describe(missing)}
            summary |= writing.remarks
            self.link_table(context, writing.main)
        fill_asset_events(context, self.outlets, summary)
        return summary

    def _open_writing(self, context: Context, dataset: OpenDataset, chunks: Sequence[StagedChunk]) -> StagedWriting:
        from airflow_provider_iginsights.bigquery.hash_salt import mark_salt
        from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES
        from airflow_provider_iginsights.task.identity import identify_task
        from airflow_provider_iginsights.task.staged_chunks import join_hash_salts
        from airflow_provider_iginsights.transfers.left_out_rows import limit_days
        from airflow_provider_iginsights.transfers.staged_writing import StagedWriting

        salts = join_hash_salts(chunks)
        named = {name: table_id for chunk in chunks for name, table_id in chunk.handed["tables"].items()}
        project = dataset.client.project
        targets: dict[str, TargetTable] = {
            table.name: limit_days(
                mark_salt(self.make_target(table, project=project, table_id=named[table.name]), salts.get(table.name))
            )
            for table in ALL_TABLES
            if table.name in named
        }
        anchor = self.make_target(ACCOUNT_INSIGHTS, project=project, table_id=self.table_id)
        run_id = identify_task(context).run_id
        return StagedWriting.open(dataset, chunks, targets=targets, anchor=anchor, run_id=run_id)

    def _raise_missing(
        self, context: Context, summary: dict[str, Any], missing: Mapping[int, str], *, skips: bool
    ) -> None:
        from airflow_provider_iginsights.errors import StagedRowsMissing
        from airflow_provider_iginsights.task.summary_size import shorten_summary

        failed = {**summary["accounts_failed"], **summary["accounts_throttled"], **summary["accounts_not_whole"]}
        nothing_came = not self.staged and self.account_ids != []
        if skips or not (missing or failed or nothing_came):
            return
        context["ti"].xcom_push(key="summary", value=shorten_summary(summary))
        said = [f"chunk {place} ({of or 'nothing was staged'})" for place, of in missing.items()]
        said += [f"account {name}: {why}" for name, why in failed.items()]
        raise StagedRowsMissing(
            f"Not everything was staged, all that was is written. Missing: {'; '.join(said[:20]) or 'every chunk'}"
            f"{f'; and {len(said) - 20} more' if len(said) > 20 else ''}. Look at the mapped tasks, then clear those "
            "that failed and this one."
        )


def _describe(missing: Mapping[int, str]) -> dict[str, str]:
    return {str(place): said for place, said in sorted(missing.items())}
