"""What the pay page shows (PAY-1, PAY-3, PAY-4, PAY-10, INV-6, AUTO-9, PORT-10)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from billing.account import Contact
from billing.claim import Adjustment, ClaimResult
from billing.dispute import Dispute, DisputeState
from billing.explain import ExplainedLine, Reason, explain
from billing.invoice import Source
from billing.invoice_lines import InvoiceLines
from billing.payment import Attempt, AttemptKind, AttemptState, Part
from billing.plan import InstalmentStatus, Plan, schedule
from billing.policy import Overpayment, Policy
from billing.refund import Refund, RefundCause, RefundState
from edges.render import render_page
from functions.serve_client.door import Page
from functions.serve_client.flow import pay, show
from tests.billing.claim_examples import decided
from tests.functions.serve_client.html import Element, parsed
from tests.functions.serve_client.world import (
    CLIENT,
    NOW,
    PRACTICE,
    SAVED_VISA,
    World,
    a_result,
    a_world,
    form,
    three_bills,
    visit,
)

AUTOPAY = "Pay future bills automatically with this card"


def seen(world: World) -> Element:
    """The page as the browser that passed the phone check sees it."""
    answer = show(world.store, visit())
    assert isinstance(answer, Page)
    assert answer.name == "overview"
    return parsed(render_page(answer.name, answer.known))


def one_bill(amount: int = 6250, **practice: object) -> World:
    world = a_world(**practice)
    world.bill(1, amount)
    world.signed_in()
    return world


def explained(world: World, result: ClaimResult) -> None:
    """The one bill is what that result made of the session."""
    lines = InvoiceLines(PRACTICE, CLIENT, "inv_1", ())
    world.change(lines, lines=explain(result, None))


def autopay_on(world: World) -> World:
    world.put(SAVED_VISA)
    world.change(world.account, autopay=True, default_card="card_visa", cap=30000)
    return world


def test_pay_3_one_unpaid_invoice_has_one_button_that_names_its_amount() -> None:
    page = seen(one_bill())
    assert page.headings()[0] == "Hi Ana, one bill is ready to pay"
    assert "Friday, October 30 with Dr. Maya Chen" in page.headings()
    assert [b for b in page.buttons() if b.startswith("Pay")] == ["Pay $62.50"]
    assert page.text.count("Balance due") == 1


def test_pay_3_several_can_be_paid_at_once_the_latest_session_directly_a_past_one_through_its_details() -> None:
    page = seen(three_bills())
    assert page.headings()[0] == "Hi Ana, three bills are ready to pay"
    assert page.button("Pay all $250.00")["value"] == "all"
    assert page.text.count("Balance due") == 3
    cards = page.all("li")[:3]
    assert [card.headings()[0] for card in cards] == [
        "Friday, October 30 with Dr. Maya Chen",
        "Friday, October 23 with Dr. Maya Chen",
        "Friday, October 16 with Dr. Maya Chen",
    ]
    buttons = [
        card.button(f"Pay {amount}") for card, amount in zip(cards, ("$62.50", "$62.50", "$125.00"), strict=True)
    ]
    assert [b["value"] for b in buttons] == ["inv_3", "inv_1", "inv_2"]
    assert [b.within("details") for b in buttons] == [False, True, True]
    assert [card.all("summary")[0].text for card in cards] == ["Details"] * 3


def test_pay_4_every_pay_button_is_of_the_one_form_that_holds_the_consent() -> None:
    page = seen(three_bills())
    (pay_form,) = (one for one in page.all("form") if one["id"] == "pay")
    for button in page.all("button"):
        if button.text.startswith("Pay"):
            assert button["form"] == "pay" or button.within("form")
    assert pay_form.labelled(AUTOPAY)["name"] == "autopay"
    assert "checked" not in pay_form.labelled(AUTOPAY).attributes


def test_inv_6_each_cent_of_a_bill_is_explained_in_plain_words() -> None:
    (details,) = seen(one_bill()).all("details")
    rows = [(row.all("th")[0].text, row.all("td")[0].text) for row in details.all("tr")]
    assert [value for _, value in rows] == ["$150.00", "−$45.00", "−$42.50", "$40.00", "$22.50", "$62.50"]
    words = [label for label, _ in rows]
    assert words[0] == "Full price"
    assert words[1] == "Your plan's discount This is the discount we agreed with your plan. You do not pay it."
    assert words[2] == "Your plan paid"
    assert words[3].startswith("Deductible This part goes toward your deductible")
    assert words[4].startswith("Copay This is your copay")
    assert words[5] == "You pay"


def test_inv_6_the_picture_shows_the_shares_of_the_full_price_and_says_them_in_words() -> None:
    (picture,) = (one for one in seen(one_bill()).all("svg") if one["role"] == "img")
    assert [(part["x"], part["width"]) for part in picture.all("rect") if part["class"] == "slice"] == [
        ("0.00%", "30.01%"),
        ("30.01%", "28.33%"),
        ("58.34%", "26.66%"),
        ("85.00%", "15.00%"),
    ]
    assert [one.text for one in picture.all("title", "desc")] == [
        "Where the $150.00 went",
        "Your plan's discount: $45.00. Your plan paid: $42.50. Deductible: $40.00. Copay: $22.50. You pay: $62.50.",
    ]


def test_inv_6_nothing_is_told_by_colour_alone_and_each_row_repeats_the_pattern_of_its_part() -> None:
    (details,) = seen(one_bill()).all("details")
    patterns = {f"url(#{one['id']})" for one in details.all("pattern")}
    assert len(patterns) == 3
    slices = [one["fill"] for one in details.all("rect") if one["class"] == "slice"]
    keys = [one.all("rect")[0]["fill"] for one in details.all("svg") if one["class"] == "key"]
    assert slices == keys
    assert set(slices) == patterns


def test_inv_6_what_another_insurance_settled_is_named_as_that_on_the_page() -> None:
    """OA-23"""
    world = one_bill(2250)
    explained(world, decided(Adjustment("OA", "23", 12000), Adjustment("PR", "3", 2250)))
    (details,) = seen(world).all("details")
    rows = [(row.all("th")[0].text, row.all("td")[0].text) for row in details.all("tr")]
    assert rows[1] == (
        "Settled by your other insurance This reflects what your other insurance already paid or adjusted. "
        "It is shown only so the numbers add up.",
        "−$120.00",
    )
    assert not [label for label, _ in rows if "Discount" in label]


def test_inv_6_a_bill_that_nobody_else_had_a_part_in_has_a_table_and_no_picture() -> None:
    """PR-96, released by a person."""
    world = one_bill(15000)
    explained(world, decided(Adjustment("PR", "96", 15000)))
    (details,) = seen(world).all("details")
    assert details.all("svg") == []
    assert [row.text for row in details.all("tr")] == [
        "Full price $150.00",
        "Not covered Your plan does not cover this service or charge. $150.00",
        "You pay $150.00",
    ]


def test_inv_6_a_bill_for_a_part_of_the_share_says_why_it_asks_for_no_more() -> None:
    """A supplement asks for the difference only."""
    world = one_bill(1000)
    reason = Reason("PR", "", -1250, "This part is on another bill of yours.", "not_covered")
    difference = ExplainedLine("", None, -1250, 0, 0, 0, 0, 0, -1250, -1250, (reason,))
    session = explain(decided(Adjustment("CO", "45", 4500), Adjustment("PR", "3", 2250)), None)
    world.change(InvoiceLines(PRACTICE, CLIENT, "inv_1", ()), lines=(*session, difference))
    (details,) = seen(world).all("details")
    assert details.all("tr")[0].text == "Full price $150.00"
    assert [row.text for row in details.all("tr")[-3:]] == [
        "Your part $22.50",
        "Taken off this bill This part is on another bill of yours. −$12.50",
        "You pay $10.00",
    ]
    assert details.all("desc")[0].text.endswith("Copay: $22.50. Your part: $22.50.")


def test_inv_4_a_bill_that_no_plan_is_asked_to_pay_says_so_and_has_no_picture() -> None:
    world = one_bill(18000)
    reason = Reason("", "", 18000, "No health plan is asked to pay for this session.", "not_covered")
    own = ExplainedLine("90834", None, 18000, 0, 0, 0, 0, 0, 18000, 18000, (reason,))
    world.change(InvoiceLines(PRACTICE, CLIENT, "inv_1", ()), lines=(own,))
    (details,) = seen(world).all("details")
    assert details.all("svg") == []
    assert [row.text for row in details.all("tr")] == [
        "Full price $180.00",
        "Yours to pay No health plan is asked to pay for this session. $180.00",
        "You pay $180.00",
    ]


def test_inv_6_services_of_one_bill_are_explained_apart() -> None:
    world = a_world()
    world.bill(1, 12500, source=Source.PLAN_REMAINDER)
    both = (*explain(a_result(6250, date(2026, 10, 30)), None), *explain(a_result(6250, date(2026, 10, 31)), None))
    world.put(InvoiceLines(PRACTICE, CLIENT, "inv_1", both))
    world.signed_in()
    (details,) = seen(world).all("details")
    assert [one.text for one in details.all("h4")] == [
        "Service 90834, Friday, October 30",
        "Service 90834, Saturday, October 31",
    ]


def test_auto_4_an_announced_charge_is_shown_with_card_and_moment_and_can_be_stopped() -> None:
    world = autopay_on(one_bill())
    invoice = world.books.invoices[0]
    world.change(invoice, charge_at=datetime(2026, 11, 24, 17, 0, tzinfo=UTC), card_id="card_visa")
    page = seen(world)
    assert "We plan to charge this to Visa ending 4242 on Tuesday, November 24, 9:00 am Pacific." in page.text
    stop = page.button("Stop this charge")
    assert (stop["form"], stop["value"]) == ("stop", "inv_1")
    assert "Pay $62.50" in page.buttons()


def test_auto_9_the_page_says_that_automatic_payments_are_on_with_which_card_and_limit() -> None:
    page = seen(autopay_on(one_bill()))
    assert "Automatic payments are on" in page.headings()
    assert "Visa ending 4242 is charged for new bills, at most $300.00 at once." in page.text
    assert page.button("Turn off automatic payments")["form"] == "autopay-off"
    (pay_form,) = (one for one in page.all("form") if one["id"] == "pay")
    assert AUTOPAY not in pay_form.text


def test_auto_1_automatic_payments_are_not_offered_where_the_practice_does_not() -> None:
    world = a_world(policy=Policy(autopay_offered=False))
    world.bill(1)
    world.signed_in()
    assert AUTOPAY not in seen(world).text


def test_auto_1_what_is_agreed_to_stands_on_the_page_before_anybody_agrees() -> None:
    page = seen(one_bill())
    assert "I agree that my practice may charge this card" in page.text
    assert page.labelled("Most we may charge at once (optional)")["name"] == "cap"
    assert "If you leave this empty, it is $500.00." in page.text
    assert "Adding a card charges nothing." in page.text


def test_pay_10_without_online_payments_there_is_no_pay_button_and_the_page_says_whom_to_contact() -> None:
    page = seen(one_bill(online_payments=False))
    assert not [b for b in page.buttons() if b.startswith("Pay")]
    assert "To pay, please contact Riverbend Therapy at (202) 555-0143." in page.text
    assert AUTOPAY not in page.text
    assert "Balance due" in page.text


def test_pay_10_several_bills_without_online_payments_have_no_button_either() -> None:
    world = three_bills()
    world.change(world.practice, online_payments=False)
    page = seen(world)
    assert not [b for b in page.buttons() if b.startswith("Pay")]
    assert page.text.count("Balance due") == 3


def test_inv_11_an_amount_below_what_a_card_can_pay_has_no_button_of_its_own() -> None:
    page = seen(one_bill(49))
    assert not [b for b in page.buttons() if b.startswith("Pay")]
    assert "It waits for your next bill." in page.text


def test_inv_11_a_small_amount_that_goes_along_says_so_and_so_does_its_charge() -> None:
    world = autopay_on(one_bill(49))
    told = {"notice_id": "notice_1", "notice_at": NOW, "card_id": "card_visa"}
    small = world.books.invoice("inv_1")
    assert small is not None
    world.change(small, **told)
    world.bill(2, 6250, charge_at=NOW + timedelta(hours=48), **told)
    page = seen(world)
    assert "It goes along with your next automatic payment." in page.text
    assert "We plan to charge this, and $0.49 from before, to Visa ending 4242 on" in page.text


def test_inv_11_a_small_amount_that_was_let_go_is_shown_as_that() -> None:
    world = one_bill(49)
    small = world.books.invoice("inv_1")
    assert small is not None
    world.change(small, written_off=49)
    assert "no longer asked for" in seen(world).text


def test_inv_11_a_small_amount_is_paid_with_the_others() -> None:
    world = one_bill(49)
    world.bill(2, 6250)
    page = seen(world)
    assert "Pay all $62.99" in page.buttons()
    assert "Pay $0.49" not in page.buttons()


def test_inv_7_a_bill_in_review_is_shown_but_not_asked_for() -> None:
    world = three_bills()
    bill = world.books.invoice("inv_2")
    assert bill is not None
    world.change(bill, reviews=("hold_1",))
    page = seen(world)
    assert "Being checked" in page.text
    assert "Pay $125.00" not in page.buttons()
    assert "Pay all $125.00" in page.buttons()  # the two others
    assert page.headings()[0] == "Hi Ana, three bills are open"


def test_inv_7_where_all_bills_are_being_checked_nothing_is_said_to_be_decided() -> None:
    world = one_bill()
    assert "Your health plan has decided" in seen(world).text
    world.change(world.books.invoices[0], reviews=("hold_1",))
    page = seen(world)
    assert page.headings()[0] == "Hi Ana, one bill is open"
    assert "Your health plan has decided" not in page.text


def test_a_charge_on_its_way_is_shown_and_not_asked_for_again() -> None:
    world = autopay_on(one_bill())
    world.put(
        Attempt(
            PRACTICE, CLIENT, 1, 1, AttemptKind.AUTOPAY, (Part("inv_1", 6250),), "cus_1", "pm_visa", "card_visa", NOW
        )
    )
    world.change(world.books.invoices[0], open_attempt=1)
    page = seen(world)
    assert "Payment in progress" in page.text
    assert not [b for b in page.buttons() if b.startswith("Pay")]


def test_pay_all_leaves_out_what_is_being_charged() -> None:
    world = autopay_on(three_bills())
    charge = Attempt(
        PRACTICE, CLIENT, 1, 1, AttemptKind.AUTOPAY, (Part("inv_2", 12500),), "cus_1", "pm_visa", "card_visa", NOW
    )
    world.put(charge)
    world.change(next(i for i in world.books.invoices if i.invoice_id == "inv_2"), open_attempt=1)
    assert "Pay all $125.00" in seen(world).buttons()


def test_a_hosted_page_that_was_left_does_not_hide_the_pay_button() -> None:
    world = one_bill()
    pay(world.store, world.cards, visit(), form(invoice="inv_1"))
    assert world.books.invoices[0].open_attempt == 1
    assert "Pay $62.50" in seen(world).buttons()


def test_port_10_the_plan_shows_schedule_what_is_paid_and_what_comes_next() -> None:
    world = autopay_on(a_world())
    first, second, *rest = schedule(25000, 4, date(2026, 11, 17))
    paid = replace(first, status=InstalmentStatus.PAID, invoice_id="inv_p1")
    issued = replace(second, status=InstalmentStatus.SCHEDULED, invoice_id="inv_p2")
    world.put(Plan(PRACTICE, CLIENT, "plan_1", 1, 4, NOW, (), (paid, issued, *rest)))
    world.change(world.account, active_plan="plan_1")
    world.bill(1, 6250, invoice_id="inv_p2", source=Source.PLAN, ordinal=1, plan_id="plan_1")
    world.signed_in()
    page = seen(world)
    assert "Instalment 2 of 4" in page.headings()
    assert "$62.50 of $250.00 is paid." in page.text
    (plan,) = (one for one in page.all("table") if one["class"] == "schedule")
    rows = [row.text for row in plan.all("tr")[1:]]
    assert rows == [
        "Tuesday, November 17 $62.50 Paid",
        "Tuesday, November 24 $62.50 Next",
        "Tuesday, December 1 $62.50 To come",
        "Tuesday, December 8 $62.50 To come",
    ]


def test_an_account_with_nothing_to_pay_says_so_and_offers_to_save_a_card_that_charges_nothing() -> None:
    world = a_world()
    world.signed_in()
    page = seen(world)
    assert "Nothing to pay" in page.text
    assert "Adding a card charges nothing." in page.text
    assert page.buttons() == ["Save a card"]


def test_credit_and_the_latest_payments_are_shown() -> None:
    world = a_world()
    world.change(world.account, credit=2000)
    for day in range(7):
        world.put(
            Attempt(
                PRACTICE,
                CLIENT,
                day + 1,
                1,
                AttemptKind.CHECKOUT,
                (Part("inv_0", 1000 + day),),
                "cus_1",
                "",
                "",
                NOW,
                AttemptState.POSTED,
                posted_at=NOW - timedelta(days=day),
                card_shown="Visa ending 4242",
            )
        )
    world.signed_in()
    page = seen(world)
    assert "You have a credit of $20.00" in page.headings()
    assert [one.text for one in page.all("li")] == [
        f"November {22 - day}, 2026, Visa ending 4242 $10.0{day}" for day in range(5)
    ]


@pytest.mark.parametrize(
    "overpayment, words",
    [
        (Overpayment.REFUND, "Riverbend Therapy owes you this amount. To have it paid back, call (202) 555-0143."),
        (
            Overpayment.CREDIT,
            "It pays your next bills by itself, before any card is charged. To have it paid back instead, call "
            "(202) 555-0143.",
        ),
    ],
)
def test_inv_3_the_page_says_what_becomes_of_credit(overpayment: Overpayment, words: str) -> None:
    """Policy `overpayment`."""
    world = a_world(Policy(overpayment=overpayment))
    world.change(world.account, credit=2000)
    world.signed_in()
    assert words in " ".join(seen(world).text.split())


def test_desk_3_a_bill_that_was_cancelled_or_written_off_is_shown_as_that_and_not_asked_for() -> None:
    world = a_world()
    world.bill(1, 6250, void=True)
    world.bill(2, 8000, date(2026, 10, 23), paid=3000, written_off=5000)
    world.signed_in()
    page = seen(world)
    assert page.headings()[0] == "Hi Ana, there is nothing to pay"
    assert not [button for button in page.buttons() if button.startswith("Pay")]
    assert "No longer owed" in page.headings()
    assert "Friday, October 30 cancelled $62.50" in page.text
    assert "Friday, October 23 no longer asked for $50.00" in page.text


def paid_bill(**changes: object) -> World:
    """$62.50 were paid by the client's Visa."""
    world = a_world()
    world.bill(1, 6250, paid=6250, **changes)
    world.signed_in()
    world.put(
        Attempt(
            PRACTICE,
            CLIENT,
            1,
            1,
            AttemptKind.CHECKOUT,
            (Part("inv_1", 6250),),
            "cus_1",
            "",
            "",
            NOW,
            AttemptState.POSTED,
            posted_at=NOW,
            card_shown="Visa ending 4242",
        )
    )
    return world


def a_refund(number: int, amount: int, state: RefundState) -> Refund:
    parts = (Part("inv_1", amount),)
    return Refund(PRACTICE, CLIENT, f"ref_{number}", 1, RefundCause.STAFF, 1, "pi_1", amount, parts, NOW, state)


def test_pay_12_what_went_back_of_a_payment_stands_beside_it() -> None:
    world = paid_bill(refunded=3000)
    world.put(a_refund(1, 2000, RefundState.POSTED), a_refund(2, 1000, RefundState.STARTED))
    world.put(a_refund(3, 500, RefundState.FAILED))
    assert "Visa ending 4242 $20.00 sent back, $10.00 on its way back $62.50" in seen(world).text


def test_pay_13_a_disputed_bill_is_not_offered_for_payment_and_a_lost_one_says_why_it_is_open_again() -> None:
    world = paid_bill(disputed=True)
    world.put(Dispute(PRACTICE, CLIENT, "dp_1", 1, 1, 6250, NOW))
    page = seen(world)
    assert page.headings()[0] == "Hi Ana, there is nothing to pay"
    assert "Visa ending 4242 your bank is looking into it $62.50" in page.text
    (invoice,) = world.books.invoices
    world.change(invoice, paid=2000)
    page = seen(world)
    assert not [button for button in page.buttons() if button.startswith("Pay")]
    assert "Your bank is looking into a payment of this bill." in page.text
    world.change(invoice, disputed=False, paid=6250, disputed_back=6250)
    (dispute,) = world.books.disputes
    world.change(dispute, state=DisputeState.LOST, withdrawn=6250)
    page = seen(world)
    assert "Pay $62.50" in page.buttons()
    assert "Your bank took an earlier payment of this bill back." in page.text
    assert "Visa ending 4242 taken back by your bank $62.50" in page.text


def test_part_of_a_bill_settled_before_is_taken_off() -> None:
    world = a_world()
    world.bill(1, 6250, paid=2250)
    world.signed_in()
    page = seen(world)
    assert "Settled already −$22.50" in page.text
    assert "Still to pay $40.00" in page.text
    assert "Pay $40.00" in page.buttons()


def test_pay_all_takes_the_40_oldest_and_says_what_remains() -> None:
    world = a_world()
    for number in range(1, 43):
        world.bill(number, 1000)
    world.signed_in()
    page = seen(world)
    assert "Pay all $400.00" in page.buttons()
    assert "40 bills, the oldest first; 2 more remain" in page.text
    assert page.headings()[0] == "Hi Ana, 42 bills are ready to pay"


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>'])
def test_outside_text_cannot_break_out_of_the_page(name: str) -> None:
    world = one_bill()
    world.change(Contact(PRACTICE, CLIENT, 1, "", "", ""), name=name)
    assert not seen(world).all("img", "script")
