"""For tests of Dags that use this package: let no retry wait for real."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from airflow_provider_iginsights.waiting import Waits, is_testing, replace_waits

__all__ = ["is_testing", "set_testing"]


def set_testing(
    testing: bool = True,
    *,
    sleep: Callable[[float], None] = lambda _: None,
    clock: Callable[[], float] = time.monotonic,
) -> AbstractContextManager[object]:
    """Turn test mode on or off, for the whole process; in a ``with`` statement until its end.

    .. code-block:: python

        @pytest.fixture(autouse=True)
        def no_waiting():
            with set_testing():
                yield

    In test mode the waits between two tries of a request to Meta, and those that slow calls down near its rate limit,
    take no time; how often something is tried stays the same. A busy or silent BigQuery is waited for a fraction of a
    second. Nothing changes for what a task leaves to Airflow: ``retry_delay``, a deferral, a reschedule.

    :param testing: False = wait as in production.
    :param sleep: takes the seconds of each wait, for example to move the clock of a sandbox on by them.
    :param clock: monotonic seconds that bound how long a request is tried; give it together with ``sleep``.
    """
    before = replace_waits(Waits(sleep=sleep, clock=clock, in_tests=True) if testing else Waits())
    restoring = ExitStack()
    restoring.callback(replace_waits, before)
    return restoring
