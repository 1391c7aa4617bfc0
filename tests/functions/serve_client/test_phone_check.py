"""The phone check of a pay link (PAY-1, PAY-2)."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from billing.account import Account, Contact, LinkSession, PhoneTries
from billing.facts import Fact, FactKind
from billing.ports import Insert, Write
from edges.render import render_page
from functions.serve_client.door import Answer, Page, SeeOther, Visit, session_hash
from functions.serve_client.flow import check_phone, show
from functions.serve_client.forms import Form
from tests.fakes.store import MemoryStore
from tests.functions.serve_client.world import (
    BASE,
    CLIENT,
    NOW,
    PHONE,
    PRACTICE,
    PROVIDER,
    SESSION,
    World,
    a_world,
    visit,
)

STRANGER = visit(session_id="")
TRIES = PhoneTries(PRACTICE, CLIENT, 1).key


def give(world: World, phone: str, at: datetime = NOW, session_id: str = SESSION) -> Answer:
    return check_phone(world.store, replace(STRANGER, now=at), Form({"phone": [phone]}), session_id)


def page(answer: Answer) -> Page:
    assert isinstance(answer, Page), answer
    return answer


def locks(world: World) -> list[Fact]:
    return [r for r in world.store.rows() if isinstance(r, Fact) and r.kind == FactKind.PHONE_LOCKED]


def bill_of_ana() -> World:
    world = a_world()
    world.bill(1)
    return world


def test_pay_1_a_link_alone_shows_no_name_amount_provider_or_practice() -> None:
    world = bill_of_ana()
    asked = page(show(world.store, STRANGER))
    html = render_page(asked.name, asked.known)
    assert "Phone number" in html
    for secret in ("Ana", "Lima", "62.50", "Chen", "Riverbend", "555-", "October"):
        assert secret not in html


@pytest.mark.parametrize(
    "written", ["(202) 555-0143", "202-555-0143", "+1 202 555 0143", "2025550143", " 12025550143 "]
)
def test_pay_1_the_number_on_file_opens_the_page_however_it_is_written(written: str) -> None:
    world = bill_of_ana()
    assert give(world, written) == SeeOther(BASE, SESSION)
    assert page(show(world.store, visit())).name == "overview"


def test_pay_1_only_the_hash_of_a_session_is_stored_and_it_ends_after_30_minutes() -> None:
    world = bill_of_ana()
    give(world, PHONE)
    (session,) = (r for r in world.store.rows() if isinstance(r, LinkSession))
    assert session.session_hash == session_hash(SESSION)
    assert SESSION not in repr(session)
    assert page(show(world.store, visit(now=NOW + timedelta(minutes=29, seconds=59)))).name == "overview"
    assert page(show(world.store, visit(now=NOW + timedelta(minutes=30)))).name == "phone"


@pytest.mark.parametrize("wrong", ["(202) 555-0144", "0143", "555-0143", "", "no number", "+44 2025550143", "2" * 400])
def test_pay_2_any_other_number_says_to_have_the_number_on_file_corrected_and_nothing_else(wrong: str) -> None:
    world = bill_of_ana()
    refused = page(give(world, wrong))
    html = render_page(refused.name, refused.known)
    assert refused.status == 403
    assert "ask your provider to correct the number on file" in html
    for secret in ("Ana", "62.50", "Chen", "Riverbend", "0143"):
        assert secret not in html


def test_pay_2_an_account_without_a_number_on_file_is_opened_by_none() -> None:
    world = bill_of_ana()
    world.change(Contact(PRACTICE, CLIENT, 1, "", "", ""), phone="")
    assert page(give(world, "")).status == 403


def test_pay_2_the_fifth_wrong_number_in_15_minutes_locks_for_a_day_and_the_client_is_mailed_once() -> None:
    world = bill_of_ana()
    for minute in range(4):
        assert page(give(world, "202 555 0100", NOW + timedelta(minutes=minute))).name == "phone"
    at = NOW + timedelta(minutes=4)
    assert page(give(world, "202 555 0100", at)).name == "locked"
    assert page(give(world, "202 555 0100", at)).name == "locked"
    assert len(locks(world)) == 1
    assert page(give(world, PHONE, at + timedelta(hours=23, minutes=59))).name == "locked"
    assert give(world, PHONE, at + timedelta(days=1)) == SeeOther(BASE, SESSION)


def test_pay_2_a_locked_account_answers_a_right_number_as_it_answers_a_wrong_one() -> None:
    world = bill_of_ana()
    for _ in range(5):
        give(world, "202 555 0100")
    assert give(world, PHONE) == give(world, "202 555 0100")
    assert not [r for r in world.store.rows() if isinstance(r, LinkSession)]


def test_pay_2_a_wrong_number_counts_for_15_minutes() -> None:
    world = bill_of_ana()
    for minute in (0, 5, 10, 14):
        give(world, "202 555 0100", NOW + timedelta(minutes=minute))
    assert page(give(world, "202 555 0100", NOW + timedelta(minutes=15))).name == "phone"
    assert page(give(world, "202 555 0100", NOW + timedelta(minutes=16))).name == "locked"


def test_pay_2_wrong_numbers_spread_thinly_lock_after_20_in_a_day() -> None:
    world = bill_of_ana()
    at = NOW
    for _ in range(19):
        assert page(give(world, "202 555 0100", at)).name == "phone"
        at += timedelta(minutes=16)
    assert page(give(world, "202 555 0100", at)).name == "locked"


def test_pay_2_wrong_numbers_of_another_day_do_not_count() -> None:
    world = bill_of_ana()
    for hour in range(60):
        assert page(give(world, "202 555 0100", NOW + timedelta(hours=2 * hour))).name == "phone"


def test_pay_2_a_right_number_does_not_give_a_fresh_set_of_guesses() -> None:
    world = bill_of_ana()
    for _ in range(4):
        give(world, "202 555 0100")
    assert give(world, PHONE) == SeeOther(BASE, SESSION)
    assert page(give(world, "202 555 0100")).name == "locked"


class RacingStore(MemoryStore):
    """Before the first commit it sees, another browser's wrong numbers arrive: as many as `ahead`."""

    ahead: int = 0

    def commit(self, *writes: Write) -> None:
        ahead, self.ahead = self.ahead, 0
        for _ in range(ahead):
            check_phone(self, STRANGER, Form({"phone": ["202 555 0100"]}), "another session")
        super().commit(*writes)


def racing(ahead: int) -> RacingStore:
    store = RacingStore()
    for record in bill_of_ana().store.rows():
        store.commit(Insert(record))
    store.ahead = ahead
    return store


def test_pay_2_tries_sent_at_the_same_moment_are_judged_one_after_the_other() -> None:
    store = racing(ahead=4)
    answer = check_phone(store, STRANGER, Form({"phone": ["202 555 0100"]}), SESSION)
    assert page(answer).name == "locked"
    tries = store.get(TRIES)
    assert isinstance(tries, PhoneTries)
    assert len(tries.failed_at) == 5


def test_pay_2_a_right_number_that_loses_the_race_against_the_lock_is_not_let_in() -> None:
    store = racing(ahead=5)
    assert page(check_phone(store, STRANGER, Form({"phone": [PHONE]}), SESSION)).name == "locked"
    assert not [r for r in store.rows() if isinstance(r, LinkSession)]


def test_a_revoked_link_is_gone_and_its_sessions_with_it() -> None:
    world = bill_of_ana()
    give(world, PHONE)
    account = Account(PRACTICE, CLIENT, 1)
    world.change(account, link_epoch=1)
    assert page(show(world.store, visit())).status == 410
    assert page(give(world, PHONE)).status == 410
    assert page(show(world.store, visit(link_epoch=1))).name == "phone"


def test_a_link_of_a_client_that_is_not_there_is_unknown() -> None:
    world = a_world()
    nobody = Visit(PRACTICE, "client_nobody", 0, BASE, "https://pay.example.com", NOW)
    assert page(show(world.store, nobody)).status == 404


def test_a_session_of_one_client_opens_no_other_clients_page() -> None:
    world = bill_of_ana()
    give(world, PHONE)
    world.put(Account(PRACTICE, "client_other", 1, provider=PROVIDER))
    other = replace(visit(), client="client_other")
    assert page(show(world.store, other)).name == "phone"


def test_looking_at_a_link_changes_nothing() -> None:
    world = bill_of_ana()
    commits = world.store.commits
    show(world.store, STRANGER)
    show(world.store, visit())
    assert world.store.commits == commits


def test_a_browser_that_is_in_already_is_not_asked_again() -> None:
    world = bill_of_ana()
    world.signed_in()
    answer = check_phone(world.store, visit(), Form({"phone": ["wrong"]}), "another session")
    assert answer == SeeOther(BASE)
    assert world.store.get(TRIES) is None


def test_pay_2_a_locked_link_says_so_before_a_number_is_typed() -> None:
    world = bill_of_ana()
    world.put(PhoneTries(PRACTICE, CLIENT, 1, (NOW,), NOW + timedelta(hours=1)))
    assert page(show(world.store, STRANGER)).status == 429
