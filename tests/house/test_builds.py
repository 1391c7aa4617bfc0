"""What a function ships is what it uses: everything it may import is in its zip, and nothing else is paid for."""

import io
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Mapping
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


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_zip_holds_all_its_function_may_import(
    verb: str, zips: Mapping[str, bytes], runtime: Path, tmp_path: Path
) -> None:
    zipfile.ZipFile(io.BytesIO(zips[verb])).extractall(tmp_path)
    modules, _ = reach(verb)
    program = (
        "import sys, importlib; sys.path += sys.argv[1:3]\n"
        "for name in sys.argv[3:]: importlib.import_module(name)\n"
        "assert sys.modules['billing.money'].__file__.startswith(sys.argv[1])"
    )
    command = [
        sys.executable,
        "-I",
        "-S",
        "-c",
        program,
        str(tmp_path),
        str(runtime),
        "billing.money",
        *sorted(modules),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_zip_holds_nothing_its_function_does_not_import(verb: str) -> None:
    modules, packages = reach(verb)
    used = {BROUGHT_ALONG.get(package, package) for package in packages - IN_LAMBDA}
    time_zones = {"tzdata"} if "billing.period" in modules else set()
    assert used | time_zones == {MODULE_OF.get(name, name) for name in build.VERBS[verb]}


@pytest.mark.parametrize("verb", build.VERBS)
def test_a_cold_start_imports_no_more_than_its_budget(verb: str) -> None:
    program = f"import sys, functions.{verb}.handler; print(*(m for m in sys.argv[1:] if m in sys.modules))"
    command = [sys.executable, "-c", program, *HEAVY]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=build.ROOT)
    assert set(done.stdout.split()) == AT_ONCE[verb]


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
