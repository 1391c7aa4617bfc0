"""What each policy of a practice does, in a sentence for whoever has to choose (DESK-6), what may be chosen, and the
rules it comes from. One table: the API shows it, its refusals are made of it, and docs/policies.md is held to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Guide:
    """`allowed` completes "must be …"; `rules` are those of rules.md."""

    rules: tuple[str, ...]
    does: str
    allowed: str


GUIDE: Final[Mapping[str, Guide]] = {
    "amount_source": Guide(
        ("INV-2",),
        "Whether an insured session is billed when its claim result arrives (adjudicated), or before, from the latest "
        "eligibility check, and trued up later (estimate).",
        "adjudicated or estimate",
    ),
    "overpayment": Guide(
        ("INV-3",),
        "Whether money that a later claim result shows to be too much goes back to the card that paid (refund), or is "
        "kept for what is open (credit).",
        "refund or credit",
    ),
    "eap_programmes": Guide(
        ("INV-5",),
        "The employee-assistance programmes whose covered sessions cost the client nothing; a session of any other is "
        "refused.",
        "up to 40 names, each once, of at most 80 characters",
    ),
    "autopay_delay": Guide(
        ("AUTO-3",),
        "When an announced charge happens: 48 hours after its notice, 24 hours after the invoice, or at 02:00 of the "
        "next night at the practice; never before the notice is old enough.",
        "48h_after_notice, 24h_after_invoice or overnight",
    ),
    "autopay_offered": Guide(
        ("AUTO-1",),
        "Whether clients may enrol a card in autopay; who is enrolled stays so.",
        "true or false",
    ),
    "minimum_notice_hours": Guide(
        ("AUTO-3",),
        "How many hours old an accepted notice is at least before its charge, whatever autopay_delay says.",
        "4 to 336",
    ),
    "retry_days": Guide(
        ("AUTO-7",),
        "How many days after the first try a charge that the bank softly declined is tried again; none means never.",
        "up to 12 days from 1 to 30, in rising order, each once",
    ),
    "fsa_autopay": Guide(
        ("PAY-6",),
        "Whether FSA, HSA and HRA cards may be enrolled in autopay; they can always pay a bill.",
        "true or false",
    ),
    "default_cap": Guide(
        ("AUTO-2",),
        "The most that one charge may take without a click, in cents, of clients who chose no limit of their own.",
        "0 to 100000000 cents",
    ),
    "payment_window_days": Guide(
        ("INV-8",),
        "How many days after its issue an unpaid invoice is past due, and staff are told.",
        "1 to 365",
    ),
    "reminder_days": Guide(
        ("INV-9",),
        "How many days after its issue a client is reminded of an unpaid invoice, all open ones in one mail.",
        "up to 12 days from 1 to 365, in rising order, each once",
    ),
    "accept_test_files": Guide(
        ("INV-1",),
        "Whether claim results of files marked as test are billed like others, or held.",
        "true or false",
    ),
    "bill_reviewable": Guide(
        ("INV-1",),
        "Whether amounts whose reason calls for a second look are billed at once, or held for a person.",
        "true or false",
    ),
    "outside_payments": Guide(
        ("INV-10",),
        "Whether staff may record money that was collected outside, which stops reminders and charges at once.",
        "refused or recorded",
    ),
    "card_required": Guide(
        ("AUTO-11",),
        "Whether a client needs a card on file before booking; never asked of clients in New York and Connecticut.",
        "true or false",
    ),
    "plan_absorbs_new": Guide(
        ("PLAN-6",),
        "Whether a later balance may be spread over the instalments that remain of a plan, with new consent.",
        "true or false",
    ),
    "til_disclosure": Guide(
        ("PLAN-10",),
        "Which Truth-in-Lending text is shown and accepted before a plan of six weeks: our standard text, the "
        "practice's own (til_text), or off, and then only plans of 2 and 4 weeks are offered.",
        "standard, own or off",
    ),
    "til_text": Guide(
        ("PLAN-10",),
        "The practice's own Truth-in-Lending text, where til_disclosure is own.",
        "up to 4000 characters of plain text",
    ),
}
"""Policy -> its guide. Complete: a test goes through every field of Policy."""
