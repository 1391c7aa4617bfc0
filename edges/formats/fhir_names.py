"""What a FHIR decision calls things: the claim it is about, the payer, the earlier decision it stands in place of.

A reference is looked up in what came with it, in the resource itself or its Bundle; nothing is ever fetched.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from edges.formats.x12_values import identifier_or_blank, is_identifier
from edges.inbound.fhir import Decision, Reference

REPLACES: Final = frozenset({"prior", "replaces"})
REPLACED: Final = frozenset({"replacedby"})
"""Relationships of `related`: HL7's `prior`, its document codes' `replaces`, CARIN's `replacedby`."""
ACCOUNT_NUMBER: Final = "patientaccountnumber"
"""CARIN's supporting information that is CLM01: the id that the provider submitted the claim with."""

Known = Mapping[str, Mapping[str, Any]]
"""The resources of a Bundle, by each way to point at them."""


def known_of(entries: Sequence[Mapping[str, Any]]) -> Known:
    """By full address, and by type and id."""
    found: dict[str, Mapping[str, Any]] = {}
    for entry in entries:
        resource = entry.get("resource")
        if isinstance(resource, dict):
            found[f"{resource.get('resourceType')}/{resource.get('id')}"] = resource
            found[str(entry.get("fullUrl"))] = resource
    return found


def claim_id(given: Decision, known: Known) -> str:
    """The claim's id as the provider submitted it, or "". Where the payer's own resource lies is asked last: its last
    part is ours only where the payer took our id for it."""
    about = given.claim if given.kind == "ExplanationOfBenefit" else given.request
    accounts = (one.text for one in given.supporting if ACCOUNT_NUMBER in one.category.codes())
    said = [about.identifier.value, *_identifiers(about, given, known), *accounts, about.named]
    return next((one for one in (identifier_or_blank(text, 38) for text in said if isinstance(text, str)) if one), "")


def payer_claim_id(given: Decision) -> str:
    """The payer's own id of the claim: identifier type `uc` (unique claim id), else the first there is."""
    known = sorted(given.identifier, key=lambda one: "uc" not in one.type.codes())
    return next((one.value.strip() for one in known if is_identifier(one.value.strip(), 50)), "")


def payer_ids(given: Decision, known: Known) -> tuple[str, ...]:
    """What the payer is called: as the decision itself says first, then by what its reference leads to, so that one
    decision, alone or in a Bundle, has one name."""
    insurer = given.insurer
    own = [insurer.identifier.value] if insurer.reference.startswith("#") else [insurer.identifier.value, _end(insurer)]
    ids = (identifier_or_blank(one, 80) for one in (*own, *_identifiers(insurer, given, known)))
    return tuple(dict.fromkeys(one for one in ids if one))


def original(given: Decision) -> str:
    """The payer's id of the decision that this one replaces, or "" where it replaces none, or none that is named."""
    named = (identifier_or_blank(one.named, 50) for one in given.related if REPLACES & set(one.relationship.codes()))
    return next((one for one in named if one), "")


def is_replaced(given: Decision) -> bool:
    """Whether the payer says that another decision stands in place of this one."""
    return any(REPLACED & set(one.relationship.codes()) for one in given.related)


def _end(reference: Reference) -> str:
    return reference.address.rpartition("/")[2]


def _identifiers(reference: Reference, given: Decision, known: Known) -> Iterator[str]:
    """The identifiers of what a reference points at, as far as it came along."""
    address = reference.address
    inside = {f"#{one.get('id')}": one for one in given.contained}
    there = inside.get(address) or known.get(address) or known.get("/".join(address.split("/")[-2:])) or {}
    identifiers = there.get("identifier")
    for one in identifiers if isinstance(identifiers, list) else ():
        value = one.get("value") if isinstance(one, dict) else None
        if isinstance(value, str):
            yield value
