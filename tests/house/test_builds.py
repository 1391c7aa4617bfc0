"""What a function ships is what it uses: everything it may import is in its zip, and nothing else is paid for."""

import io
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from infra import build
from tests.house.reach import reach

IN_LAMBDA = frozenset({"botocore"})
"""Of the runtime itself."""
MODULE_OF: Mapping[str, str] = {
    "jinja2": "jinja2",
    "phonenumbers": "phonenumbers",
    "pydantic": "pydantic",
    "stripe": "stripe",
    "urllib3": "urllib3",
}
BROUGHT_ALONG: Mapping[str, str] = {
    "pydantic_core": "pydantic",
    "typing_extensions": "pydantic",
    "markupsafe": "jinja2",
}
"""Imported by us, shipped because another distribution needs it."""
HEAVY = ("boto3", "jinja2", "phonenumbers", "pydantic", "requests", "s3transfer", "stripe")
AT_ONCE: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(build.VERBS, frozenset()),
    "serve_practice": frozenset({"pydantic"}),
    "serve_client": frozenset({"jinja2", "phonenumbers"}),
}
"""What a cold start pays for before its first line runs. `stripe` (0.4 s, 34 MB) never: only the step that needs it."""


@pytest.fixture(scope="module")
def zips() -> Mapping[str, bytes]:
    return build.local_zips()


@pytest.fixture(scope="module")
def runtime() -> Path:
    """A folder with what Lambda's runtime brings, and nothing else."""
    return build.installed(build.here(), ("botocore",), build.pins())


def test_every_function_is_built_and_every_build_is_a_function() -> None:
    folders = {folder.name for folder in (build.ROOT / "functions").iterdir() if (folder / "handler.py").exists()}
    assert set(build.VERBS) == folders


def test_every_production_dependency_is_shipped_by_a_function_or_brought_by_lambda() -> None:
    project = tomllib.loads((build.ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    declared = {re.split(r"[<>=]", requirement)[0] for requirement in project["dependencies"]}
    assert declared == {name for needs in build.VERBS.values() for name in needs} | {"botocore"}


@dataclass(frozen=True)
class Imported:
    """What became of a function's zip in an interpreter that has nothing else. `at_once`: of HEAVY, what its handler
    loaded · `trouble`: what was said where not all could be loaded that it may ever import."""

    at_once: frozenset[str]
    trouble: str


Imports = Callable[[str], Imported]
LOADS_AT_ONCE = """
import sys, importlib
sys.path += sys.argv[1:3]
importlib.import_module(sys.argv[3])
print(*(name for name in sys.argv[4].split() if name in sys.modules))
for name in sys.argv[5:]: importlib.import_module(name)
assert sys.modules['billing.money'].__file__.startswith(sys.argv[1])
"""


@pytest.fixture(scope="module")
def imported(zips: Mapping[str, bytes], runtime: Path, tmp_path_factory: pytest.TempPathFactory) -> Imports:
    """Verb -> what came of its zip; each is unpacked and loaded once, in a process of its own."""

    @cache
    def load(verb: str) -> Imported:
        folder = tmp_path_factory.mktemp(verb)
        zipfile.ZipFile(io.BytesIO(zips[verb])).extractall(folder)
        modules, _ = reach(verb)
        handler = f"functions.{verb}.handler"
        paths_and_names = [str(folder), str(runtime), handler, " ".join(HEAVY), "billing.money", *sorted(modules)]
        command = [sys.executable, "-I", "-S", "-c", LOADS_AT_ONCE, *paths_and_names]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        shutil.rmtree(folder)
        return Imported(frozenset(done.stdout.split()), done.stderr if done.returncode else "")

    return load


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_zip_holds_all_its_function_may_import(verb: str, imported: Imports) -> None:
    assert imported(verb).trouble == ""


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_zip_holds_nothing_its_function_does_not_import(verb: str) -> None:
    modules, packages = reach(verb)
    used = {BROUGHT_ALONG.get(package, package) for package in packages - IN_LAMBDA}
    time_zones = {"tzdata"} if "billing.period" in modules else set()
    assert used | time_zones == {MODULE_OF.get(name, name) for name in build.VERBS[verb]}


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_cold_start_imports_no_more_than_its_budget(verb: str, imported: Imports) -> None:
    assert imported(verb).at_once == AT_ONCE[verb]


def test_the_same_source_gives_the_same_zip(zips: Mapping[str, bytes]) -> None:
    assert build.local_zips()["publish_facts"] == zips["publish_facts"]


def test_names_of_places_and_carriers_stay_at_home(zips: Mapping[str, bytes]) -> None:
    names = zipfile.ZipFile(io.BytesIO(zips["serve_client"])).namelist()
    assert any(name.startswith("phonenumbers/data/") for name in names)
    assert not any(name.startswith(("phonenumbers/geodata", "phonenumbers/carrierdata", "bin/")) for name in names)


def test_a_function_ships_no_other_functions_handler_it_does_not_run(zips: Mapping[str, bytes]) -> None:
    names = zipfile.ZipFile(io.BytesIO(zips["publish_facts"])).namelist()
    assert {name.split("/")[1] for name in names if name.startswith("functions/")} == {
        "__init__.py",
        "__pycache__",
        "publish_facts",
    }
