"""Runs the local Graph API and the local BigQuery together, and tells how to point an Airflow at them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """The world to build and how it answers.

    ``now``: the instant at which the clock stands still, None = real time. ``pin``: the only API version played.
    ``latency``: seconds of each answer of the Graph API. ``app_limit``: Graph calls that its app may make in an hour.
    ``fault``: names of odd answers to play again and again.
    """

    accounts: int = 2
    media: int = 30
    stories: int = 3
    seed: int = 7
    now: datetime | None = None
    pin: str | None = None
    latency: float = 0.0
    app_limit: int | None = None
    fault: Sequence[str] = ()
    project: str = "sandbox-project"


@contextmanager
def run_sandbox(settings: SandboxSettings) -> Iterator[dict[str, str]]:
    """Run both servers; yield the environment variables for an Airflow that uses them."""
    clock = Clock(settings.now)
    world = World.build(
        seed=settings.seed,
        accounts=settings.accounts,
        media_per_account=settings.media,
        stories_per_account=settings.stories,
        now=clock.now(),
    )
    with (
        GraphSandbox(world, clock=clock, latency=settings.latency, pin=settings.pin) as graph,
        BigQuerySandbox(project=settings.project, clock=clock) as bigquery,
    ):
        graph.usage.app_limit = settings.app_limit
        for name in settings.fault:
            graph.faults.play(name, times=None)
        connection = {
            "conn_type": "instagram",
            "host": graph.url,
            "password": world.system_user_token,
            "extra": {"api_version": settings.pin} if settings.pin else {},
        }
        yield {
            "AIRFLOW_CONN_INSTAGRAM_DEFAULT": json.dumps(connection),
            "BIGQUERY_EMULATOR_HOST": bigquery.url,
            "GOOGLE_CLOUD_PROJECT": bigquery.project,
        }
