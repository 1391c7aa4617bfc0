"""What a single X12 element means: amounts, dates, identifiers, procedures. Only ASCII digits are digits.

The small caches are for speed: a file repeats its amounts, dates and adjustments thousands of times.
"""

import re
from contextlib import suppress
from datetime import date
from functools import lru_cache
from typing import Final

from billing.claim import Adjustment

_AMOUNT: Final = re.compile(r"(-?)([0-9]{0,10})(?:\.([0-9]{0,10}))?")  # below ten billion dollars
_CODE: Final = re.compile(r"[A-Za-z0-9]{1,5}")


@lru_cache(maxsize=4096)
def cents(text: str) -> int | None:
    """Dollars as X12 writes them ("12", "12.5", "-.5", "" for zero) in whole cents, exactly.

    None when it is no amount, is finer than a cent, or is out of all proportion.
    """
    text = text.strip()
    if not text:
        return 0
    match = _AMOUNT.fullmatch(text)
    if match is None:
        return None
    sign, dollars, fraction = match[1], match[2], match[3] or ""
    if not dollars and not fraction:
        return None
    if fraction[2:].strip("0"):
        return None
    amount = int(dollars or "0") * 100 + int(fraction[:2].ljust(2, "0"))
    return -amount if sign else amount


@lru_cache(maxsize=1024)
def day(text: str) -> date | None:
    """A date written CCYYMMDD, or None."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        return None
    try:
        return date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        return None


def is_identifier(text: str, max_chars: int) -> bool:
    """Whether `text` is printable ASCII, not empty and not too long to be one of ours or a payer's."""
    return 0 < len(text) <= max_chars and text.isascii() and text.isprintable()


def identifier_or_blank(text: str, max_chars: int) -> str:
    """`text` stripped, or "" when it is no identifier; for references that no decision needs."""
    text = text.strip()
    return text if is_identifier(text, max_chars) else ""


@lru_cache(maxsize=8192)
def adjustment(group: str, code: str, amount_text: str) -> Adjustment | None:
    """One triplet of a CAS segment; groups and codes we do not know are kept. None when it cannot be one."""
    amount = cents(amount_text)
    if amount is None or not _CODE.fullmatch(group) or not _CODE.fullmatch(code):
        return None
    return Adjustment(group, code, amount)


@lru_cache(maxsize=1024)
def procedure(composite: str, component: str) -> tuple[str, tuple[str, ...]] | None:
    """Procedure code and modifiers of a composite such as HC:99213:25; None when they are not printable.

    Some files use another component separator here than the one their ISA names, or name none: then it is the
    character after the two-letter qualifier.
    """
    is_cut = bool(component) and component in composite
    if not is_cut and composite[:2].isalpha() and not composite[2:3].isalnum():
        component = composite[2:3]
    parts = [part.strip() for part in composite.split(component)] if component else [composite.strip()]
    code, modifiers = (parts[1], parts[2:6]) if len(parts) > 1 else (parts[0], [])
    modifiers = [modifier for modifier in modifiers if modifier]
    if code and not is_identifier(code, 48):
        return None
    if not all(is_identifier(modifier, 8) for modifier in modifiers):
        return None
    return code, tuple(modifiers)


def units(text: str) -> str:
    """A count of units without trailing zeros; not given means one (SVC05)."""
    text = identifier_or_blank(text, 15) or "1"
    return text.rstrip("0").rstrip(".") if "." in text else text


def name(text: str) -> str:
    """A name for people: without control characters, of bearable length.

    An 835 was read as Latin-1; where its bytes are UTF-8 that is what they were meant as. What came as text stays.
    """
    if not text.isascii():
        with suppress(UnicodeError):
            text = text.encode("latin-1").decode("utf-8")
    return "".join(character for character in text if character.isprintable()).strip()[:80]
