"""What a task does when Airflow wants it to end: mark failed, clear, a worker's shutdown, ``execution_timeout``."""

from __future__ import annotations

import threading
from collections.abc import Callable

from airflow_provider_iginsights._compat import BaseOperator

KILL_SECONDS = 4.0
"""Airflow sends SIGKILL 5 seconds after SIGTERM (``WatchedSubprocess.kill``, ``escalation_delay``)."""


class StoppableOperator(BaseOperator):
    """An operator that can be stopped at any moment of its work."""

    _stops: tuple[Callable[[], object], ...] = ()

    def on_kill(self) -> None:
        """End the calls to Meta, cancel the BigQuery job under way, drop staging: within 4 seconds, without an error.

        After an ``execution_timeout`` nothing is left to do: Airflow calls it when ``execute`` has been left already,
        on the exception that ended it.
        """
        # A signal handler interrupts the main thread anywhere, also where it holds a lock of an HTTP library. Another
        # thread can wait for the lock; the handler itself would wait for ever.
        thread = threading.Thread(target=self._stop, name="iginsights-on-kill", daemon=True)
        thread.start()
        thread.join(KILL_SECONDS)

    def _stop(self) -> None:
        for stop in self._stops:
            stop()
