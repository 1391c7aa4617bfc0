"""What practice systems tell and ask, below HTTP: what is kept, what is refused, what the account shows."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.account import Account, Books, Contact
from billing.claim import SubmittedClaim
from billing.claim_state import Hold, ReceivedResult, Submission
from billing.explain import ExplainedLine, Reason
from billing.facts import Message
from billing.gates import Gate
from billing.ids import claim_pk
from billing.invoice import Invoice, Source
from billing.invoice_lines import InvoiceLines
from billing.payment import Attempt, AttemptKind, AttemptState, Card, Part
from billing.plan import Instalment, InstalmentStatus, Plan, PlanStatus
from billing.policy import Practice, Provider
from billing.ports import Conflict, Insert, Record, Refused, Update
from edges import views
from functions.issue_invoice import flow as issue_invoice
from functions.serve_practice import flow
from functions.serve_practice.holds import open_holds
from tests.billing.claim_examples import OWES_62_50, SUBMITTED
from tests.fakes.store import MemoryStore

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
PACIFIC = "America/Los_Angeles"
WILLOW = Practice("willow", 1, "Willow Practice", PACIFIC, "+14155550100", "desk@willow.example")
ANA = Contact("willow", "ana", 1, "Ana Reyes", "ana@example.com", "+14155550134", "CA")


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.commit(Insert(WILLOW))
    return made


def claim(claim_id: str = "KB1", client: str = "ana", charged: int = 15000) -> Submission:
    submitted = SubmittedClaim(claim_id, client, "dr-lee", "87726", "", charged, date(2026, 10, 30), "", ())
    return Submission("willow", submitted, NOW)


def test_a_new_client_gets_an_empty_account_in_the_same_commit(store: MemoryStore) -> None:
    before = store.commits
    client, new = flow.put_client(store, ANA, "dr-lee")
    assert new
    assert store.commits == before + 1
    books = Books.expect(store, "willow", "ana")
    assert (books.balance, books.account.provider) == (0, "dr-lee")
    assert (store.get(ANA.key), client.account) == (ANA, books.account)


def test_the_same_client_again_changes_nothing(store: MemoryStore) -> None:
    flow.put_client(store, ANA, "dr-lee")
    before = store.commits
    client, new = flow.put_client(store, ANA, "dr-lee")
    assert (new, client.contact, store.commits) == (False, ANA, before)


def test_a_new_phone_or_provider_is_taken_and_a_known_bounce_is_kept(store: MemoryStore) -> None:
    flow.put_client(store, ANA, "dr-lee")
    store.commit(Update(replace(ANA, version=2, mail_bounces=True)))
    client, new = flow.put_client(store, replace(ANA, phone="+14155550199"), "dr-kim")
    assert not new
    assert (client.contact.phone, client.contact.mail_bounces, client.contact.version) == ("+14155550199", True, 3)
    assert Books.expect(store, "willow", "ana").account.provider == "dr-kim"


def test_an_email_on_file_is_not_changed_by_the_practice(store: MemoryStore) -> None:
    """PORT-5."""
    flow.put_client(store, ANA, "dr-lee")
    with pytest.raises(Refused) as refusal:
        flow.put_client(store, replace(ANA, email="other@example.com", name="Ana R."), "dr-lee")
    assert (refusal.value.code, refusal.value.rule) == ("email_change_needs_approval", "PORT-5")
    assert store.get(ANA.key) == ANA


def test_the_same_email_in_other_case_is_the_same_email(store: MemoryStore) -> None:
    flow.put_client(store, ANA, "dr-lee")
    client, _ = flow.put_client(store, replace(ANA, email="Ana@Example.com"), "dr-lee")
    assert client.contact == ANA


def test_a_client_needs_a_practice_that_is_set_up() -> None:
    with pytest.raises(Refused) as refusal:
        flow.put_client(MemoryStore(), ANA, "dr-lee")
    assert refusal.value.code == "no_practice"


def test_a_practice_is_created_then_updated_and_keeps_its_policies() -> None:
    store = MemoryStore()
    assert flow.put_practice(store, WILLOW, NOW) == (WILLOW, True)
    flow.change_policies(store, "willow", lambda policy: replace(policy, default_cap=200_00), "key1", NOW)
    renamed, new = flow.put_practice(store, replace(WILLOW, name="Willow & Oak"), NOW)
    assert (new, renamed.name) == (False, "Willow & Oak")
    assert (renamed.policy.default_cap, renamed.policy_version) == (200_00, 2)
    assert flow.put_practice(store, replace(WILLOW, name="Willow & Oak"), NOW)[0].version == renamed.version


def test_a_provider_is_created_then_updated(store: MemoryStore) -> None:
    lee = Provider("willow", "dr-lee", 1, "Dr Lee", "lee@willow.example")
    assert flow.put_provider(store, lee) == (lee, True)
    assert flow.put_provider(store, lee) == (lee, False)
    assert flow.put_provider(store, replace(lee, npi="1234567893"))[0] == replace(lee, npi="1234567893", version=2)


def test_a_submitted_claim_is_a_fact_once(store: MemoryStore) -> None:
    flow.put_client(store, ANA, "dr-lee")
    assert flow.submit_claim(store, claim()) == (claim(), True)
    later = replace(claim(), at=NOW + timedelta(hours=1))
    assert flow.submit_claim(store, later) == (claim(), False)
    assert [getattr(row, "kind", "") for row in store.stream] == ["ClaimSubmitted"]


class ClaimArrivesMeanwhile(MemoryStore):
    """A table on which somebody submits the claim right after it was looked for."""

    def partition(self, pk: str, prefix: str = "") -> list[Record]:
        rows = super().partition(pk, prefix)
        if pk == claim_pk("willow", OWES_62_50.claim_id) and not any(isinstance(row, Submission) for row in rows):
            flow.submit_claim(self, Submission("willow", replace(SUBMITTED, client_id="ana"), NOW))
        return rows


def test_a_claim_submitted_while_its_result_is_judged_does_not_leave_it_on_hold() -> None:
    store = ClaimArrivesMeanwhile()
    store.commit(Insert(WILLOW))
    flow.put_client(store, ANA, "dr-lee")
    received = ReceivedResult("willow", OWES_62_50, "rcp_1", NOW)
    store.commit(Insert(received))
    message = Message(received.kind, received.key)
    with pytest.raises(Conflict):
        issue_invoice.run(message, store=store, now=NOW)
    issue_invoice.run(message, store=store, now=NOW)
    assert open_holds(store, "willow").waiting == ()
    assert Books.expect(store, "willow", "ana").balance == 62_50


def test_a_claim_id_with_other_content_is_refused(store: MemoryStore) -> None:
    flow.put_client(store, ANA, "dr-lee")
    flow.submit_claim(store, claim())
    with pytest.raises(Refused) as refusal:
        flow.submit_claim(store, claim(charged=15001))
    assert (refusal.value.status, refusal.value.code) == (409, "claim_differs")


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: flow.submit_claim(store, claim(client="nobody")),
        lambda store: flow.show_account(store, "willow", "nobody", NOW),
    ],
    ids=["claim", "account"],
)
def test_an_unknown_client_is_not_found(store: MemoryStore, ask) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Refused) as refusal:
        ask(store)
    assert (refusal.value.status, refusal.value.code) == (404, "unknown_client")


def test_holds_of_one_practice_are_not_shown_to_another(store: MemoryStore) -> None:
    held = Hold("willow", "h1", "KB1", "ICN1", "r1", Gate.UNMATCHED_CLAIM, NOW, 1500)
    store.commit(Insert(held), Insert(replace(held, practice="oak", hold_id="h2")))
    assert [one.hold for one in open_holds(store, "willow").waiting] == [held]


# The account's view


def invoice(invoice_id: str, amount: int = 62_50, **given: object) -> Invoice:
    start = Invoice(
        "willow", "ana", invoice_id, 1, Source.CLAIM, invoice_id, 0, amount, NOW, date(2026, 10, 30), "dr-lee"
    )
    return replace(start, **given)  # type: ignore[arg-type]


VISA = Card("willow", "ana", "card1", 1, "pm_1", "visa", "4242", 12, 2030, "credit")


def books(*invoices: Invoice, plans: tuple[Plan, ...] = (), attempts: tuple[Attempt, ...] = ()) -> Books:
    account = Account("willow", "ana", 1, autopay=True, default_card="card1", cap=100_00)
    return Books(account, (VISA,), invoices, attempts, plans)


def test_an_account_shows_each_invoice_with_where_its_cents_went() -> None:
    """INV-6."""
    copay = Reason("PR", "3", 15_00, "This is your copay.", "copay")
    line = ExplainedLine("90834", date(2026, 10, 30), 150_00, 45_00, 90_00, 0, 0, 15_00, 0, 15_00, (copay,))
    lines = InvoiceLines("willow", "ana", "inv1", (line,))
    shown = views.client_account(books(invoice("inv1", 15_00)), [lines], PACIFIC, can_book=True)
    assert shown["invoices"] == [
        {
            "invoice_id": "inv1",
            "amount": 15_00,
            "open_amount": 15_00,
            "status": "open",
            "issued_at": "2026-11-20T15:00:00Z",
            "lines": [
                {
                    "procedure": "90834",
                    "service_date": "2026-10-30",
                    "billed": 150_00,
                    "plan_discount": 45_00,
                    "insurance_paid": 90_00,
                    "deductible": 0,
                    "coinsurance": 0,
                    "copay": 15_00,
                    "not_covered": 0,
                    "you_owe": 15_00,
                    "reasons": [
                        {
                            "group": "PR",
                            "code": "3",
                            "sentence": "This is your copay.",
                            "amount": 15_00,
                            "column": "copay",
                        }
                    ],
                }
            ],
        }
    ]
    assert (shown["balance"], shown["credit"], shown["can_book"], shown["plan"]) == (15_00, 0, True, None)
    card = {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030}
    assert shown["autopay"] == {"on": True, "card": card, "cap": 100_00}


def test_announced_charges_of_one_moment_are_shown_as_one() -> None:
    """AUTO-9, AUTO-10."""
    at, later = NOW + timedelta(hours=48), NOW + timedelta(hours=60)
    shown = views.client_account(
        books(
            invoice("inv1", 20_00, charge_at=later),
            invoice("inv2", 10_00, charge_at=at),
            invoice("inv3", 5_00, charge_at=at),
            invoice("inv4", 7_00),
            invoice("inv5", 7_00, charge_at=at, reviews=("hold_1",)),
        ),
        [],
        PACIFIC,
        can_book=True,
    )
    assert shown["upcoming_charges"] == [
        {"at": "2026-11-22T15:00:00Z", "amount": 15_00, "invoice_ids": ["inv2", "inv3"], "reason": "autopay"},
        {"at": "2026-11-23T03:00:00Z", "amount": 20_00, "invoice_ids": ["inv1"], "reason": "autopay"},
    ]


def plan(status: PlanStatus = PlanStatus.ACTIVE, plan_id: str = "plan1", created_at: datetime = NOW) -> Plan:
    parts = (
        Instalment(62_50, date(2026, 11, 20), InstalmentStatus.SCHEDULED, "inst1"),
        Instalment(62_50, date(2026, 11, 27)),
    )
    return Plan("willow", "ana", plan_id, 1, 2, created_at, (Part("inv1", 125_00),), parts, status)


def test_a_plan_shows_its_instalments_and_those_to_come_as_charges() -> None:
    """PLAN-5: issued at 09:00 in the practice's zone, charged 12 h later."""
    issued = invoice("inst1", 62_50, source=Source.PLAN, charge_at=NOW + timedelta(hours=12), plan_id="plan1")
    shown = views.client_account(books(issued, plans=(plan(),)), [], PACIFIC, can_book=True)
    assert shown["balance"] == 125_00
    assert shown["plan"] == {
        "plan_id": "plan1",
        "weeks": 2,
        "status": "active",
        "instalments": [
            {"amount": 62_50, "issue_on": "2026-11-20", "status": "scheduled", "invoice_id": "inst1"},
            {"amount": 62_50, "issue_on": "2026-11-27", "status": "planned", "invoice_id": None},
        ],
    }
    assert shown["upcoming_charges"] == [
        {"at": "2026-11-21T03:00:00Z", "amount": 62_50, "invoice_ids": ["inst1"], "reason": "plan_instalment"},
        {"at": "2026-11-28T05:00:00Z", "amount": 62_50, "invoice_ids": [], "reason": "plan_instalment"},
    ]


def test_the_active_plan_is_shown_before_a_later_ended_one_and_the_latest_otherwise() -> None:
    active, ended = plan(), plan(PlanStatus.BROKEN, "plan2", NOW + timedelta(days=1))
    first = views.client_account(books(plans=(active, ended)), [], PACIFIC, can_book=True)["plan"]
    older = replace(ended, plan_id="plan0", created_at=NOW - timedelta(days=9))
    second = views.client_account(books(plans=(older, ended)), [], PACIFIC, can_book=True)["plan"]
    assert first is not None
    assert second is not None
    assert (first["plan_id"], second["plan_id"]) == ("plan1", "plan2")


def attempt(number: int, card_id: str, **given: object) -> Attempt:
    start = Attempt(
        "willow", "ana", number, 1, AttemptKind.AUTOPAY, (Part("inv1", 62_50),), "cus_1", "pm_1", card_id, NOW
    )
    return replace(start, **given)  # type: ignore[arg-type]


def test_payments_are_what_arrived_with_the_card_that_paid() -> None:
    posted = {"state": AttemptState.POSTED}
    shown = views.client_account(
        books(
            attempts=(
                attempt(1, "card1", posted_at=NOW, **posted),
                attempt(2, "card1", state=AttemptState.FAILED),
                attempt(3, "", posted_at=NOW + timedelta(days=1), card_shown="Mastercard ending 4444", **posted),
                attempt(4, "card1", channel=AttemptKind.SETUP, posted_at=NOW, **posted),
            )
        ),
        [],
        PACIFIC,
        can_book=True,
    )["payments"]
    assert [(p["at"], p["amount"], p["invoice_ids"], p["refunded"]) for p in shown] == [
        ("2026-11-21T15:00:00Z", 62_50, ["inv1"], 0),
        ("2026-11-20T15:00:00Z", 62_50, ["inv1"], 0),
    ]
    assert [p["card"] for p in shown] == [
        {"brand": "mastercard", "last4": "4444", "exp_month": None, "exp_year": None},
        {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2030},
    ]
