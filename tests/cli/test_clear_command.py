"""``clear`` on tables that the operators wrote: what it takes out, what it leaves, when it asks."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from airflow_provider_iginsights.bigquery.clearing import Clearing, StoredTexts
from airflow_provider_iginsights.catalog.run_tables import LEFT_OUT
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.sandbox.graph import Edit, GraphFault, World
from tests.support.sandboxes import DATASET, NOW, Row, Sandboxes, open_sandboxes

SALT, OTHER = "dGhlIHNhbHQgb2YgdGhlIGJyYW5k", "dGhlIHNhbHQgb2Ygc29tZWJvZHkgZWxzZQ"
WHERE = ["--dataset", DATASET]
HISTORY = "brand_history"
TABLES = ("instagram_accounts", "instagram_media", HISTORY, "instagram_media__stg_left", "instagram_media_insights")
NAMED = ["--table=media=instagram_media", f"--table=media={HISTORY}"]
HASH = ["--hash-salt-conn-id", "salt"]


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Fill the tables of an account, a history of its posts, and a staging table that a killed load left."""
    salts = {f"AIRFLOW_CONN_{name}": json.dumps({"conn_type": "generic", "password": salt}) for name, salt in SALTS}
    world = World.build(now=NOW, accounts=1, media_per_account=3, stories_per_account=0)
    with open_sandboxes(world, environment=salts) as opened:
        opened.run("account", metrics=["reach"])
        opened.run("media", metrics=["reach"], refresh_days=None)
        history = {"load_mode": "append", "table_id": "h", "media_table_id": HISTORY, "children_table_id": None}
        opened.run("media", metrics=["reach"], refresh_days=None, **history)
        with opened.bigquery.client() as client:
            client.query(
                f"CREATE TABLE {DATASET}.instagram_media__stg_left AS SELECT * FROM {DATASET}.{HISTORY}"
            ).result()
        yield opened


SALTS = (("SALT", SALT), ("OTHER", OTHER))


def read(sandboxes: Sandboxes) -> dict[str, list[Row]]:
    """Return what all the tables hold, in a fixed order."""
    return {name: sorted(sandboxes.bigquery.rows(DATASET, name), key=repr) for name in TABLES}


def change(tables: dict[str, list[Row]], replace: Callable[[str], str | None], *columns: str) -> dict[str, list[Row]]:
    """Return the rows with other texts in these columns (``table_id.column`` or ``column``)."""
    return {
        name: sorted(
            (
                {
                    key: replace(value) if value and (key in columns or f"{name}.{key}" in columns) else value
                    for key, value in row.items()
                }
                for row in rows
            ),
            key=repr,
        )
        for name, rows in tables.items()
    }


def compute(text: str) -> str:
    """Return the hash of a text that is none yet."""
    return text if len(text) == 64 else hmac.new(SALT.encode(), text.encode(), hashlib.sha256).hexdigest()


def test_columns_are_set_to_null_everywhere(sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str]) -> None:
    """In tables, histories and staging tables; every other value stays; a second run finds nothing."""
    before = read(sandboxes)
    given = ["clear", "--exclude", "caption", "--exclude", "accounts.biography", *WHERE, *NAMED]
    assert main([*given, "--yes"]) == 0
    assert read(sandboxes) == change(before, lambda _: None, "caption", "biography")
    said = capsys.readouterr().out.splitlines()
    path = f"sandbox-project.{DATASET}."
    counted = [
        f"{path}{name}: {n} row{'s' * (n != 1)} with {column}"
        for name, n, column in (
            ("instagram_accounts", 1, "biography"),
            *((name, 3, "caption") for name in ("instagram_media", HISTORY, "instagram_media__stg_left")),
        )
    ]
    assert said[:4] == counted
    assert said[4:8] == [f"{line} changed" for line in counted]
    assert main(given) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "There is nothing to clear."


def test_texts_are_replaced_by_their_hashes(sandboxes: Sandboxes, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that a task computes; rows that a task has hashed already, and NULL, stay; no salt is to be seen."""
    with sandboxes.bigquery.client() as client:
        client.query(
            f"UPDATE {DATASET}.{HISTORY} T SET username = NULL, caption = '' WHERE media_id = "
            f"(SELECT MIN(media_id) FROM {DATASET}.{HISTORY})"
        ).result()
    sandboxes.run("media", metrics=["reach"], refresh_days=None, hash_columns="username", hash_salt_conn_id="salt")
    before = read(sandboxes)
    given = ["clear", "--hash", "username", "--hash", "caption", *WHERE, *NAMED]
    assert main([*given, *HASH, "--yes"]) == 0
    assert read(sandboxes) == change(before, compute, "username", "caption")
    said = capsys.readouterr()
    assert main([*given, *HASH, "--yes"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "There is nothing to hash."
    with sandboxes.bigquery.client() as client:
        labels = {client.get_table(f"{DATASET}.{name}").labels.get("iginsights_hash_salt") for name in TABLES[:3]}
        assert len(labels) == 1
        assert None not in labels
        left = {table.table_id for table in client.list_tables(DATASET)}
    assert left == {*TABLES, "instagram_account_insights", "instagram_media_children", "h"}
    assert SALT not in f"{said} {[repr(job) for job in sandboxes.bigquery.jobs]} {sandboxes.bigquery.log!r}"
    # A run that hashes finds the rows as it would write them.
    again = sandboxes.run(
        "media", metrics=["reach"], refresh_days=None, hash_columns="username,caption", hash_salt_conn_id="salt"
    )
    assert again["tables"][f"sandbox-project.{DATASET}.instagram_media"] == 3
    assert (
        change(read(sandboxes), compute, "username", "caption")["instagram_media"] == read(sandboxes)["instagram_media"]
    )
    assert main([*given, "--hash-salt-conn-id", "other", "--yes"]) == 2
    assert "holds hashes of another salt" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["--hash", "caption"], "--hash needs the salt"),
        (["--hash", "caption", *HASH, "--hash-salt-variable", "our_secret"], "--hash needs the salt"),
        (["--hash", "caption", "--hash-salt-conn-id", "nowhere"], "knows no connection 'nowhere'"),
        (["--exclude", "media_id"], "--exclude names column 'media_id' of table media, which is a part of its key"),
        (["--exclude", "medias.caption"], "does not know the table 'medias'"),
        (["--exclude", "caption", "--hash", "username"], "exactly one of --exclude, --hash"),
        ([], "exactly one of --exclude, --hash"),
    ],
)
def test_what_cannot_be_is_refused(given: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In a sentence, before BigQuery is asked."""
    assert main(["clear", *given, *WHERE, "--yes"]) == 2
    assert words in capsys.readouterr().err


def test_it_asks_first(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a clear yes of somebody at a terminal changes anything."""
    before, given = read(sandboxes), ["clear", "--exclude", "alt_text", "--exclude", "caption", *WHERE]

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    for stdin, code in ((io.StringIO("yes\n"), 2), (Terminal("n\n"), 2), (Terminal("y\n"), 0)):
        assert read(sandboxes) == before
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(given) == code
    assert "Set texts to NULL in 6 rows for good? [y/N]" in capsys.readouterr().err
    assert read(sandboxes)[HISTORY] == before[HISTORY]  # not named, and no default id
    assert {row["caption"] for row in read(sandboxes)["instagram_media"]} == {None}


def test_a_task_that_writes_meanwhile_is_told(
    sandboxes: Sandboxes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Texts that came back are counted, and the code is 1; no table is missed that has not got the column."""
    clear = Clearing.clear

    def clear_and_load(self: Clearing, held: Sequence[StoredTexts]) -> Iterator[StoredTexts]:
        yield from clear(self, held)
        sandboxes.run("media", metrics=["reach"], refresh_days=None)

    monkeypatch.setattr(Clearing, "clear", clear_and_load)
    with sandboxes.bigquery.client() as client:
        client.delete_table(f"{DATASET}.instagram_account_insights")
    assert main(["clear", "--exclude", "media.caption", *WHERE, "--yes"]) == 1
    said: Any = capsys.readouterr()
    assert "A task has meanwhile written texts into 3 rows." in said.err
    assert "the argument exclude_columns, then run this again." in said.err


@pytest.mark.parametrize("given", [["--exclude", "caption"], ["--hash", "caption", *HASH]], ids=["exclude", "hash"])
def test_pieces_of_answers_are_cleared_too(sandboxes: Sandboxes, given: list[str]) -> None:
    """An example of what was left out may show a text of the column, so its piece goes, and the rest of it stays."""
    sandboxes.graph.faults.add(GraphFault(effect=Edit("timestamp", lambda _: "no date"), path=sandboxes.account.id))
    sandboxes.run("media", metrics=["reach"], refresh_days=None, left_out_table_id=LEFT_OUT.default_id)
    captions = [row["caption"].splitlines()[0] for row in sandboxes.rows("instagram_media") if row["caption"]]
    before = sandboxes.rows(LEFT_OUT.default_id)
    assert any(caption in row["fragment"] for row in before for caption in captions)
    assert main(["clear", *given, *WHERE, "--yes"]) == 0
    assert sandboxes.rows(LEFT_OUT.default_id) == [row | {"fragment": None} for row in before]
