"""Keys: one practice each, known by their hash, and the same refusal whatever is wrong with them."""

from dataclasses import replace

import pytest

from billing.ids import api_key_hash
from billing.policy import ApiKey
from billing.ports import Insert
from edges.auth import Forbidden, Unauthorised, authenticate
from edges.http import Request
from tests.fakes.store import MemoryStore

SECRET = "kb_live_" + "aB3-_" * 8 + "xyz"
KEY = ApiKey(api_key_hash(SECRET), "elm_street", ("claims",))


@pytest.fixture
def store() -> MemoryStore:
    made = MemoryStore()
    made.commit(Insert(KEY))
    return made


def asking(authorization: str) -> Request:
    return Request("POST", "/v1/claim-results", {"authorization": authorization})


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER  "])
def test_a_key_with_the_scope_is_let_in_and_names_the_practice(store: MemoryStore, scheme: str) -> None:
    assert authenticate(asking(scheme + SECRET), store, "claims").practice == "elm_street"


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer ", SECRET, f"Basic {SECRET}", f"Bearer {SECRET}x", "Bearer kb_live_short", "Bearer ñ"],
)
def test_what_is_no_key_is_401_without_a_look_into_the_table(authorization: str) -> None:
    class NoStore(MemoryStore):
        def get(self, key: object) -> None:
            raise AssertionError("looked up")

    with pytest.raises(Unauthorised) as refusal:
        authenticate(asking(authorization), NoStore(), "claims")
    assert refusal.value.answer["statusCode"] == 401
    assert refusal.value.answer["headers"]["www-authenticate"].startswith("Bearer")


def test_an_unknown_and_a_revoked_key_hear_the_same(store: MemoryStore) -> None:
    revoked = "kb_live_" + "r" * 43
    store.commit(Insert(replace(KEY, secret_hash=api_key_hash(revoked), revoked=True)))
    answers = []
    for secret in (revoked, "kb_live_" + "u" * 43):
        with pytest.raises(Unauthorised) as refusal:
            authenticate(asking(f"Bearer {secret}"), store, "claims")
        answers.append(refusal.value.answer)
    assert answers[0] == answers[1]


def test_a_key_without_the_scope_is_403_and_says_which_it_lacks(store: MemoryStore) -> None:
    with pytest.raises(Forbidden) as refusal:
        authenticate(asking(f"Bearer {SECRET}"), store, "practice")
    answer = refusal.value.answer
    assert answer["statusCode"] == 403
    assert "practice" in answer["body"]
    assert 'error="insufficient_scope"' in answer["headers"]["www-authenticate"]


def test_a_request_without_the_header_is_401(store: MemoryStore) -> None:
    with pytest.raises(Unauthorised):
        authenticate(Request("GET", "/v1/holds"), store, "practice")
