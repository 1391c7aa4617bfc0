"""Every kind of fact and wake is classified: which verbs look at it, and which mails it has."""

import pytest

from billing.facts import ROUTES, Fact, FactKind, WakeKind
from tests.billing.examples import NOW

VERBS = {
    "read_claims",
    "issue_invoice",
    "charge_autopay",
    "create_plan",
    "send_email",
    "settle_payment",
    "pay_back",
    "fetch_report",
    "reconcile",
}


def test_every_fact_and_every_wake_has_a_route() -> None:
    assert set(ROUTES) == {*FactKind, *WakeKind}


def test_routes_lead_to_verbs_with_a_queue() -> None:
    assert {verb for verbs in ROUTES.values() for verb in verbs} == VERBS


def test_every_wake_is_somebodys_work() -> None:
    """An item that wakes and reaches nobody would stay due for ever."""
    assert all(ROUTES[kind] for kind in WakeKind)


def test_a_kind_of_fact_is_no_kind_of_wake() -> None:
    assert not {str(kind) for kind in FactKind} & {str(kind) for kind in WakeKind}


@pytest.mark.parametrize("change", [{"item": "INVOICE#b#"}, {"version": 2}, {"kind": "InvoicePastDue"}])
def test_a_fact_is_item_version_and_kind(change: dict[str, str | int]) -> None:
    told = {"item": "INVOICE#a#", "version": 1, "kind": "InvoiceIssued"}

    def key(values: dict[str, str | int]) -> object:
        return Fact("riverbend", "ana", at=NOW, actor="payer", cause="c", **values).key  # type: ignore[arg-type]

    assert key(told) == key(dict(told))
    assert key(told) != key(told | change)


def test_facts_of_one_item_sort_in_the_order_of_its_versions() -> None:
    keys = [Fact("riverbend", "ana", "INVOICE#a#", n, "K", NOW, "system", "c").key.sk for n in (2, 10, 9)]
    assert sorted(keys) == [keys[0], keys[2], keys[1]]
