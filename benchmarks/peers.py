"""The provider beside its peers, in one run: posts of one account, and their insights, at 100 ms latency.

``python -m benchmarks.peers [--airbyte PYTHON]`` prints a Markdown table. Batches and expansions read 10,000 posts, one
way after the other; the ways that ask post by post read 1,000 meanwhile, each with a Graph API of its own, since they
wait nearly all of their time. ``PYTHON`` is that of an environment with airbyte-source-instagram 4.1.0.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.graph import describe_machine, graph_api, head, measure_apart, row

LATENCY = 0.1
MANY, FEW = 10_000, 1_000
AT_ONCE = ("this provider", "SDK, batch", "SDK, expansion")
ONE_BY_ONE = ("requests, loop", "SDK, loop")
READER = Path(__file__).with_name("airbyte_reader.py")

Measure = Callable[[dict[str, Any]], dict[str, Any]]


def main() -> None:
    """Measure all ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--airbyte", metavar="PYTHON", help="the Python of an environment with Airbyte's connector")
    parser.add_argument("--posts", type=int, nargs=2, default=[MANY, FEW], metavar=("MANY", "FEW"))
    given = parser.parse_args()
    many, few = given.posts
    slow: dict[str, Measure] = {way: name_way(way) for way in ONE_BY_ONE}
    if given.airbyte:
        slow["Airbyte source-instagram 4.1.0"] = lambda where: measure_airbyte(given.airbyte, where)
    with ThreadPoolExecutor(len(slow)) as side_by_side:
        waiting = {way: side_by_side.submit(measure, how, few) for way, how in slow.items()}
        found = [(many, way, measure(name_way(way), many)) for way in AT_ONCE]
        found += [(few, way, each.result()) for way, each in waiting.items()]
    print(f"{describe_machine()}; load {os.getloadavg()[0]:.1f}")
    head("posts", "way", "HTTP", "Graph calls", "numbers", "s", "CPU s", "peak MB")
    for posts, way, took in found:
        counts = (f"{took[name]:,}" for name in ("http", "calls", "rows"))
        row(f"{posts:,}", way, *counts, f"{took['seconds']:,.1f}", f"{took['cpu']:.1f}", f"{took['peak']:.0f}")


def name_way(way: str) -> Measure:
    """Return how one of the ways of :mod:`benchmarks.ways` is measured."""
    return lambda where: measure_apart(way, where)


def measure(how: Measure, posts: int) -> dict[str, Any]:
    """Measure one way with a Graph API of its own."""
    with graph_api(1, posts, LATENCY) as where:
        return how(where)


def measure_airbyte(python: str, where: dict[str, Any]) -> dict[str, Any]:
    """Measure Airbyte's stream ``media_insights``, which asks for fewer metrics than the others."""
    where["count"]()
    command = [python, str(READER), where["url"], where["token"]]
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=plain)
    if done.returncode:
        raise SystemExit(f"Airbyte failed:\n{done.stderr[-3000:]}")
    *messages, took = map(json.loads, done.stdout.splitlines())
    posts = [message["record"]["data"] for message in messages if message["type"] == "RECORD"]
    numbers = sum(isinstance(value, int | float) for post in posts for value in post.values())
    return {**took, **where["count"](), "rows": numbers}


if __name__ == "__main__":
    main()
