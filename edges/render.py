"""Letters and pages in words: the only place that knows Jinja.

A mail is written twice, for eyes and for plain text; each kind of notice has `mails/<kind>.html` and
`mails/<kind>.txt`, whose block `subject` is its subject line. A template that asks for something nobody gave it
fails loudly, at the latest in the test that renders every kind.

What is rendered here is kept as it was sent, so the pay link stands in it as `{{PAY_LINK}}`: the mailer puts the real
one in as the mail leaves, and nothing secret is stored.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from textwrap import wrap
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from billing.money import dollars
from billing.notice import Letter, LetterItem, NoticeKind
from billing.period import local_date, zone
from edges.picture import picture

PAY_LINK: Final = "{{PAY_LINK}}"
"""Stands for the client's pay link in every rendered letter."""

TEXT_WIDTH: Final = 76
"""Characters in a line of a mail's plain text."""

ANNOUNCES_ITS_ROWS: Final = frozenset({NoticeKind.PLAN_SCHEDULE, NoticeKind.AUTOPAY_ON})
"""Kinds whose rows are charges to come: the letter is their notice, so each is named by its moment (AUTO-4)."""

TEMPLATES: Final = Path(__file__).parent / "templates"

STYLE_PATH: Final = "/static/style.css"
STYLE: Final = (TEMPLATES / "static" / "style.css").read_bytes()
"""The one stylesheet of all pages."""
STYLE_VERSION: Final = hashlib.sha256(STYLE).hexdigest()[:12]
"""Part of the stylesheet's address in every page: a browser may keep it for good, and fetches a new one."""

ZONE_NAMES: Final = {
    "PST": "Pacific",
    "PDT": "Pacific",
    "MST": "Mountain",
    "MDT": "Mountain",
    "CST": "Central",
    "CDT": "Central",
    "EST": "Eastern",
    "EDT": "Eastern",
    "AKST": "Alaska",
    "AKDT": "Alaska",
    "HST": "Hawaii",
    "HDT": "Hawaii",
    "AST": "Atlantic",
    "ADT": "Atlantic",
}
"""Abbreviations of North American zones -> what people there call their time, summer and winter."""


@dataclass(frozen=True)
class Rendered:
    """A letter in words. `html` and `text` say the same."""

    subject: str
    html: str
    text: str


def render_letter(letter: Letter) -> Rendered:
    """The letter as subject, HTML and plain text, with `PAY_LINK` where the link goes. Raises jinja2.UndefinedError for
    a template that uses what a letter does not have."""
    known: dict[str, Any] = asdict(letter) | {
        "client_name": one_line(letter.client_name),
        "practice_name": one_line(letter.practice_name),
        "first_name": first_name(letter.client_name),
        "went": letter.went,
        "asked": letter.total or letter.amount,
        "rows": [(_label(item, letter), dollars(item.amount)) for item in letter.items],
        "pay_link": PAY_LINK,
    }
    words = ENVIRONMENT.get_template(f"mails/{letter.kind}.txt")
    subject = "".join(words.blocks["subject"](words.new_context(known)))
    return Rendered(
        subject=one_line(subject),
        html=ENVIRONMENT.get_template(f"mails/{letter.kind}.html").render(known, subject=one_line(subject)),
        text=_folded(words.render(known)),
    )


def _folded(text: str) -> str:
    """Plain text in paragraphs of lines that every mail program shows whole. The subject, indented rows and links stay
    lines of their own, however long: a link that is broken leads nowhere."""
    subject, _, rest = text.strip().partition("\n")
    paragraphs = (paragraph.splitlines() for paragraph in re.split(r"\n\s*\n", rest.strip("\n")))
    return "\n\n".join([subject, *("\n".join(_lines(paragraph)) for paragraph in paragraphs)]) + "\n"


def _lines(paragraph: Iterable[str]) -> Iterator[str]:
    for stands_alone, group in groupby(paragraph, lambda line: line.startswith("  ") or PAY_LINK in line):
        lines = list(group)
        yield from lines if stands_alone else wrap(" ".join(lines), TEXT_WIDTH, break_long_words=False)


def _label(item: LetterItem, letter: Letter) -> str:
    """What a row of a letter's table is called: its label, and its day; a charge to come is named by its moment."""
    words = moment_in_words if letter.kind in ANNOUNCES_ITS_ROWS else day_in_words
    return ", ".join(filter(None, (one_line(item.label), words(item.on, letter.time_zone) if item.on else "")))


def render_page(name: str, known: Mapping[str, Any]) -> str:
    """The page `pages/<name>.html` with what it is about."""
    return ENVIRONMENT.get_template(f"pages/{name}.html").render(known)


def one_line(text: str) -> str:
    """Outside text as one line: a line break in a name must not become a second header or paragraph."""
    return " ".join(text.split())


def first_name(name: str) -> str:
    """How a letter or page greets: the first word of the name, "" where there is none."""
    return next(iter(name.split()), "")


def day_in_words(day: date | datetime, time_zone: str) -> str:
    """A day as people say it: "Tuesday, November 24". An instant is the day it falls on in that zone."""
    local = local_date(day, time_zone) if isinstance(day, datetime) else day
    return f"{local:%A, %B} {local.day}"


def date_in_words(day: date | datetime, time_zone: str) -> str:
    """A date to keep: "November 24, 2026"."""
    local = local_date(day, time_zone) if isinstance(day, datetime) else day
    return f"{local:%B} {local.day}, {local.year}"


def moment_in_words(at: datetime, time_zone: str) -> str:
    """An instant as the practice's clients say it: "Tuesday, November 24, 9:00 am Pacific" (AUTO-4)."""
    local = at.astimezone(zone(time_zone))
    half = "am" if local.hour < 12 else "pm"
    abbreviation = local.tzname() or "UTC"
    spoken = abbreviation if abbreviation.isalpha() else f"UTC{abbreviation}"
    if time_zone.startswith(("America/", "US/", "Pacific/Honolulu")):
        spoken = ZONE_NAMES.get(abbreviation, spoken)
    return f"{day_in_words(at, time_zone)}, {local.hour % 12 or 12}:{local.minute:02d} {half} {spoken}"


def phone_in_words(number: str) -> str:
    """A US number as people write it, "(202) 555-0143"; another country's stays as it is."""
    us = re.fullmatch(r"\+1(\d{3})(\d{3})(\d{4})", number)
    return f"({us[1]}) {us[2]}-{us[3]}" if us else number


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "dollars": dollars,
        "phone": phone_in_words,
        "day": day_in_words,
        "date": date_in_words,
        "moment": moment_in_words,
        "first_name": first_name,
        "picture": picture,
    }
    environment.globals["style"] = f"{STYLE_PATH}?v={STYLE_VERSION}"
    return environment


ENVIRONMENT: Final = _environment()
"""Templates are read and compiled once per container, when first used."""
