"""Print how deep the package's own calls are nested: ``python -m tests.support.measure_frames``.

Whole transfers run against both sandboxes. The stack is looked at whenever the package calls ``requests`` or the client
of BigQuery, and whenever a row is written to its file; of each, the deepest is printed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import requests

import airflow_provider_iginsights
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.graph.settings import GraphSettings
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World

ROOT = Path(airflow_provider_iginsights.__file__).parent
Frames = tuple[str, ...]


def list_frames(frame: FrameType | None) -> Frames:
    """Return the package's own frames on a stack, outermost first, as ``graph/batch.py Batch.settle``."""
    found: list[str] = []
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and not path.is_relative_to(ROOT / "sandbox"):
            found.append(f"{path.relative_to(ROOT)} {frame.f_code.co_qualname}")
        frame = frame.f_back
    return tuple(reversed(found))


@dataclass(slots=True)
class Recorder:
    """The stacks with which watched functions were entered from the package's own code, each stack once."""

    stacks: dict[str, set[Frames]] = field(default_factory=dict)

    def find_deepest(self, name: str) -> Frames:
        """Return the deepest stack of a watched function."""
        return max(self.stacks.get(name, {()}), key=len)


@contextmanager
def record_frames(watched: dict[CodeType, str]) -> Iterator[Recorder]:
    """Record the stack of every call of a watched function, in all threads that begin within."""
    recorder = Recorder()

    def profile(frame: FrameType, event: str, _: Any) -> None:
        name = watched.get(frame.f_code) if event == "call" else None
        if name is not None and frame.f_back is not None and _is_ours(frame.f_back):
            recorder.stacks.setdefault(name, set()).add(list_frames(frame.f_back))

    before = sys.getprofile()
    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        yield recorder
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


def _is_ours(frame: FrameType) -> bool:
    return Path(frame.f_code.co_filename).is_relative_to(ROOT)


def measure_graph(read: Callable[[GraphClient, str, list[GraphRequest]], object], *, login: str = "facebook") -> Frames:
    """Return the frames from a reading of the Graph client to ``requests``, both of its ends included."""
    world = World.build(accounts=1, media_per_account=3)
    with GraphSandbox(world) as sandbox:
        [account_id] = world.accounts
        base_url, token = sandbox.url, world.system_user_token
        if login == "instagram":
            base_url, token = sandbox.instagram_url, world.instagram_token(account_id)
        asked = [GraphRequest(post.id, {"fields": "id"}) for post in world.media_of(account_id, sandbox.now())]
        with (
            GraphClient(GraphSettings(token=token, base_url=base_url)) as client,
            record_frames({requests.Session.request.__code__: "requests"}) as recorder,
        ):
            read(client, account_id, asked)
    return recorder.find_deepest("requests")


def read_batch(client: GraphClient, account_id: str, asked: list[GraphRequest]) -> None:
    """Read in a batch, or one by one where the host offers none."""
    list(client.batch(asked, account_id=account_id))


def read_one(client: GraphClient, account_id: str, asked: list[GraphRequest]) -> None:
    """Read once."""
    client.get(asked[0], account_id=account_id)


def read_page(client: GraphClient, account_id: str, asked: list[GraphRequest]) -> None:
    """Read a page of a listing."""
    next(client.pages(GraphRequest(f"{account_id}/media", {"fields": "id"}), account_id=account_id))


def measure_transfer(kind: str) -> Recorder:
    """Return the frames of a transfer: to ``requests``, to the BigQuery client, and to the file of the rows."""
    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.row_file import RowFile
    from tests.support.sandboxes import NOW, open_sandboxes

    watched = {
        requests.Session.request.__code__: "requests",
        RowFile.write.__code__: "row",
        **{
            function.__code__: "google"
            for name in ("query", "get_job", "get_table", "create_table", "delete_table", "load_table_from_file")
            if (function := getattr(Client, name))
        },
    }
    with (
        open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=3)) as sandboxes,
        record_frames(watched) as recorder,
    ):
        sandboxes.run(kind, account_ids=list(sandboxes.world.accounts))
    return recorder


def count_rooms(frames: Frames) -> list[str]:
    """Return the rooms that a stack visits, in order, each as often as it is entered."""
    rooms = [frame.split()[0].split("/")[0].removesuffix(".py") for frame in frames]
    return [room for place, room in enumerate(rooms) if place == 0 or room != rooms[place - 1]]


def _print(title: str, frames: Frames) -> None:
    rooms = count_rooms(frames)
    print(f"{title}: {len(frames)} frames, {len(set(rooms))} rooms ({' > '.join(rooms)})")
    for frame in frames:
        print(f"    {frame}")


def main() -> None:
    """Print the stacks."""
    _print("GraphClient.batch to requests", measure_graph(read_batch))
    _print("GraphClient.batch, one by one, to requests", measure_graph(read_batch, login="instagram"))
    _print("GraphClient.get to requests", measure_graph(read_one))
    _print("GraphClient.pages to requests", measure_graph(read_page))
    for kind in ("account", "media", "story"):
        recorder = measure_transfer(kind)
        for name in ("requests", "google", "row"):
            _print(f"{kind} transfer to {name}", recorder.find_deepest(name))
        way = (*recorder.find_deepest("requests"), *recorder.find_deepest("row"))
        files = dict.fromkeys(frame.split()[0] for frame in way)
        print(f"{kind}: a row passes {len(set(count_rooms(way)))} rooms and {len(files)} files: {', '.join(files)}")


if __name__ == "__main__":
    main()
