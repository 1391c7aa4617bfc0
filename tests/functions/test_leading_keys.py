"""On AWS the three doors that strangers reach may read and write rows of some kinds only: template.yaml says which,
by the beginning of a row's key. The local cloud cannot enforce that, so here each door's calls are watched instead.

All tests of the pay page and of webhooks run behind the same fence.
"""

from typing import Any

import pytest

from billing.facts import Message
from billing.ids import Key
from functions.read_claims import flow as read_claims
from functions.receive_stripe import flow as receive_stripe
from tests.fakes.fence import FencedStore, WatchedStore, allowed, kind_of
from tests.fakes.store import MemoryStore
from tests.functions.api import Api
from tests.functions.receive_stripe.test_receive_stripe import NOON, event
from tests.functions.serve_client.test_pages import Browser, signed_in
from tests.functions.serve_client.world import PHONE, three_bills
from tests.functions.test_bad_input import RESULT


def test_the_pay_page_touches_accounts_facts_contacts_the_practice_and_sessions() -> None:
    world = three_bills()
    world.store = watched = WatchedStore(world.store)
    Browser(world).send("POST", Browser(world).link + "/phone", b"phone=1")
    browser = signed_in(world)
    browser.press("Pay all $250.00", autopay="on")
    browser.open(f"{browser.link}/done?attempt=1")
    browser.open(browser.link)
    browser.press("Only save a card", autopay="on")
    csrf = f"csrf={next(one['value'] for one in browser.open(browser.link).all('input') if one['name'] == 'csrf')}"
    for step in ("stop", "review", "autopay-off", "phone"):
        sent = f"{csrf}&invoice=inv_1&quoted_amount=40&phone={PHONE}"
        browser.send("POST", f"{browser.link}/{step}", sent.encode())
    assert watched.touched == allowed("serve_client")


def test_the_door_for_claim_results_touches_keys_bodies_and_claims() -> None:
    api = Api()
    api.store = watched = WatchedStore(api.store)
    sent: dict[str, Any] = {"key": "claims", "body": RESULT, "headers": {"idempotency-key": "once"}}
    assert api.call("POST", "/v1/claim-results", **sent).status == 202
    stored = next(row for row in watched.stream if kind_of(row.key.pk) == "R")
    read_claims.run(
        Message("ClaimBodyStored", stored.key), store=read_by_another(watched), blobs=api.blobs, now=api.now
    )
    assert api.call("POST", "/v1/claim-results", **sent).status == 200
    assert watched.touched == allowed("ingest_claims")


def read_by_another(watched: WatchedStore) -> MemoryStore:
    """The same rows, unwatched."""
    plain = MemoryStore()
    vars(plain).update({name: value for name, value in vars(watched).items() if name != "touched"})
    return plain


def test_the_door_for_webhooks_touches_events() -> None:
    watched = WatchedStore(MemoryStore())
    for _ in range(2):
        receive_stripe.run(event(), store=watched, now=NOON)
    assert watched.touched == allowed("receive_stripe") == {"E"}


@pytest.mark.parametrize("verb", ["serve_client", "ingest_claims", "receive_stripe", "receive_clearinghouse"])
def test_no_door_reaches_what_is_anothers(verb: str) -> None:
    """API keys only where keys are checked, posted bodies only where they are stored, contacts only on the pay page."""
    owners = {
        "K": {"ingest_claims", "receive_clearinghouse"},
        "R": {"ingest_claims"},
        "N": {"serve_client"},
        "S": {"serve_client"},
    }
    assert {kind for kind in allowed(verb) if verb not in owners.get(kind, {verb})} == set()


def test_behind_the_fence_what_is_anothers_cannot_be_reached() -> None:
    fenced = FencedStore("serve_client")
    for pk in ("K#hash#", "R#rcp_1#", "C#elm#claim#"):
        with pytest.raises(AssertionError, match="serve_client"):
            fenced.get(Key(pk, "ANY#"))
        with pytest.raises(AssertionError, match="serve_client"):
            fenced.partition(pk)
