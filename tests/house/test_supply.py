"""What comes in from outside, and what must not go out: pinned sources, known licences, known weaknesses, no secrets.

Each guard of `make check` is shown something that it must refuse.
"""

import json
import os
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from infra import audit
from infra.secret_scan import new_in, scan

ROOT = Path(__file__).parents[2]
PLANTED = {
    "an API key": "kb_live_" + "aZ3_-" * 8 + "xyz",
    "Stripe's live key": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "Stripe's restricted live key": "rk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "Stripe's test key": "sk_test_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "a webhook secret": "whsec_" + "5f4dcc3b" * 4,
    "an AWS key": "AKIA" + "Q7ZL3M2XK5WJ4PVT",
    "a private key": "-----BEGIN RSA " + "PRIVATE KEY-----",
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_secret_in_any_file_is_found_without_being_written_down(tmp_path: Path, what: str) -> None:
    (tmp_path / "notes.md").write_text(f"for later: {PLANTED[what]}\n")
    found = scan(tmp_path, ["notes.md"])
    assert new_in(found, {}), what
    assert PLANTED[what] not in json.dumps(found)


def test_a_password_beside_its_name_is_found_in_code_but_not_in_tests(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    for name in ("settings.py", "tests/test_settings.py"):
        (tmp_path / name).write_text("pass" + 'word = "correct-horse-battery"\n')
    assert list(scan(tmp_path, ["settings.py", "tests/test_settings.py"])) == ["settings.py"]


def test_what_is_known_is_known_wherever_it_moves_in_its_file(tmp_path: Path) -> None:
    place = tmp_path / "notes.md"
    place.write_text(PLANTED["an API key"])
    known = scan(tmp_path, ["notes.md"])
    place.write_text("moved\n\n" + PLANTED["an API key"])
    assert new_in(scan(tmp_path, ["notes.md"]), known) == []
    place.write_text(f"{PLANTED['an API key']} {PLANTED['a webhook secret']}")
    assert new_in(scan(tmp_path, ["notes.md"]), known) == ["notes.md: Kindbill or Stripe key"]


def test_every_dependency_comes_from_pypi_by_its_hash() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]
    others = [one for one in packages if one["name"] != "kindbill"]
    assert len(others) > 100
    assert {json.dumps(one["source"]) for one in others} == {'{"registry": "https://pypi.org/simple"}'}
    for one in others:
        files = [*one.get("wheels", []), *([one["sdist"]] if "sdist" in one else [])]
        assert files, one["name"]
        assert all(file["hash"].startswith("sha256:") for file in files), one["name"]


def licences(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).parent / "pip-licenses"
    return subprocess.run(
        [program, *arguments], cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_a_distribution_that_asks_for_our_source_is_refused(tmp_path: Path) -> None:
    metadata = tmp_path / "viral-1.0.dist-info" / "METADATA"
    metadata.parent.mkdir()
    metadata.write_text("Metadata-Version: 2.4\nName: viral\nVersion: 1.0\nLicense-Expression: AGPL-3.0-only\n")
    refused = licences(PYTHONPATH=str(tmp_path))
    assert refused.returncode == 1
    assert "AGPL-3.0-only" in refused.stderr
    assert licences().returncode == 0


class KnownWeakness(BaseHTTPRequestHandler):
    """OSV's API, knowing one weakness of jinja2."""

    weakness: ClassVar[dict[str, Any]] = {
        "id": "OSV-PLANTED-1",
        "modified": "2026-01-01T00:00:00Z",
        "published": "2026-01-01T00:00:00Z",
        "summary": "planted",
        "affected": [{"package": {"ecosystem": "PyPI", "name": "jinja2"}}],
    }

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
        hit = {"vulns": [{name: self.weakness[name] for name in ("id", "modified")}]}
        self._say({"results": [hit if one["package"]["name"] == "jinja2" else {} for one in asked]})

    def do_GET(self) -> None:
        self._say(self.weakness)

    def _say(self, body: Any) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Silent."""


@pytest.fixture
def osv() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), KnownWeakness)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    serving.join()
    server.server_close()


def test_a_known_weakness_of_a_locked_dependency_fails_the_check(osv: str) -> None:
    status, said = audit.audit(service_url=osv)
    assert status == 1
    assert "OSV-PLANTED-1" in said


@pytest.mark.parametrize("arguments, status", [(["--if-online"], 0), ([], 2)])
def test_an_audit_without_a_network_is_skipped_aloud_where_that_is_allowed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int
) -> None:
    nobody_there = "http://127.0.0.1:9"
    real = audit.audit
    monkeypatch.setattr(audit, "audit", lambda: real(service_url=nobody_there))
    monkeypatch.setattr(sys, "argv", ["audit", *arguments])
    assert audit.main() == status
    assert ("not asked" in capsys.readouterr().out) == (status == 0)


def test_a_weakness_fails_the_check_also_where_being_offline_is_allowed(
    monkeypatch: pytest.MonkeyPatch, osv: str
) -> None:
    real = audit.audit
    monkeypatch.setattr(audit, "audit", lambda: real(service_url=osv))
    monkeypatch.setattr(sys, "argv", ["audit", "--if-online"])
    assert audit.main() == 1


def test_make_check_runs_them_all() -> None:
    recipe = (ROOT / "Makefile").read_text("utf-8").partition("\ncheck:")[2].partition("\n\n")[0]
    for guard in ("infra.secret_scan", "pip-licenses", "infra.audit --if-online"):
        assert guard in recipe
