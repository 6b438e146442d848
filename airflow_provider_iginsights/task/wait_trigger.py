"""The trigger by which a deferred task comes back at an instant.

Airflow shows the class path of a task's trigger ("Triggerer Info") and keeps its arguments to itself, since they may
hold secrets. So the path ends in the time for which the task waits, as in ``….wait_trigger.until_2026_11_27T18_05Z``;
:class:`WaitTrigger` is the class behind each such name. A trigger that is started anew, in another triggerer or after
an upgrade, waits for the same instant.
"""

from __future__ import annotations

from asyncio import sleep
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_iginsights._compat import BaseTrigger, TriggerEvent

PREFIX = "until_"
LONGEST_SLEEP = 60.0
"""Seconds after which the clock is looked at again: it may have been set, and a machine may have been asleep."""


class WaitTrigger(BaseTrigger):
    """Fire at an instant; log one line.

    :param moment: the instant, or its ISO 8601 text with an offset, as :meth:`serialize` gives it.
    """

    def __init__(self, moment: datetime | str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        given = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
        self.moment: datetime = given.astimezone(UTC)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the path, which tells the full minute at or after the instant, and the instant."""
        # A triggerer remembers every path that it met, so there are no more of them than minutes.
        shown = self.moment + timedelta(seconds=59, microseconds=999_999)
        return f"{__name__}.{PREFIX}{shown:%Y_%m_%dT%H_%MZ}", {"moment": self.moment.isoformat()}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Yield one event, the instant as text, once it has come."""
        self.log.info("The task waits until %s.", self.moment.isoformat(timespec="seconds"))
        while (left := (self.moment - datetime.now(UTC)).total_seconds()) > 0:
            await sleep(min(left, LONGEST_SLEEP))
        yield TriggerEvent(self.moment.isoformat())  # type: ignore[no-untyped-call]


def __getattr__(name: str) -> object:
    if name.startswith(PREFIX):
        return WaitTrigger
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
