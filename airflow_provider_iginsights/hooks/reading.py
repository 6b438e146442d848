"""What a transfer writes, for another destination: a question that is checked at once, and its rows as they come."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from airflow_provider_iginsights.catalog.columns import TableName
from airflow_provider_iginsights.clock import RunClock
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.extract.account_pool import AccountPool
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.hooks.hash_salt import read_protection
from airflow_provider_iginsights.quoting import quote_value
from airflow_provider_iginsights.stories.reader import describe_poll
from airflow_provider_iginsights.task.arguments import (
    parse_breakdowns,
    parse_choice,
    parse_days,
    parse_metrics,
    parse_names,
)
from airflow_provider_iginsights.task.failures import raise_failures
from airflow_provider_iginsights.task.source import Source
from airflow_provider_iginsights.window import (
    LOOKBACK_DAYS,
    REFRESH_DAYS,
    RunDates,
    Window,
    WindowBound,
    resolve_window,
)

if TYPE_CHECKING:
    from airflow_provider_iginsights.catalog import rows
    from airflow_provider_iginsights.extract.account_pool import ReadAccount
    from airflow_provider_iginsights.extract.rows import TableRow
    from airflow_provider_iginsights.graph.client import GraphClient

    AccountTableRow = (
        tuple[Literal["account_insights"], rows.AccountInsightsRow] | tuple[Literal["accounts"], rows.AccountsRow]
    )
    MediaTableRow = (
        tuple[Literal["media_insights"], rows.MediaInsightsRow]
        | tuple[Literal["media"], rows.MediaRow]
        | tuple[Literal["media_children"], rows.MediaChildrenRow]
    )
    StoryTableRow = (
        tuple[Literal["story_insights"], rows.StoryInsightsRow]
        | tuple[Literal["media"], rows.MediaRow]
        | tuple[Literal["story_polls"], rows.StoryPollsRow]
    )

_PROTECTING = ("exclude_columns", "hash_columns", "hash_salt_conn_id", "hash_salt_variable")
Kind = Literal["account", "media", "story"]


class ReadArguments(TypedDict, total=False):
    """The keywords of :meth:`InstagramHook.read`, which mean what they mean to the operators."""

    metrics: str | Sequence[str] | None
    breakdowns: Mapping[str, str | Sequence[str]] | str | None
    since: WindowBound
    until: WindowBound
    run_id: str
    tables: Collection[TableName] | None
    exclude_columns: Mapping[str, Sequence[str]] | Sequence[str] | str | None
    hash_columns: Mapping[str, Sequence[str]] | Sequence[str] | str | None
    hash_salt_conn_id: str | None
    hash_salt_variable: str | None


class AccountReadArguments(ReadArguments, total=False):
    """Those of ``"account"``."""

    lookback_days: int | str


class MediaReadArguments(ReadArguments, total=False):
    """Those of ``"media"``."""

    refresh_days: int | str | None


@dataclass(frozen=True, slots=True)
class _ReadKind:
    """What one kind of insights can be asked for, and which tables its transfer writes."""

    arguments: type[ReadArguments]
    tables: tuple[TableName, ...]
    make_reader: Callable[[Source, Mapping[str, Any]], ReadAccount]


def _read_accounts(source: Source, arguments: Mapping[str, Any]) -> ReadAccount:
    days = parse_days(arguments.get("lookback_days", LOOKBACK_DAYS), argument="lookback_days") or 0
    return source.read_accounts(lookback_days=days, profiles="accounts" in arguments["tables"])


def _read_media(source: Source, arguments: Mapping[str, Any]) -> ReadAccount:
    days = arguments.get("refresh_days", REFRESH_DAYS)
    return source.read_media(
        refresh_days=parse_days(days, argument="refresh_days", optional=True),
        children="media_children" in arguments["tables"],
    )


def _read_stories(source: Source, _: Mapping[str, Any]) -> ReadAccount:
    return source.read_stories()


KINDS: Mapping[str, _ReadKind] = {
    "account": _ReadKind(AccountReadArguments, ("account_insights", "accounts"), _read_accounts),
    "media": _ReadKind(MediaReadArguments, ("media_insights", "media", "media_children"), _read_media),
    "story": _ReadKind(ReadArguments, ("story_insights", "media", "story_polls"), _read_stories),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnConnection:
    """The connection of one reading: its client, which is closed at the end, and the accounts that it finds."""

    conn_id: str
    client: GraphClient
    find_accounts: Callable[[], Sequence[str]]
    page_ids: Mapping[str, str]
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableReading:
    """One question, checked. ``source.client`` is that of the connection, and closed at the end."""

    connection: OwnConnection
    source: Source
    arguments: Mapping[str, Any]
    make_reader: Callable[[Source], ReadAccount]
    clock: RunClock

    @classmethod
    def check(
        cls,
        kind: str,
        given: Mapping[str, Any],
        *,
        connection: OwnConnection,
    ) -> TableReading:
        """Return the reading that the arguments of :meth:`InstagramHook.read` ask for. Nothing is sent yet.

        :raises ConfigurationError: a value or a combination of them cannot be.
        :raises TypeError: a keyword that this kind does not have.
        """
        asked = KINDS[parse_choice(kind, tuple(KINDS), argument="kind")]
        arguments = {**given, "tables": _check_names(given, kind, asked)}
        clock = RunClock()  # without BigQuery, Meta's Date header is the time
        source = Source(
            client=connection.client,
            window=_resolve(arguments, clock),
            provenance=Provenance(
                run_id=arguments.get("run_id", ""), connection_id=connection.conn_id, clock=clock.now
            ),
            metrics=parse_metrics(arguments.get("metrics")),
            breakdowns=parse_breakdowns(arguments.get("breakdowns")),
            protection=read_protection(**{name: given[name] for name in _PROTECTING if name in given}),
            page_ids=connection.page_ids,
        )

        def make_reader(source: Source) -> ReadAccount:
            return asked.make_reader(source, arguments)

        make_reader(source)
        connection.client.set_date_callback(clock.set_by_meta)
        return cls(
            connection=connection,
            source=source,
            arguments=arguments,
            make_reader=make_reader,
            clock=clock,
        )

    def read(self) -> Iterator[TableRow]:
        """Yield the rows of the tables asked for; those of the polls for stories at the end.

        :raises InsightsError: after the rows of all accounts that could be read.
        """
        tables = self.arguments["tables"]
        with self.source.client:
            accounts = self.connection.find_accounts()
            # Finding the accounts may have asked Meta, whose Date header then has set the clock.
            source = replace(self.source, window=_resolve(self.arguments, self.clock))
            pool = AccountPool(
                self.make_reader(source),
                workers=self.connection.workers,
                take_app_usage=source.client.take_app_usage,
                stop=source.client.stop,
            )
            for name, row in pool.read(accounts):
                if name in tables:
                    yield name, row
            for poll in source.polls.of(pool.results.done) if "story_polls" in tables else ():
                yield "story_polls", describe_poll(poll, run_id=self.source.provenance.run_id)
            raise_failures(pool.results)


def _resolve(arguments: Mapping[str, Any], clock: RunClock) -> Window:
    return resolve_window(arguments.get("since"), arguments.get("until"), run=RunDates(), now=clock.now())


def _check_names(given: Mapping[str, Any], kind: str, asked: _ReadKind) -> Sequence[str]:
    """Return the tables that are asked for, all of the kind's by default."""
    known = (*ReadArguments.__annotations__, *asked.arguments.__annotations__)
    for name in given:
        if name not in known:
            raise TypeError(
                f"InstagramHook.read({kind!r}) has no argument {name!r}. It takes {', '.join(dict.fromkeys(known))}."
            )
    tables = parse_names(given.get("tables"), argument="tables")
    if tables is None:
        return asked.tables
    if not tables or not set(tables) <= set(asked.tables):
        raise ConfigurationError(
            f"tables must be a list of some of {', '.join(asked.tables)}, not {quote_value(given['tables'])}."
        )
    return tables
