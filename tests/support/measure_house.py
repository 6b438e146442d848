"""Measure the package as a house: its rooms, the arrows between them, the sizes of what stands in them.

``python -m tests.support.measure_house [COMMIT …]`` prints the figures of the work tree, and those of commits beside
them. ``tests/test_architecture.py`` holds what must not grow.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tarfile
import tempfile
import tokenize
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median, quantiles

PACKAGE = "airflow_provider_iginsights"
REPOSITORY = Path(__file__).parents[2]

FLOORS = (
    ("errors", "waiting", "clock", "pacific", "window", "json_values", "quoting", "graph_api", "_compat", "__init__"),
    ("sandbox",),
    ("cassettes",),
    ("catalog",),
    ("bigquery",),
    ("dbt",),
    ("graph",),
    ("webhooks",),
    ("extract",),
    ("stories",),
    ("report",),
    ("assets",),
    ("task",),
    ("hooks", "transfers", "operators", "triggers", "links", "plugins", "retry_policy"),
    ("doctor", "cli"),
    ("get_provider_info", "testing", "__main__"),
)
"""The rooms, from the ground up. An arrow, which is an import of any kind, points down or stays on its floor."""

Arrows = Mapping[str, set[str]]


def list_modules(root: Path) -> list[Path]:
    """Return the package's modules; the example Dags, a link in the tree and files in the wheel, are none."""
    return [path for path in sorted(root.rglob("*.py")) if path.relative_to(root).parts[0] != "example_dags"]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One module: its name inside the package, its text, parsed."""

    name: str
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """The first part of the name; a file at the top is a room of its own."""
        return self.name.split(".")[0]

    @property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]

    @property
    def classes(self) -> list[ast.ClassDef]:
        """Every class."""
        return [node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef)]

    def count_comments(self) -> int:
        """Return the number of lines that have a comment; directives to tools are none."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        comments = (token.string for token in tokens if token.type == tokenize.COMMENT)
        return sum(not comment.startswith(("# noqa", "# type:", "#!")) for comment in comments)


@dataclass(frozen=True)
class House:
    """The package below ``root``."""

    root: Path

    @cached_property
    def files(self) -> dict[str, SourceFile]:
        """The modules by name: ``graph.client``; a package stands under the name of its ``__init__``."""
        found = {}
        for path in list_modules(self.root):
            name = ".".join(path.relative_to(self.root).with_suffix("").parts)
            text = path.read_text("utf-8")
            found[name] = SourceFile(name, text, ast.parse(text))
        return found

    @cached_property
    def arrows(self) -> Arrows:
        """File -> the files that it imports: when it is loaded, inside functions, or for types alone."""
        return {name: set(self._find_imported(file)) - {name} for name, file in self.files.items()}

    @cached_property
    def room_arrows(self) -> Arrows:
        """Room -> the rooms that its files import from."""
        found: dict[str, set[str]] = defaultdict(set)
        for name, targets in self.arrows.items():
            room = self.files[name].room
            found[room] |= {self.files[target].room for target in targets} - {room}
        return found

    def list_arrows_up(self) -> set[tuple[str, str]]:
        """Return the arrows between files that point to a higher floor."""
        floor_of = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
        return {
            (name, target)
            for name, targets in self.arrows.items()
            for target in targets
            if floor_of[self.files[target].room] > floor_of[self.files[name].room]
        }

    def _find_imported(self, file: SourceFile) -> Iterator[str]:
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Import):
                yield from (found for alias in node.names if (found := self._resolve(alias.name)))
            elif isinstance(node, ast.ImportFrom) and node.module:
                for alias in node.names:
                    if found := self._resolve(f"{node.module}.{alias.name}") or self._resolve(node.module):
                        yield found

    def _resolve(self, dotted: str) -> str | None:
        package, _, name = dotted.partition(".")
        if package != PACKAGE:
            return None
        candidates = (name, f"{name}.__init__") if name else ("__init__",)
        return next((each for each in candidates if each in self.files), None)


def find_circles(arrows: Arrows) -> list[list[str]]:
    """Return the groups of names that reach each other (Tarjan's strongly connected components of two and more)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    circles: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(arrows.get(name, ())):
            if target not in index:
                visit(target)
            if target in stack:
                low[name] = min(low[name], low[target])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1:
                circles.append(sorted(group))

    for name in sorted(arrows):
        if name not in index:
            visit(name)
    return circles


def count_paths(function: ast.AST) -> int:
    """Return McCabe's complexity: one, and one more for each statement at which the way forks."""
    forks = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.match_case)
    return 1 + sum(isinstance(node, forks) for node in ast.walk(function))


def measure(house: House) -> dict[str, str]:
    """Return the figures by name."""
    sizes = [file.text.count("\n") for file in house.files.values()]
    functions = [function for file in house.files.values() for function in file.functions]
    lengths = [(function.end_lineno or 0) - function.lineno + 1 for function in functions]
    largest = max(house.files.values(), key=lambda file: file.text.count("\n"))
    names: dict[str, int] = defaultdict(int)
    for file in house.files.values():
        for each in file.classes:
            names[each.name] += 1
    known = {room for rooms in FLOORS for room in rooms}
    strangers = sorted({file.room for file in house.files.values()} - known)
    return {
        "modules": str(len(sizes)),
        "lines": f"{sum(sizes):,}",
        "module, median": f"{median(sizes):g}",
        "module, largest": f"{max(sizes)} ({largest.name})",
        "functions": f"{len(functions):,}",
        "function, median": f"{median(lengths):g}",
        "function, 90th percentile": f"{quantiles(lengths, n=10)[-1]:g}",
        "McCabe, largest": str(max(map(count_paths, functions))),
        "rooms": str(len(set(house.room_arrows))),
        "arrows up": "unknown rooms: " + ", ".join(strangers) if strangers else str(len(house.list_arrows_up())),
        "circles of rooms": str(len(find_circles(house.room_arrows))),
        "circles of files": str(len(find_circles(house.arrows))),
        "files in circles": str(sum(map(len, find_circles(house.arrows)))),
        "class names twice": str(sum(count > 1 for count in names.values())),
        "comments": f"{100 * sum(file.count_comments() for file in house.files.values()) / sum(sizes):.1f} %",
    }


def measure_commit(commit: str) -> dict[str, str]:
    """Return the figures of a commit."""
    archive = subprocess.run(["git", "archive", commit, PACKAGE], cwd=REPOSITORY, capture_output=True, check=True)  # noqa: S607 - whichever is installed
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as found:
            found.extractall(folder, filter="data")
        return measure(House(Path(folder) / PACKAGE))


def main() -> None:
    """Print a table: one line a figure, one column a commit, the work tree last."""
    columns = {commit: measure_commit(commit) for commit in sys.argv[1:]}
    columns["now"] = measure(House(REPOSITORY / PACKAGE))
    print(f"{'':34}", *(f"{name[:27]:>28}" for name in columns))
    for name in columns["now"]:
        print(f"{name:34}", *(f"{figures[name]:>28}" for figures in columns.values()))


if __name__ == "__main__":
    main()
