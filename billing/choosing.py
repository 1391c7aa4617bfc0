"""A practice chooses (DESK-6): another policy, and the fact that tells who chose what, of what was before.

What is decided from then on follows the new policy; what was announced to a client stays as it was announced
(docs/decisions/0013).
"""

import json
from dataclasses import fields, replace
from datetime import datetime

from billing.facts import Fact, FactKind
from billing.policy import Policy, Practice, TilDisclosure
from billing.ports import Insert, Update, Write


def unfit(policy: Policy) -> tuple[tuple[str, str], ...]:
    """What of a policy cannot go together: (the policy that is wrong, what to do), none where all is well. What each
    may be by itself is checked where it is sent."""
    if policy.til_disclosure is TilDisclosure.OWN and not policy.til_text:
        return (("til_text", "must be written where til_disclosure is own"),)
    return ()


def choose(owner: Practice, policy: Policy, key_id: str, now: datetime) -> tuple[Practice, tuple[Write, ...]]:
    """The practice with `policy` in force, and the commit that makes it so; nothing to write where it is already.

    `key_id`: the API key that asked, as people call it.
    """
    if policy == owner.policy:
        return owner, ()
    chosen = replace(owner, policy=policy, policy_version=owner.policy_version + 1, version=owner.version + 1)
    data: dict[str, str | int] = {"policy_version": chosen.policy_version}
    for name in (field.name for field in fields(Policy)):
        before, after = getattr(owner.policy, name), getattr(policy, name)
        if before != after:
            data |= {f"{name}.old": _told(before), f"{name}.new": _told(after)}
    changed = Fact(
        practice=owner.practice,
        client="",
        item=owner.key.sk,
        version=chosen.version,
        kind=FactKind.POLICY_CHANGED,
        at=now,
        actor="staff",
        cause=key_id,
        data=data,
    )
    return chosen, (Update(chosen), Insert(changed))


def _told(value: object) -> str | int:
    """A policy's value as facts hold it: numbers and words as they are, the rest as JSON."""
    if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    return json.dumps(value)
