"""The three transfers: account, media and story insights of one Dag run, written to BigQuery exactly once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_provider_iginsights.catalog.tables import (
    ACCOUNT_INSIGHTS,
    ACCOUNT_STATUS,
    ACCOUNTS,
    MEDIA,
    MEDIA_CHILDREN,
    MEDIA_INSIGHTS,
    STORY_INSIGHTS,
    STORY_POLLS,
    Table,
)
from airflow_provider_iginsights.stories.capture_plan import CAPTURE_FOR, LEAD
from airflow_provider_iginsights.stories.life import HOURLY
from airflow_provider_iginsights.task.arguments import parse_days, parse_page_ids
from airflow_provider_iginsights.transfers.base import InstagramToBigQueryOperator
from airflow_provider_iginsights.transfers.operator_links import list_operator_links
from airflow_provider_iginsights.transfers.story_transfer import Capture, StoryTransfer
from airflow_provider_iginsights.window import LOOKBACK_DAYS, REFRESH_DAYS

if TYPE_CHECKING:
    from datetime import date

    from airflow_provider_iginsights._compat import BaseOperatorLink
    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from airflow_provider_iginsights.extract.account_pool import AccountResults, ReadAccount
    from airflow_provider_iginsights.task.source import Source
    from airflow_provider_iginsights.transfers.run import TransferRun
    from airflow_provider_iginsights.window import Window


class InstagramAccountInsightsToBigQueryOperator(InstagramToBigQueryOperator):
    """Write the daily numbers, the audience and the profile of Instagram accounts to BigQuery.

    Writes the Pacific days that closed within the run's window, and ``lookback_days`` before them, since Meta revises
    its numbers for 48 hours. Audience and profile are snapshots of now: a run whose window ended more than a day ago
    leaves them.

    :param dataset_id: BigQuery dataset.
    :param table_id: table for the insights.
    :param profile_table_id: table for the profiles; None = no profiles.
    :param lookback_days: closed Pacific days before the window to read again.
    :param page_ids: id of an account -> id of its Page, such as the XCom ``page_ids`` of the task that lists accounts.
    :param instagram_conn_id: Airflow connection of type ``instagram``.
    :param gcp_conn_id: Google Cloud connection; None = application default credentials.
    :param impersonation_chain: service account(s) to impersonate.
    :param project_id: Google Cloud project of the dataset; None = the credentials' own.
    :param job_project_id: Google Cloud project that runs and pays for the jobs; None = that of the dataset.
    :param maximum_bytes_billed: bytes that no query or statement may exceed; None = no limit.
    :param location: location of the dataset, such as ``EU``; None = wherever it lies.
    :param account_ids: IG user ids or ``@usernames`` (list or comma string); None = the connection's, else the token's.
    :param metrics: names, ``"default"``, ``"all"``; None = the default set; ``reach/days_28`` asks for another period,
        ``follower_demographics/this_week`` for another timeframe, ``+name`` for a metric that this release does not
        know, and ``-name`` leaves one out.
    :param breakdowns: metric -> list of breakdowns, several dimensions joined by a comma; an empty list asks for none.
    :param since: start of the window: ISO 8601, a Pacific date, or Unix seconds; None = from the run.
    :param until: end of the window, exclusive; None = from the run.
    :param on_account_error: ``"fail"`` loads all other accounts first and fails then; ``"skip"`` only reports.
        ``"quarantine"`` fails, too, until an account was unavailable on 3 Pacific days without an answer in between;
        from then on it is left out, named in the summary, and asked again once a week until it answers. Where none of
        several accounts answers, the task fails and none is left out.
    :param status_table_id: table for ``"quarantine"``, which says which accounts were unavailable on which days.
    :param runs_table_id: table for what became of each account, one row per task run; None = no such rows.
    :param left_out_table_id: table for examples of what was left out, kept for 90 days; None = none.
    :param load_mode: ``"merge"``, ``"replace"`` (also delete values that an answer no longer has) or ``"append"``.
    :param load: ``"write"``; ``"stage"`` leaves the rows in staging tables, for
        :class:`InstagramWriteStagedToBigQueryOperator` to write those of many mapped tasks with one statement a table.
    :param create_dataset: create the dataset where it is missing.
    :param inherit_expiration: let new tables expire as the dataset's default says; False = they never expire.
    :param table_options: table name or ``default`` -> ``labels``, ``kms_key_name``, ``expiration_days``,
        ``partition_expiration_days``.
    :param exclude_columns: columns that are left empty: a list for all tables that have them, or table name -> list.
        What they held before stays.
    :param hash_columns: columns of which only a hash is stored (HMAC-SHA256 in hex), named likewise.
    :param hash_salt_conn_id: connection whose password is the salt of the hashes.
    :param hash_salt_variable: Airflow Variable that holds the salt, instead of a connection.
    :param create_views: create or update the analysts' views of the tables after the load.
    :param throttle_timeout: how long the task waits for Meta's rate limit in all before it fails.
    :param deferrable: wait out Meta's rate limit without a worker slot.
    """

    template_fields: Sequence[str] = (
        *InstagramToBigQueryOperator.template_fields,
        "profile_table_id",
        "lookback_days",
        "page_ids",
    )
    operator_extra_links: Sequence[BaseOperatorLink] = list_operator_links((ACCOUNT_INSIGHTS, ACCOUNTS, ACCOUNT_STATUS))
    table_arguments: ClassVar[Mapping[Table, str]] = {ACCOUNT_INSIGHTS: "table_id", ACCOUNTS: "profile_table_id"}

    def __init__(
        self,
        *,
        table_id: str = ACCOUNT_INSIGHTS.default_id,
        profile_table_id: str | None = ACCOUNTS.default_id,
        lookback_days: int | str = LOOKBACK_DAYS,
        page_ids: Mapping[str, str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(table_id=table_id, **kwargs)
        self.profile_table_id = profile_table_id
        self.lookback_days = lookback_days
        self.page_ids = page_ids

    def check_arguments(self) -> None:
        """Refuse what cannot be; see the base class."""
        super().check_arguments()
        parse_days(self.lookback_days, argument="lookback_days")
        parse_page_ids(self.page_ids)

    def describe_work(self, window: Window) -> str:
        """Return the days that are written, and those that are read again."""
        from airflow_provider_iginsights.task.log_lines import describe_days

        return describe_days(window, lookback_days=self._lookback_days)

    def list_days(self, source: Source) -> Mapping[str, Sequence[date]]:
        """Return the days that the run answers for, and those before that it read again."""
        from airflow_provider_iginsights.catalog.account_metrics import HISTORY_DAYS

        earliest = source.provenance.read_now().snapshot_date - timedelta(days=HISTORY_DAYS)
        new = source.window.days(earliest=earliest)
        everything = source.window.days(self._lookback_days, earliest)
        return {"days": new, "days_read_again": everything[: len(everything) - len(new)]}

    def make_reader(self, source: Source) -> ReadAccount:
        """Plan the metrics and return the reader of one account."""
        if explanation := source.window.explain():
            source.left_out_log.note("the run", "days", "NoClosedDay", explanation)
        return source.read_accounts(lookback_days=self._lookback_days, profiles=ACCOUNTS in self.tables)

    def find_accounts(self, run: TransferRun, carried: Mapping[str, Any] | None = None) -> tuple[str, ...]:
        """Return the accounts to read; the Pages of some may be given."""
        run.hook.add_page_ids(parse_page_ids(self.page_ids))
        return super().find_accounts(run, carried)

    def finish_reading(
        self, run: TransferRun, results: AccountResults, row_files: dict[str, RowFile]
    ) -> Mapping[str, Any]:
        """Warn of metrics without a number that our own table has of the days before."""
        from airflow_provider_iginsights.task.no_data_warnings import warn_of_missing_metrics

        if self.load != "stage":  # there the task that writes asks once for all accounts
            warn_of_missing_metrics(
                run.source.no_data_metrics,
                lookup=run.dataset.lookup,
                target=row_files[ACCOUNT_INSIGHTS.name].target,
                left_out_log=run.source.left_out_log,
            )
        return super().finish_reading(run, results, row_files)

    @property
    def _lookback_days(self) -> int:
        return parse_days(self.lookback_days, argument="lookback_days") or 0


class InstagramMediaInsightsToBigQueryOperator(InstagramToBigQueryOperator):
    """Write the posts and reels of Instagram accounts, and a dated snapshot of their lifetime numbers, to BigQuery.

    Chooses the media published from ``refresh_days`` before the window to its end. The numbers are lifetime totals
    without history at Meta: they are dated by the Pacific day on which they were read, also when an old run is
    repeated.

    :param refresh_days: how old (days before the window) a post may be to be read again; None = every post Meta lists.
    :param media_table_id: table for the media themselves; None = insights only.
    :param children_table_id: table for the pictures and films of albums; None = they are not asked for.

    The other arguments are those of :class:`InstagramAccountInsightsToBigQueryOperator`.
    """

    template_fields: Sequence[str] = (
        *InstagramToBigQueryOperator.template_fields,
        "media_table_id",
        "children_table_id",
        "refresh_days",
    )
    operator_extra_links: Sequence[BaseOperatorLink] = list_operator_links(
        (MEDIA_INSIGHTS, MEDIA, MEDIA_CHILDREN, ACCOUNT_STATUS)
    )
    table_arguments: ClassVar[Mapping[Table, str]] = {
        MEDIA_INSIGHTS: "table_id",
        MEDIA: "media_table_id",
        MEDIA_CHILDREN: "children_table_id",
    }

    def __init__(
        self,
        *,
        table_id: str = MEDIA_INSIGHTS.default_id,
        media_table_id: str | None = MEDIA.default_id,
        children_table_id: str | None = MEDIA_CHILDREN.default_id,
        refresh_days: int | str | None = REFRESH_DAYS,
        **kwargs: Any,
    ) -> None:
        super().__init__(table_id=table_id, **kwargs)
        self.media_table_id = media_table_id
        self.children_table_id = children_table_id
        self.refresh_days = refresh_days

    def check_arguments(self) -> None:
        """Refuse what cannot be; see the base class."""
        super().check_arguments()
        parse_days(self.refresh_days, argument="refresh_days", optional=True)

    def describe_work(self, window: Window) -> str:
        """Return which posts are read."""
        from airflow_provider_iginsights.task.log_lines import describe_posts

        return describe_posts(window, refresh_days=self._refresh_days)

    def make_reader(self, source: Source) -> ReadAccount:
        """Plan the metrics and return the reader of one account."""
        return source.read_media(refresh_days=self._refresh_days, children=MEDIA_CHILDREN in self.tables)

    def finish_reading(
        self, run: TransferRun, results: AccountResults, row_files: dict[str, RowFile]
    ) -> Mapping[str, Any]:
        """Add a row for each stored post that Meta no longer lists; a raw history has only what Meta answered."""
        from airflow_provider_iginsights.task.unlisted_posts import find_unlisted_rows

        if MEDIA.name in row_files and self._load_mode != "append":
            row_file, source = row_files[MEDIA.name], run.source
            for row in find_unlisted_rows(
                source,
                source.window.published_between(self._refresh_days),
                lookup=run.dataset.lookup,
                target=row_file.target,
            ):
                row_file.write(row)
        return super().finish_reading(run, results, row_files)

    @property
    def _refresh_days(self) -> int | None:
        return parse_days(self.refresh_days, argument="refresh_days", optional=True)


class InstagramStoryInsightsToBigQueryOperator(StoryTransfer):
    """Write the live stories of Instagram accounts, and a snapshot of their numbers, to BigQuery.

    Meta shows a story's numbers for 24 hours only: what was not read by then is lost. ``since`` and ``until`` do not
    choose stories: every story that is live at the time of the run is read. Run hourly, or daily with
    ``capture="before_expiry"``. What was missed all the same stands in the log, in the summary (``gaps``) and in the
    events of the task's assets.

    :param media_table_id: table for the stories themselves; None = insights only.
    :param polls_table_id: table for the successful polls, by which gaps are found; None = neither.
    :param capture: ``"now"`` reads once; ``"before_expiry"`` also waits, deferred or rescheduled, and reads each story
        shortly before it expires.
    :param capture_lead: how long before an expiry to read; stories that expire within another lead are read along.
    :param capture_for: how long after its scheduled time a run waits for stories: the time between two runs and an
        hour, so that no time lies between them.
    :param final_within: how long before its expiry a story's last numbers may be read and still count as final: the
        time between two runs.

    The other arguments are those of :class:`InstagramAccountInsightsToBigQueryOperator`.
    """

    template_fields: Sequence[str] = (
        *InstagramToBigQueryOperator.template_fields,
        "media_table_id",
        "polls_table_id",
        "capture",
    )
    operator_extra_links: Sequence[BaseOperatorLink] = list_operator_links(
        (STORY_INSIGHTS, MEDIA, STORY_POLLS, ACCOUNT_STATUS)
    )
    # A poll is written last, after its numbers: a kill in between leaves a poll that is missing, not one that lies.
    table_arguments: ClassVar[Mapping[Table, str]] = {
        STORY_INSIGHTS: "table_id",
        MEDIA: "media_table_id",
        STORY_POLLS: "polls_table_id",
    }

    def __init__(
        self,
        *,
        table_id: str = STORY_INSIGHTS.default_id,
        media_table_id: str | None = MEDIA.default_id,
        polls_table_id: str | None = STORY_POLLS.default_id,
        capture: Capture = "now",
        capture_lead: timedelta = LEAD,
        capture_for: timedelta = CAPTURE_FOR,
        final_within: timedelta = HOURLY,
        **kwargs: Any,
    ) -> None:
        super().__init__(table_id=table_id, **kwargs)
        self.media_table_id = media_table_id
        self.polls_table_id = polls_table_id
        self.capture: Capture = capture
        self.capture_lead = capture_lead
        self.capture_for = capture_for
        self.final_within = final_within
        self.refuse_literals(vars(self))
