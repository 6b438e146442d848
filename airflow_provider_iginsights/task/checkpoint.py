"""What a task has already loaded, kept between its tries so that the next one fetches only what is missing.

Airflow 3.3's task state store survives retries, waits, and a clear as well; so the checkpoint belongs to one question
(window, metrics, tables, accounts, version) and is deleted on success: a clear fetches everything again. Where there is
no store (Airflow before 3.3) only a deferral carries the progress on; a retry fetches all accounts.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from airflow_provider_iginsights.extract.account_pool import AccountResults
    from airflow_provider_iginsights.extract.unanswered import UnansweredRequest

KEY = "iginsights_checkpoint"
MOST_OPEN = 500
"""Open questions that are kept; of accounts beyond, everything is asked again."""


class Store(Protocol):
    """Airflow's ``context["task_state_store"]``."""

    def get(self, key: str) -> Any:
        """Return the value, or None."""

    def set(self, key: str, value: Any) -> None:
        """Keep the value."""

    def delete(self, key: str) -> None:
        """Forget the value."""


class Checkpoint:
    """Where a task keeps its progress on one question; a different question starts afresh.

    :param inputs: anything that JSON can hold.
    :param carried: what :meth:`pack` gave, where a deferral carried it; wins over the store.
    """

    def __init__(
        self, store: Store | None, *, inputs: Mapping[str, Any], carried: Mapping[str, Any] | None = None
    ) -> None:
        self._store = store
        self._carried = carried
        # A hash: what Airflow keeps of a task should stay small.
        text = json.dumps(inputs, sort_keys=True, default=str)
        self._inputs_hash = hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def is_kept(self) -> bool:
        """Return whether anything is kept beyond this try."""
        return self._store is not None or self._carried is not None

    def read(self) -> Mapping[str, Any]:
        """Return the state that was kept for this question, empty where there is none."""
        kept = self._carried or (self._store.get(KEY) if self._store is not None else None)
        # Progress on another window, metric or account says nothing about the rows of this one.
        if not isinstance(kept, Mapping) or kept.get("inputs") != self._inputs_hash:
            return {}
        return kept

    def pack(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Return the state as a deferral carries it."""
        return {**state, "inputs": self._inputs_hash}

    def write(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """Keep the state for the next try, and return it as a deferral carries it."""
        packed = self.pack(state)
        if self._store is not None:
            self._store.set(KEY, packed)
        return packed

    def write_beside(self, state: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
        """Keep a state with something more."""
        return self.write({**state, **more})

    def delete(self) -> None:
        """Forget, so that a clear of the task fetches everything again."""
        if self._store is not None:
            self._store.delete(KEY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a task has come: accounts that are loaded, and the ``summary`` of that, as far as it adds up.

    ``unanswered``: of accounts that are loaded but for these, as their readers take them. ``waiting_since``: since
    when it waits for a rate limit (None: it does not).
    """

    done: frozenset[str] = frozenset()
    unanswered: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    waiting_since: datetime | None = None
    summary: Mapping[str, Any] | None = None

    @property
    def results(self) -> AccountResults:
        """Return the results of the accounts that are loaded."""
        from airflow_provider_iginsights.extract.account_pool import AccountResults

        return AccountResults(done=sorted(self.done))

    def advance(self, results: AccountResults, summary: Mapping[str, Any]) -> Progress:
        """Return the progress after one more try. Who failed again keeps the questions that were open before.

        What was given up is open again, and no longer named: the task goes on all the same once somebody clears it.
        """
        kept = {name: questions for name, questions in self.unanswered.items() if name in results.failed}
        unanswered = {**results.given_up, **results.unanswered}
        left = {name: [each.repeat for each in questions] for name, questions in unanswered.items()}
        open_again = [each for questions in results.given_up.values() for each in questions]
        return Progress(
            done=frozenset(results.done) - results.given_up.keys(),
            unanswered=kept | left,
            summary={**summary, "left_out": list(_take_out(open_again, summary.get("left_out", ())))},
        )

    def pack(self, account_ids: Collection[str]) -> dict[str, Any]:
        """Return JSON-able values: one bit per account, since what Airflow keeps should stay small.

        :param account_ids: all that the task reads.
        """
        bits = sum(1 << place for place, name in enumerate(sorted(account_ids)) if name in self.done)
        return {
            "done": format(bits, "x"),
            "open": _limit(self.unanswered),
            "waiting_since": self.waiting_since.isoformat() if self.waiting_since else None,
            "summary": dict(self.summary) if self.summary else None,
        }

    @classmethod
    def unpack(cls, state: Mapping[str, Any], account_ids: Collection[str]) -> Progress:
        """Return the progress that :meth:`pack` was called on; of an empty state, none."""
        bits = int(str(state.get("done") or "0"), 16)
        return cls(
            done=frozenset(name for place, name in enumerate(sorted(account_ids)) if bits >> place & 1),
            unanswered=state.get("open") or {},
            waiting_since=read_waiting_since(state),
            summary=state.get("summary"),
        )


def read_waiting_since(state: Mapping[str, Any] | None) -> datetime | None:
    """Return since when a task waits for a rate limit, by what was kept of it; None = it does not wait."""
    waiting = (state or {}).get("waiting_since")
    return datetime.fromisoformat(waiting) if waiting else None


def _limit(unanswered: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return whole accounts' questions, as many as are kept."""
    kept: dict[str, list[dict[str, Any]]] = {}
    left = MOST_OPEN
    for account_id, questions in unanswered.items():
        if len(questions) <= left:
            kept[account_id] = [dict(question) for question in questions]
            left -= len(questions)
    return kept


def _take_out(questions: Iterable[UnansweredRequest], entries: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the entries of a summary without what they say of these questions."""
    whom: dict[tuple[str, str], set[str]] = defaultdict(set)
    for each in questions:
        whom[each.what, type(each.error).__name__].add(each.whom)
    for entry in entries:
        taken = whom.get((entry["what"], entry["kind"]), set())
        if (count := entry["count"] - len(taken)) > 0:
            yield {**entry, "count": count, "whom": [name for name in entry["whom"] if name not in taken]}
