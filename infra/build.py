"""Builds what each function ships: billing/ + edges/ + functions/<verb>/ + exactly the distributions that verb needs.

Why not `sam build`: it copies the whole repository and resolves every dependency again for each of fourteen functions
(two minutes); this takes seconds, installs what uv.lock pins, and gives the same bytes for the same source, so a
deployment only replaces functions that changed. What is in a zip and what is not: docs/decisions/0003.

`python -m infra.build` writes build/<verb>/ for AWS (Python 3.13, arm64). The local cloud takes the same contents with
wheels for this machine, straight into zips (`local_zips`).
"""

import ast
import hashlib
import io
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = ROOT / "build"
CACHE: Final = ROOT / ".run" / "wheels"

VERBS: Final[Mapping[str, tuple[str, ...]]] = {
    "ingest_claims": ("pydantic",),
    "read_claims": ("pydantic",),
    "issue_invoice": ("tzdata",),
    "charge_autopay": ("stripe", "tzdata"),
    "create_plan": ("phonenumbers", "pydantic", "stripe", "tzdata"),
    "change_invoice": ("phonenumbers", "pydantic", "stripe", "tzdata"),
    "send_email": ("jinja2", "tzdata"),
    "reconcile": ("stripe", "tzdata"),
    "receive_stripe": (),
    "receive_clearinghouse": (),
    "fetch_report": ("urllib3",),
    "settle_payment": ("stripe", "tzdata"),
    "pay_back": ("stripe", "tzdata"),
    "receive_mail_events": ("tzdata",),
    "wake_due": (),
    "publish_facts": (),
    "serve_practice": ("phonenumbers", "pydantic", "tzdata"),
    "serve_client": ("jinja2", "phonenumbers", "stripe", "tzdata"),
}
"""Verb -> the distributions in its zip, besides those they need themselves. botocore is in Lambda's runtime already."""

OURS: Final = ("billing", "edges", "functions")
LEFT_OUT: Final = frozenset({"example_event.json", "py.typed", "carc_plain.csv"})
"""Files of ours that no function reads."""
PRUNED: Final = (
    "bin",
    "phonenumbers/carrierdata",
    "phonenumbers/geodata",
    "phonenumbers/tzdata",
    "stripe/params",
)
"""Parts of distributions that no function imports: 18 MB of names of places and carriers beside the 3 MB that parse;
Stripe's descriptions of parameters, half of its files, which only type checkers read."""
PRUNED_FILES: Final = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "py.typed"})
"""Files by which installers keep books; some hold times and paths, which would change a zip without changing it."""


@dataclass(frozen=True)
class Target:
    """Where the code will run. `flags`: what uv is told to find wheels for it · `python`: an interpreter of the same
    version on this machine, which compiles ahead; "" where there is none."""

    name: str
    flags: tuple[str, ...]
    python: str


def here() -> Target:
    """This machine."""
    return Target(f"here-{sys.version_info[0]}.{sys.version_info[1]}", ("--python", sys.executable), sys.executable)


def aws() -> Target:
    """Lambda, as template.yaml asks for it."""
    flags = ("--python-version", "3.13", "--python-platform", "aarch64-manylinux2014")
    try:
        return Target("aws", flags, uv("python", "find", "--no-python-downloads", "3.13").strip())
    except BuildFailed:
        return Target("aws", flags, "")


class BuildFailed(Exception):
    """A tool that the build needs is missing or said no; the message says which and what to do."""


def uv(*arguments: str) -> str:
    """Run uv, return what it prints. Raises BuildFailed."""
    program = os.environ.get("UV") or shutil.which("uv")
    if program is None:
        raise BuildFailed("uv is not on the PATH; run this through make, which brings it")
    done = subprocess.run([program, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"uv {arguments[0]} failed:\n{done.stderr.strip()}")
    return done.stdout


def pins() -> str:
    """Every production distribution at the version uv.lock has, as constraints."""
    return uv("export", "--frozen", "--no-dev", "--no-hashes", "--no-emit-project", "--no-header", "--no-annotate")


def installed(target: Target, distributions: tuple[str, ...], constraints: str) -> Path:
    """A folder with these distributions and what they need; made once per set, target and lock, then kept."""
    made_from = [*target.flags, target.python, *distributions, constraints, *PRUNED]
    name = hashlib.sha256("\n".join(made_from).encode()).hexdigest()[:16]
    folder = CACHE / f"{target.name}-{name}"
    if folder.is_dir():
        return folder
    half = folder.with_name(f"{folder.name}.{os.getpid()}.tmp")
    half.mkdir(parents=True)
    if distributions:
        pinned = half.with_suffix(".txt")
        pinned.write_text(constraints, "utf-8")
        only_wheels = ("--only-binary", ":all:", "--no-config", "--quiet", "--link-mode", "copy")
        uv("pip", "install", "--target", str(half), *target.flags, *only_wheels, "-c", str(pinned), *distributions)
        pinned.unlink()
    for part in PRUNED:
        shutil.rmtree(half / part, ignore_errors=True)
    for file in [f for f in half.rglob("*") if f.name in PRUNED_FILES or f.name == ".lock"]:
        file.unlink()
    compiled(target, half)
    try:
        half.rename(folder)
    except OSError:  # another build was first with the same contents
        shutil.rmtree(half)
    return folder


def flows_used_by(verb: str, root: Path = ROOT) -> set[str]:
    """The verbs whose code this verb's folder imports (a page runs another verb's flow in place), itself included."""
    found: set[str] = set()
    todo = {verb}
    while todo:
        found.add(one := todo.pop())
        for source in sorted((root / "functions" / one).rglob("*.py")):
            for node in ast.walk(ast.parse(source.read_text("utf-8"))):
                names = (
                    [alias.name for alias in node.names]
                    if isinstance(node, ast.Import)
                    else [f"{node.module}.{alias.name}" for alias in node.names]
                    if isinstance(node, ast.ImportFrom) and node.module
                    else []
                )
                todo |= {
                    parts[1] for n in names if (parts := n.split("."))[0] == "functions" and len(parts) > 1
                } - found
    return found


def compiled(target: Target, folder: Path) -> None:
    """Write .pyc files that are taken without checking: Lambda's disk is read-only, a cold start could not keep its
    own, and reading `stripe` from source costs it seconds."""
    if not target.python:
        return
    where = ("-s", str(folder), "-p", "/var/task")
    command = [target.python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", *where, str(folder)]
    fixed_order = {**os.environ, "PYTHONHASHSEED": "0"}  # of the members of a compiled set
    done = subprocess.run(command, env=fixed_order, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildFailed(f"not all of the code compiles:\n{done.stdout}{done.stderr}")


@contextmanager
def ours(target: Target) -> Iterator[Path]:
    """A compiled copy of our own packages, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="kindbill-build-") as folder:
        copy = Path(folder)
        for package in OURS:
            shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", *LEFT_OUT))
        compiled(target, copy)
        yield copy


def contents(verb: str, wheels: Path, root: Path) -> list[tuple[str, Path]]:
    """(path in the zip, file) of everything this verb ships, in a fixed order. `root`: where our packages are."""
    parts = ["billing", "edges", *(f"functions/{used}" for used in flows_used_by(verb, root))]
    files = [f for part in parts for f in (root / part).rglob("*")]
    files += [*(root / "functions").glob("__init__.py"), *(root / "functions" / "__pycache__").glob("__init__.*")]
    return sorted(
        [(str(f.relative_to(root)), f) for f in files if f.is_file()]
        + [(str(f.relative_to(wheels)), f) for f in wheels.rglob("*") if f.is_file()]
    )


def zipped(files: list[tuple[str, Path]]) -> bytes:
    """The same files give the same bytes: fixed order, times and modes. Stored, not deflated: it never travels far."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, file in files:
            entry = zipfile.ZipInfo(name)  # its default time is 1980-01-01
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, file.read_bytes())
    return buffer.getvalue()


def _all_wheels(target: Target) -> dict[str, Path]:
    """Verb -> its folder of dependencies. Sets are few, and installed side by side."""
    constraints = pins()
    sets = sorted(set(VERBS.values()))
    with ThreadPoolExecutor(2) as pool:
        folders = dict(zip(sets, pool.map(lambda s: installed(target, s, constraints), sets), strict=True))
    return {verb: folders[needs] for verb, needs in VERBS.items()}


def local_zips() -> dict[str, bytes]:
    """Verb -> its zip, with wheels for this machine. Raises BuildFailed."""
    target = here()
    wheels = _all_wheels(target)
    with ours(target) as root:
        return {verb: zipped(contents(verb, wheels[verb], root)) for verb in VERBS}


def build_for_aws() -> None:
    """Write build/<verb>/ for every verb; compiled ahead where a Python 3.13 is at hand to do it."""
    target = aws()
    wheels = _all_wheels(target)
    shutil.rmtree(BUILD, ignore_errors=True)
    with ours(target) as root:
        for verb in VERBS:
            size = 0
            for name, file in contents(verb, wheels[verb], root):
                copy = BUILD / verb / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
                os.utime(copy, (315532800, 315532800))  # 1980-01-01: zips carry times; equal code is an equal zip
                size += copy.stat().st_size
            sys.stdout.write(f"build/{verb}/  {size / 1e6:5.1f} MB\n")
    if not target.python:
        sys.stdout.write("No Python 3.13 here to compile with (uv python install 3.13): cold starts will be slower.\n")


if __name__ == "__main__":
    try:
        build_for_aws()
    except BuildFailed as failure:
        sys.exit(str(failure))
