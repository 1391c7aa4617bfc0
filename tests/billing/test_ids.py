"""Ids come from content and keys cannot run into each other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing import ids

TEXTS = st.text(max_size=12)


@given(TEXTS, TEXTS)
def test_two_different_texts_are_two_different_segments_without_a_delimiter(one: str, other: str) -> None:
    assert (ids.segment(one) == ids.segment(other)) == (one == other)
    assert "#" not in ids.segment(one)


@given(TEXTS, TEXTS, TEXTS, TEXTS)
def test_two_accounts_never_share_a_partition(practice: str, client: str, practice_2: str, client_2: str) -> None:
    same = (practice, client) == (practice_2, client_2)
    for pk in (ids.account_pk, ids.facts_pk, ids.claim_pk):
        assert (pk(practice, client) == pk(practice_2, client_2)) == same


@given(st.lists(TEXTS, max_size=4), st.lists(TEXTS, max_size=4))
def test_a_digest_knows_where_one_part_ends(parts: list[str], others: list[str]) -> None:
    assert (ids.digest(*parts) == ids.digest(*others)) == (parts == others)


def test_a_prefix_of_a_key_is_no_other_key() -> None:
    one, ten = (ids.invoice_key("riverbend", "ana", n).sk for n in ("1", "10"))
    assert not ten.startswith(one)


def test_the_partitions_of_one_account_begin_differently() -> None:
    found = {pk("riverbend", "ana")[0] for pk in (ids.account_pk, ids.facts_pk, ids.claim_pk)}
    found |= {key[0][0] for key in (ids.contact_key("riverbend", "ana"), ids.practice_key("riverbend"))}
    found |= {ids.holds_pk("riverbend")[0], ids.receipt_pk("riverbend")[0]}
    assert len(found) == 7


@pytest.mark.parametrize("change", [{"practice": "oak"}, {"client": "ben"}, {"number": 2}, {"call": "checkout"}])
def test_each_call_of_each_attempt_has_its_own_idempotency_key(change: dict[str, str | int]) -> None:
    call: dict[str, str | int] = {"practice": "riverbend", "client": "ana", "number": 1, "call": "charge"}
    assert ids.stripe_key(**call) == ids.stripe_key(**call)  # type: ignore[arg-type]
    assert ids.stripe_key(**call) != ids.stripe_key(**(call | change))  # type: ignore[arg-type]


def test_what_reaches_stripe_names_nobody() -> None:
    """LAW-1: an attempt's id and key hold neither practice nor client in readable form."""
    for text in (ids.attempt_id("riverbend", "ana", 7), ids.stripe_key("riverbend", "ana", 7, "charge")):
        assert "riverbend" not in text
        assert "ana" not in text


def test_an_invoice_is_its_source_and_ordinal() -> None:
    one = ids.invoice_id("riverbend", "ana", "claim", "KB7Q2M9X41")
    assert one == ids.invoice_id("riverbend", "ana", "claim", "KB7Q2M9X41", 0)
    others = {
        ids.invoice_id("riverbend", "ana", "plan", "KB7Q2M9X41"),
        ids.invoice_id("riverbend", "ana", "claim", "KB7Q2M9X41", 1),
        ids.invoice_id("oak", "ana", "claim", "KB7Q2M9X41"),
    }
    assert len(others | {one}) == 4


@pytest.mark.parametrize("client", ["ana", "client_1", "a_b:c.d-e"])
def test_an_invoice_id_names_its_client(client: str) -> None:
    """So that a call about an invoice finds its account without an index."""
    assert ids.client_of(ids.invoice_id("riverbend", client, "claim", "KB7Q2M9X41")) == client


@pytest.mark.parametrize("text", ["", "inv_", "inv_0123456789abcdef0123", "inv_0123456789abcdef0123_", "pay_1_ana"])
def test_what_is_no_invoice_id_names_nobody(text: str) -> None:
    assert ids.client_of(text) is None
