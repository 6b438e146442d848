"""Each run warns once of a token that ends soon: in its log, in its notes, for one request."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.graph import GraphFault, HtmlBody, Token
from airflow_provider_iginsights.sandbox.graph.objects import APP_ID, APP_SECRET
from tests.support.sandboxes import END, NOW, START, TRANSFERS, RecordingTaskInstance, Sandboxes

APP = {"app_id": APP_ID, "app_secret": APP_SECRET}
DAY = timedelta(days=1)


def run(sandboxes: Sandboxes, *, map_index: int = -1) -> list[str]:
    """Run a transfer of one metric; return its notes about the token."""
    options: dict[str, Any] = {"dataset_id": "instagram", "gcp_conn_id": None, "create_dataset": True}
    operator = TRANSFERS["account"](task_id="account", metrics="reach", profile_table_id=None, **options)
    instance = RecordingTaskInstance(map_index=map_index)
    context: Any = {"ti": instance, "data_interval_start": START, "data_interval_end": END}
    return [note for note in operator.execute(context)["notes"] if "token" in note]


def debugs(sandboxes: Sandboxes) -> int:
    """Return how often the token was asked about."""
    return sum("debug_token" in item for call in sandboxes.graph.log for item in call.items)


def connect(
    sandboxes: Sandboxes, *, left: timedelta | None, data_left: timedelta | None = None, **changes: Any
) -> None:
    """Define the connection with a token that, and whose data access, ends after so long."""
    ends = {"expires_at": left and NOW + left, "data_access_expires_at": data_left and NOW + data_left}
    sandboxes.world.put(Token("EAAGending123456", "user", **ends))
    sandboxes.connect(**{"password": "EAAGending123456", "extra": APP} | changes)


def test_a_run_warns_once(small_sandboxes: Sandboxes, caplog: pytest.LogCaptureFixture) -> None:
    """Within 14 days of either end one note says when, and what to do; it is logged, and costs one request."""
    connect(small_sandboxes, left=10 * DAY, data_left=20 * DAY)
    [note] = run(small_sandboxes)
    assert note.startswith(
        "The token of connection 'instagram_default' ends soon. It expires on 2026-12-01 (in 9 days)"
    )
    assert debugs(small_sandboxes) == 1
    assert [record.levelname for record in caplog.records if note in record.getMessage()] == ["WARNING"]


def test_of_mapped_tasks_the_first_warns(small_sandboxes: Sandboxes) -> None:
    """A thousand mapped tasks of a run are no thousand requests and warnings."""
    connect(small_sandboxes, left=None, data_left=DAY)
    assert [len(run(small_sandboxes, map_index=place)) for place in (0, 1, 2)] == [1, 0, 0]
    assert debugs(small_sandboxes) == 1


@pytest.mark.parametrize(
    ("left", "extra", "asked"), [(15 * DAY, APP, 1), (None, APP, 1), (DAY, {}, 0)], ids=["later", "never", "no app"]
)
def test_nothing_is_said(small_sandboxes: Sandboxes, left: Any, extra: Any, asked: int) -> None:
    """An end that is further away, none at all, and one that nobody can ask for, are no warning."""
    connect(small_sandboxes, left=left, extra=extra)
    assert (run(small_sandboxes), debugs(small_sandboxes)) == ([], asked)


def test_trouble_with_the_question_is_none_of_the_run(small_sandboxes: Sandboxes, without_waits: None) -> None:
    """Where Meta does not answer the batch with debug_token, the run goes on."""
    connect(small_sandboxes, left=DAY)
    small_sandboxes.graph.faults.add(GraphFault(effect=HtmlBody(502), path="debug_token", times=None))
    assert run(small_sandboxes) == []


def test_instagram_login_knows_it_by_the_variable(small_sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    """There the Variable that keeps the token remembers when it ends; Meta is not asked."""
    token = small_sandboxes.world.instagram_token(small_sandboxes.account.id)
    held = f'{{"access_token": "{token}", "expires_at": {int((NOW + 2 * DAY).timestamp())}}}'
    monkeypatch.setenv("AIRFLOW_VAR_BRAND_ACCESS_TOKEN", held)
    small_sandboxes.connect(
        host=small_sandboxes.graph.instagram_url, password="old", extra={"token_variable": "brand_access_token"}
    )
    [note] = run(small_sandboxes)
    assert "It expires on 2026-11-23" in note
    assert debugs(small_sandboxes) == 0
