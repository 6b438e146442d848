"""What is done, and what can go wrong with it, while :mod:`.secret_watch` looks for secrets in all that is shown.

``python -m tests.support.secret_sweep [ACT …]`` does each act with each fault, which takes minutes.
tests/test_secrets.py does each act once and each fault once.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from datetime import timedelta
from io import StringIO
from pathlib import Path
from unittest.mock import patch

from airflow_provider_iginsights.sandbox.graph import (
    Token,
    World,
)
from airflow_provider_iginsights.sandbox.graph.objects import APP_ID
from airflow_provider_iginsights.testing import set_testing
from tests.support.cassettes import recording
from tests.support.sandboxes import NOW, open_sandboxes
from tests.support.secret_acts import ACTS, Stage
from tests.support.secret_faults import EVERYTHING, FAULTS, PASSWORD, SALT, SECRET, TOKEN, VARIABLE, VERIFY
from tests.support.secret_watch import list_readable_by_others, watch_secrets


@contextmanager
def open_stage(folder: Path) -> Iterator[Stage]:
    """Serve one small account, and let its connection have secrets in all places; record all that Meta answers."""
    world = World.build(now=NOW, accounts=1, media_per_account=2, stories_per_account=1)
    world.put(Token(TOKEN, "user", app_secret=SECRET, expires_at=NOW + timedelta(days=9)))
    environment = {
        "AIRFLOW_CONN_SALT": json.dumps({"conn_type": "generic", "password": SALT}),
        f"AIRFLOW_VAR_{VARIABLE.upper()}": json.dumps({"access_token": TOKEN}),
    }
    pages = {f"token of Page {number}": world.page_token(each) for number, each in enumerate(world.accounts)}
    with ExitStack() as stack:
        sandboxes = stack.enter_context(open_sandboxes(world, environment=environment))
        stack.enter_context(set_testing())
        stack.enter_context(patch.object(tempfile, "tempdir", str(folder)))
        watch = stack.enter_context(watch_secrets(EVERYTHING | pages))
        stack.enter_context(recording(folder / "cassette"))
        extra = {"app_id": APP_ID, "app_secret": SECRET, "token_variable": VARIABLE, "webhook_verify_token": VERIFY}
        sandboxes.connect(password=PASSWORD, extra=extra)
        yield Stage(sandboxes, watch, folder)


def sweep(acts: Sequence[str]) -> int:
    """Do each act with each fault, print what shows a secret, and return how many pairs, files and tables do.

    A file that is written and that others than its owner may read counts as well.
    """
    found = 0
    with tempfile.TemporaryDirectory() as folder, open_stage(Path(folder)) as stage:
        for act in acts:
            for name, spoil in FAULTS.items():
                stage.watch.shown.clear()
                spoil(stage.sandboxes)
                said = StringIO()
                with redirect_stdout(said), redirect_stderr(said):
                    ACTS[act](stage)
                stage.watch.show("output", said.getvalue())
                stage.finish()
                stage.show_tables()
                for line in (lines := stage.watch.find()):
                    print(f"{act}, {name}: {line}", file=sys.__stdout__, flush=True)
                found += bool(lines)
        print(f"{len(acts) * len(FAULTS)} pairs of an act and a fault, {found} of which show a secret.")
        stage.watch.shown.clear()
        stage.show_what_stays()
        kept, readable = stage.watch.find(), list_readable_by_others(stage.watch)
        print(f"In {len(stage.watch.shown)} files and tables that stay: {kept}")
        print("Readable by others:", readable)
    return found + len(kept) + len(readable)


if __name__ == "__main__":
    sys.exit(bool(sweep(sys.argv[1:] or list(ACTS))))
