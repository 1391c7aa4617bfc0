"""The console of a local copy: for programs, for a person, and only for this machine."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.e2e.browser import Visitor
from tests.e2e.kindbill import Kindbill
from tests.e2e.launch import Launched

Visit = Callable[..., Visitor]
READS = ("ready", "keys", "demo", "mail", "clock", "queues", "facts", "dead-letters", "")


@pytest.mark.parametrize("path", READS)
def test_only_a_loopback_host_may_read_it(kindbill: Kindbill, path: str) -> None:
    """Contract, Local console: a foreign name that points at 127.0.0.1 gets nothing."""
    address = f"/_local/{path}".rstrip("/")
    port = kindbill.base_url.rsplit(":", 1)[-1]
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}"):
        assert kindbill.call("GET", address, headers={"host": host}).status_code == 403
    for host in (f"127.0.0.1:{port}", f"localhost:{port}"):
        assert kindbill.call("GET", address, headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_a_foreign_page_may_not_move_the_clock(kindbill: Kindbill, origin: str) -> None:
    before = kindbill.now()
    for path in ("/_local/clock", "/_local/page/clock", "/_local/settle", "/_local/stripe/_test/faults"):
        answer = kindbill.call("POST", path, json={"forward": "1h"}, headers={"origin": origin})
        assert answer.status_code == 403
    assert kindbill.now() == before


@pytest.mark.parametrize(
    "body",
    [
        {"to": "2020-01-01T00:00:00Z"},
        {"forward": "-1h"},
        {"forward": "soon"},
        {"forward": ""},
        {"forward": "1h", "to": "2099-01-01T00:00:00Z"},
        {"to": "2099-01-01T00:00:00"},
        {"forward": 48},
        {},
        [],
    ],
    ids=str,
)
def test_the_clock_only_goes_forward_and_only_by_what_it_can_read(kindbill: Kindbill, body: object) -> None:
    """Contract: the past is 400."""
    before = kindbill.now()
    assert kindbill.call("POST", "/_local/clock", json=body).status_code == 400
    assert kindbill.now() == before


def test_the_clock_stands_still_between_calls_and_takes_sums(kindbill: Kindbill) -> None:
    start = kindbill.now()
    assert kindbill.now() == start
    assert kindbill.forward("1h30m15s") == start + timedelta(hours=1, minutes=30, seconds=15)
    assert kindbill.forward("44m45s") == start + timedelta(hours=2, minutes=15)


def test_the_demo_has_its_stories_and_their_claims(kindbill: Kindbill) -> None:
    """Contract: autopay, pay link with three invoices, plan in progress; claims submitted and not yet adjudicated."""
    demo = kindbill.get("/_local/demo")
    stories = {one["story"]: one for one in demo["clients"]}
    assert {"autopay", "pay_link_three_invoices", "plan_in_progress", "estimate"} <= set(stories)
    assert len(demo["clients"]) >= 4
    for person in demo["clients"]:
        assert {"client_id", "name", "phone", "story", "open_claims"} <= set(person)
        for claim in person["open_claims"]:
            assert {"claim_id", "charged", "payer_id"} <= set(claim)
    assert set(kindbill.keys) == {"claims", "practice", "support"}
    assert kindbill.get("/v1/openapi.json")["openapi"].startswith("3.1")
    assert kindbill.call("GET", "/health").status_code == 200


def test_what_it_printed_says_where_everything_is(kindbill: Kindbill, launched: Launched) -> None:
    """Contract: prints the addresses, keys and what to try; whole, even where no terminal is wide enough."""
    said = launched.said
    for words in (kindbill.base_url, "/_local", "/v1/openapi.json", "Ana Alvarez", "examples/riverbend.835"):
        assert words in said
    for key in kindbill.keys.values():
        assert key in said


def test_a_card_that_stripe_refuses_is_not_saved_and_an_unknown_client_is_404(kindbill: Kindbill) -> None:
    client = kindbill.new_client("declined")
    for body in ({"number": "4000000000000002", "autopay": True}, {"number": "1234", "autopay": False}):
        assert kindbill.call("POST", f"/_local/clients/{client.client_id}/card", json=body).status_code == 422
    assert client.account()["autopay"] == {"on": False, "card": None, "cap": None}
    body = {"number": "4242424242424242", "autopay": True}
    assert kindbill.call("POST", "/_local/clients/nobody/card", json=body).status_code == 404
    assert kindbill.call("POST", "/_local/mail/nothing/bounce", json={}).status_code == 404


def test_a_person_reads_mail_and_moves_the_clock_on_the_page(kindbill: Kindbill, visit: Visit) -> None:
    """The same for a person: mailbox, clock buttons, facts, queues; without script."""
    client = kindbill.new_client("seen")
    client.owes(62_50)
    person = visit()
    assert person.open(f"{kindbill.base_url}/_local?client={client.client_id}") == 200
    assert not person.page.locator("script").count()

    person.page.get_by_role("link", name="Your bill of $62.50 is ready").click()
    mail = person.page.frame_locator("iframe").get_by_role("link").first
    mail.wait_for()
    with person.page.context.expect_page() as opened:
        mail.click()
    opened.value.get_by_label("Phone number").wait_for()
    assert "InvoiceIssued" in person.text

    before = kindbill.now()
    person.press("1 hour on")
    assert kindbill.now() == before + timedelta(hours=1)
    person.fill("Another length", "30m")
    person.press("Go on")
    assert kindbill.now() == before + timedelta(minutes=90)
    assert set(kindbill.get("/_local/queues")) >= {"read_claims", "issue_invoice", "charge_autopay", "send_email"}
