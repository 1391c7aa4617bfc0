"""What an adjustment reason code means to a patient, and what Kindbill does when a payer leaves such an amount to them.

The codes are the payer's, the sentences our own (`carc_plain.csv`). A code says little without its group: the group in
the message always wins over the one the code is usually seen with.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from billing.carc_table import ROWS
from billing.claim import Group


class Action(StrEnum):
    """What our table suggests to do about a code."""

    BILL = "bill"
    BILL_REVIEW = "bill_review"
    REVIEW = "review"
    HOLD = "hold"
    HOLD_CONTACT = "hold_contact"
    WRITE_OFF = "write_off"
    INFO = "info"
    IGNORE = "ignore"
    REFUND_CHECK = "refund_check"


@dataclass(frozen=True)
class Carc:
    """One code: the group it is usually seen with, our default action, and the sentence a patient reads."""

    code: str
    usual_group: Group
    action: Action
    sentence: str


def _parse(row: str) -> Carc:
    code, group, action, sentence = row.split("|", 3)
    return Carc(code, Group(group), Action(action), sentence)


CARCS: Final[dict[str, Carc]] = {carc.code: carc for carc in map(_parse, ROWS)}
"""Every code we have words for, by code."""

NOT_OWED = "You do not owe this amount."

OTHER_INSURANCE: Final = "23"
"""What an earlier payer of the chain paid or took off, as a later one repeats it. Not to be posted again, and no
discount of this plan's."""
AGREED: Final = frozenset({"24", "45", "104", "131", "222"})
"""Reasons that speak of an agreement between practice and plan. Only group CO says that there is one."""
DISCOUNTS: Final = frozenset({"45", "131", "222"})
"""Those of them that lower the price."""


def is_discount(group: str, code: str) -> bool:
    """Whether an adjustment is a discount that practice and plan agreed on."""
    return group == Group.CO and code in DISCOUNTS


def sentence(group: str, code: str) -> str:
    """What `code` under `group` means, in plain words (INV-6); never contradicts who the group says must bear it."""
    carc = CARCS.get(code)
    neutral = f"Your plan gave reason {code}"
    if carc is None:
        return f"{neutral}."
    patient_owes = group == Group.PR
    if code in AGREED and group not in (Group.CO, Group.PR):
        return f"{neutral}. {NOT_OWED}"
    if patient_owes == (carc.usual_group == Group.PR):
        return carc.sentence
    if patient_owes:
        return f"{neutral} and left this amount to you."
    if carc.action is Action.BILL:  # its sentence speaks of a debt, and here there is none
        return f"{neutral}. {NOT_OWED}"
    return f"{carc.sentence} {NOT_OWED}"
