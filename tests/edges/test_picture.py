"""INV-6: the picture of where each dollar went is the table in another form, and everybody can read it.

WCAG 2.2 AA as far as arithmetic sees it: 1.1.1 (words instead of the picture), 1.4.1 (not by colour alone), 1.4.3 and
1.4.11 (contrast), in light and dark.
"""

import re
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.claim import Adjustment, ClaimResult
from billing.explain import explain
from billing.money import dollars
from billing.where_it_went import Share, where_it_went
from edges.picture import NARROWEST, WHOLE, picture, widths
from edges.render import ENVIRONMENT, STYLE
from tests.billing.claim_examples import balanced_results, decided
from tests.functions.serve_client.html import Element, parsed


def drawn(result: ClaimResult) -> Element:
    """What stands under Details for that result."""
    template = ENVIRONMENT.from_string('{% from "_picture.html" import where_it_went %}{{ where_it_went(went, "p") }}')
    return parsed(template.render(went=where_it_went(explain(result, None))))


@given(st.lists(st.integers(min_value=1, max_value=10_000_000), min_size=1, max_size=10))
def test_the_parts_of_the_bar_fill_it_and_each_can_be_seen(amounts: list[int]) -> None:
    wide = widths(amounts)
    assert sum(wide) == WHOLE
    assert min(wide) >= NARROWEST
    in_order = sorted(zip(amounts, wide, strict=True))
    assert [width for _, width in in_order] == sorted(wide)


@given(balanced_results())
def test_inv_6_picture_words_and_table_say_the_same(result: ClaimResult) -> None:
    went = where_it_went(explain(result, None))
    seen = drawn(result)
    first, *rows, last = [(row.all("th")[0], row.all("td")[0].text) for row in seen.all("tr")]
    assert [value for _, value in (first, *rows, last)] == [
        dollars(went.billed),
        *(dollars(part.shown) for part in went.parts),
        dollars(went.you_owe),
    ]
    pictures = [one for one in seen.all("svg") if one["role"] == "img"]
    assert bool(pictures) == bool(went.slices and went.somebody_else_had_a_part)
    for one in pictures:
        (words,) = (desc.text for desc in one.all("desc"))
        assert words.endswith(f"You pay: {dollars(went.yours)}.")
        slices = [part for part in one.all("rect") if part["class"] == "slice"]
        assert words.count("$") - 1 == len(slices)
        if went.slices == went.parts:
            for part in went.parts:
                assert f"{part.label}: {dollars(part.amount)}." in words


def test_the_parts_of_a_picture_end_where_the_next_begins() -> None:
    made = picture(where_it_went(explain(decided(Adjustment("CO", "45", 1), Adjustment("PR", "3", 3333)), None)))
    assert made is not None
    assert [(one.x, one.width) for one in made.slices] == [
        ("0.00%", "2.00%"),
        ("2.00%", "76.23%"),
        ("78.23%", "21.77%"),
    ]
    assert made.shares == (Share.OFF, Share.PLAN, Share.YOU)


def test_each_share_has_a_pattern_of_its_own() -> None:
    """1.4.1: printed in black and white they can still be told apart."""
    everything = (Adjustment("CO", "45", 1000), Adjustment("OA", "23", 1000), Adjustment("PR", "3", 1000))
    patterns = drawn(decided(*everything)).all("pattern")
    assert [one["id"] for one in patterns] == ["p-off", "p-other", "p-plan", "p-you"]
    shapes = [
        [(part.tag, part["width"], one["patterntransform"]) for part in one.all("rect", "circle")] for one in patterns
    ]
    assert all(shapes.count(shape) == 1 for shape in shapes)


# ---- contrast ----


def tokens(scheme: str) -> Mapping[str, str]:
    """The stylesheet's colours by name; the dark ones replace the light ones."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE.decode(), re.S)
    found = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", light))
    return found | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", dark)) if scheme == "dark" else found


def contrast(one: str, other: str) -> float:
    """WCAG 2.2: of relative luminances, from 1 to 21."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (red, green, blue)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_contrast_is_computed_as_wcag_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("part", ["off", "other", "plan", "you"])
def test_every_part_of_the_picture_stands_out_from_the_card_it_lies_on(part: str, scheme: str) -> None:
    """1.4.11: at least 3 to 1."""
    colours = tokens(scheme)
    assert contrast(colours[part], colours["card"]) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground"), [("off", "off-wash"), ("other-ink", "other")])
def test_a_pattern_stands_out_from_its_ground(ink: str, ground: str, scheme: str) -> None:
    colours = tokens(scheme)
    assert contrast(colours[ink], colours[ground]) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("ink", "grounds"),
    [
        ("ink", ("paper", "card", "leaf-wash")),
        ("soft", ("paper", "card", "leaf-wash")),
        ("leaf", ("paper", "card", "leaf-wash")),
        ("leaf-ink", ("leaf",)),
        ("sun", ("sun-wash",)),
        ("rose", ("card", "rose-wash")),
    ],
)
def test_every_ink_is_readable_on_each_ground_it_is_used_on(ink: str, grounds: tuple[str, ...], scheme: str) -> None:
    """1.4.3: at least 4.5 to 1."""
    colours = tokens(scheme)
    for ground in grounds:
        assert contrast(colours[ink], colours[ground]) >= 4.5, f"{ink} on {ground}"
