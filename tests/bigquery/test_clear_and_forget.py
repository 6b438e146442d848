"""The commands ``clear`` and ``forget`` on the sandbox and on the independent emulator."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import TYPE_CHECKING

import pytest

from airflow_provider_iginsights.bigquery.duplicate_check import default_targets
from airflow_provider_iginsights.cli.main import main
from tests.support.bigquery import rows

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable
    from tests.support.bigquery.warehouses import Warehouse

SALT = "dGhlIHNhbHQgb2YgdGhlIGJyYW5k"
GONE, KEPT = "17841400000000001", "17841400000000002"


def give_rows(target: TargetTable) -> list[dict[str, object]]:
    """Return six rows of a table, of two accounts in turn; a caption is missing and one name is empty."""
    made = rows.rows(target.table, range(6))
    for number, row in enumerate(made):
        row["account_id"] = (GONE, KEPT)[number % 2]
        row |= {name: text for name, text in TEXTS[number].items() if name in target.table.column_names}
    return made


TEXTS = [{"caption": f"it's\\ `{number}`\n☕", "username": f"brand_{number % 2}"} for number in range(6)]
TEXTS[1]["username"] = ""
TEXTS[2] = {"username": "brand_0"}


def compute(text: object) -> object:
    """Return the hash of a text; what is empty is none."""
    return (
        hmac.new(SALT.encode(), text.encode(), hashlib.sha256).hexdigest() if isinstance(text, str) and text else text
    )


@pytest.mark.referee
def test_the_commands_on_every_warehouse(warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """Captions are emptied, names hashed, an account is erased, each in all tables; every other value stays."""
    every = default_targets(project=warehouse.project, dataset=warehouse.dataset)
    targets = [target for target in every if target.table.name in ("accounts", "media", "left_out")]
    with warehouse.loader(rows.identity()) as loader, warehouse.connect() as client:
        loader.ensure(targets)
        row_files = [loader.row_file(target) for target in targets]
        for row_file in row_files:
            for row in give_rows(row_file.target):
                row_file.write(row)
        loader.commit(row_files)
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", client._connection.API_BASE_URL)
        monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", warehouse.project)
        monkeypatch.setenv("AIRFLOW_CONN_SALT", json.dumps({"conn_type": "generic", "password": SALT}))
        where = ["--dataset", warehouse.dataset, "--yes"]
        assert main(["clear", "--exclude", "caption", *where]) == 0
        assert main(["clear", "--hash", "username", "--hash-salt-conn-id", "salt", *where]) == 0
        assert main(["forget", "--account", GONE, *where]) == 0
        for target in targets:
            left = [row for row in give_rows(target) if row["account_id"] == KEPT]
            for row in left:
                row |= {name: None for name in ("caption", "fragment") if name in row}
                row |= {"username": compute(row["username"])} if "username" in row else {}
            assert rows.stored(client, target) == rows.truth(target.table, left), target.table.name
            assert rows.staging_left(client, target) == []
        assert main(["clear", "--exclude", "caption", *where]) == 0
        assert main(["forget", "--account", GONE, *where]) == 1
