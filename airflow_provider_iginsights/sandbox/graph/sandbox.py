"""The local Graph API as one thing to start: world, clock, faults, limits, log and the server in front of them."""

from __future__ import annotations

import threading
from datetime import datetime
from types import TracebackType
from typing import Self

from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph.api import GraphAPI
from airflow_provider_iginsights.sandbox.graph.app import INSTAGRAM_PREFIX, GraphApplication
from airflow_provider_iginsights.sandbox.graph.faults import FaultScript
from airflow_provider_iginsights.sandbox.graph.record import InFlight, Received
from airflow_provider_iginsights.sandbox.graph.shapes import SHAPES
from airflow_provider_iginsights.sandbox.graph.usage import UsageCounter
from airflow_provider_iginsights.sandbox.graph.world import World
from airflow_provider_iginsights.sandbox.server import Server

__all__ = ["GraphSandbox"]


class GraphSandbox:
    """A Graph API on a real loopback socket; use it in a ``with`` statement or with ``start`` and ``stop``.

    ``clock`` stands at the world's instant unless another is given. ``latency`` is in seconds. ``pin="v10.0"`` plays
    the API of 2021. ``faults`` is the script of what goes wrong, ``usage`` the limits; both may be changed at any time.
    """

    def __init__(
        self,
        world: World,
        *,
        clock: Clock | None = None,
        latency: float = 0.0,
        pin: str | None = None,
        port: int = 0,
    ) -> None:
        self.world = world
        self.clock: Clock = clock or Clock(world.now)
        self.faults: FaultScript = FaultScript(SHAPES)
        self.usage: UsageCounter = UsageCounter()
        self._api = GraphAPI(world, clock=self.clock, faults=self.faults, usage=self.usage, pin=pin)
        self._log: list[Received] = []
        self._lock = threading.Lock()
        self._load = InFlight()
        self._application = GraphApplication(self._api, latency=latency, record=self._remember, load=self._load)
        self._server = Server(self._application, port=port, name="graph-sandbox")

    @property
    def url(self) -> str:
        """The address that plays graph.facebook.com. Raises RuntimeError when the sandbox is not running."""
        return self._server.url

    @property
    def instagram_url(self) -> str:
        """The address that plays graph.instagram.com over the same world."""
        return self._server.url + INSTAGRAM_PREFIX

    @property
    def log(self) -> tuple[Received, ...]:
        """The requests so far, in the order of their answers."""
        with self._lock:
            return tuple(self._log)

    def clear_log(self) -> None:
        """Forget the requests and start the statistics anew."""
        with self._lock:
            self._log.clear()
        self._load.reset()

    def in_flight_average(self) -> float:
        """Return the mean number of requests under way between the first and the last; 0 before the first."""
        return self._load.average()

    def in_flight_peak(self) -> int:
        """Return the largest number of requests under way at once."""
        return self._load.peak()

    def now(self) -> datetime:
        """Return the sandbox's time, in UTC."""
        return self.clock.now()

    def start(self) -> Self:
        """Start serving, and return the sandbox itself."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving and cut what is open."""
        self._server.stop()

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _remember(self, received: Received) -> None:
        with self._lock:
            self._log.append(received)
