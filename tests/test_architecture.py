"""The house holds: rooms on floors whose arrows only point down, small modules, everything annotated and explained."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from statistics import median, quantiles

import airflow_provider_iginsights
from tests.support.measure_house import FLOORS, House, SourceFile, find_circles, list_modules

PACKAGE = "airflow_provider_iginsights"
ROOT = Path(airflow_provider_iginsights.__file__).parent

GROUND, *_, TOP = FLOORS
OUTER = FLOORS[-3]
"""The rooms whose names Airflow users write in their Dags."""

WIRES = ("graph", "bigquery")
# room -> rooms below it that it must not know all the same; "*": any but the ground
KNOWS_NOTHING_OF = {
    "sandbox": ("*",),
    "catalog": ("sandbox", "cassettes"),
    "bigquery": ("sandbox", "cassettes"),
    "graph": ("sandbox", "catalog", "bigquery", "dbt"),
    "dbt": ("sandbox", "cassettes", "bigquery"),
    "webhooks": ("*",),
    "extract": ("sandbox", "cassettes", "bigquery", "webhooks"),
    "stories": ("sandbox", "cassettes"),
    "report": ("sandbox", "cassettes", "graph", "extract", "webhooks", "stories"),
    "task": ("sandbox", "cassettes"),
    **dict.fromkeys(OUTER, ("sandbox", "cassettes")),
}
KNOWN_TO = {
    "cli": ("cli", "__main__"),
    "dbt": ("cli", "dbt"),
    "testing": (),
    "__main__": (),
    "get_provider_info": ("cli",),
}
"""Rooms that only these import."""

LIGHT = {"importlib.import_module", "typing.TYPE_CHECKING"}
"""What a package itself may import: it takes to load what it offers only when that is asked for."""

GOOGLE_AT_MODULE_LEVEL = ("sandbox",)
LONGEST_MODULE, MEDIAN_MODULE = 300, 120
MEDIAN_FUNCTION, P90_FUNCTION = 12, 35

HOUSE = House(ROOT)
MOST_PARAMETERS = 6


@dataclass(frozen=True, slots=True)
class Module:
    """One source file, parsed."""

    path: Path
    tree: ast.Module
    lines: int

    @property
    def name(self) -> str:
        """The path inside the package."""
        return str(self.path.relative_to(ROOT))

    @property
    def room(self) -> str:
        """The first part of the module's name: ``graph``, ``errors``; ``""`` for the package itself."""
        first = self.path.relative_to(ROOT).parts[0].removesuffix(".py")
        return "" if first == "__init__" else first


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement's module, and whether it is carried out when the importing module is loaded."""

    name: str
    line: int
    at_load: bool


@cache
def modules() -> tuple[Module, ...]:
    """Parse the package."""
    found = []
    for path in list_modules(ROOT):
        text = path.read_text("utf-8")
        found.append(Module(path, ast.parse(text), text.count("\n")))
    return tuple(found)


def imports(module: Module) -> Iterator[Import]:
    """Yield every import. Those under ``if TYPE_CHECKING`` count as arrows, but load nothing."""

    def walk(node: ast.AST, at_load: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, at_load) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                yield from (Import(f"{child.module}.{alias.name}", child.lineno, at_load) for alias in child.names)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for statement in child.body:
                    yield from walk(ast.Module([statement], []), False)
                for statement in child.orelse:
                    yield from walk(ast.Module([statement], []), at_load)
            else:
                deferred = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from walk(child, at_load and not deferred)

    return walk(module.tree, True)


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def all_imports() -> Iterator[tuple[Module, Import]]:
    """Yield every import of the package with its module."""
    return ((module, each) for module in modules() for each in imports(module))


def test_some_rooms_know_little() -> None:
    """Beside the order of the floors: Meta's wire and the warehouse's know nothing of each other, and so on."""
    ground = {*GROUND, "_compat"}
    for name, targets in HOUSE.arrows.items():
        room = HOUSE.files[name].room
        for target in targets:
            other = HOUSE.files[target].room
            forbidden = KNOWS_NOTHING_OF.get(room, ())
            assert other not in forbidden, f"{name} imports {target}"
            assert "*" not in forbidden or other in {*ground, room}, f"{name} imports {target}"
            assert room in KNOWN_TO.get(other, (room,)), f"{name} imports {target}"


def test_the_command_loads_the_rooms_late() -> None:
    """Of the package, ``cli`` loads only itself and the errors when it is imported."""
    for module, each in all_imports():
        if module.room == "cli" and each.at_load and each.name.startswith(PACKAGE):
            allowed = (f"{PACKAGE}.cli", f"{PACKAGE}.errors")
            assert each.name.startswith(allowed), f"{module.name}:{each.line} imports {each.name}"


def test_one_door() -> None:
    """``python -m`` works for the package alone: no room has a command line of its own."""
    assert [module.name for module in modules() if module.path.name == "__main__.py"] == ["__main__.py"]


def test_nobody_can_switch_waiting_off_but_tests() -> None:
    """No module imports the switch, and only the switch replaces how the package waits."""
    for module, each in all_imports():
        assert not each.name.startswith(f"{PACKAGE}.testing"), f"{module.name}:{each.line}"
        assert "replace_waits" not in each.name or module.name == "testing.py", f"{module.name}:{each.line}"


def test_only_the_outer_rooms_know_airflow() -> None:
    """Airflow's names come from _compat alone, which only the outer rooms import, also inside of functions."""
    for module, each in all_imports():
        if each.name.startswith(f"{PACKAGE}._compat"):
            assert module.room in (*OUTER, "task", "cli", "retry_policy", "assets"), f"{module.name}:{each.line}"
        if each.name.split(".")[0] in ("airflow", "attrs", "pendulum") and module.room != "_compat":
            where = f"{module.name}:{each.line} imports {each.name}"
            assert module.room in (*OUTER, "task", "cli"), where
            assert not each.at_load or each.name == "attrs", where


def test_heavy_libraries_wait() -> None:
    """Google's libraries are imported inside functions, except by the sandbox; pandas and pyarrow nowhere."""
    for module, each in all_imports():
        library = each.name.split(".")[0]
        where = f"{module.name}:{each.line} imports {each.name}"
        assert library not in ("pandas", "pyarrow"), where
        if library == "google" and module.room not in GOOGLE_AT_MODULE_LEVEL:
            assert not each.at_load, where
        if library in ("requests", "urllib3"):
            assert module.room == "graph" or not each.at_load, where


def test_imports_are_absolute() -> None:
    """No import is relative, and none takes everything."""
    for module in modules():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{module.name}:{node.lineno}"
                assert [alias.name for alias in node.names] != ["*"], f"{module.name}:{node.lineno}"


def test_packages_import_nothing_themselves() -> None:
    """The package may be loaded while Airflow is half-initialised: no __init__ but the sandbox's loads any of ours."""
    found = [module for module in modules() if module.path.name == "__init__.py" and module.room != "sandbox"]
    assert len(found) >= 7
    for module in found:
        assert {each.name for each in imports(module) if each.at_load} <= LIGHT, module.name


def test_the_wires_know_no_metric() -> None:
    """Neither graph/ nor bigquery/ holds the name of a metric, so that Meta's next one changes the catalog alone."""
    from airflow_provider_iginsights.catalog.account_metrics import ACCOUNT_METRICS
    from airflow_provider_iginsights.catalog.media_metrics import MEDIA_METRICS

    # Names that are ordinary words too are looked for only as whole texts.
    names = {metric.name for metric in (*ACCOUNT_METRICS, *MEDIA_METRICS)}
    for module in modules():
        if module.room in WIRES:
            texts = {node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant)}
            assert not names & {text for text in texts if isinstance(text, str)}, module.name
            words = set(module.path.read_text("utf-8").replace('"', " ").split())
            assert not {name for name in names if "_" in name} & words, module.name


def test_modules_are_small() -> None:
    """No module is longer than 300 lines, and half of them have at most 120."""
    assert {module.name: module.lines for module in modules() if module.lines > LONGEST_MODULE} == {}
    assert median(module.lines for module in modules()) <= MEDIAN_MODULE


def test_functions_are_small() -> None:
    """Half of the functions have at most 12 lines, nine of ten at most 35."""
    sizes = [(f.end_lineno or 0) - f.lineno + 1 for module in modules() for f in functions(module.tree)]
    assert len(sizes) > 200
    assert median(sizes) <= MEDIAN_FUNCTION
    assert quantiles(sizes, n=10)[-1] <= P90_FUNCTION


def test_everything_is_annotated() -> None:
    """Every argument and every result has a type."""
    for module, function in ((owner, each) for owner in modules() for each in functions(owner.tree)):
        arguments = function.args
        given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        given += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
        untyped = [each.arg for each in given if each.annotation is None and each.arg not in ("self", "cls")]
        assert not untyped, f"{module.name}:{function.lineno} {function.name}({', '.join(untyped)})"
        assert function.returns is not None, f"{module.name}:{function.lineno} {function.name}"


def test_everything_public_is_explained() -> None:
    """Every module, public class and public function or method has a docstring."""

    def unexplained(node: ast.AST) -> Iterator[str]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and child.name[0] != "_":
                is_overload = any(ast.unparse(each) == "overload" for each in child.decorator_list)
                if not ast.get_docstring(child) and not is_overload:
                    yield f"{child.lineno} {child.name}"
                if isinstance(child, ast.ClassDef):
                    yield from unexplained(child)

    for module in modules():
        assert ast.get_docstring(module.tree), module.name
        assert list(unexplained(module.tree)) == [], module.name


def test_every_room_has_its_floor() -> None:
    """The order of the rooms is data, and names each of them once."""
    named = [room for rooms in FLOORS for room in rooms]
    assert len(named) == len(set(named))
    assert {file.room for file in HOUSE.files.values()} <= set(named)
    assert len(HOUSE.arrows["hooks.instagram"]) > 3


def test_no_arrow_points_up() -> None:
    """No file imports from a room that stands above its own: on load, inside functions, for types."""
    assert HOUSE.list_arrows_up() == set()


def test_nothing_goes_in_circles() -> None:
    """No two rooms and no two files know each other, over whatever detour."""
    assert {tuple(circle) for circle in find_circles(HOUSE.room_arrows)} == set()
    assert {tuple(circle) for circle in find_circles(HOUSE.arrows)} == set()


def test_circles_are_found() -> None:
    """The search itself: a circle over a detour is one, a diamond is none."""
    assert find_circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]
    assert find_circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}}) == []


def test_one_class_name_has_one_meaning() -> None:
    """No two classes of the package have the same name."""
    names = [each.name for file in HOUSE.files.values() for each in file.classes]
    assert {name for name in names if names.count(name) > 1} == set()


def find_documented(file: SourceFile) -> Iterator[tuple[int, str]]:
    """Yield the indentation and the text of each docstring, also of those that follow an assignment."""
    for node in ast.walk(file.tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.col_offset, node.value.value


def find_broken_lines(text: str, indentation: int) -> Iterator[str]:
    """Yield the lines of running text that end in mid-sentence although half of the line is free."""
    for paragraph in text.split("\n\n"):
        lines = [
            line[indentation:] if number else line for number, line in enumerate(paragraph.strip("\n").split("\n"))
        ]
        running = not any(line.startswith((" ", ":", "-", "*", "|", "=", ".")) for line in lines)
        for line, following in pairwise(lines):
            if running and following and len(line) < 60 - indentation and not line.endswith((".", ":", "!", "?")):
                yield line


def test_no_docstring_is_broken() -> None:
    """No docstring was torn by wrapping it anew: a line in mid-sentence is at least half full."""
    found = [
        f"{name}: {line}"
        for name, file in HOUSE.files.items()
        for indentation, text in find_documented(file)
        for line in find_broken_lines(text, indentation)
    ]
    assert found == []
    assert list(find_broken_lines("Since Meta revises\n    its\n    numbers.", 4)) == ["Since Meta revises", "its"]


def is_operator(node: ast.ClassDef) -> bool:
    """Say whether this is one of those classes whose arguments a Dag writes."""
    return node.name.endswith("Operator") or any("Operator" in ast.unparse(base) for base in node.bases)


def find_public_calls(file: SourceFile) -> Iterator[tuple[str, ast.arguments]]:
    """Yield the public functions, methods and constructors of a file, but for the constructors of operators."""
    for node in file.tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name[0] != "_":
            yield f"{file.name}.{node.name}", node.args
        elif isinstance(node, ast.ClassDef) and node.name[0] != "_":
            for each in node.body:
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
                    if each.name == "__init__" and not is_operator(node):
                        yield f"{file.name}.{node.name}", each.args
                    elif each.name[0] != "_":
                        yield f"{file.name}.{node.name}.{each.name}", each.args


def test_public_functions_take_few_arguments() -> None:
    """At most six, besides the constructors of operators; Airflow decides what its own calls get."""
    crowded = set()
    for file in HOUSE.files.values():
        for name, arguments in find_public_calls(file):
            given = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
            named = [each.arg for each in given if each.arg not in ("self", "cls")]
            if len(named) > MOST_PARAMETERS:
                crowded.add(name)
    assert crowded == set()
