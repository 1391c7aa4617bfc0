"""The phone check of a pay link (PAY-1, PAY-2): whoever has the link must also know the phone number on file.

The count of failed tries is a row of the account, and every answer, right or wrong, is committed against its version:
of many tries at once one is judged, the others meet a conflict and are judged after it. So nobody gets a sixth guess
by sending ten at the same moment, and while the row says locked no number is even compared.
"""

import hmac
from dataclasses import replace
from datetime import datetime, timedelta

import phonenumbers

from billing.account import Contact, PhoneTries
from billing.facts import Fact, FactKind
from billing.ports import Insert, Update, Write

REGION = "US"
"""How a number without a country code is read."""
LIMITS = ((timedelta(minutes=15), 5), (timedelta(days=1), 20))
"""Wrong numbers within a window that lock the page (PAY-2)."""
LOCKED_FOR = timedelta(days=1)


def e164(text: str) -> str:
    """The number as "+12025550143", however it was written; "" where it is none."""
    try:
        number = phonenumbers.parse(text, REGION)
    except phonenumbers.NumberParseException:
        return ""
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def is_on_file(given: str, contact: Contact | None) -> bool:
    """Whether that is the client's number: the whole of it, compared in constant time. No number on file: never."""
    on_file = e164(contact.phone) if contact else ""
    same = hmac.compare_digest(e164(given).encode(), on_file.encode())
    return same and bool(on_file)


def is_locked(tries: PhoneTries | None, now: datetime) -> bool:
    """Whether no number is compared at this moment."""
    return tries is not None and tries.locked_until is not None and now < tries.locked_until


def count_right(tries: PhoneTries | None, practice: str, client: str) -> Write:
    """The guard of a right answer: it counts only if no other answer was judged meanwhile. Earlier failures keep
    counting: knowing the number once does not give anybody else a fresh set of guesses."""
    if tries is None:
        return Insert(PhoneTries(practice, client, version=1))
    return Update(replace(tries, version=tries.version + 1))


def count_wrong(tries: PhoneTries | None, practice: str, client: str, now: datetime) -> tuple[Write, ...]:
    """One more wrong answer, and the lock with its fact (which mails the client, once) where it was one too many."""
    before = tries or PhoneTries(practice, client, version=0)
    longest = max(window for window, _ in LIMITS)
    failed_at = (*(at for at in before.failed_at if at > now - longest), now)
    locks = any(sum(at > now - window for at in failed_at) >= most for window, most in LIMITS)
    locked_until = now + LOCKED_FOR if locks else None
    after = PhoneTries(practice, client, before.version + 1, failed_at, locked_until)
    counted: Write = Insert(after) if tries is None else Update(after)
    if locked_until is None:
        return (counted,)
    fact = Fact(
        practice=practice,
        client=client,
        item=after.key.sk,
        version=after.version,
        kind=FactKind.PHONE_LOCKED,
        at=now,
        actor="client",
        cause="pay_link",
        data={"locked_until": locked_until.isoformat()},
    )
    return (counted, Insert(fact))
