"""docs/integrating.md as a billing office follows it: every command it prints is run against the copy, in its order."""

import json
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tests.e2e.decisions import Decision, as_835
from tests.e2e.kindbill import PRACTICE, Kindbill

PAGE: Final = Path(__file__).parents[2] / "docs" / "integrating.md"


def commands() -> tuple[str, list[str]]:
    """What the page defines for the shell, and its commands; the addresses and keys it begins with are ours to give."""
    _, functions, *rest = re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL)
    return functions, rest


def fields(answer: Any) -> Iterator[tuple[str, str]]:
    """The ids and addresses in an answer, as the page calls them; of several the last counts."""
    if isinstance(answer, list):
        for one in answer:
            yield from fields(one)
    if isinstance(answer, dict):
        for name, value in answer.items():
            if isinstance(value, str) and name.endswith(("_id", "_url")):
                yield name.upper(), value
            yield from fields(value)


def test_every_command_of_the_page_for_billing_offices_works_as_printed(kindbill: Kindbill, tmp_path: Path) -> None:
    somebody = kindbill.new_client("era")
    day = (kindbill.now() - timedelta(days=20)).date()
    decision = Decision(somebody.claim(150_00, day), 150_00, 62_50, service_date=day.isoformat())
    (tmp_path / "era.835").write_text(as_835(decision))
    known = {"URL": kindbill.base_url, "PATH": "/usr/local/bin:/usr/bin:/bin", "NO_PROXY": "*"}
    known |= {"CLAIMS_KEY": kindbill.keys["claims"], "PRACTICE_KEY": kindbill.keys["practice"]}
    functions, printed = commands()
    path = f"/v1/practices/{PRACTICE}/policies"
    before = kindbill.get(path, "practice")["payment_window_days"]

    for command in printed:
        done = subprocess.run(
            ["/bin/bash", "-euo", "pipefail", "-c", functions + command],
            env=known,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}{done.stdout}{done.stderr}"
        known |= dict(fields(json.loads(done.stdout))) if done.stdout else {}
        kindbill.settle()

    kindbill.do("PUT", path, "practice", json={"payment_window_days": before})
    assert somebody.only_invoice()["amount"] == 62_50
    account = kindbill.account("finn")
    assert [review["status"] for review in account["reviews"]] == ["corrected"]
    assert sorted((one["status"], one["open_amount"]) for one in account["invoices"]) == [
        ("open", 45_00),
        ("open", 145_00),
        ("void", 0),
    ]
