"""CPU of one page of posts: from the bytes of Meta's answer to the NDJSON bytes that BigQuery loads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from airflow_provider_iginsights.bigquery.row_file import RowFile
from airflow_provider_iginsights.bigquery.target import TargetTable
from airflow_provider_iginsights.catalog.fields import list_fields
from airflow_provider_iginsights.catalog.plan import plan_media
from airflow_provider_iginsights.catalog.tables import MEDIA, MEDIA_INSIGHTS
from airflow_provider_iginsights.extract.left_out import LeftOutLog
from airflow_provider_iginsights.extract.listing import Listing
from airflow_provider_iginsights.extract.media import read_media
from airflow_provider_iginsights.extract.provenance import Provenance
from airflow_provider_iginsights.extract.refused_metrics import RefusedMetrics
from airflow_provider_iginsights.extract.request_params import format_media_fields
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.json_text import read_json
from airflow_provider_iginsights.graph.messages import Answer, GraphRequest
from airflow_provider_iginsights.graph.paging import CursorPaging
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World

ROUNDS, REPEATS = 50, 5


class Replay:
    """Stands where the client stands and hands out one recorded page, parsed anew each time."""

    def __init__(self, settings: GraphSettings, request: GraphRequest, content: bytes) -> None:
        self.settings = settings
        self.request = request
        self.content = content

    def pages(self, *_: Any, **__: Any) -> Iterator[Answer]:
        """Yield the page."""
        yield Answer(read_json(self.content), "v25.0", self.request)

    def open_paging(self, request: GraphRequest) -> CursorPaging:
        """Return what ends the listing."""
        return CursorPaging(path=request.path, note=lambda _: None)


def measure_page(metrics: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield steps and the milliseconds of CPU they take, the best of several rounds."""
    replay, account_id = record(metrics)
    plan = plan_media(metrics, None, version="v25.0", login="facebook")
    provenance = Provenance(run_id="scheduled__2026-01-01T08:00:00+00:00")
    row_files = {
        table.name: RowFile(
            TargetTable(table=table, project="benchmark", dataset="benchmark", table_id=table.default_id)
        )
        for table in (MEDIA, MEDIA_INSIGHTS)
    }

    def read() -> Iterator[Any]:
        listing = Listing(
            client=replay,  # type: ignore[arg-type]
            account_id=account_id,
            edge="media",
            plan=plan,
            left_out_log=LeftOutLog(),
            refused_metrics=RefusedMetrics(),
        )
        return read_media(listing, provenance)

    def extract() -> None:
        for _ in read():
            pass

    def write() -> None:
        for table, row in read():
            row_files[table].write(row)

    parse, both, rows, whole = find_fastest(
        lambda: json.loads(replay.content), lambda: json.dumps(json.loads(replay.content)), extract, write
    )
    yield f"json.loads ({len(replay.content):,} bytes)", f"{parse:.2f}"
    yield "json.loads + json.dumps", f"{both:.2f}"
    yield f"parse + {len(list(read()))} rows", f"{rows:.2f}"
    yield "parse + rows + NDJSON on disk", f"{whole:.2f}"
    yield "ratio to json.loads + json.dumps", f"{whole / both:.2f} x"
    for row_file in row_files.values():
        row_file.close()


def record(metrics: Sequence[str]) -> tuple[Replay, str]:
    """Return a page of 100 posts as a Graph API sent it, and its account."""
    world = World.build(accounts=1, media_per_account=100)
    account_id = next(iter(world.accounts))
    with GraphSandbox(world) as sandbox:
        settings = GraphSettings(token=world.system_user_token, base_url=sandbox.url)
        fields = format_media_fields(list_fields(MEDIA, settings.api_version), None)
        request = GraphRequest(f"{account_id}/media", {"fields": f"{fields},insights.metric({','.join(metrics)})"})
        with GraphClient(settings) as client:
            answer = next(client.pages(request, limit=100))
    return Replay(settings, answer.request, json.dumps(answer.body).encode()), account_id


def find_fastest(*steps: Callable[[], object]) -> list[float]:
    """Return the milliseconds of CPU that the fastest of several rounds took per call of each step.

    The steps take turns, so that a machine that slows down for a while slows down all of them.
    """
    fastest = [float("inf")] * len(steps)
    for _ in range(ROUNDS):
        for place, step in enumerate(steps):
            started = time.process_time()
            for _ in range(REPEATS):
                step()
            fastest[place] = min(fastest[place], time.process_time() - started)
    return [1000 * seconds / REPEATS for seconds in fastest]
