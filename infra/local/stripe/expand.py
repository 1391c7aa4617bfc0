"""`expand[]`: an id in the answer is replaced by its object, along a path, without touching what is stored.

A path that leads nowhere is found out when the work is done, so its refusal is remembered under the key.
Source: docs.stripe.com/api/expanding_objects (four levels deep; in lists the path begins with `data.`).
"""

from collections.abc import Callable

from infra.local.stripe.account import Account
from infra.local.stripe.errors import Json, refused
from infra.local.stripe.shelf import Shelf

DEPTH_MAX = 4

_SHELVES: dict[str, Callable[[Account], Shelf]] = {
    "ch": lambda account: account.charges,
    "cus": lambda account: account.customers,
    "du": lambda account: account.disputes,
    "pi": lambda account: account.payment_intents,
    "pm": lambda account: account.payment_methods,
    "re": lambda account: account.refunds,
    "seti": lambda account: account.setup_intents,
    "txn": lambda account: account.balance_transactions,
}
_FIELDS = frozenset(
    {
        "balance_transaction", "charge", "customer", "default_payment_method", "failure_balance_transaction",
        "latest_charge", "payment_intent", "payment_method", "setup_intent", "source",
    }
)  # fmt: skip


def expand(account: Account, answer: Json, paths: list[str]) -> Json:
    """The answer with every path expanded. Errors: 400 for a path that leads nowhere."""
    for path in paths:
        steps = path.split(".")
        if steps[0] == "data" and answer.get("object") == "list":
            answer = {**answer, "data": [_along(account, row, steps[1:], path) for row in answer["data"]]}
        else:
            answer = _along(account, answer, steps, path)
    return answer


def _along(account: Account, row: Json, steps: list[str], path: str) -> Json:
    field, *rest = steps
    if len(steps) > DEPTH_MAX:
        raise refused(f"You cannot expand more than {DEPTH_MAX} levels of a property: {path}", param="expand")
    inner = _included(account, row, field)
    if inner is None:
        if field not in row:
            raise refused(f"This property cannot be expanded ({path}).", param="expand")
        value = row[field]
        if value is None:
            return row
        if isinstance(value, str) and field in _FIELDS:
            inner = _SHELVES[value.rpartition("_")[0]](account).find(value)
        elif isinstance(value, dict):
            inner = value
        else:
            raise refused(f"This property cannot be expanded ({path}).", param="expand")
    return {**row, field: _along(account, inner, rest, path) if rest else inner}


def _included(account: Account, row: Json, field: str) -> Json | None:
    """Lists that Stripe leaves out of an object until they are asked for."""
    if field == "line_items" and row["object"] == "checkout.session":
        items = account.line_items[row["id"]]
        return as_list(items, more=False, url=f"/v1/checkout/sessions/{row['id']}/line_items")
    if field == "refunds" and row["object"] == "charge":
        refunds = account.refunds.newest("charge", row["id"])
        return as_list(refunds, more=False, url=f"/v1/charges/{row['id']}/refunds")
    return None


def as_list(rows: list[Json], *, more: bool, url: str) -> Json:
    """A list object."""
    return {"object": "list", "data": rows, "has_more": more, "url": url}
