"""Reads posts with Airbyte's source-instagram: run by ``benchmarks/peers.py`` with the Python where that is installed.

``python benchmarks/airbyte_reader.py URL TOKEN`` sends what is meant for graph.facebook.com to the local Graph API.
"""

from __future__ import annotations

import contextlib
import json
import resource
import sys
import tempfile
import time
from typing import Any

from airbyte_cdk.entrypoint import launch
from requests.adapters import HTTPAdapter
from source_instagram.source import SourceInstagram

META = "https://graph.facebook.com"
STREAM = {
    "stream": {"name": "media_insights", "json_schema": {}, "supported_sync_modes": ["full_refresh"]},
    "sync_mode": "full_refresh",
    "destination_sync_mode": "append",
}


def main(url: str, token: str) -> None:
    """Print Airbyte's messages, and in the last line what reading them took."""
    send_there(url)
    config = {"access_token": token, "start_date": "2020-01-01T00:00:00Z"}
    with tempfile.NamedTemporaryFile("w") as given, tempfile.NamedTemporaryFile("w") as catalog:
        for file, content in ((given, config), (catalog, {"streams": [STREAM]})):
            json.dump(content, file)
            file.flush()
        source = SourceInstagram(catalog=None, config=config, state=None)
        started, busy = time.perf_counter(), time.process_time()
        with contextlib.suppress(SystemExit):
            launch(source, ["read", "--config", given.name, "--catalog", catalog.name])
    took = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - busy}
    took["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(took), file=sys.__stdout__, flush=True)


def send_there(url: str) -> None:
    """Let requests send to ``url`` what is meant for Meta."""
    send = HTTPAdapter.send

    def redirect(self: HTTPAdapter, request: Any, *args: Any, **options: Any) -> Any:
        if request.url.startswith(META):
            request.url = url + request.url.removeprefix(META)
        return send(self, request, *args, **options)

    HTTPAdapter.send = redirect  # type: ignore[method-assign]


if __name__ == "__main__":
    main(*sys.argv[1:])
