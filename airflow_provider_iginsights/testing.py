"""For tests of Dags that use this package: let no retry wait for real, and let a recorded run happen again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_iginsights.waiting import Waits, is_testing, replace_waits

if TYPE_CHECKING:
    from airflow_provider_iginsights.cassettes.replay import Replay

__all__ = ["is_testing", "replay_cassette", "set_testing"]


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


@contextmanager
def replay_cassette(directory: str | os.PathLike[str], *, conn_id: str = "instagram_default") -> Iterator[Replay]:
    """Let Meta answer as in a recorded run, and BigQuery be a local one, until the end of the statement.

    .. code-block:: python

        def test_the_run_that_failed():
            with replay_cassette("tests/cassettes/throttled") as played:
                dag.test(logical_date=played.recorded_at)
                assert played.rows("instagram", "instagram_media")

    No retry waits meanwhile, see :func:`set_testing`.

    :param directory: a folder that ``airflow instagram record`` has written.
    :param conn_id: the Instagram connection that is pointed at the cassette; the Dag needs ``gcp_conn_id=None``.
    :raises ConfigurationError: the folder holds no whole cassette.
    :raises AssertionError: the code asked for something that the cassette has no answer to; raised at the end.
    """
    from airflow_provider_iginsights.cassettes.replay import run_replay

    with run_replay(Path(directory), conn_id=conn_id) as played, set_testing():
        before = {name: os.environ.get(name) for name in played.environment}
        os.environ.update(played.environment)
        try:
            yield played
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        if played.missing:
            raise AssertionError("\n".join(["The cassette has no answer to these requests:", *played.missing]))
