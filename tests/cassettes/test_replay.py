"""A run against a cassette has the rows, and the errors, of the run that was recorded: over real sockets."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights.cassettes.files import read_cassette
from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.sandbox.graph import (
    SHAPES,
    DropAfterHeaders,
    DropConnection,
    ErrorEffect,
    GraphFault,
    HtmlBody,
    NullItem,
    TruncatedBody,
    World,
)
from airflow_provider_iginsights.testing import replay_cassette, set_testing
from tests.support.cassettes import find_pseudonyms, one_worker, read_rows, recording
from tests.support.pages import find_block
from tests.support.sandboxes import DATASET, NOW, Sandboxes, open_sandboxes

SINCE = "2026-11-19"
LIMIT = ErrorEffect(80002, http=403, message="(#80002) There have been too many calls to this Instagram account.")
FIRST_POST, OTHER_ACCOUNT = "17800000010000000", "17841400000000002"

CASES: dict[str, tuple[str, list[GraphFault]]] = {
    "accounts": ("account", []),
    "posts": ("media", []),
    "stories": ("story", []),
    "throttled": ("media", [GraphFault(effect=LIMIT, path="media", times=None)]),
    "one bad metric": (
        "media",
        [GraphFault(effect=ErrorEffect(100, message="(#100) Invalid metric saved"), metric="saved", times=None)],
    ),
    "one bad post": ("media", [GraphFault(effect=ErrorEffect(100, 33), object_id=FIRST_POST, times=None)]),
    "one account without permission": (
        "account",
        [
            GraphFault(
                effect=ErrorEffect(10, message="(#10) Application does not have permission for this action"),
                object_id=OTHER_ACCOUNT,
                times=None,
            )
        ],
    ),
    "no JSON, then JSON": ("media", [GraphFault(effect=HtmlBody(502), times=2)]),
    "never JSON": ("media", [GraphFault(effect=HtmlBody(200), path="media", times=None)]),
    "cut": ("media", [GraphFault(effect=TruncatedBody(), path="media", times=2)]),
    "cut behind the headers": ("media", [GraphFault(effect=DropAfterHeaders(), path="media", times=1)]),
    "dropped": ("media", [GraphFault(effect=DropConnection(), times=1)]),
    "items left out": ("story", [GraphFault(effect=NullItem(), times=3)]),
    **{
        name: ("media", [SHAPES[name]])
        for name in (
            "half_an_emoji",
            "numbers_as_text",
            "whole_floats",
            "too_much_data",
            "fields_missing",
            "empty_page",
        )
    },
    **{name: ("account", [SHAPES[name]]) for name in ("end_time_in_seconds", "pipe_in_a_value", "website_refused")},
}


@pytest.fixture(scope="module")
def sandboxes() -> Iterator[Sandboxes]:
    """Serve two small accounts."""
    world = World.build(now=NOW, accounts=2, media_per_account=4, stories_per_account=1)
    with open_sandboxes(world) as opened, set_testing():
        yield opened


@pytest.mark.parametrize("name", CASES)
def test_a_run_happens_again(sandboxes: Sandboxes, tmp_path: Path, name: str) -> None:
    """Numbers, dates and errors are those of the recorded run; ids and texts are other ones, each always the same."""
    kind, faults = CASES[name]
    sandboxes.graph.faults.clear()
    for fault in faults:
        sandboxes.graph.faults.add(fault)
    with recording(tmp_path / "cassette"):
        before, ended = read_rows(kind, since=SINCE)
    sandboxes.graph.faults.clear()
    sandboxes.graph.clear_log()
    with replay_cassette(tmp_path / "cassette"):
        after, ended_again = read_rows(kind, since=SINCE)
    assert ended == ended_again
    assert before or ended
    pseudonyms = find_pseudonyms(before, after)
    assert not {post_id for _, row in before for post_id in [row.get("media_id")] if post_id} & {*pseudonyms.values()}
    assert all(pseudonyms[row["account_id"]] != row["account_id"] for _, row in before)
    assert sandboxes.graph.log == ()


def test_a_metric_that_meta_does_not_know(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """A run that asked for it, and was refused, happens again, though its name is not in the cassette."""
    sandboxes.graph.faults.clear()

    def read_new() -> list[tuple[str, Any, Any]]:
        with one_worker():
            asked = {"metrics": ["reach", "+zwieback_metric"], "since": "2026-11-19", "until": "2026-11-21"}
            found = InstagramHook().read("media", **asked)  # type: ignore[arg-type]
            return [(table, row.get("metric"), row.get("value")) for table, row in found]

    with recording(tmp_path / "cassette"):
        before = read_new()
    assert any(metric == "reach" for _, metric, _ in before)
    assert "zwieback" not in (tmp_path / "cassette" / "cassette.jsonl").read_text()
    with replay_cassette(tmp_path / "cassette"):
        assert read_new() == before


def test_the_cases_reach_what_they_name(sandboxes: Sandboxes) -> None:
    """Throttling, missing permission and broken JSON end the reading each in its own way."""
    found = {}
    for name in ("throttled", "one account without permission", "never JSON"):
        kind, faults = CASES[name]
        sandboxes.graph.faults.clear()
        for fault in faults:
            sandboxes.graph.faults.add(fault)
        found[name] = read_rows(kind, since=SINCE)[1].split()[0]
    sandboxes.graph.faults.clear()
    assert found == {
        "throttled": "Throttled",
        "one account without permission": "PermissionMissing",
        "never JSON": "BrokenResponse",
    }


def test_the_tables_are_those_of_the_run(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """An operator writes the same rows to the local BigQuery that comes with the replay."""
    with recording(tmp_path / "cassette"):
        sandboxes.run("story", metrics=["reach"])
    with replay_cassette(tmp_path / "cassette") as played:
        sandboxes.run("story", metrics=["reach"])
        written = {table_id: rows for table_id, rows in sandboxes.everything().items() if rows}
        assert len(written) == 3
        for table_id, rows in written.items():
            assert sort_known(rows) == sort_known(played.rows(DATASET, table_id))


def sort_known(rows: list[dict[str, Any]]) -> list[str]:
    """Return what stays in each row under pseudonyms."""
    kept = ("metric", "breakdown", "breakdown_value", "value", "media_type", "like_count", "live_stories", "expires_at")
    return sorted(str({name: row[name] for name in kept if name in row}) for row in rows)


@pytest.fixture
def client(sandboxes: Sandboxes, tmp_path: Path) -> Iterator[GraphClient]:
    """Record three posts of an account, read in one batch and one alone, and connect to the cassette."""
    ids = [media.id for media in sandboxes.world.media_of(sandboxes.account.id, sandboxes.now)][:3]
    with recording(tmp_path / "cassette"), InstagramHook().get_conn() as recorded:
        list(recorded.batch([GraphRequest(each, {"fields": "id"}) for each in ids]))
        sandboxes.graph.faults.play("counts_as_text")
        for _ in range(2):
            recorded.get(GraphRequest(ids[0], {"fields": "like_count"}))
    with replay_cassette(tmp_path / "cassette"), InstagramHook().get_conn() as opened:
        yield opened


def list_recorded(directory: Path) -> list[str]:
    """Return the ids of the batch, under their pseudonyms."""
    return [request.path for request in read_cassette(directory / "cassette").exchanges[0].requests]


def test_a_batch_may_be_cut_in_another_way(client: GraphClient, tmp_path: Path) -> None:
    """Reads of a recorded batch are answered in other batches, in another order, and alone."""
    first, second, third = list_recorded(tmp_path)
    requests = [GraphRequest(each, {"fields": "id"}) for each in (third, first)]
    assert [answer.body for answer in client.batch(requests)] == [{"id": third}, {"id": first}]  # type: ignore[union-attr]
    assert client.get(GraphRequest(second, {"fields": "id"})).body == {"id": second}


def test_answers_come_in_their_order(client: GraphClient, tmp_path: Path) -> None:
    """The first answer to a request is given first; the last one as often as it is asked for after that."""
    first, *_ = list_recorded(tmp_path)
    counts = [client.get(GraphRequest(first, {"fields": "like_count"})).body["like_count"] for _ in range(4)]
    assert [type(count) for count in counts] == [str, int, int, int]
    assert int(counts[0]) == counts[1]


def test_what_was_not_recorded_is_named(sandboxes: Sandboxes, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It gets an error of the Graph API's form, a line in the log, and fails the test at the end."""
    with recording(tmp_path / "cassette"), InstagramHook().get_conn() as client:
        client.get(GraphRequest("me", {"fields": "id"}))
    with pytest.raises(AssertionError, match=r"no answer to these requests:\nGET me\?fields=name\nGET 1\?fields=id"):
        ask_for_more(tmp_path / "cassette")
    warned = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "The cassette has no answer to GET me?fields=name." in warned


def ask_for_more(directory: Path) -> None:
    """Ask for two things that are not in a cassette."""
    with replay_cassette(directory), InstagramHook().get_conn() as client:
        with pytest.raises(InsightsError, match=r"The cassette has no answer to GET me\?fields=name"):
            client.get(GraphRequest("me", {"fields": "name"}))
        [missing] = client.batch([GraphRequest("1", {"fields": "id"})])
        assert isinstance(missing, InsightsError)
        assert missing.facts.code == 99404


def test_the_printed_test(sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The test of docs/cassettes.md passes as it is printed, in the folder of a recording."""
    monkeypatch.chdir(tmp_path)
    with recording(tmp_path / "cassette"):
        assert list(InstagramHook().read("story"))
    names: dict[str, Any] = {}
    exec(compile(find_block("As a test 1"), "docs/cassettes.md", "exec"), names)
    sandboxes.graph.clear_log()
    names["test_the_stories_of_that_day"]()
    assert sandboxes.graph.log == ()
