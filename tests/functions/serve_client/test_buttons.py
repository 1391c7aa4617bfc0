"""What the buttons of the pay page do (PAY-3, PAY-4, PAY-6, PAY-8, PAY-10, AUTO-1, AUTO-2, AUTO-5, LAW-7)."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from billing.account import Consent
from billing.autopay import CONSENT_HASH, CONSENT_VERSION
from billing.facts import Fact, FactKind
from billing.invoice import Status
from billing.payment import AttemptKind, AttemptState
from billing.policy import Policy
from billing.ports import Insert, Refused, Write
from functions.serve_client.door import Answer, Page, SeeOther
from functions.serve_client.flow import done, pay, set_up, start_setup, stop, turn_autopay_off
from functions.serve_client.view import autopay_view
from tests.fakes.store import MemoryStore
from tests.functions.serve_client.world import (
    BASE,
    CLIENT,
    NOW,
    ORIGIN,
    PRACTICE,
    SAVED_VISA,
    World,
    a_world,
    form,
    three_bills,
    visa,
    visit,
)

AGREES = {"autopay": "on", "terms": CONSENT_VERSION, "card_kind": "ordinary"}
CHARGE_AT = datetime(2026, 11, 24, 17, 0, tzinfo=UTC)


def page(answer: Answer) -> Page:
    assert isinstance(answer, Page), answer
    return answer


def announced() -> World:
    """Autopay is on and inv_1 is announced to be charged on Tuesday."""
    world = a_world()
    world.put(SAVED_VISA)
    world.change(world.account, autopay=True, default_card="card_visa")
    world.bill(1, charge_at=CHARGE_AT, card_id="card_visa", notice_at=NOW - timedelta(days=1))
    world.signed_in()
    return world


def kinds(world: World) -> list[str]:
    return [record.kind for record in world.store.stream if isinstance(record, Fact)]


# ------------------------------------------------------------------------------------------------------------ paying


def test_pay_4_a_button_opens_the_hosted_page_for_the_whole_invoice() -> None:
    world = three_bills()
    answer = pay(world.store, world.cards, visit(), form(invoice="inv_2"))
    assert answer == SeeOther(world.attempt(1).session_url)
    attempt = world.attempt()
    assert (attempt.amount, [p.invoice_id for p in attempt.parts]) == (12500, ["inv_2"])
    assert attempt.session_url.startswith("https://pay.example/cs_pay_")
    assert (attempt.customer, attempt.enrolment) == ("cus_client_8841", None)
    assert attempt.expires_at == NOW + timedelta(minutes=30)
    assert world.cards.returns == [f"{ORIGIN}{BASE}/done?attempt=1", f"{ORIGIN}{BASE}"]
    assert world.account.stripe_customer == "cus_client_8841"


def test_pay_3_pay_all_is_one_payment_of_everything() -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="all"))
    attempt = world.attempt()
    assert attempt.amount == 25000
    world.pays()
    assert world.books.balance == 0


def test_the_attempt_is_on_disk_before_stripe_hears_of_it() -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    (opened,) = world.cards.pages.values()
    assert (opened.attempt.number, opened.attempt.version, opened.attempt.session_id) == (1, 1, "")


def test_a_second_tab_closes_the_page_of_the_first() -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    answer = pay(world.store, world.cards, visit(), form(invoice="all"))
    assert answer == SeeOther(world.attempt(2).session_url)
    first, second = world.attempt(1), world.attempt(2)
    assert first.state is AttemptState.FAILED
    assert second.is_open
    assert {i.open_attempt for i in world.books.invoices} == {2}


def test_auto_5_what_was_paid_in_another_tab_is_not_paid_again() -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    world.cards.pay_on_page(world.attempt().session_id, visa())  # the webhook has not arrived
    with pytest.raises(Refused) as refusal:
        pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    assert refusal.value.code == "nothing_to_pay"
    assert len(world.cards.pages) == 1
    assert world.books.balance == 18750


def test_a_payment_that_is_being_processed_refuses_another() -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    world.cards.pay_on_page(world.attempt().session_id, visa(), processing=True)
    with pytest.raises(Refused) as refusal:
        pay(world.store, world.cards, visit(), form(invoice="all"))
    assert refusal.value.code == "payment_in_progress"


def test_pay_10_a_button_of_an_old_page_finds_online_payments_switched_off() -> None:
    world = three_bills()
    world.change(world.practice, online_payments=False)
    for button in (pay, set_up):
        with pytest.raises(Refused, match="Please call \\(202\\) 555-0143"):
            button(world.store, world.cards, visit(), form(invoice="inv_1"))
    assert not world.cards.pages


def test_an_invoice_of_somebody_else_is_no_bill_of_this_page() -> None:
    world = three_bills()
    with pytest.raises(Refused) as refusal:
        pay(world.store, world.cards, visit(), form(invoice="inv_other"))
    assert refusal.value.status == 404


def test_inv_11_amounts_below_stripes_minimum_are_refused() -> None:
    world = a_world()
    world.bill(1, 49)
    world.signed_in()
    with pytest.raises(Refused) as refusal:
        pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    assert refusal.value.code == "below_minimum"


BUTTONS: dict[str, Callable[..., Answer]] = {
    "pay": lambda world, sent, at: pay(world.store, world.cards, at, sent),
    "setup": lambda world, sent, at: set_up(world.store, world.cards, at, sent),
    "stop": lambda world, sent, at: stop(world.store, world.cards, at, sent),
    "autopay-off": lambda world, sent, at: turn_autopay_off(world.store, at, sent),
}


@pytest.mark.parametrize("button", BUTTONS)
def test_a_form_without_the_sessions_token_does_nothing(button: str) -> None:
    world = announced()
    commits = world.store.commits
    for token in ("", "guess", form("another session").one("csrf")):
        answer = BUTTONS[button](world, form(csrf=[token], invoice="inv_1"), visit())
        assert page(answer).status == 403
    assert world.store.commits == commits


@pytest.mark.parametrize("button", BUTTONS)
def test_a_form_after_the_session_ended_leads_back_to_the_phone_check(button: str) -> None:
    world = announced()
    commits = world.store.commits
    late = visit(now=NOW + timedelta(minutes=31))
    assert BUTTONS[button](world, form(invoice="inv_1"), late) == SeeOther(BASE)
    assert BUTTONS[button](world, form("", invoice="inv_1"), visit(session_id="")) == SeeOther(BASE)
    assert world.store.commits == commits


class Racing(MemoryStore):
    """Another tab's button is pressed right before the commit of ours that `when` is true of."""

    when: Callable[[tuple[Write, ...]], bool] = staticmethod(lambda _: False)
    other: Callable[[], object] = staticmethod(lambda: None)

    def commit(self, *writes: Write) -> None:
        if self.when(writes):
            self.when = lambda _: False
            self.other()
        super().commit(*writes)


def racing(world: World) -> Racing:
    store = Racing()
    for record in world.store.rows():
        store.commit(Insert(record))
    world.store = store
    return store


@pytest.mark.parametrize("moment", ["before_the_attempt", "before_its_address"])
def test_nobody_is_sent_to_a_page_that_another_tab_closed_meanwhile(moment: str) -> None:
    world = three_bills()
    store = racing(world)
    store.other = lambda: pay(store, world.cards, visit(), form(invoice="inv_1"))
    attempts = 0 if moment == "before_the_attempt" else 1
    store.when = lambda _: len(world.cards.pages) == attempts and bool(world.account.stripe_customer)
    answer = pay(store, world.cards, visit(), form(invoice="inv_1"))
    assert isinstance(answer, SeeOther)
    (open_one,) = (a for a in world.books.attempts if a.is_open)
    assert answer.location == open_one.session_url
    assert world.books.invoices[-1].open_attempt == open_one.number


# --------------------------------------------------------------------------------------------------------- enrolling


def test_auto_1_ticking_automatic_payments_records_consent_once_the_card_is_there() -> None:
    world = three_bills()
    sent = form(invoice="inv_1", cap="$300", join=["inv_2", "inv_1", "inv_other"], **AGREES)
    pay(world.store, world.cards, visit(), sent)
    agreed = world.attempt().enrolment
    assert agreed is not None
    assert agreed.join == ("inv_2", "inv_1")  # an id that is not theirs is not even kept
    assert not world.account.autopay
    world.pays()
    assert world.account.autopay
    assert world.account.cap == 30000
    (consent,) = (r for r in world.store.rows() if isinstance(r, Consent))
    assert (consent.text_version, consent.text_hash) == (CONSENT_VERSION, CONSENT_HASH)
    assert (consent.agreed_at, consent.ip, consent.not_fsa) == (NOW, "203.0.113.7", True)
    assert kinds(world).count(FactKind.AUTOPAY_ENROLLED) == 1
    joined = [f.data["invoice_id"] for f in world.store.stream if isinstance(f, Fact) and "JoinedAutopay" in f.kind]
    assert joined == ["inv_2"]  # only what was ticked, and not what was just paid


def test_auto_1_paying_without_the_tick_enrols_nobody_whatever_else_was_filled_in() -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="inv_1", cap="nonsense", join=["inv_2"], card_kind="health"))
    world.pays()
    assert not world.account.autopay
    assert not world.books.cards


def test_pay_6_a_card_declared_fsa_is_refused_for_autopay_and_pays_once_the_tick_is_out() -> None:
    world = three_bills()
    refused = page(pay(world.store, world.cards, visit(), form(invoice="inv_1", **AGREES | {"card_kind": "health"})))
    assert refused.status == 422
    assert "cannot be used for automatic payments" in refused.known["errors"]["card_kind"]
    assert not world.cards.pages
    assert isinstance(pay(world.store, world.cards, visit(), form(invoice="inv_1", card_kind="health")), SeeOther)


def test_pay_6_without_a_declaration_nobody_is_enrolled() -> None:
    world = three_bills()
    silent = page(pay(world.store, world.cards, visit(), form(invoice="inv_1", autopay="on", terms=CONSENT_VERSION)))
    assert silent.status == 422
    assert not world.cards.pages


def test_pay_6_a_practice_may_allow_fsa_cards() -> None:
    world = a_world(policy=Policy(fsa_autopay=True))
    world.bill(1)
    world.signed_in()
    terms = autopay_view(world.books, world.practice)
    assert "FSA" not in terms.consent_text
    pay(world.store, world.cards, visit(), form(invoice="inv_1", autopay="on", terms=terms.consent_version))
    world.pays(card=visa(fsa=True))
    assert world.account.autopay
    (consent,) = (row for row in world.store.rows() if isinstance(row, Consent))
    assert consent.text_hash == hashlib.sha256(terms.consent_text.encode()).hexdigest()


def test_pay_6_who_declared_an_ordinary_card_is_asked_again_where_the_practice_changed_its_terms() -> None:
    """What they read is not what stands now."""
    world = a_world(policy=Policy(fsa_autopay=True))
    world.bill(1)
    world.signed_in()
    stale = page(pay(world.store, world.cards, visit(), form(invoice="inv_1", **AGREES)))
    assert "has changed" in stale.known["errors"]["autopay"]


def test_auto_1_consent_to_another_text_than_ours_is_asked_for_again() -> None:
    world = three_bills()
    stale = page(pay(world.store, world.cards, visit(), form(invoice="inv_1", **AGREES | {"terms": "2019-01"})))
    assert "has changed" in stale.known["errors"]["autopay"]


def test_auto_1_a_practice_that_offers_no_autopay_enrols_nobody() -> None:
    world = a_world(policy=Policy(autopay_offered=False))
    world.bill(1)
    world.signed_in()
    refused = page(pay(world.store, world.cards, visit(), form(invoice="inv_1", **AGREES)))
    assert "does not offer" in refused.known["errors"]["autopay"]


@pytest.mark.parametrize(
    ("typed", "cap"),
    [("", None), ("300", 30000), ("$1,250.50", 125050), (" 300.00 ", 30000), ("0.50", 50), ("100000", 10_000_000)],
)
def test_auto_2_the_limit_is_read_in_dollars(typed: str, cap: int | None) -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="inv_1", cap=typed, **AGREES))
    attempt = world.attempt()
    assert attempt.enrolment is not None
    assert attempt.enrolment.cap == cap


@pytest.mark.parametrize("typed", ["lots", "0", "0.49", "-5", "300.5", "300.005", "1e3", "٣٠٠", "100000.01", "9" * 30])
def test_auto_2_a_limit_that_is_no_amount_is_asked_for_again(typed: str) -> None:
    world = three_bills()
    refused = page(pay(world.store, world.cards, visit(), form(invoice="inv_1", cap=typed, **AGREES)))
    assert "Please write an amount in dollars" in refused.known["errors"]["cap"]
    assert refused.known["form"].one("cap") == typed


def test_pay_8_a_card_can_be_saved_without_paying_and_nothing_is_charged() -> None:
    world = a_world()
    world.signed_in()
    answer = set_up(world.store, world.cards, visit(), form(**AGREES))
    assert answer == SeeOther(world.attempt(1).session_url)
    attempt = world.attempt()
    assert (attempt.channel, attempt.amount) == (AttemptKind.SETUP, 0)
    world.pays()
    assert world.account.autopay
    assert [card.shown for card in world.books.cards] == ["Visa ending 4242"]
    assert FactKind.PAYMENT_POSTED not in kinds(world)


def test_pay_8_a_card_saved_without_the_tick_is_on_file_and_not_enrolled() -> None:
    world = a_world()
    world.signed_in()
    set_up(world.store, world.cards, visit(), form())
    world.pays()
    assert world.account.default_card
    assert not world.account.autopay


def test_the_console_saves_a_card_through_the_same_code() -> None:
    world = a_world()
    attempt = start_setup(world.store, world.cards, PRACTICE, CLIENT, None, NOW, "http://x/done", "http://x")
    assert attempt.session_url == world.attempt().session_url
    assert world.cards.returns == ["http://x/done?attempt=1", "http://x"]
    with pytest.raises(Refused):
        start_setup(world.store, world.cards, PRACTICE, "nobody", None, NOW, "http://x/done", "http://x")


# ---------------------------------------------------------------------------------------------------------- stopping


def test_law_7_an_announced_charge_can_be_stopped_until_it_is_sent() -> None:
    world = announced()
    assert stop(world.store, world.cards, visit(), form(invoice="inv_1")) == SeeOther(BASE)
    invoice = world.books.invoices[0]
    assert invoice.charge_at is None
    assert invoice.status is Status.OPEN
    assert world.account.autopay
    assert kinds(world) == [FactKind.CHARGE_CANCELLED]
    assert stop(world.store, world.cards, visit(), form(invoice="inv_1")) == SeeOther(BASE)
    assert kinds(world) == [FactKind.CHARGE_CANCELLED]


def test_law_7_a_charge_is_stopped_although_a_hosted_page_was_left_open_on_it() -> None:
    world = announced()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    stop(world.store, world.cards, visit(), form(invoice="inv_1"))
    assert world.books.invoices[0].charge_at is None
    assert world.books.invoices[0].open_attempt == 0


def test_law_7_a_charge_that_was_sent_cannot_be_stopped_and_the_page_says_so() -> None:
    world = announced()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    world.cards.pay_on_page(world.attempt().session_id, visa(), processing=True)
    with pytest.raises(Refused) as refusal:
        stop(world.store, world.cards, visit(), form(invoice="inv_1"))
    assert refusal.value.code == "payment_in_progress"


def test_auto_9_turning_autopay_off_takes_effect_at_once_and_cancels_what_was_announced() -> None:
    world = announced()
    assert turn_autopay_off(world.store, visit(), form()) == SeeOther(BASE)
    assert not world.account.autopay
    assert world.books.invoices[0].charge_at is None
    assert sorted(kinds(world)) == sorted([FactKind.AUTOPAY_ENDED, FactKind.CHARGE_CANCELLED])
    turn_autopay_off(world.store, visit(), form())
    assert len(kinds(world)) == 2


# -------------------------------------------------------------------------------------------------------- afterwards


def test_coming_back_waits_for_stripes_word_and_then_says_paid() -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    commits = world.store.commits
    waiting = page(done(world.store, visit(), "1"))
    assert (waiting.name, waiting.known["refresh"]) == ("confirming", True)
    late = page(done(world.store, visit(now=NOW + timedelta(minutes=2)), "1"))
    assert (late.name, late.known["refresh"]) == ("confirming", False)
    assert world.store.commits == commits
    world.pays()
    thanks = page(done(world.store, visit(), "1"))
    assert (thanks.name, thanks.known["amount"], thanks.known["card"]) == ("paid", 6250, "Visa ending 4242")
    assert thanks.known["more_to_pay"]


def test_coming_back_from_a_page_that_was_closed_says_that_nothing_was_charged() -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    world.cards.close_checkout(world.attempt())
    world.settle()
    assert page(done(world.store, visit(), "1")).name == "not_paid"


def test_coming_back_after_saving_a_card_says_whether_it_is_enrolled() -> None:
    world = a_world()
    world.signed_in()
    set_up(world.store, world.cards, visit(), form(**AGREES))
    world.pays(card=visa(fsa=True))
    saved = page(done(world.store, visit(), "1"))
    assert (saved.known["saves_card"], saved.known["wanted_autopay"], saved.known["autopay"]) == (True, True, False)


@pytest.mark.parametrize("number", ["", "0", "2", "-1", "x", "9" * 5000, "٢"])
def test_a_payment_that_is_not_theirs_is_no_page(number: str) -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    assert page(done(world.store, visit(), number)).status == 404


def test_coming_back_without_a_session_asks_for_the_phone_number_and_tells_nothing() -> None:
    world = three_bills()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    assert page(done(world.store, visit(session_id=""), "1")).name == "phone"
