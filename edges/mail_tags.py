"""Our ids in the tags of a mail, by which receive_mail_events learns what bounced. SES allows tags letters, digits, `_`
and `-` only, and ids hold more.
"""

from urllib.parse import unquote


def to_tag(text: str) -> str:
    """Text in the characters of an SES tag, readable where it was readable: `_` and the byte's hex stand for others."""
    return "".join(
        c if c.isascii() and (c.isalnum() or c == "-") else "".join(f"_{b:02x}" for b in c.encode()) for c in text
    )


def from_tag(tag: str) -> str:
    """The text that a tag stands for."""
    return unquote(tag.replace("_", "%"))
