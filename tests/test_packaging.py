"""What is built from the project: an sdist that builds itself, a wheel with all of the package, and what PyPI shows."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest

from airflow_provider_iginsights import __version__
from tests.support.pages import ROOT, list_links
from tests.support.release_check import read_wheel

pytest.importorskip("hatchling", reason="There is no hatchling: make install")

PACKAGE = "airflow_provider_iginsights"
pytestmark = pytest.mark.skipif(not (ROOT / PACKAGE).exists(), reason="needs the source tree")
SOURCE = "https://example.org/brand/iginsights"


def build(target: str, folder: Path, *, root: Path) -> Path:
    """Build in a process of its own, as a frontend does; return the file."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(folder)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    [file] = folder.glob("*.whl" if target == "wheel" else "*.tar.gz")
    return file


def read_metadata(wheel: dict[str, bytes]) -> Message:
    """Return what a wheel tells package indexes."""
    return message_from_bytes(wheel[f"{PACKAGE}-{__version__}.dist-info/METADATA"])


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the unpacked sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", folder, root=ROOT)) as opened:
        opened.extractall(folder, filter="data")
    return folder / f"{PACKAGE}-{__version__}"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return the files of the wheel that the tree builds."""
    return read_wheel(build("wheel", tmp_path_factory.mktemp("wheel"), root=ROOT))


def test_the_sdist_builds_the_same_wheel(unpacked: Path, wheel: dict[str, bytes], tmp_path: Path) -> None:
    """Whoever builds from the sdist gets, byte for byte, what we build from the tree."""
    assert read_wheel(build("wheel", tmp_path, root=unpacked)) == wheel


def test_the_sdist_holds_what_its_pages_name(unpacked: Path) -> None:
    """Each file that a page beside the README links to is there, with the Makefile, the tests and their pins."""
    pages = sorted(unpacked.glob("*.md"))
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"} <= {page.name for page in pages}
    for page in pages:
        for target in list_links(page):
            assert "://" in target or (page.parent / target.partition("#")[0]).exists(), f"{page.name}: {target}"
    needed = {*re.findall(r"[\w./-]+\.txt\b", (ROOT / "Makefile").read_text("utf-8"))} - {"/requirements.txt"}
    needed |= {path.name for path in ROOT.glob("*.py")} | {"Makefile", "tests/conftest.py", "benchmarks/price.py"}
    assert [name for name in sorted(needed) if not (unpacked / name).exists()] == []


def test_the_wheel_holds_the_package_alone(wheel: dict[str, bytes]) -> None:
    """All files of the package and the example Dags are in it, and nothing of tests or docs."""
    folders = ((ROOT / PACKAGE, PACKAGE), (ROOT / "example_dags", f"{PACKAGE}/example_dags"))
    there = {
        f"{name}/{path.relative_to(folder).as_posix()}"
        for folder, name in folders
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in wheel if ".dist-info/" not in name} == there
    assert f"{PACKAGE}/py.typed" in there


def test_the_metadata_is_what_indexes_ask_for(wheel: dict[str, bytes]) -> None:
    """A licence expression, beside which no licence classifier may stand (PEP 639); an author; Airflow as framework."""
    metadata = read_metadata(wheel)
    classifiers = metadata.get_all("Classifier") or []
    assert (metadata["License-Expression"], metadata["License-File"]) == ("Apache-2.0", "LICENSE")
    assert metadata["Author"] == "The airflow-provider-iginsights authors"
    assert [each for each in classifiers if each.startswith("License")] == []
    assert {"Framework :: Apache Airflow", "Framework :: Apache Airflow :: Provider"} <= set(classifiers)
    assert metadata["Description-Content-Type"] == "text/markdown"


def test_links_on_pypi_lead_to_the_release(unpacked: Path, wheel: dict[str, bytes], tmp_path: Path) -> None:
    """With a Source among the project's urls, the README's links and pictures are absolute; without, it is as it is."""
    readme = (unpacked / "README.md").read_text("utf-8")
    assert read_metadata(wheel).get_payload() == readme
    project = tmp_path / "project"
    project.mkdir()
    for path in unpacked.iterdir():
        if path.name not in ("PKG-INFO", "pyproject.toml"):  # what is dynamic is taken from an sdist's PKG-INFO
            (project / path.name).symlink_to(path)
    text = (unpacked / "pyproject.toml").read_text("utf-8")
    (project / "pyproject.toml").write_text(f'{text}\n[project.urls]\nSource = "{SOURCE}"\n', "utf-8")
    shown = str(read_metadata(read_wheel(build("wheel", tmp_path, root=project))).get_payload())
    (tmp_path / "shown.md").write_text(shown, "utf-8")
    links = list_links(tmp_path / "shown.md")
    assert [link for link in links if "://" not in link and not link.startswith("#")] == []
    assert f"{SOURCE}/blob/v{__version__}/docs/time.md" in links
    assert f"{SOURCE}/raw/v{__version__}/docs/images/demo.svg" in links
    assert re.sub(rf"{SOURCE}/(blob|raw)/v{__version__}/", "", shown) == readme
