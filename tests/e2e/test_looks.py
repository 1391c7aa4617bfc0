"""What every page owes everybody: names on what can be pressed, contrast, headings, a phone's width, a keyboard.

WCAG 2.2 AA, as far as a program can see it: 1.3.1, 1.4.3, 1.4.10, 2.1.1, 2.4.2, 2.5.8, 3.1.1, 3.3.2, 4.1.2.
"""

from collections.abc import Callable

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import PHONE_WIDTH, Visitor
from tests.e2e.kindbill import A_CARD, Kindbill

LOOK = """() => {
  const wrong = [], seen = e => e.checkVisibility({visibilityProperty: true, opacityProperty: true});
  const says = e => e.outerHTML.slice(0, 120);
  if (!document.documentElement.lang) wrong.push('the page names no language');
  if (!document.title.trim()) wrong.push('the page has no title');
  if (document.querySelectorAll('h1').length !== 1) wrong.push('there is not exactly one h1');
  if (document.querySelectorAll('main').length !== 1) wrong.push('there is not exactly one main');
  if (document.querySelector('script, [onclick], [onload], [style]')) wrong.push('there is script or inline style');
  if (document.documentElement.scrollWidth > innerWidth) wrong.push('it scrolls sideways');
  let level = 0;
  for (const h of document.querySelectorAll('h1,h2,h3,h4,h5,h6')) {
    const own = +h.tagName[1];
    if (own > level + 1) wrong.push('a heading level is left out before ' + says(h));
    level = own;
  }
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  for (const id of new Set(ids.filter((one, at) => ids.indexOf(one) !== at))) wrong.push('id twice: ' + id);
  for (const e of document.querySelectorAll('[aria-describedby],[aria-labelledby]'))
    for (const id of ((e.getAttribute('aria-describedby') || '') + ' ' + (e.getAttribute('aria-labelledby') || ''))
         .split(/\\s+/).filter(Boolean))
      if (!ids.includes(id)) wrong.push('described by nothing: ' + says(e));
  for (const e of document.querySelectorAll('a[href],button,summary,input:not([type=hidden]),select,textarea')) {
    if (!seen(e)) continue;
    const name = e.labels ? [...e.labels].map(l => l.innerText).join('') + (e.innerText || '') : e.innerText;
    if (!(name || e.getAttribute('aria-label') || '').trim()) wrong.push('no name: ' + says(e));
    const box = e.getBoundingClientRect(), inline = getComputedStyle(e).display === 'inline';
    if (!inline && (box.width < 20 || box.height < 20)) wrong.push('too small to hit: ' + says(e));
  }
  const part = c => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
  const read = c => { const n = c.match(/[\\d.]+/g).map(Number); return n.length > 3 ? n : [...n, 1]; };
  const ground = e => { for (; e; e = e.parentElement) {
    const c = read(getComputedStyle(e).backgroundColor); if (c[3] === 1) return c; } return [255, 255, 255]; };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    if (!texts.currentNode.textContent.trim() || !seen(e)) continue;
    const style = getComputedStyle(e), [a, b] = [light(read(style.color)), light(ground(e))].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    if ((a + .05) / (b + .05) < (large ? 3 : 4.5)) wrong.push('too little contrast: ' + says(e));
  }
  return wrong;
}"""


def assert_fair(visitor: Visitor, page: str) -> None:
    """Nothing on this page keeps anybody out."""
    wrong = visitor.page.evaluate(LOOK)
    assert wrong == [], f"{page}: {wrong}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_of_a_payment_is_fair_to_everybody_on_a_phone(
    kindbill: Kindbill, browser: Browser, scheme: str
) -> None:
    """Design, Web: WCAG 2.2 AA; no horizontal scroll at 390 px, in either colour scheme."""
    client = kindbill.new_client("fair")
    client.owes(62_50, 80_00)
    with browser.new_context(
        viewport={"width": PHONE_WIDTH, "height": 844}, color_scheme="dark" if scheme == "dark" else "light"
    ) as context:
        person = Visitor(context, kindbill.base_url)
        person.open(client.link())
        assert_fair(person, "phone check")
        person.enter_phone("2125550100")
        assert_fair(person, "wrong number")
        person.enter_phone(client.phone)
        assert_fair(person, "bills")
        for nth in range(2):
            person.press("Details", nth)
        person.tick("Pay future bills automatically with this card")
        assert_fair(person, "bills, all opened")
        person.fill("Most we may charge at once (optional)", "a lot")
        person.press("Pay all $142.50")
        assert person.page.get_by_role("alert").is_visible()
        assert_fair(person, "a limit that is no amount")
        person.fill("Most we may charge at once (optional)", "100")
        person.press("Pay all $142.50")
        assert_fair(person, "Stripe's page")
        person.type_card("4000000000009995")
        person.press("Pay $142.50")
        assert "does not have enough money" in person.text
        assert_fair(person, "Stripe's page, declined")
        person.pay_with(A_CARD, "Pay $142.50")
        assert_fair(person, "paid")
        kindbill.settle()
        person.page.get_by_role("link", name="Back to your page").click()
        assert_fair(person, "nothing to pay, autopay on")
        person.press("Use another card")
        assert_fair(person, "another card")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_that_tells_what_staff_changed_is_fair_to_everybody_on_a_phone(
    kindbill: Kindbill, browser: Browser, scheme: str
) -> None:
    """DESK-3, PAY-12: cancelled, written off, sent back."""
    client = kindbill.new_client(f"changed-{scheme}")
    client.save_card()
    paid, void, written_off = client.owes(62_50, 80_00, 20_00)
    changes = {void: "void", written_off: "write-off"}
    for invoice_id, change in changes.items():
        staff_change(kindbill, invoice_id, change)
    kindbill.forward("48h")
    staff_change(kindbill, paid, "refunds")
    with browser.new_context(
        viewport={"width": PHONE_WIDTH, "height": 844}, color_scheme="dark" if scheme == "dark" else "light"
    ) as context:
        person = Visitor(context, kindbill.base_url)
        person.open(client.link())
        person.enter_phone(client.phone)
        assert "No longer owed" in person.text
        assert "$62.50 sent back" in person.text
        assert_fair(person, "what staff changed")


def test_names_of_any_length_fit_a_phone(kindbill: Kindbill, visit: Callable[..., Visitor]) -> None:
    """Design, Web: no horizontal scroll, whatever a practice calls its bills and its clients are called."""
    client = kindbill.new_client("Wolfeschlegelsteinhausenbergerdorff-Featherstone")
    bill = {"client_id": client.client_id, "amount": 123_456_78, "description": "Retreat-" + "weekend" * 12}
    kindbill.post("/v1/invoices", bill, "practice")
    kindbill.settle()
    person = visit(PHONE_WIDTH)
    person.open(client.link())
    person.enter_phone(client.phone)
    person.press("Details")
    person.tick("Pay future bills automatically with this card")
    assert_fair(person, "long names")


def staff_change(kindbill: Kindbill, invoice_id: str, change: str) -> None:
    """Staff change an invoice through the API."""
    path, headers = f"/v1/invoices/{invoice_id}/{change}", {"idempotency-key": f"{change}-{invoice_id}"}
    kindbill.do("POST", path, "practice", json={"reason": "Asked for"}, headers=headers)
    kindbill.settle()


def test_pages_that_lead_nowhere_are_fair_too(kindbill: Kindbill, visit: Callable[..., Visitor]) -> None:
    person = visit(PHONE_WIDTH)
    assert person.open(f"{kindbill.base_url}/pay/nothing") == 404
    assert_fair(person, "unknown link")


def test_a_bill_can_be_paid_with_the_keyboard_alone(kindbill: Kindbill, visit: Callable[..., Visitor]) -> None:
    """WCAG 2.1.1: nothing needs a mouse; the phone field has the cursor already."""
    client = kindbill.new_client("keyboard")
    client.owes(62_50)
    person = visit()
    person.open(client.link())
    keys = person.page.keyboard
    keys.type(client.phone)
    keys.press("Enter")
    person.button("Pay $62.50").wait_for()
    for _ in range(20):
        keys.press("Tab")
        if person.page.evaluate("document.activeElement.innerText") == "Pay $62.50":
            break
    keys.press("Enter")
    person.page.get_by_label("Card number").wait_for()
    person.page.get_by_label("Card number").focus()
    for text in (A_CARD, "1234", "123"):
        keys.type(text)
        keys.press("Tab")
    keys.press("Enter")
    person.wait_for_heading("Paid. Thank you!")
    kindbill.settle()
    assert client.taken() == [62_50]


def test_the_look_finds_what_is_wrong(visit: Callable[..., Visitor]) -> None:
    """The check itself: a page with every fault is told each of them."""
    page = visit(PHONE_WIDTH).page
    page.set_content(
        "<main><h1>A</h1><h3 id=a>B</h3><p id=a style='color:#999'>pale</p><input><button>&nbsp;</button>"
        "<a href=x aria-describedby=gone>link</a><div style='width:900px'>wide</div><script>1</script></main>"
    )
    wrong = " · ".join(page.evaluate(LOOK))
    for words in (
        "names no language",
        "no title",
        "script or inline style",
        "scrolls sideways",
        "level is left out",
        "id twice: a",
        "described by nothing",
        "no name: <input",
        "no name: <button",
        "too little contrast",
    ):
        assert words in wrong
