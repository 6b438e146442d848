"""What a scenario runs: the kinds of tasks with their arguments, and which of them a seed stands for."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_provider_iginsights.sandbox.graph.objects import APP_ID, APP_SECRET


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a scenario runs: the kind of task, its arguments, and whether the accounts are given or discovered.

    ``days_ago``: how long ago the interval ended; ``login``: of the token, one of Instagram Login sees one account;
    ``extra``: of the connection; ``limited``: the limit of the second account is used up after its first call.
    """

    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    discovers: bool = False
    metrics: str = "default"
    days_ago: int = 0
    login: str = "facebook"
    extra: Mapping[str, str] = field(default_factory=dict)
    limited: bool = False

    @property
    def waits(self) -> bool:
        """Whether the task gives its worker slot back in the middle, and goes on later."""
        return self.limited or "capture" in self.arguments


TABLE_OF = {
    "profile_table_id": "instagram_accounts",
    "media_table_id": "instagram_media",
    "children_table_id": "instagram_media_children",
    "polls_table_id": "instagram_story_polls",
}
QUESTIONS: dict[str, Question] = {
    "account": Question(kind="account", arguments={"lookback_days": 1}),
    "account, all, discovered": Question(
        kind="account",
        arguments={"metrics": "all", "lookback_days": 0, "profile_table_id": None},
        discovers=True,
        metrics="all",
    ),
    "media": Question(kind="media"),
    "media, all, discovered": Question(
        kind="media", arguments={"metrics": "all", "media_table_id": None}, discovers=True, metrics="all"
    ),
    "story": Question(kind="story"),
    "story, all, discovered": Question(
        kind="story",
        arguments={"metrics": "all", "media_table_id": None, "polls_table_id": None},
        discovers=True,
        metrics="all",
    ),
    "list accounts": Question(kind="list", discovers=True),
    "test connection": Question(kind="token", discovers=True),
    "account, settled, replaced": Question(
        kind="account",
        arguments={"lookback_days": 0, "load_mode": "replace", "profile_table_id": None},
        days_ago=3,
    ),
    "media, appended": Question(kind="media", arguments={"load_mode": "append", "media_table_id": None}),
    "account, Instagram Login": Question(
        kind="account", arguments={"lookback_days": 0}, discovers=True, login="instagram"
    ),
    "media, Instagram Login": Question(kind="media", discovers=True, login="instagram"),
    "test connection, Instagram Login": Question(kind="token", discovers=True, login="instagram"),
    "test connection, debugged": Question(
        kind="token", discovers=True, extra={"app_id": APP_ID, "app_secret": APP_SECRET}
    ),
    "account, deferred": Question(kind="account", arguments={"lookback_days": 0, "deferrable": True}, limited=True),
    "media, deferred": Question(kind="media", arguments={"deferrable": True}, limited=True),
    "media, rescheduled": Question(kind="media", arguments={"deferrable": False}, limited=True),
    "story, deferred": Question(kind="story", arguments={"deferrable": True}, limited=True),
    "story, before expiry": Question(
        kind="story",
        arguments={"capture": "before_expiry", "capture_for": timedelta(hours=19), "deferrable": True},
    ),
}
FORMAT_3 = 10**6
"""From this seed on, a number chooses among all questions; a smaller one among the first, as it always did."""
QUESTIONS_OF_FORMAT_2 = 14


def choose_question(seed: int, dice: random.Random) -> str:
    """Return the question of a seed. It is the same for ever: later formats choose for later seeds."""
    return dice.choice(list(QUESTIONS)[: None if seed >= FORMAT_3 else QUESTIONS_OF_FORMAT_2])


def number_scenarios(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return each question with the seeds from 1 on, as many as ``counts`` says."""
    return [(question, seed) for question, count in counts.items() for seed in range(1, count + 1)]
