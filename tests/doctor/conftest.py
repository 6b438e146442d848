"""A dataset with tables of a day, a world behind a Graph API, and a way to ask the doctor about both."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.sandbox.graph import World
from airflow_provider_iginsights.sandbox.graph.objects import APP_ID, APP_SECRET
from tests.support.sandboxes import DATASET, NOW, Sandboxes, open_sandboxes

APP = {"app_id": APP_ID, "app_secret": APP_SECRET}


@dataclass(frozen=True)
class Said:
    """What the doctor said: the exit code, and of each check its status, finding and advice."""

    code: int
    status: str
    checks: dict[str, dict[str, str]]

    def __getitem__(self, name: str) -> dict[str, str]:
        return self.checks[name]

    def list_names(self, status: str) -> list[str]:
        """Return the checks of a status, in their order."""
        return [name for name, row in self.checks.items() if row["status"] == status]


Ask = Callable[..., Said]


@pytest.fixture(scope="module")
def opened() -> Iterator[Sandboxes]:
    """Serve two accounts of a few posts, and a dataset with what a transfer of each has written, with the views."""
    with open_sandboxes(World.build(now=NOW, accounts=2, media_per_account=3, stories_per_account=1)) as sandboxes:
        for kind in ("account", "media"):
            sandboxes.run(kind, metrics=["reach"], create_views=True)
        yield sandboxes


@pytest.fixture
def healthy(opened: Sandboxes, without_waits: None) -> Iterator[Sandboxes]:
    """Let all be right when a test begins and when it has ended."""
    world, switches = opened.world, opened.bigquery.switches
    before = dict(world.accounts), dict(world.tokens), dict(world.businesses)
    opened.connect(extra=APP)
    yield opened
    opened.graph.faults.clear()
    opened.bigquery.faults.clear()
    opened.graph.usage.app_percent = 0.0
    for account_id in world.accounts:
        opened.graph.usage.set(account_id, 0)
    for mapping, kept in zip((world.accounts, world.tokens, world.businesses), before, strict=True):
        mapping.clear()
        mapping.update(kept)  # type: ignore[arg-type]
    switches.billing = True


@pytest.fixture
def ask(healthy: Sandboxes, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Return a function that asks the doctor with these options; nothing secret may be said, nothing may stay."""

    def ask_doctor(*options: str, dataset: str | None = DATASET) -> Said:
        before = set(healthy.bigquery.tables(DATASET))
        where = ["--dataset", dataset] if dataset else []
        code = main(["doctor", "--json", *where, *options])
        printed = capsys.readouterr()
        for secret in (APP_SECRET, *healthy.world.tokens):
            assert secret not in printed.out + printed.err
        assert set(healthy.bigquery.tables(DATASET)) == before
        found: dict[str, Any] = json.loads(printed.out)
        return Said(code, found["status"], {row["check"]: row for row in found["checks"]})

    return ask_doctor
