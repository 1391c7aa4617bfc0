"""Pay links: what we signed reads back, everything else is unknown, and 90 days are 90 days."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edges.links import LASTS, ExpiredLink, LinkClaim, Links, UnknownLink

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LINKS = Links(b"secret", "https://pay.example/")
IDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(IDS, IDS, st.integers(0, 10**6))
def test_a_link_reads_back_as_what_it_was_made_for(practice: str, client: str, epoch: int) -> None:
    assert LINKS.read(LINKS.token(practice, client, epoch, NOON), NOON) == LinkClaim(practice, client, epoch, NOON)


def test_a_link_fits_on_a_line_and_needs_no_escaping() -> None:
    url = LINKS.url(LINKS.token("prac_riverbend", "client_8841", 3, NOON))
    assert url.startswith("https://pay.example/pay/")
    assert set(url.removeprefix("https://pay.example/pay/")) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
    )
    assert len(url) < 120


def test_a_link_lasts_ninety_days() -> None:
    token = LINKS.token("elm", "ana", 0, NOON)
    assert LINKS.read(token, NOON + LASTS).client == "ana"
    with pytest.raises(ExpiredLink):
        LINKS.read(token, NOON + LASTS + timedelta(seconds=1))


def test_no_character_of_a_link_can_be_changed() -> None:
    token = LINKS.token("elm", "ana", 0, NOON)
    for place, character in enumerate(token):
        forged = token[:place] + ("A" if character != "A" else "B") + token[place + 1 :]
        with pytest.raises(UnknownLink):
            LINKS.read(forged, NOON)


def test_a_link_has_one_spelling() -> None:
    token = LINKS.token("elm", "ana", 0, NOON)
    payload, signature = token.split(".")
    for other in (f"{payload}=.{signature}", f"{payload}.{signature}==", f"{token}\n", token.replace(".", " .")):
        with pytest.raises(UnknownLink):
            LINKS.read(other, NOON)


@pytest.mark.parametrize("token", ["", ".", "..", "abc", "a.b", "ü.ü", "A" * 4000])
def test_what_is_no_link_is_unknown(token: str) -> None:
    with pytest.raises(UnknownLink):
        LINKS.read(token, NOON)


def test_a_link_signed_with_another_secret_is_unknown() -> None:
    with pytest.raises(UnknownLink):
        LINKS.read(Links(b"other", "https://pay.example").token("elm", "ana", 0, NOON), NOON)


def test_a_link_signed_with_the_secret_before_lives_on_and_new_ones_are_signed_with_the_new_one() -> None:
    old = LINKS.token("elm", "ana", 0, NOON)
    rolled = Links(b"new", "https://pay.example", previous=b"secret")
    assert rolled.read(old, NOON).client == "ana"
    assert rolled.token("elm", "ana", 0, NOON) == Links(b"new", "https://pay.example").token("elm", "ana", 0, NOON)
    with pytest.raises(UnknownLink):
        Links(b"newer", "https://pay.example", previous=b"new").read(old, NOON)


def test_without_a_secret_before_nothing_signed_with_an_empty_one_is_a_link() -> None:
    with pytest.raises(UnknownLink):
        LINKS.read(Links(b"", "https://pay.example").token("elm", "ana", 0, NOON), NOON)


def test_a_signature_made_for_another_purpose_is_no_link() -> None:
    import base64
    import hashlib
    import hmac

    payload = base64.urlsafe_b64decode(LINKS.token("elm", "ana", 0, NOON).split(".")[0] + "==")
    bare = hmac.new(b"secret", payload, hashlib.sha256).digest()[:18]
    text = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    with pytest.raises(UnknownLink):
        LINKS.read(f"{text}.{base64.urlsafe_b64encode(bare).rstrip(b'=').decode()}", NOON)
