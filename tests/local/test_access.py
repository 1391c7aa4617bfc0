"""Keys and pay links from a shell: made, listed without showing them, ended at once."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.account import LinkSession, PhoneTries
from billing.facts import Fact, FactKind
from billing.ids import account_key, api_key_hash
from billing.policy import ApiKey
from billing.ports import Insert
from edges.auth import Unauthorised, authenticate
from edges.codec import encode
from edges.http import Request
from functions.serve_client.door import Page, SeeOther
from functions.serve_client.flow import check_phone, show
from functions.serve_client.forms import Form
from infra.local.keys import NoSuchKey, list_keys, new_key, revoke_key
from infra.local.links import NoSuchClient, revoke_links
from tests.fakes.store import MemoryStore
from tests.functions.serve_client.world import CLIENT, NOW, PHONE, PRACTICE, SESSION, a_world, visit

MORNING = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


def calling(key: str) -> Request:
    return Request("GET", "/v1/holds", {"authorization": f"Bearer {key}"})


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def test_a_key_is_stored_as_its_hash_only(store: MemoryStore) -> None:
    key = new_key(store, "elm", ["claims"], MORNING)
    assert len(key) == len("kb_live_") + 43, "256 random bits"
    rows = repr([encode(row) for row in store.rows()])
    assert api_key_hash(key) in rows
    assert key not in rows
    assert key.removeprefix("kb_live_") not in rows


def test_keys_are_listed_by_practice_oldest_first_with_what_they_may_and_since_when(store: MemoryStore) -> None:
    second = new_key(store, "elm", ["practice", "support"], MORNING + timedelta(days=1))
    first = new_key(store, "elm", ["claims"], MORNING)
    new_key(store, "oak", ["claims"], MORNING)
    listed = list_keys(store, "elm")
    assert [one.key_id for one in listed] == [api_key_hash(key)[:12] for key in (first, second)]
    assert [one.scopes for one in listed] == [("claims",), ("practice", "support")]
    assert listed[0].created_at == MORNING


def test_a_revoked_key_is_refused_by_the_next_call_and_stays_listed(store: MemoryStore) -> None:
    key, other = (new_key(store, "elm", ["practice"], MORNING) for _ in range(2))
    assert authenticate(calling(key), store, "practice").practice == "elm"
    assert revoke_key(store, key, "", MORNING).revoked_at == MORNING
    with pytest.raises(Unauthorised):
        authenticate(calling(key), store, "practice")
    assert authenticate(calling(other), store, "practice").practice == "elm"
    assert sorted(one.revoked_at is None for one in list_keys(store, "elm")) == [False, True]


def test_a_key_is_revoked_by_its_id_in_its_own_practice_only(store: MemoryStore) -> None:
    key = new_key(store, "elm", ["practice"], MORNING)
    key_id = list_keys(store, "elm")[0].key_id
    with pytest.raises(NoSuchKey):
        revoke_key(store, key_id, "oak", MORNING)
    revoke_key(store, key_id, "elm", MORNING)
    assert revoke_key(store, key_id, "elm", MORNING + timedelta(days=1)).revoked_at == MORNING, "once is enough"
    with pytest.raises(Unauthorised):
        authenticate(calling(key), store, "practice")


@pytest.mark.parametrize("key", ["kb_live_" + "z" * 43, "0123456789ab", ""])
def test_a_key_nobody_has_cannot_be_revoked(store: MemoryStore, key: str) -> None:
    with pytest.raises(NoSuchKey):
        revoke_key(store, key, "elm", MORNING)


def test_a_row_of_a_key_that_only_says_revoked_is_enough_to_refuse_it(store: MemoryStore) -> None:
    key = "kb_live_" + "r" * 43
    store.commit(Insert(ApiKey(api_key_hash(key), "elm", ("practice",), revoked=True)))
    with pytest.raises(Unauthorised):
        authenticate(calling(key), store, "practice")


def test_revoking_links_ends_them_with_every_browser_that_came_in_by_one() -> None:
    """PAY-1: raising the epoch revokes all."""
    world = a_world()
    came_in = check_phone(world.store, visit(session_id=""), Form({"phone": [PHONE]}), SESSION)
    assert isinstance(came_in, SeeOther)
    assert isinstance(opened := show(world.store, visit()), Page)
    assert opened.name == "overview"

    revoke_links(world.store, PRACTICE, CLIENT, NOW)

    assert isinstance(ended := show(world.store, visit()), Page)
    assert (ended.name, ended.status) == ("expired_link", 410)
    assert any(isinstance(row, LinkSession) for row in world.store.rows()), "it is there, and opens nothing"
    told = [row for row in world.store.rows() if isinstance(row, Fact) and row.kind == FactKind.LINKS_REVOKED]
    assert [(one.actor, one.data) for one in told] == [("staff", {"link_epoch": 1})]


def test_revoking_links_unlocks_the_phone_check_for_the_client_whose_link_was_in_the_wrong_hands() -> None:
    """PAY-2: whoever has a link can lock its phone check for a day; staff can give the client a fresh start."""
    world = a_world()
    for _ in range(5):
        check_phone(world.store, visit(session_id=""), Form({"phone": ["+12025550199"]}), "x" * 43)
    assert isinstance(locked := show(world.store, visit(session_id="")), Page)
    assert locked.name == "locked"
    revoke_links(world.store, PRACTICE, CLIENT, NOW)
    new_link = visit(session_id="", link_epoch=1)
    assert isinstance(check_phone(world.store, new_link, Form({"phone": [PHONE]}), SESSION), SeeOther)
    tries = world.store.get(PhoneTries(PRACTICE, CLIENT, 1).key)
    assert isinstance(tries, PhoneTries)
    assert tries.failed_at == ()


def test_only_a_client_of_the_practice_has_links() -> None:
    world = a_world()
    with pytest.raises(NoSuchClient):
        revoke_links(world.store, "elsewhere", CLIENT, NOW)
    assert world.store.get(account_key(PRACTICE, CLIENT)) == world.account
