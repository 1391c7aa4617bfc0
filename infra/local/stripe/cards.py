"""Stripe's public test cards, and what their issuers say.

Source: docs.stripe.com/testing and docs.stripe.com/declines/codes. One number is our own, because Stripe has no
public test card for it: 4000 7770 0000 0005, a debit Visa of a health savings account, told by its
`card.description`. A number that passes its check digit and is no test card is refused as in test mode: a live card
has no business here.
"""

import hashlib
from dataclasses import dataclass
from typing import Literal

from infra.local.stripe.errors import ApiError, Json


@dataclass(frozen=True, slots=True)
class Decline:
    """Why an issuer refused. `advice`: what Stripe suggests to do next; `retry` lives in our own decline table."""

    code: str
    decline_code: str
    message: str
    advice: str | None = None
    network_code: str | None = None
    param: str | None = None


_PLAIN = "Your card was declined."
DECLINES: dict[str, Decline] = {
    "generic_decline": Decline("card_declined", "generic_decline", _PLAIN, "try_again_later", "01"),
    "insufficient_funds": Decline(
        "card_declined", "insufficient_funds", "Your card has insufficient funds.", "try_again_later", "51"
    ),
    "lost_card": Decline("card_declined", "lost_card", _PLAIN, "do_not_try_again", "41"),
    "stolen_card": Decline("card_declined", "stolen_card", _PLAIN, "do_not_try_again", "43"),
    "do_not_honor": Decline("card_declined", "do_not_honor", _PLAIN, "try_again_later", "05"),
    "card_velocity_exceeded": Decline(
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for making repeated attempts too frequently or exceeding its amount limit.",
        "try_again_later",
        "61",
    ),
    "revocation_of_authorization": Decline(
        "card_declined", "revocation_of_authorization", _PLAIN, "do_not_try_again", "R1"
    ),
    "expired_card": Decline(
        "expired_card", "expired_card", "Your card has expired.", "confirm_card_data", "54", "exp_month"
    ),
    "incorrect_cvc": Decline(
        "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "confirm_card_data", "N7", "cvc"
    ),
    "processing_error": Decline(
        "processing_error",
        "processing_error",
        "An error occurred while processing your card. Try again in a little bit.",
        "try_again_later",
        "96",
    ),
    "authentication_required": Decline(
        "authentication_required",
        "authentication_required",
        "Your card was declined. This transaction requires authentication.",
        "try_again_later",
        "1A",
    ),
}
BEHAVIOURS = ("ok", *DECLINES)
"""What `_test/cards` can make of a card."""

Authentication = Literal["never", "unless_set_up", "always"]
RefundFate = Literal["succeeds", "fails_later", "succeeds_later"]


@dataclass(frozen=True, slots=True)
class TestCard:
    """A test number. `charge`, `save`: a behaviour, when it is charged and when it is attached or set up."""

    __test__ = False  # pytest: the name says what Stripe calls it

    number: str
    brand: str = "visa"
    funding: str = "credit"
    charge: str = "ok"
    save: str = "ok"
    authentication: Authentication = "never"
    disputed: str | None = None
    refund: RefundFate = "succeeds"
    country: str = "US"
    description: str | None = None

    @property
    def fingerprint(self) -> str:
        """The same for every object made of this number."""
        return hashlib.blake2b(self.number.encode(), digest_size=8).hexdigest()


def _declines(number: str, behaviour: str) -> TestCard:
    return TestCard(number, charge=behaviour, save=behaviour)


CARDS: dict[str, TestCard] = {
    card.number: card
    for card in (
        TestCard("4242424242424242"),
        TestCard("4000056655665556", funding="debit"),
        TestCard("5555555555554444", "mastercard"),
        TestCard("5200828282828210", "mastercard", "debit"),
        TestCard("5105105105105100", "mastercard", "prepaid"),
        TestCard("378282246310005", "amex"),
        TestCard("6011111111111117", "discover"),
        TestCard("4000777000000005", funding="debit", description="Visa Debit Health Savings Account (HSA)"),
        _declines("4000000000000002", "generic_decline"),
        _declines("4000000000009995", "insufficient_funds"),
        _declines("4000000000009987", "lost_card"),
        _declines("4000000000009979", "stolen_card"),
        _declines("4000000000000069", "expired_card"),
        _declines("4000000000000127", "incorrect_cvc"),
        _declines("4000000000000119", "processing_error"),
        _declines("4000000000006975", "card_velocity_exceeded"),
        TestCard("4000000000000341", charge="generic_decline"),
        TestCard("4000002500003155", authentication="unless_set_up"),
        TestCard("4000002760003184", authentication="always"),
        TestCard("4000008260003178", charge="insufficient_funds", authentication="always"),
        TestCard("4000000000000259", disputed="fraudulent"),
        TestCard("4000000000002685", disputed="product_not_received"),
        TestCard("4000000000005126", refund="fails_later"),
        TestCard("4000000000007726", refund="succeeds_later"),
    )
}

_NAMES = {
    "visa": "4242424242424242",
    "visa_debit": "4000056655665556",
    "mastercard": "5555555555554444",
    "mastercard_debit": "5200828282828210",
    "mastercard_prepaid": "5105105105105100",
    "amex": "378282246310005",
    "discover": "6011111111111117",
    "chargeCustomerFail": "4000000000000341",
    "authenticationRequiredOnSetup": "4000002500003155",
    "authenticationRequired": "4000002760003184",
    "createDispute": "4000000000000259",
    "refundFail": "4000000000005126",
    "visa_chargeDeclined": "4000000000000002",
    "visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "visa_chargeDeclinedLostCard": "4000000000009987",
    "visa_chargeDeclinedStolenCard": "4000000000009979",
    "visa_chargeDeclinedExpiredCard": "4000000000000069",
    "visa_chargeDeclinedIncorrectCvc": "4000000000000127",
    "visa_chargeDeclinedProcessingError": "4000000000000119",
}
TOKENS = {f"tok_{name}": CARDS[number] for name, number in _NAMES.items()}
"""`tok_visa` and its kin, for `card[token]`."""
NAMED_METHODS = {f"pm_card_{name}": CARDS[number] for name, number in _NAMES.items()}
"""`pm_card_visa` and its kin: each use makes a fresh payment method."""


@dataclass(frozen=True, slots=True)
class CardEntry:
    """What a person types on the hosted page, or a test sends as a raw card."""

    number: str
    exp_month: int
    exp_year: int
    cvc: str | None


def read_card(entry: CardEntry, year: int, month: int) -> TestCard:
    """The test card of an entry made in that year and month. Errors: 402 `card_error` with `code` and `param`."""
    number = entry.number.replace(" ", "").replace("-", "")
    if not (number.isdecimal() and 12 <= len(number) <= 19 and _check_digit_fits(number)):
        raise _card_error("incorrect_number", "Your card number is incorrect.", "number")
    if not 1 <= entry.exp_month <= 12:
        raise _card_error("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    if not year <= entry.exp_year <= year + 50:
        raise _card_error("invalid_expiry_year", "Your card's expiration year is invalid.", "exp_year")
    if (entry.exp_year, entry.exp_month) < (year, month):
        raise _card_error("invalid_expiry_month", "Your card's expiration month is invalid.", "exp_month")
    card = CARDS.get(number)
    if card is None:
        sentence = "Your card was declined. Your request was in test mode, but used a non test (live) card."
        raise _card_error("card_declined", sentence, "number", decline_code="test_mode_live_card")
    digits = 4 if card.brand == "amex" else 3
    if entry.cvc is not None and not (entry.cvc.isdecimal() and len(entry.cvc) == digits):
        raise _card_error("invalid_cvc", "Your card's security code is invalid.", "cvc")
    return card


def card_object(card: TestCard, exp_month: int, exp_year: int, *, cvc_given: bool) -> Json:
    """The `card` of a payment method."""
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "pass" if cvc_given else None,
        },
        "country": card.country,
        "description": card.description,
        "display_brand": "american_express" if card.brand == "amex" else card.brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _card_error(code: str, message: str, param: str, decline_code: str | None = None) -> ApiError:
    return ApiError(402, "card_error", message, code=code, param=param, decline_code=decline_code)


def _check_digit_fits(number: str) -> bool:
    """Luhn, ISO/IEC 7812-1 annex B."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0
