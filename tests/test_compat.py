"""The Airflow names we use: found in the installed version without a deprecated path, named when missing."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from airflow_provider_iginsights import _compat
from tests.support import airflow_versions
from tests.support.airflow_versions import FEATURES, NAMES, Feature, find, needs, offers

PROBE = """
import sys, warnings
from airflow_provider_iginsights import _compat
assert not [name for name in sys.modules if name.split(".")[0] == "airflow"], "importing _compat loads Airflow"
import airflow.sdk
warnings.simplefilter("error", DeprecationWarning)
for name in sorted(_compat.NAMES):
    getattr(_compat, name)
print(len(_compat.NAMES))
"""


@pytest.mark.parametrize("name", sorted(_compat.NAMES))
def test_finds_the_name_or_says_which_version_has_it(name: str) -> None:
    """Every name resolves, from Airflow 3.2 on by its first path; one that is too new names the version it needs."""
    if not offers(_compat.SINCE.get(name, "2.11")):
        with pytest.raises(ImportError, match=rf"no {name} .* needs Airflow {_compat.SINCE[name]} or newer"):
            getattr(_compat, name)
        return
    module, _, attribute = _compat.NAMES[name][0].partition(":")
    found = getattr(_compat, name)
    assert found.__name__.endswith((attribute, "Dataset", "DatasetAlias")) if isinstance(found, type) else found
    if offers("3.2"):
        assert found is getattr(import_module(module), attribute)


@needs("retry policies")
def test_no_deprecated_path_is_touched() -> None:
    """In a fresh interpreter the module loads no Airflow, and resolving every name raises no deprecation warning."""
    done = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == str(len(_compat.NAMES))


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
def test_a_test_is_skipped_only_where_its_feature_is_missing(feature: Feature) -> None:
    """A feature's own name is there from the stated Airflow on, and not before."""
    if offers(feature.since):
        assert find("feature", (feature.name,))
        return
    with pytest.raises(ImportError):
        find("feature", (feature.name,))


@pytest.mark.parametrize("name", NAMES)
def test_finds_the_names_of_the_tests(name: str) -> None:
    """Each name that only tests use is in the installed Airflow, whichever that is."""
    assert getattr(airflow_versions, name)


def test_a_missing_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that no path offers is an ImportError with name, paths and remedy, also through ``from ... import``."""
    monkeypatch.setattr(_compat, "NAMES", {"Gone": ("airflow.nowhere:Gone", "airflow.exceptions:Gone")})
    monkeypatch.setattr(_compat, "SINCE", {"Gone": "9.9"})
    with pytest.raises(
        ImportError, match=r"has no Gone \(looked for airflow.nowhere:Gone, .*needs Airflow 9.9 or newer"
    ):
        from airflow_provider_iginsights._compat import Gone  # noqa: F401


def test_an_unknown_name_is_an_attribute_error() -> None:
    """A name that is no row behaves like on any module, so that ``hasattr`` and introspection keep working."""
    assert not hasattr(_compat, "NoSuchName")
    with pytest.raises(AttributeError, match="NoSuchName"):
        _compat.resolve("NoSuchName")
