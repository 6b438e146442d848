"""Excluded and hashed columns, from the operators' arguments to what BigQuery holds."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights._compat import AirflowFailException, AirflowRescheduleException, TaskDeferred
from airflow_provider_iginsights.errors import ConfigurationError, HashSaltMismatch
from airflow_provider_iginsights.hooks.hash_salt import read_hasher
from airflow_provider_iginsights.hooks.instagram import InstagramHook
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, World
from airflow_provider_iginsights.transfers.staged_to_bigquery import InstagramWriteStagedToBigQueryOperator
from tests.support.airflow_versions import redact
from tests.support.sandboxes import (
    DATASET,
    NOW,
    TRANSFERS,
    RecordingTaskInstance,
    Row,
    Sandboxes,
    TaskStateStore,
    open_sandboxes,
)

SALT, OTHER = "dGhlIHNhbHQgb2YgdGhlIGJyYW5k", "dGhlIHNhbHQgb2Ygc29tZWJvZHkgZWxzZQ"
PAGE = (Path(__file__).parents[2] / "docs" / "privacy.md").read_text("utf-8")
BUSY = ErrorEffect(80002, message="(#80002) There have been too many calls to this Instagram account")
HASHING = {"hash_columns": ["caption", "username"], "hash_salt_conn_id": "salt"}


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve one account of four posts and a story, and two salts."""
    salts = {f"AIRFLOW_CONN_{name}": json.dumps({"conn_type": "generic", "password": salt}) for name, salt in SALTS}
    world = World.build(now=NOW, accounts=1, media_per_account=4, stories_per_account=1)
    with open_sandboxes(world, environment=salts | {"AIRFLOW_VAR_SALT_SECRET": f" {SALT}\n"}) as opened:
        yield opened


SALTS = (("SALT", SALT), ("OTHER", OTHER), ("SHORT", "only15characters"[:15]), ("EMPTY", ""))


def compute(text: str, salt: str = SALT) -> str:
    """Return the hash of a text."""
    return hmac.new(salt.encode(), text.encode(), hashlib.sha256).hexdigest()


def media(sandboxes: Sandboxes) -> dict[str, Row]:
    """Return what is stored of each post, by its id."""
    return {row["media_id"]: row for row in sandboxes.rows("instagram_media")}


def read_label(sandboxes: Sandboxes, table_id: str = "instagram_media") -> str | None:
    """Return the fingerprint that a table has."""
    with sandboxes.bigquery.client() as client:
        return client.get_table(f"{DATASET}.{table_id}").labels.get("iginsights_hash_salt")


def test_an_excluded_column_is_never_written(sandboxes: Sandboxes) -> None:
    """It is NULL in new rows, stays in those that were stored before, and is no change of theirs."""
    posts = sorted(sandboxes.world.media_of(sandboxes.account.id, NOW), key=lambda post: post.timestamp)
    days = (NOW - posts[len(posts) // 2].timestamp).days
    sandboxes.run("media", metrics="reach", refresh_days=days)
    before = media(sandboxes)
    assert before
    assert all(row["caption"] for row in before.values())
    for post in sandboxes.world.media_of(sandboxes.account.id, NOW):
        sandboxes.world.put(replace(post, caption=f"new {post.caption}"))
    counted = sandboxes.run("media", metrics="reach", refresh_days=None, exclude_columns={"media": ["caption"]})
    after = media(sandboxes)
    assert len(after) > len(before)
    stored = {media_id: row["caption"] for media_id, row in before.items()}
    assert {media_id: row["caption"] for media_id, row in after.items()} == {**dict.fromkeys(after), **stored}
    assert all(row["username"] and row["permalink"] for row in after.values())
    again = sandboxes.run("media", metrics="reach", refresh_days=None, exclude_columns={"media": ["caption"]})
    assert again["rows_changed"] < counted["rows_changed"]
    assert media(sandboxes) == after


@pytest.mark.parametrize("load_mode", ["merge", "append"])
def test_one_list_is_for_all_tables(sandboxes: Sandboxes, load_mode: str) -> None:
    """The same name has the same hash in profiles, posts and stories, also by the salt of a Variable."""
    arguments = {"hash_columns": "username", "exclude_columns": "biography,caption", "load_mode": load_mode}
    sandboxes.run("account", metrics="reach", hash_salt_conn_id="salt", **arguments)
    sandboxes.run("media", metrics="reach", hash_salt_variable="salt_secret", **arguments)
    story = sandboxes.run("story", metrics="reach", hash_salt_conn_id="salt", **arguments)
    [profile], posts = sandboxes.rows("instagram_accounts"), sandboxes.rows("instagram_media")
    expected = compute(sandboxes.account.username)
    assert {row["username"] for row in (profile, *posts)} == {expected}
    assert profile["biography"] is None
    assert profile["name"] == sandboxes.account.name
    assert {row["caption"] for row in posts} == {None}
    assert {row["media_product_type"] for row in posts} >= {"STORY"}
    assert story["tables"]["sandbox-project.instagram.instagram_media"] == 1
    assert read_label(sandboxes) == read_label(sandboxes, "instagram_accounts") != None  # noqa: E711
    assert read_label(sandboxes, "instagram_story_insights") is None


def test_a_hash_is_one_change(sandboxes: Sandboxes) -> None:
    """The first run with it rewrites the rows that it reads; the second finds nothing to do."""
    sandboxes.run("media", metrics="reach", refresh_days=None)
    plain = media(sandboxes)
    sandboxes.run("media", metrics="reach", refresh_days=None, **HASHING)
    hashed = media(sandboxes)
    assert {i: (row["caption"], row["username"]) for i, row in hashed.items()} == {
        i: (row["caption"] and compute(row["caption"]), compute(row["username"])) for i, row in plain.items()
    }
    sandboxes.travel(timedelta(minutes=1))
    sandboxes.run("media", metrics="reach", refresh_days=None, **HASHING)
    assert {i: row["fetched_at"] for i, row in media(sandboxes).items()} == {
        i: row["fetched_at"] for i, row in hashed.items()
    }


def test_another_salt_is_refused_before_anything_is_done(sandboxes: Sandboxes) -> None:
    """By a named error that is not retried; no table gets a label or a row of it, and no post is asked for."""
    sandboxes.run("media", metrics="reach", **HASHING)
    before, asked = sandboxes.everything(), len(sandboxes.graph.log)
    labels = read_label(sandboxes)
    with pytest.raises(HashSaltMismatch) as refused:
        sandboxes.run("media", metrics="reach", **(HASHING | {"hash_salt_conn_id": "other"}))
    assert "sandbox-project.instagram.instagram_media holds hashes of another salt" in str(refused.value)
    assert isinstance(refused.value, AirflowFailException)
    assert {each.path for each in sandboxes.graph.log[asked:]} <= {
        "/v25.0/debug_token",
        "/v25.0/me/accounts",
        "/v25.0/me",
    }
    assert sandboxes.everything() == before
    assert read_label(sandboxes) == labels
    # The other table of this transfer is new, and comes first.
    with pytest.raises(HashSaltMismatch):
        sandboxes.run("story", metrics="reach", **(HASHING | {"hash_salt_conn_id": "other"}))
    assert "instagram_story_insights" not in sandboxes.bigquery.tables(DATASET)


def test_a_forgotten_argument_is_noted(sandboxes: Sandboxes) -> None:
    """A run without hashes may write to a table that has some, and somebody is told."""
    sandboxes.run("media", metrics="reach", **HASHING)
    summary = sandboxes.run("media", metrics="reach")
    [note] = [note for note in summary["notes"] if "iginsights_hash_salt" in note]
    assert "instagram_media holds hashes" in note


NO_SALTS = (
    ({"hash_salt_conn_id": "nowhere"}, "knows no connection 'nowhere'"),
    ({"hash_salt_conn_id": "empty"}, "'empty' .* holds no salt. Put it into its password"),
    ({"hash_salt_conn_id": "short"}, "'short' .* fewer than 16 characters"),
    ({"hash_salt_variable": "no_such_secret"}, "Variable 'no_such_secret' holds no salt"),
)


def test_a_salt_that_is_none_is_refused(sandboxes: Sandboxes) -> None:
    """Before BigQuery or Meta is asked; the sentence does not show it."""
    for arguments, words in NO_SALTS:
        with pytest.raises(ConfigurationError, match=words) as refused:
            sandboxes.run("media", hash_columns="caption", **arguments)
        assert "only15" not in str(refused.value)
    assert [*sandboxes.graph.log, *sandboxes.bigquery.log] == []


def test_no_text_and_no_salt_is_to_be_seen(
    sandboxes: Sandboxes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in logs, XCom, statements, labels and jobs nor in an error; nor in a link to the account."""
    caplog.set_level(logging.DEBUG)
    secret = "Unsere geheime Kampagne 🌞"
    for post in sandboxes.world.media_of(sandboxes.account.id, NOW):
        sandboxes.world.put(replace(post, caption=secret, alt_text=secret))
    pushed = {}
    for kind in ("media", "story", "account"):
        sandboxes.run(kind, metrics="reach", exclude_columns="alt_text", **HASHING)
        pushed[kind] = sandboxes.instance.pushed
    with pytest.raises(HashSaltMismatch) as refused:
        sandboxes.run("media", **(HASHING | {"hash_salt_conn_id": "other"}))
    printed = capfd.readouterr()
    seen = {
        "logs": [(record.getMessage(), record.args, record.exc_text) for record in caplog.records],
        "printed": printed,
        "pushed": json.dumps(pushed, default=str),
        "statements": [repr(job) for job in sandboxes.bigquery.jobs],
        "requests": [repr(each) for each in sandboxes.bigquery.log],
        "rows": sandboxes.everything(),
        "error": (str(refused.value), vars(refused.value)),
    }
    for place, text in seen.items():
        # Other columns, which are neither excluded nor hashed, name the account in an address.
        for hidden in (SALT, OTHER, secret, *([] if place == "rows" else [sandboxes.account.username])):
            assert hidden not in str(text), f"{hidden} in {place}"
    assert "instagram_account_link" not in seen["pushed"]


@pytest.mark.usefixtures("sandboxes")
def test_the_salt_is_masked() -> None:
    """Airflow's masker knows it, from a connection as from a Variable."""
    os.environ["AIRFLOW_VAR_OTHER_SECRET"] = "salt-of-a-variable-1"
    read_hasher(conn_id="salt", variable=None)
    read_hasher(conn_id=None, variable="other_secret")
    assert redact(f"{SALT} and salt-of-a-variable-1") == "*** and ***"


@pytest.mark.parametrize("deferrable", [True, False], ids=["deferred", "rescheduled"])
def test_a_wait_keeps_the_salt(deferrable: bool) -> None:
    """What is kept while a task waits holds no salt and no text; the resumed try hashes, by no other salt."""
    salts = {f"AIRFLOW_CONN_{name}": json.dumps({"conn_type": "generic", "password": salt}) for name, salt in SALTS}
    world = World.build(now=NOW, accounts=2, media_per_account=2, stories_per_account=0)
    with open_sandboxes(world, environment=salts) as sandboxes:
        first, second = world.accounts
        sandboxes.graph.faults.add(GraphFault(effect=BUSY, path=f"{second}/media"))
        store, options = TaskStateStore(), {"dataset_id": DATASET, "gcp_conn_id": None, "create_dataset": True}
        context: Any = {"ti": sandboxes.instance, **({} if deferrable else {"task_state_store": store})}
        given: Any = options | HASHING | {"refresh_days": None, "metrics": "reach", "deferrable": deferrable}
        with pytest.raises((TaskDeferred, AirflowRescheduleException)) as ended:
            TRANSFERS["media"](task_id="media", **given).execute(context)
        kept = json.dumps([ended.value.kwargs if isinstance(ended.value, TaskDeferred) else store], default=str)
        assert "done" in kept
        assert not [each for each in (SALT, world.accounts[first].username, "Post 1 of") if each in kept]
        assert {row["account_id"] for row in sandboxes.rows("instagram_media")} == {first}

        def resume(**changes: Any) -> None:
            operator: Any = TRANSFERS["media"](task_id="media", **(given | changes))
            if isinstance(ended.value, TaskDeferred):
                operator.resume(context, **json.loads(json.dumps(ended.value.kwargs)))
            else:
                operator.execute(context)

        with pytest.raises(HashSaltMismatch):
            resume(hash_salt_conn_id="other")
        resume()
        names = {row["account_id"]: row["username"] for row in sandboxes.rows("instagram_media")}
        assert names == {each.id: compute(each.username) for each in world.accounts.values()}


def stage(sandboxes: Sandboxes, map_index: int, **arguments: Any) -> dict[str, Any]:
    """Run a mapped transfer that stages, and return what it leaves for the task that writes."""
    operator = TRANSFERS["media"](
        task_id="media",
        dataset_id=DATASET,
        gcp_conn_id=None,
        create_dataset=True,
        load="stage",
        metrics="reach",
        **arguments,
    )
    instance = RecordingTaskInstance(task_id="media", map_index=map_index)
    operator.execute({"ti": instance})  # type: ignore[typeddict-item]
    staged: dict[str, Any] = json.loads(json.dumps(instance.pushed["staged"]))
    return staged


def write(sandboxes: Sandboxes, staged: list[dict[str, Any]]) -> dict[str, Any]:
    """Write what was staged."""
    operator = InstagramWriteStagedToBigQueryOperator(
        task_id="write", dataset_id=DATASET, gcp_conn_id=None, staged=staged, account_ids=None
    )
    summary: dict[str, Any] = operator.execute({"ti": RecordingTaskInstance(task_id="write")})  # type: ignore[typeddict-item]
    return summary


def test_staged_rows_are_protected(sandboxes: Sandboxes) -> None:
    """In the staging tables already; the task that writes needs no salt, and keeps the table's fingerprint."""
    staged = stage(sandboxes, 0, exclude_columns="alt_text", **HASHING)
    [name] = [name for name in sandboxes.staging() if name.startswith("instagram_media__stg_")]
    rows = sandboxes.bigquery.rows(DATASET, name)
    captions = {compute(each.caption) for each in sandboxes.world.media_of(sandboxes.account.id, NOW) if each.caption}
    assert {row["caption"] for row in rows} <= captions
    with sandboxes.bigquery.client() as client:  # somebody drops the table, and with it the label
        client.delete_table(f"{DATASET}.instagram_media")
    del os.environ["AIRFLOW_CONN_SALT"]
    write(sandboxes, [staged])
    assert {row["caption"] for row in media(sandboxes).values()} == {row["caption"] for row in rows}
    assert read_label(sandboxes) is not None
    assert sandboxes.staging() == []


def test_staged_rows_of_another_salt_are_refused(sandboxes: Sandboxes) -> None:
    """A mapped task is by the label; the task that writes where the label came later; and chunks of two salts."""
    staged = stage(sandboxes, 0, **HASHING)
    other = HASHING | {"hash_salt_conn_id": "other"}
    with pytest.raises(HashSaltMismatch):
        stage(sandboxes, 1, **other)
    with sandboxes.bigquery.client() as client:
        client.delete_table(f"{DATASET}.instagram_media")
    also = stage(sandboxes, 1, **other)
    with pytest.raises(HashSaltMismatch, match="holds hashes of another salt"):
        write(sandboxes, [staged])
    with pytest.raises(HashSaltMismatch, match="different salts for the table media"):
        write(sandboxes, [staged, also])
    assert media(sandboxes) == {}


def test_the_hook_reads_protected_rows(sandboxes: Sandboxes) -> None:
    """Rows for another destination are those of the transfer; a wrong name is refused at the call."""
    rows = [
        row for name, row in InstagramHook().read("media", exclude_columns=["alt_text"], **HASHING) if name == "media"
    ]  # type: ignore[call-overload]
    assert rows
    assert {row["username"] for row in rows} == {compute(sandboxes.account.username)}
    assert {row.get("alt_text") for row in rows} == {None}
    with pytest.raises(ConfigurationError, match="captoin"):
        InstagramHook().read("media", exclude_columns=["captoin"])


@pytest.mark.parametrize(
    "arguments",
    [
        {"exclude_columns": ["media_id"]},
        {"hash_columns": {"media": ["like_count"]}, "hash_salt_conn_id": "salt"},
        {"hash_columns": "caption"},
        {"hash_columns": "caption", "exclude_columns": "caption", "hash_salt_conn_id": "salt"},
    ],
)
def test_it_is_refused_while_the_dag_is_parsed(arguments: dict[str, Any]) -> None:
    """Where nothing is a template; else when it is rendered, as a whole or inside of a list."""
    with pytest.raises(ConfigurationError):
        TRANSFERS["media"](task_id="media", dataset_id=DATASET, **arguments)
    name, value = next(iter(arguments.items()))
    operator = TRANSFERS["media"](
        task_id="media",
        dataset_id=DATASET,
        **(arguments | {name: ["{{ params.value }}"] if isinstance(value, list) else "{{ params.value }}"}),
    )
    context: Any = {"params": {"value": value[0] if isinstance(value, list) else value}}
    with pytest.raises(ConfigurationError):
        operator.render_template_fields(context)


def test_mapped_tasks_may_have_a_salt_each() -> None:
    """What is partial only is not held against what is mapped."""
    TRANSFERS["media"].partial(task_id="media", dataset_id=DATASET, hash_columns="caption").expand(
        hash_salt_conn_id=["salt", "other"]
    )
    with pytest.raises(ConfigurationError):
        TRANSFERS["media"].partial(task_id="media", dataset_id=DATASET, hash_columns="captoin")


def find_printed(heading: str) -> list[str]:
    """Return the blocks of Python that the page prints under a heading."""
    [section] = [each for each in re.split(r"^## ", PAGE, flags=re.MULTILINE) if each.startswith(f"{heading}\n")]
    return re.findall(r"^```python\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_the_printed_arguments(sandboxes: Sandboxes) -> None:
    """They do what the page says, and the printed function computes the stored hashes."""
    os.environ["AIRFLOW_CONN_INSTAGRAM_SALT"] = os.environ["AIRFLOW_CONN_SALT"]
    names: dict[str, Any] = {}
    for heading in ("Exclude and hash", "The salt"):
        for block in find_printed(heading):
            exec(compile(block, "docs/privacy.md", "exec"), names)
    sandboxes.run("account", metrics="reach", **names["default_args"])
    sandboxes.run("media", metrics="reach", refresh_days=None, **names["default_args"])
    [profile], posts = sandboxes.rows("instagram_accounts"), media(sandboxes)
    assert profile["username"] == names["hash_text"](sandboxes.account.username, f" {SALT}\n")
    assert profile["biography"] is None
    for media_id, row in posts.items():
        post = sandboxes.world.media(media_id)
        assert post is not None
        assert row["caption"] == (post.caption and names["hash_text"](post.caption, SALT))
