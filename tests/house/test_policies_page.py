"""docs/policies.md is the code's own table: each policy with its default, what it may be, what it does, and its rules.

Whoever changes a policy reads here, in the failure, the row to put in its place.
"""

import json
from dataclasses import fields

from billing.policy import NOT_BUILT, Policy
from billing.policy_guide import GUIDE
from tests.house.test_tidy import ROOT

PAGE = ROOT / "docs" / "policies.md"


def row(name: str) -> str:
    guide, default = GUIDE[name], getattr(Policy(), name)
    shown = default if isinstance(default, str) else json.dumps(default)
    does = guide.does + (" *Not available yet.*" if name in NOT_BUILT else "")
    return f"| `{name}` | {f'`{shown}`' if shown else 'empty'} | {guide.allowed} | {does} | {', '.join(guide.rules)} |"


def test_desk_6_the_page_says_of_each_policy_what_the_code_says() -> None:
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert rows == [row(field.name) for field in fields(Policy)]
