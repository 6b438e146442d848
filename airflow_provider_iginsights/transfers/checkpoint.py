"""What a task has already loaded, kept between its tries so that the next one fetches only what is missing.

Airflow 3.3's task state store survives retries, waits, and a clear as well; so the checkpoint belongs to one question
(window, metrics, tables, accounts, version) and is deleted on success: a clear fetches everything again. Where there is
no store (Airflow before 3.3) only a deferral carries the progress on; a retry fetches all accounts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a task has come: accounts that are loaded, and the ``summary`` of that, as far as it adds up.

    ``open_questions``: of accounts that are loaded but for these, as their readers take them. ``waiting_since``: since
    when it waits for a rate limit (None: it does not).
    """

    done: frozenset[str] = frozenset()
    open_questions: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    waiting_since: datetime | None = None
    summary: Mapping[str, Any] | None = None


class Checkpoint:
    """The progress on one question; a different one starts afresh.

    :param question: anything that JSON can hold.
    :param accounts: all accounts that the question is about.
    :param carried: what :meth:`pack` gave, where a deferral carried it; wins over the store.
    """

    def __init__(
        self,
        store: Store | None,
        *,
        question: Mapping[str, Any],
        accounts: Sequence[str],
        carried: Mapping[str, Any] | None = None,
    ) -> None:
        self._store = store
        self._accounts = sorted(accounts)
        self._carried = carried
        text = json.dumps({**question, "accounts": self._accounts}, sort_keys=True, default=str)
        self._question = hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def remembers(self) -> bool:
        """Return whether anything is kept beyond this try."""
        return self._store is not None or self._carried is not None

    def read(self) -> Progress:
        """Return the progress on this question, empty where there is none."""
        kept = self._carried or (self._store.get(KEY) if self._store is not None else None)
        if not isinstance(kept, Mapping) or kept.get("question") != self._question:
            return Progress()
        waiting = kept.get("waiting_since")
        return Progress(
            done=frozenset(self._name(str(kept.get("done") or "0"))),
            open_questions=kept.get("open") or {},
            waiting_since=datetime.fromisoformat(waiting) if waiting else None,
            summary=kept.get("summary"),
        )

    def pack(self, progress: Progress) -> dict[str, Any]:
        """Return the progress as JSON-able values: one bit per account, since what Airflow keeps should stay small."""
        waiting = progress.waiting_since
        return {
            "question": self._question,
            "done": self._number(progress.done),
            "open": _limit(progress.open_questions),
            "waiting_since": waiting.isoformat() if waiting else None,
            "summary": dict(progress.summary) if progress.summary else None,
        }

    def write(self, progress: Progress) -> None:
        """Keep the progress for the next try."""
        if self._store is not None:
            self._store.set(KEY, self.pack(progress))

    def delete(self) -> None:
        """Forget, so that a clear of the task fetches everything again."""
        if self._store is not None:
            self._store.delete(KEY)

    def _number(self, done: Iterable[str]) -> str:
        names = set(done)
        return format(sum(1 << place for place, name in enumerate(self._accounts) if name in names), "x")

    def _name(self, number: str) -> list[str]:
        bits = int(number, 16)
        return [name for place, name in enumerate(self._accounts) if bits >> place & 1]


def _limit(open_questions: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Return whole accounts' questions, as many as are kept."""
    kept: dict[str, list[dict[str, Any]]] = {}
    left = MOST_OPEN
    for account_id, questions in open_questions.items():
        if len(questions) <= left:
            kept[account_id] = [dict(question) for question in questions]
            left -= len(questions)
    return kept
