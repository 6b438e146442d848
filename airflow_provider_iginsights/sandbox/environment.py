"""Runs the local Graph API and the local BigQuery together, and tells how to point an Airflow at them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.bigquery.refusals import REFUSALS
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.graph import SHAPES, GraphSandbox, Token, World
from airflow_provider_iginsights.sandbox.graph.objects import APP_ID, APP_SECRET

COLLABORATION, PAGE_TOKEN = "collaboration_post", "page_token"
FAULTS = (*SHAPES, COLLABORATION, PAGE_TOKEN, *REFUSALS)
"""The names of all that can be played: odd answers of Meta, odd posts and tokens, refusals of BigQuery."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxSettings:
    """The world to build and how it answers.

    ``now``: the instant at which the clock stands still, None = real time. ``pin``: the only API version played.
    ``latency``: seconds of each answer of the Graph API. ``app_limit``: Graph calls that its app may make in an hour.
    ``fault``: names of odd answers to play again and again. ``followers``: of each account. ``expired_token``: the
    connection's token has expired. ``throttle``: each account has used its rate limit. ``port``, ``bigquery_port``: 0 =
    a free one. ``keep``: a folder in which tables and posts outlive the servers.
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
    followers: int | None = None
    expired_token: bool = False
    throttle: bool = False
    port: int = 0
    bigquery_port: int = 0
    keep: Path | None = None


@contextmanager
def run_sandbox(settings: SandboxSettings) -> Iterator[dict[str, str]]:
    """Run both servers; yield the environment variables for an Airflow that uses them.

    Raises OSError for a port that is taken, or a folder that cannot be used.
    """
    clock = Clock(settings.now)
    world = build_world(settings, now=clock.now())
    token = _choose_token(settings, world)
    with (
        GraphSandbox(world, clock=clock, latency=settings.latency, pin=settings.pin, port=settings.port) as graph,
        BigQuerySandbox(
            project=settings.project, clock=clock, storage=settings.keep, port=settings.bigquery_port
        ) as bigquery,
    ):
        _disturb(settings, graph, bigquery)
        extra = {"api_version": settings.pin} if settings.pin else {}
        yield describe_servers(graph, bigquery, token=token, extra=extra)


def describe_servers(
    graph: GraphSandbox, bigquery: BigQuerySandbox, *, token: str, extra: Mapping[str, str] = MappingProxyType({})
) -> dict[str, str]:
    """Return the environment variables for an Airflow that uses two running servers.

    The connection has what ``doctor`` asks for: with the id and the secret of the token's app, Meta tells what it is.

    :param extra: extras of the connection beside these.
    """
    connection = {
        "conn_type": "instagram",
        "host": graph.url,
        "password": token,
        "extra": {"app_id": APP_ID, "app_secret": APP_SECRET, **extra},
    }
    return {
        "AIRFLOW_CONN_INSTAGRAM_DEFAULT": json.dumps(connection),
        "BIGQUERY_EMULATOR_HOST": bigquery.url,
        "GOOGLE_CLOUD_PROJECT": bigquery.project,
    }


def build_world(settings: SandboxSettings, *, now: datetime) -> World:
    """Return what the local Graph API holds."""
    world = World.build(
        seed=settings.seed,
        accounts=settings.accounts,
        media_per_account=settings.media,
        stories_per_account=settings.stories,
        now=_keep_begin(settings.keep, now=now) if settings.keep else now,
    )
    if settings.followers is not None:
        for account in list(world.accounts.values()):
            world.put(replace(account, followers_count=settings.followers))
    return world


def _keep_begin(folder: Path, *, now: datetime) -> datetime:
    """Return when the sandbox of this folder was first started: its posts lie in the 700 days before that."""
    path = folder / "begin.txt"
    if path.exists():
        return datetime.fromisoformat(path.read_text("utf-8"))
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(now.isoformat(), "utf-8")
    return now


def _choose_token(settings: SandboxSettings, world: World) -> str:
    if PAGE_TOKEN in settings.fault and world.accounts:
        return world.page_token(next(iter(world.accounts)))
    if not settings.expired_token:
        return world.system_user_token
    ended = Token(value=f"EAAGexpired{world.seed}", kind="user", expires_at=world.now - timedelta(days=1))
    world.put(ended)
    return ended.value


def _disturb(settings: SandboxSettings, graph: GraphSandbox, bigquery: BigQuerySandbox) -> None:
    graph.usage.app_limit = settings.app_limit
    for name in settings.fault:
        if name in SHAPES:
            graph.faults.play(name, times=None)
        elif name in REFUSALS:
            bigquery.faults.add(REFUSALS[name])
        elif name == COLLABORATION:
            _share_post(graph.world)
    if settings.throttle:
        for account_id in graph.world.accounts:
            graph.usage.set(account_id, graph.usage.threshold)


def _share_post(world: World) -> None:
    """Let the newest post of the first account be one of all accounts, too."""
    first, *others = world.accounts or [""]
    for media in world.media_of(first, world.now)[:1]:
        world.put(replace(media, collaborators=tuple(others)))
