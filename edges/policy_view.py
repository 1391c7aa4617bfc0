"""What a practice chose, as its GET shows it: each value, and beside it what the policy does and what may be chosen."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from billing.disclosure import text_in_force
from billing.policy import NOT_BUILT, Policy, Practice
from billing.policy_guide import GUIDE

if TYPE_CHECKING:
    from edges import answers


def policies(owner: Practice) -> "answers.Policies":
    """Every policy in force with its guide (DESK-6)."""
    defaults = _values(Policy())
    text = text_in_force(owner.policy)
    shown: dict[str, Any] = {
        "version": owner.policy_version,
        **_values(owner.policy),
        "disclosure": {"id": text.text_id, "text": text.text} if text else None,
        "about": {
            name: {
                "default": defaults[name],
                "allowed": guide.allowed,
                "does": guide.does,
                "rules": list(guide.rules),
                "available": name not in NOT_BUILT,
            }
            for name, guide in GUIDE.items()
        },
    }
    return shown  # type: ignore[return-value]  # test_openapi.py holds it to the shape


def _values(policy: Policy) -> dict[str, Any]:
    values = {field.name: getattr(policy, field.name) for field in fields(policy)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
