"""After all other stories: what they left in mailboxes, at Stripe and in queues. Runs last; true on its own as well."""

import json
import re

import pytest

from tests.e2e.audit import audit
from tests.e2e.decisions import Decision
from tests.e2e.kindbill import Client, Kindbill

pytestmark = pytest.mark.afterwards

PROCEDURES = re.compile(r"\b(9\d{4}|[A-Z]\d{4})\b")
HEALTH_WORDS = re.compile(
    r"therap(y|ist) session|diagnos|psycho|depress|anxiety|treatment|session with|visit on|date of service|procedure|"
    r"Dr\. Maya|Maya Chen|Sam Lee",
    re.IGNORECASE,
)
OPAQUE = re.compile(r"[A-Za-z0-9_.:-]{1,80}")


@pytest.fixture
def somebody(kindbill: Kindbill) -> Client:
    """Whoever runs this alone has a story to look at, too."""
    client = kindbill.new_client("private")
    client.save_card()
    claim = client.claim(
        212_50,
        lines=[
            {
                "procedure": "90837",
                "modifiers": ["95"],
                "units": 1,
                "service_date": "2026-09-14",
                "charged": 212_50,
                "diagnoses": ["F33.1"],
            }
        ],
    )
    kindbill.decide(Decision(claim, 212_50, 62_50, procedure="90837", service_date="2026-09-14"))
    kindbill.forward("48h")
    assert client.taken() == [62_50]
    return client


def test_no_mail_says_what_the_money_was_for(kindbill: Kindbill, somebody: Client) -> None:
    """LAW-1: over every mail of the session: no service, no diagnosis, no date of service, nobody's specialty."""
    mails = kindbill.mails()
    assert len(mails) >= 3
    for mail in mails:
        words = f"{mail['subject']}\n{re.sub(r'https?://[^ ]+', '', mail['text'])}"
        said = re.sub(r"Client: \S+|client \S+", "", words)
        assert not HEALTH_WORDS.search(said), mail
        assert not PROCEDURES.search(said), mail
        assert "September 14" not in words
        shown = re.sub(r"<[^>]+>|&[a-z]+;|&#\d+;", " ", re.sub(r"<style.*?</style>", "", mail["html"], flags=re.DOTALL))
        assert not HEALTH_WORDS.search(shown), mail
        assert "<script" not in mail["html"].lower()
        assert not re.search(r"<(img|link|iframe)[^>]+https?:", mail["html"]), "a mail loads nothing from elsewhere"


def test_every_mail_is_known_reachable_and_carries_only_live_links(kindbill: Kindbill, somebody: Client) -> None:
    """Contract, /_local/mail: every mail has its kind and client; links are absolute and at this copy."""
    for mail in kindbill.mails():
        assert mail["kind"], mail["subject"]
        assert mail["client_id"]
        assert "@" in mail["to"]
        assert all(link.startswith((kindbill.base_url, "tel:", "mailto:")) for link in mail["links"]), mail["links"]
        assert "{{" not in mail["text"] + mail["html"]


def test_stripe_knows_only_opaque_ids_and_amounts(kindbill: Kindbill, somebody: Client) -> None:
    """LAW-1: no name, mail, phone, service or date of service in any customer, intent, session or payment method."""
    customers = kindbill.stripe_list("customers")
    assert somebody.client_id in [one["metadata"]["client"] for one in customers]
    for one in customers:
        assert {one.get(name) for name in ("name", "email", "phone", "description", "address")} == {None}
    rows = [
        row
        for path in ("customers", "payment_intents", "setup_intents", "checkout/sessions", "charges")
        for row in kindbill.stripe_list(path)
    ]
    for row in rows:
        assert set(row["metadata"]) <= {"practice", "client", "attempt", "attempt_id", "consent"}
        assert all(OPAQUE.fullmatch(value) for value in row["metadata"].values()), row["metadata"]
        assert not row.get("description")
        assert not row.get("receipt_email")
    said = json.dumps(rows)
    for health in ("90837", "90834", "F33", "2026-09-14", "Example", somebody.phone, somebody.email, "Chen"):
        assert health not in said


def test_everybodys_books_mails_and_charges_agree(kindbill: Kindbill, somebody: Client) -> None:
    """Invariants 1 to 3, 5, 7 and 8 over everybody of the session, by sources that know nothing of each other."""
    audit(kindbill)


def test_no_message_was_given_up_and_nothing_is_on_its_way(kindbill: Kindbill, somebody: Client) -> None:
    """Contract, Local console: [] when there are no dead letters."""
    assert kindbill.post("/_local/settle", {}) == {"quiet": True, "dead_letters": 0}
    assert kindbill.get("/_local/dead-letters") == []
    for verb, depth in kindbill.get("/_local/queues").items():
        assert set(depth.values()) == {0}, verb
