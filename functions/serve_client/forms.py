"""What a person typed, read into what it means. A form is refused by field, with a sentence each, and shown again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qs

from billing.account import Books
from billing.autopay import terms_of
from billing.money import STRIPE_MINIMUM, Cents, dollars
from billing.payment import Enrolment
from billing.policy import Practice
from billing.review import AskedBy
from billing.reviewing import Asked

MOST_BYTES = 16_384
"""Our largest form, with every one of 40 invoices ticked, is a quarter of this."""
MOST_FIELDS = 100
ORDINARY_CARD = "ordinary"
HEALTH_CARD = "health"
MOST_CAP: Cents = 100_000_00
"""A limit above this is a slip of the finger."""
REVIEW_STEP = "/review"
"""Where a bill can be questioned (INV-7); charge notices lead there (AUTO-4)."""
MOST_REFERENCE = 64
MOST_WORDS = 500


class UnreadableForm(Exception):
    """Not a form of ours: too many fields, or no text."""


@dataclass(frozen=True)
class Form:
    """The fields of one submitted form."""

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, body: bytes) -> "Form":
        """Read an urlencoded body. Raises UnreadableForm."""
        try:
            return cls(parse_qs(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
        except ValueError as e:
            raise UnreadableForm(str(e)) from e

    def one(self, name: str) -> str:
        """The field's value, "" where it is missing; the last where it comes twice."""
        values = self.fields.get(name) or ("",)
        return values[-1].strip()

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a field that may be ticked several times."""
        return tuple(self.fields.get(name, ()))


def onward(form: Form) -> str:
    """Where the phone check leads, beyond the link's own page: only to an address that mails name."""
    return REVIEW_STEP if form.one("then") == REVIEW_STEP else ""


class Unfit(Exception):
    """The form cannot be taken as it is: field name -> what to do, in a sentence."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = errors


def enrolment(form: Form, books: Books, practice: Practice, ip: str, now: datetime) -> Enrolment | None:
    """What the client agreed to on the form; None where they did not tick automatic payments.

    Nothing else is read unless it is ticked. Raises Unfit: a cap that is no amount, another version of the text than
    ours, automatic payments that this practice does not offer, a card that may not be enrolled (PAY-6). The
    declaration about the card is the answer given here, and stands in the agreed text as well, where it is asked for.
    """
    if not form.one("autopay"):
        return None
    errors = {}
    not_health = form.one("card_kind") == ORDINARY_CARD
    if not practice.policy.autopay_offered:
        errors["autopay"] = f"{practice.name} does not offer automatic payments. Please take the tick out to go on."
    elif not not_health and not practice.policy.fsa_autopay:
        errors["card_kind"] = (
            "FSA, HSA and HRA cards can pay this bill but cannot be used for automatic payments. "
            "Take the tick out to pay with such a card, or choose a debit or credit card."
        )
    terms = terms_of(practice.policy)
    if form.one("terms") != terms.version:
        errors["autopay"] = "The text about automatic payments has changed. Please read it and continue again."
    cap = None
    try:
        cap = _cap(form.one("cap"))
    except ValueError as e:
        errors["cap"] = str(e)
    if errors:
        raise Unfit(errors)
    ours = {one.invoice_id for one in books.invoices if one.payable}
    return Enrolment(
        text_version=terms.version,
        text_hash=terms.text_hash,
        agreed_at=now,
        ip=ip,
        cap=cap,
        not_fsa=not_health,
        join=tuple(one for one in dict.fromkeys(form.all("join")) if one in ours),
    )


def review_request(form: Form, asks_for: Cents) -> Asked:
    """What the client says their plan told them about a bill that asks for so many cents (INV-7). Raises Unfit."""
    errors = {}
    quoted = _cents(form.one("quoted_amount"))
    if quoted is None or quoted > MOST_CAP:
        errors["quoted_amount"] = "Please write the amount your plan told you in dollars, like 40 or 40.00."
    elif quoted == asks_for:
        errors["quoted_amount"] = (
            f"{dollars(asks_for)} is what this bill asks for. Which amount did your plan tell you?"
        )
    call_reference, words = (" ".join(form.one(name).split()) for name in ("call_reference", "words"))
    if len(call_reference) > MOST_REFERENCE:
        errors["call_reference"] = f"Please write the reference number only, at most {MOST_REFERENCE} characters."
    if len(words) > MOST_WORDS:
        errors["words"] = f"Please say it in at most {MOST_WORDS} characters."
    if errors:
        raise Unfit(errors)
    return Asked(AskedBy.CLIENT, words, quoted, call_reference)


def _cents(text: str) -> Cents | None:
    """ "$1,250.50" -> 125050 cents; None where it is no amount in dollars."""
    whole, point, rest = text.removeprefix("$").strip().replace(",", "").partition(".")
    readable = whole.isascii() and whole.isdigit() and len(whole) <= 9
    readable = readable and (rest.isascii() and rest.isdigit() and len(rest) == 2 if point else True)
    return int(whole) * 100 + int(rest or 0) if readable else None


def _cap(text: str) -> Cents | None:
    """The client's own limit, "" -> None: none. Raises ValueError with what to write."""
    if not text:
        return None
    cap = _cents(text) or 0
    if not STRIPE_MINIMUM <= cap <= MOST_CAP:
        raise ValueError(
            f"Please write an amount in dollars, like 300 or 300.00, from {dollars(STRIPE_MINIMUM)} to "
            f"{dollars(MOST_CAP)}; or leave it empty."
        )
    return cap
