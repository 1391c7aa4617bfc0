"""A mail that came back: its charge does not happen, staff hear of it, and nothing is done twice."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from billing.account import Account, Contact
from billing.facts import Fact, FactKind
from billing.ids import contact_key, facts_pk
from billing.invoice import Invoice, Source
from billing.notice import NoticeKind, Posting
from billing.plan import Instalment, Plan
from billing.policy import Practice
from billing.ports import Conflict, Insert, TryAgain, Update, Write
from edges.mail_tags import to_tag
from functions.receive_mail_events.flow import run
from functions.receive_mail_events.handler import handler
from functions.receive_mail_events.report import Report, Trouble, reports_of
from tests.fakes.stage import Stage, log_lines
from tests.fakes.store import MemoryStore

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
EXAMPLE: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "functions/receive_mail_events/example_event.json").read_text()
)
BOUNCE = Report(Trouble.BOUNCED, "elm_street", "ana", "notice_1", "0100017a-message", frozenset({"ana@example.com"}))
INVOICE = Invoice(
    practice="elm_street",
    client="ana",
    invoice_id="inv_1",
    version=1,
    source=Source.CLAIM,
    source_id="claim_1",
    ordinal=0,
    amount=62_50,
    issued_at=NOON - timedelta(hours=1),
    service_date=date(2026, 10, 30),
    notice_id="notice_1",
    notice_at=NOON,
    card_id="card_1",
    charge_at=NOON + timedelta(hours=48),
)
POSTING = Posting("elm_street", "ana", "notice_1", 1, NoticeKind.CHARGE_NOTICE, NOON, invoice_ids=("inv_1",))
SENT = Fact("elm_street", "ana", POSTING.key.sk, 1, FactKind.NOTICE_SENT, NOON, "system", "notice_1")


def world(*more: Invoice) -> tuple[Write, ...]:
    """A client whose charge was announced by a mail that SES took."""
    return (
        Insert(Practice("elm_street", 1, "Elm Street", "America/Denver", "+13035550100", "desk@elm.example")),
        Insert(Account("elm_street", "ana", 1, autopay=True, default_card="card_1")),
        Insert(Contact("elm_street", "ana", 1, "Ana", "Ana@example.com", "+13035550111")),
        Insert(POSTING),
        Insert(SENT),
        *map(Insert, more or (INVOICE,)),
    )


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.commit(*world())
    made.stream.clear()
    return made


def invoice_in(store: MemoryStore, invoice_id: str = "inv_1") -> Invoice:
    row = store.get(replace(INVOICE, invoice_id=invoice_id).key)
    assert isinstance(row, Invoice)
    return row


def contact_in(store: MemoryStore) -> Contact:
    row = store.get(contact_key("elm_street", "ana"))
    assert isinstance(row, Contact)
    return row


def kinds(store: MemoryStore) -> list[str]:
    return [row.kind for row in store.stream if isinstance(row, Fact)]


@pytest.mark.parametrize("trouble", [Trouble.BOUNCED, Trouble.COMPLAINT, Trouble.REJECTED])
def test_a_mail_that_came_back_cancels_the_charge_it_announced(store: MemoryStore, trouble: Trouble) -> None:
    """AUTO-3."""
    assert run(replace(BOUNCE, trouble=trouble), store=store, now=NOON) is True
    cancelled = invoice_in(store)
    assert cancelled.charge_at is None
    assert cancelled.version == 2
    assert cancelled.remind_at is not None
    assert cancelled.remind_at > NOON


def test_the_facts_tell_staff_and_name_why_the_charge_did_not_happen(store: MemoryStore) -> None:
    """AUTO-9."""
    run(BOUNCE, store=store, now=NOON)
    bounced, cancelled = sorted((f for f in store.stream if isinstance(f, Fact)), key=lambda f: f.kind, reverse=True)
    assert (bounced.kind, bounced.item, bounced.version) == (FactKind.NOTICE_BOUNCED, POSTING.key.sk, 1)
    assert bounced.data == {"notice": "charge_notice", "bounce": "bounced", "message_id": "0100017a-message"}
    assert (cancelled.kind, cancelled.data["reason"]) == (FactKind.CHARGE_CANCELLED, "notice_bounced")


def test_a_plan_whose_schedule_came_back_has_announced_nothing() -> None:
    """PLAN-5, AUTO-3: its instalments then need a notice of their own."""
    schedule = replace(POSTING, notice=NoticeKind.PLAN_SCHEDULE, invoice_ids=())
    weekly = Instalment(62_50, date(2026, 11, 27))
    plan = Plan("elm_street", "ana", "plan_1", 1, 4, NOON, (), (weekly,) * 4, notice_at=NOON)
    store = MemoryStore()
    store.commit(
        Insert(Practice("elm_street", 1, "Elm Street", "America/Denver", "+13035550100", "desk@elm.example")),
        Insert(Account("elm_street", "ana", 1, autopay=True, default_card="card_1", active_plan="plan_1")),
        Insert(Contact("elm_street", "ana", 1, "Ana", "Ana@example.com", "+13035550111")),
        *(Insert(row) for row in (schedule, SENT, plan)),
    )
    assert run(BOUNCE, store=store, now=NOON)
    stored = store.get(plan.key)
    assert isinstance(stored, Plan)
    assert (stored.notice_at, stored.version) == (None, 2)


def test_a_permanent_bounce_marks_the_address(store: MemoryStore) -> None:
    run(BOUNCE, store=store, now=NOON)
    assert contact_in(store).mail_bounces is True


def test_a_complaint_or_somebody_elses_address_does_not_mark_it(store: MemoryStore) -> None:
    run(replace(BOUNCE, trouble=Trouble.COMPLAINT), store=store, now=NOON)
    assert contact_in(store).mail_bounces is False
    other = MemoryStore()
    other.commit(*world())
    run(replace(BOUNCE, recipients=frozenset({"desk@elm.example"})), store=other, now=NOON)
    assert contact_in(other).mail_bounces is False


def test_the_same_report_again_changes_nothing(store: MemoryStore) -> None:
    run(BOUNCE, store=store, now=NOON)
    commits = store.commits
    assert run(BOUNCE, store=store, now=NOON + timedelta(hours=1)) is False
    assert run(replace(BOUNCE, trouble=Trouble.COMPLAINT), store=store, now=NOON) is False
    assert store.commits == commits


def test_a_bounce_for_now_is_left_to_ses(store: MemoryStore) -> None:
    assert run(replace(BOUNCE, trouble=Trouble.BOUNCED_FOR_NOW), store=store, now=NOON) is False
    assert invoice_in(store).charge_at is not None


def test_a_mail_of_another_copy_is_left_alone(store: MemoryStore) -> None:
    assert run(replace(BOUNCE, notice_id="notice_9"), store=store, now=NOON) is False


def test_charges_of_other_mails_and_charges_already_sent_stay() -> None:
    store = MemoryStore()
    elsewhere = replace(INVOICE, invoice_id="inv_2", notice_id="notice_2")
    fired = replace(INVOICE, invoice_id="inv_4", charge_at=None)
    store.commit(*world(elsewhere, fired))
    run(BOUNCE, store=store, now=NOON)
    assert [invoice_in(store, i.invoice_id) for i in (elsewhere, fired)] == [elsewhere, fired]


def test_a_charge_that_is_being_sent_keeps_its_attempt_and_loses_its_notice() -> None:
    """AUTO-3: so that nothing is tried again if it fails."""
    store = MemoryStore()
    on_its_way = replace(INVOICE, invoice_id="inv_3", open_attempt=1, charge_at=None)
    store.commit(*world(on_its_way))
    run(BOUNCE, store=store, now=NOON)
    after = invoice_in(store, "inv_3")
    assert after == replace(on_its_way, notice_at=None, version=on_its_way.version + 1)


def test_an_open_page_does_not_keep_the_charge_of_a_bounced_notice() -> None:
    store = MemoryStore()
    page_open = replace(INVOICE, invoice_id="inv_3", open_attempt=1)
    store.commit(*world(page_open))
    run(BOUNCE, store=store, now=NOON)
    after = invoice_in(store, "inv_3")
    assert (after.charge_at, after.open_attempt) == (None, 1)


def test_a_bounce_that_overtakes_the_note_that_the_mail_was_sent_waits_for_it() -> None:
    """Else the charge would be scheduled after it was cancelled."""
    store = MemoryStore()
    store.commit(*(write for write in world() if write != Insert(SENT)))
    with pytest.raises(TryAgain, match="before it was noted as sent"):
        run(BOUNCE, store=store, now=NOON)
    store.commit(Insert(SENT))
    assert run(BOUNCE, store=store, now=NOON) is True


def test_a_mail_that_nobody_will_note_as_sent_any_more_still_bounces() -> None:
    """Its worker died after sending, and the repetition had nothing left to say: the bounce must not wait for ever."""
    store = MemoryStore()
    store.commit(*(write for write in world() if write != Insert(SENT)))
    assert run(BOUNCE, store=store, now=NOON + timedelta(minutes=31)) is True


class Racing(MemoryStore):
    """Another writer changes the invoice between reading and writing, so many times."""

    def __init__(self, races: int) -> None:
        super().__init__()
        self.races = races

    def commit(self, *writes: Write) -> None:
        if self.races and any(isinstance(w, Update) for w in writes):
            self.races -= 1
            raise Conflict("another writer was first")
        super().commit(*writes)


def test_a_lost_race_is_decided_anew() -> None:
    store = Racing(races=2)
    store.commit(*world())
    assert run(BOUNCE, store=store, now=NOON) is True
    assert invoice_in(store).charge_at is None


def test_an_account_that_never_stands_still_is_left_to_sns_to_repeat() -> None:
    store = Racing(races=100)
    store.commit(*world())
    with pytest.raises(TryAgain, match="changes too fast"):
        run(BOUNCE, store=store, now=NOON)


# --------------------------------------------------------------------------------------------------- what SES says


def told(**changes: Any) -> dict[str, Any]:
    """The example's report with changes."""
    message = json.loads(EXAMPLE["Records"][0]["Sns"]["Message"]) | changes
    return {"Records": [{"Sns": {"Message": json.dumps(message)}}]}


def test_the_example_is_a_permanent_bounce_of_one_of_our_mails() -> None:
    assert reports_of(EXAMPLE) == [BOUNCE]


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        ({"bounce": {"bounceType": "Transient"}}, Trouble.BOUNCED_FOR_NOW),
        ({"bounce": {"bounceType": "Undetermined"}}, Trouble.BOUNCED_FOR_NOW),
        ({"eventType": "Complaint", "complaint": {"complainedRecipients": []}}, Trouble.COMPLAINT),
        ({"eventType": "Reject", "reject": {"reason": "Bad content"}}, Trouble.REJECTED),
    ],
)
def test_each_kind_of_trouble_is_told_apart(changes: dict[str, Any], trouble: Trouble) -> None:
    (report,) = reports_of(told(**changes))
    assert report is not None
    assert report.trouble is trouble


@pytest.mark.parametrize(
    "changes",
    [{"eventType": "Delivery"}, {"eventType": None}, {"mail": {}}, {"mail": {"tags": {"practice": ["elm"]}}}],
)
def test_what_is_no_trouble_or_no_mail_of_ours_is_no_report(changes: dict[str, Any]) -> None:
    assert reports_of(told(**changes)) == [None]


def test_the_function_notes_the_example_and_logs_no_address(stage: Stage, capsys: pytest.CaptureFixture[str]) -> None:
    """LAW-1."""
    stage.store.commit(*world())
    handler(EXAMPLE, None)
    handler(told(eventType="Delivery"), None)
    stored = stage.store.get(INVOICE.key)
    assert isinstance(stored, Invoice)
    assert stored.charge_at is None
    facts = stage.store.partition(facts_pk("elm_street", "ana"), "FACT#NOTICE")
    assert {f.kind for f in facts if isinstance(f, Fact)} == {FactKind.NOTICE_SENT, FactKind.NOTICE_BOUNCED}
    printed = capsys.readouterr().out
    assert [line["message"] for line in log_lines(printed)] == ["mail report", "mail report about no mail of ours"]
    assert "example.com" not in printed.lower()


def test_a_report_that_cannot_be_noted_yet_is_raised_for_sns_to_repeat(
    stage: Stage, capsys: pytest.CaptureFixture[str]
) -> None:
    stage.store.commit(*(write for write in world() if write != Insert(SENT)))
    with pytest.raises(TryAgain):
        handler(EXAMPLE, None)
    (line,) = log_lines(capsys.readouterr().out)
    assert (line["level"], line["error"]) == ("WARNING", "TryAgain")


def test_tags_carry_any_id_there_and_back() -> None:
    for text in ("ana", "elm_street", "a#b/ü_-.", ""):
        message = told(mail={"tags": {name: [to_tag(text)] for name in ("practice", "client", "notice")}})
        (report,) = reports_of(message)
        assert report is not None
        assert report.practice == text
