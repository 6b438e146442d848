"""What mapped tasks handed to the task that writes, and which of them handed over nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.bigquery.staged_rows import StagedPart
from airflow_provider_iginsights.bigquery.target import LoadMode
from airflow_provider_iginsights.errors import ConfigurationError, HashSaltMismatch
from airflow_provider_iginsights.extract.column_protection import ColumnProtection
from airflow_provider_iginsights.extract.no_data import NoDataMetrics
from airflow_provider_iginsights.stories.life import Finality

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph_api import Login

NAMED = 5  # accounts of a missing chunk that are named; the rest is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedChunk:
    """What one mapped task staged and found. ``summary`` is its summary, ``handed`` what it says of its rows."""

    map_index: int
    parts: tuple[StagedPart, ...]
    summary: Mapping[str, Any]
    handed: Mapping[str, Any]

    @property
    def load_mode(self) -> LoadMode:
        """Return how the rows are to be written."""
        return self.handed["load_mode"]  # type: ignore[no-any-return]

    @property
    def login(self) -> Login | None:
        """Return whose Graph API the task asked."""
        return self.handed.get("login")

    @property
    def account_ids(self) -> Sequence[str]:
        """Return the accounts that the task read."""
        return self.handed["account_ids"]  # type: ignore[no-any-return]

    @property
    def hash_salts(self) -> Mapping[str, str]:
        """Return the fingerprint of the salt of each table whose rows hold hashes."""
        return self.handed.get("hash_salts", {})  # type: ignore[no-any-return]

    @property
    def protection(self) -> ColumnProtection:
        """Return which columns the task has left empty or hashed."""
        given: Mapping[str, Mapping[str, list[str]]] = {
            each: self.handed.get(each, {}) for each in ("excluded", "hashed")
        }
        named = {each: {table: frozenset(names) for table, names in given[each].items()} for each in given}
        return ColumnProtection(excluded=named["excluded"], hashed=named["hashed"])

    @property
    def finality(self) -> Finality | None:
        """Return when a story's snapshot is final; None for other transfers."""
        seconds = self.handed["finality"]
        return Finality(*(timedelta(seconds=each) for each in seconds)) if seconds else None


def read_chunks(staged: Any) -> list[StagedChunk]:
    """Return what the argument ``staged`` holds: the XCom of one task, or of all instances of a mapped one.

    :raises ConfigurationError: it is something else, or of several tasks that write differently.
    """
    given = [staged] if isinstance(staged, Mapping) else staged or ()
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise _refuse_staged()
    chunks = [_read_chunk(each) for each in given if each is not None]
    if len({chunk.load_mode for chunk in chunks}) > 1 or len({bool(chunk.finality) for chunk in chunks}) > 1:
        raise ConfigurationError(
            "The staged rows come from tasks of different transfers or load modes. Give each transfer a task of its "
            "own that writes."
        )
    indexes = [chunk.map_index for chunk in chunks]
    if len(set(indexes)) < len(indexes):
        raise ConfigurationError("The staged rows come from several tasks. Give each of them a task that writes.")
    return chunks


def find_missing(account_ids: Any, chunks: Sequence[StagedChunk]) -> dict[int, str]:
    """Return the map indexes of tasks that handed over nothing, each with what it was to read.

    :param account_ids: what the tasks were mapped over: one element each; None = not known.
    """
    there = {chunk.map_index for chunk in chunks}
    expected = list(_list_expected(account_ids)) or [""] * (max(there, default=-1) + 1)
    if there == {-1}:  # not mapped
        return {}
    return {place: said for place, said in enumerate(expected) if place not in there}


def join_hash_salts(chunks: Sequence[StagedChunk]) -> dict[str, str]:
    """Return the fingerprint of the salt of each table whose rows hold hashes, of any chunk.

    :raises HashSaltMismatch: there are hashes of several salts for one table.
    """
    joined: dict[str, str] = {}
    for chunk in chunks:
        for table, fingerprint in chunk.hash_salts.items():
            if joined.setdefault(table, fingerprint) != fingerprint:
                raise HashSaltMismatch(
                    f"Mapped tasks staged hashes of different salts for the table {table}. Nothing was written. Give "
                    "all of them one salt, then clear them and this task."
                )
    return joined


def join_no_data(chunks: Sequence[StagedChunk]) -> NoDataMetrics:
    """Return the metrics that accounts of any chunk were missing about."""
    metrics = {name: set(missing) for chunk in chunks for name, missing in chunk.handed["no_data"].items()}
    last = max((chunk.handed["no_data_until"] for chunk in chunks), default=date.min.isoformat())
    return NoDataMetrics(metrics=metrics, last_day=date.fromisoformat(last))


def _read_chunk(given: Any) -> StagedChunk:
    handed = given.get("staged") if isinstance(given, Mapping) else None
    if not isinstance(handed, Mapping):
        raise _refuse_staged()
    parts = tuple(StagedPart.unpack(part) for part in handed["parts"])
    summary = {name: value for name, value in given.items() if name != "staged"}
    return StagedChunk(map_index=handed["map_index"], parts=parts, summary=summary, handed=handed)


def _list_expected(account_ids: Any) -> Iterator[str]:
    if account_ids is None:
        return
    if isinstance(account_ids, str) or not isinstance(account_ids, Sequence):
        raise ConfigurationError(
            "account_ids must be what the mapped tasks were expanded over, a list of chunks such as accounts.output."
        )
    for chunk in account_ids:
        ids = chunk.get("account_ids") if isinstance(chunk, Mapping) else chunk
        whose = f"connection {chunk.get('instagram_conn_id')}: " if isinstance(chunk, Mapping) else ""
        listed = [ids] if isinstance(ids, str) else list(ids or ())
        more = f" and {len(listed) - NAMED} more" if len(listed) > NAMED else ""
        yield f"{whose}{', '.join(map(str, listed[:NAMED])) or 'no account'}{more}"


def _refuse_staged() -> ConfigurationError:
    return ConfigurationError(
        'staged must be what transfers with load="stage" leave in XCom: staged=transfer.output["staged"].'
    )
