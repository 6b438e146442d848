"""How the package waits before it tries something again: it sleeps, unless :mod:`.testing` was told otherwise.

Nothing else changes this: no setting, no variable of the environment, and no module of the package imports the switch.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """What waiting is.

    :param sleep: waits that many seconds.
    :param clock: monotonic seconds, which bound how long something is tried.
    :param in_tests: whether also those waits are short that cannot be handed to ``sleep``.
    """

    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    in_tests: bool = False


_waits = Waits()


def replace_waits(waits: Waits) -> Waits:
    """Wait in this way from now on, in all threads; return how it was before."""
    global _waits
    before, _waits = _waits, waits
    return before


def is_testing() -> bool:
    """Tell whether the waits are those of tests."""
    return _waits.in_tests


def sleep_until(stopped: threading.Event, seconds: float) -> None:
    """Wait that many seconds, or until the event is set."""
    if _waits.sleep is time.sleep:
        stopped.wait(seconds)
    else:
        _waits.sleep(seconds)


def read_clock() -> float:
    """Return monotonic seconds."""
    return _waits.clock()
