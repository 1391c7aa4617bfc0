"""Staff of the practice: they split what is owed into plans, void, write off, and change what the practice chose.

They act through the production flows behind the API, with an idempotency key each, and press again until they are
answered: sometimes twice with the same key although they were answered, sometimes from two desks at once. What they
were told is what the auditor writes down.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from billing.account import Books
from billing.disclosure import MOST_UNDISCLOSED
from billing.period import local_date
from billing.planning import Agreement
from billing.policy import AutopayDelay, Policy, Practice
from billing.ports import Refused
from billing.staff_action import Deed
from functions.change_invoice.flow import Done, Order, change
from functions.create_plan.flow import create
from functions.serve_practice.flow import change_policies, put_practice
from tests.sim.agenda import Thing
from tests.sim.auditor import Auditor
from tests.sim.world import World

DEEDS = (Deed.VOID, Deed.WRITE_OFF, Deed.OUTSIDE_PAYMENT, Deed.REFUND, Deed.REFUND, Deed.REFUND)


@dataclass
class Staff:
    """Whoever works at the practice. `zone`: where its days begin."""

    world: World
    auditor: Auditor
    rng: Random
    practice: str
    zone: str
    _orders: int = 0

    # ---- about one client ----

    def right_now(self, client: str) -> Thing:
        """What staff might do about this client at any moment, whatever else is going on."""
        if self.rng.random() < 0.4:
            return self.plan(client)
        return self.deed(client)

    def plan(self, client: str) -> Thing:
        """Split what the client owes."""
        weeks, after = self.rng.choice((2, 4, 6)), timedelta(days=self.rng.randint(0, 14))

        def act(ports: dict[str, Any]) -> None:
            now = self.world.clock
            start_on = local_date(now, self.zone) + after
            told = Agreement(now, "phone", "front desk") if weeks > MOST_UNDISCLOSED else Agreement()
            create(ports["store"], ports["cards"], self.practice, client, weeks, start_on, told, now)

        return Thing("staff", f"makes a plan of {weeks} weeks for {client}", act)

    def deed(self, client: str) -> Thing:
        """One change of one invoice, asked for until it is answered."""
        deed = self.rng.choice(DEEDS)
        invoices = Books.expect(self.world.store, self.practice, client).invoices
        if not invoices:
            return self.plan(client)
        invoice = self.rng.choice([i for i in invoices if i.paid > i.refunded or deed is not Deed.REFUND] or invoices)
        share = self.rng.choice((1, 2))
        match deed:
            case Deed.OUTSIDE_PAYMENT:
                amount = max(1, invoice.open_amount // share)
            case Deed.REFUND:
                amount = None if share == 1 else max(1, invoice.paid // share)
            case _:
                amount = None
        order = self._order(deed, invoice.invoice_id, amount)
        if self.rng.random() < 0.3:
            # The same request again, or the same wish from another desk.
            late = timedelta(days=2) * self.rng.random() ** 4
            again = order if self.rng.random() < 0.6 else self._order(deed, invoice.invoice_id, amount)
            self.world.at(self.world.now + late, self._thing(again))
        return self._thing(order)

    def _order(self, deed: Deed, invoice_id: str, amount: int | None) -> Order:
        self._orders += 1
        return Order(
            practice=self.practice,
            sender="staff",
            idempotency_key=f"order-{self._orders}",
            request_hash=f"{deed} {invoice_id} {amount}",
            invoice_id=invoice_id,
            deed=deed,
            reason="agreed on the phone",
            amount=amount,
        )

    def _thing(self, order: Order) -> Thing:
        def act(ports: dict[str, Any]) -> str:
            try:
                done = change(ports["store"], lambda: ports["cards"], order, self.world.clock)
            except Refused as no:
                self._told_no(order, no)
                raise
            self._told(order, done)
            return "done" if done.new else "was done before"

        again: Callable[[Thing, str], datetime] = lambda _thing, _outcome: self.world.now + timedelta(minutes=3)  # noqa: E731
        amount = f" {order.amount}" if order.amount else ""
        return Thing("staff", f"{order.deed}{amount} of {order.invoice_id} by {order.idempotency_key}", act, again)

    def _told(self, order: Order, done: Done) -> None:
        self.world.met[f"staff: {order.deed}" if done.new else "staff: the same order again"] += 1
        self.auditor.was_done(order, done.action.amount)

    def _told_no(self, order: Order, no: Refused) -> None:
        """Nothing is owed less than before; and an order that was done is not refused afterwards."""
        if order.idempotency_key in self.auditor.orders:
            self.world.judge.fail(f"{order.idempotency_key} was done, and is refused when it comes again: {no.code}")

    # ---- about the practice ----

    def changes_its_mind(self) -> Thing:
        """The practice chooses other times for its charges."""
        delay, hours = self.rng.choice(list(AutopayDelay)), self.rng.choice((1, 4, 12, 30))

        def choose(policy: Policy) -> Policy:
            return replace(policy, autopay_delay=delay, minimum_notice_hours=hours)

        def act(ports: dict[str, Any]) -> str:
            change_policies(ports["store"], self.practice, choose, "staff", self.world.now)
            return self._noted("practice: another policy")

        return self._until_done(f"chooses {delay}, at least {hours} h of notice", act)

    def takes_payments_online(self, on: bool) -> Thing:
        """The practice switches online payment off, or on again (PAY-10)."""

        def act(ports: dict[str, Any]) -> str:
            owner: Practice = self.world.judge.practice(self.practice)
            put_practice(ports["store"], replace(owner, online_payments=on), self.world.now)
            self.auditor.online.append((self.world.now, on))
            return self._noted(f"practice: online payments {'on' if on else 'off'}")

        return self._until_done(f"switches online payments {'on' if on else 'off'}", act)

    def _noted(self, what: str) -> str:
        self.world.met[what] += 1
        self.world.judge.policy_changed()
        return "done"

    def _until_done(self, what: str, act: Callable[[dict[str, Any]], object]) -> Thing:
        again: Callable[[Thing, str], datetime] = lambda _thing, _outcome: self.world.now + timedelta(minutes=2)  # noqa: E731
        return Thing("practice", what, act, again)
