"""Cut an X12 file into segments and elements, whatever delimiters it chose, without ever holding the whole of it.

An interchange names its own delimiters in its first segment (ISA), by position: the element separator is the fourth
character, the component separator and the segment end are the two after the sixteenth separator. Headers are often not
padded to their fixed widths, so they are cut by separator, never by column, and a file may hold several interchanges
with different delimiters. Bytes are read as Latin-1: every byte is one character, so nothing fails to decode and any
byte can be a delimiter.
"""

from collections.abc import Iterable, Iterator
from typing import Final

CHUNK_BYTES: Final = 1 << 16
MAX_HEADER_CHARS: Final = 400
MAX_SEGMENT_CHARS: Final = 20_000
MAX_ELEMENTS: Final = 100

BAD_HEADER: Final = "bad header"
"""Stands where a tag would: an ISA segment whose delimiters cannot be found."""
OVERSIZED: Final = "oversized"
"""Stands where a tag would: something too long to be a segment, or, the tag after it, one of too many elements."""

BYTE_ORDER_MARK: Final = "\xef\xbb\xbf"  # the three bytes of UTF-8's mark, each read as one character
BLANK: Final = " \t\r\n\0"


class Unreadable(ValueError):
    """The file is no X12 interchange and nothing of it was read: the sender must send another one."""


NO_HEADER: Final = (
    "This is not a readable 835 file: it must begin with an ISA header and hold a transaction ST*835. "
    "Send the file exactly as the payer or clearinghouse delivered it."
)


def pieces(body: bytes) -> Iterator[bytes]:
    """`body` in chunks, so that its text never exists as a whole."""
    return (body[start : start + CHUNK_BYTES] for start in range(0, len(body), CHUNK_BYTES))


def read_header(text: str) -> tuple[list[str], str, int] | None:
    """The elements of the ISA segment that `text` begins with, the segment end, and where the segment stops.

    Element 16 is the component separator, "" when the header has none. None when this is no header.
    """
    separator = text[3:4]
    if not text.startswith("ISA") or not separator or separator.isalnum() or separator in BLANK:
        return None
    elements = text[:MAX_HEADER_CHARS].split(separator, 16)
    if len(elements) < 17 or len(elements[15].strip(BLANK)) != 1:
        return None
    stop = _unwrapped(text, sum(map(len, elements[:16])) + 16)
    component, at_end = text[stop : stop + 1], _unwrapped(text, stop + 1)
    end = text[at_end : at_end + 1]
    stop = at_end - 1
    if not component or component.isalnum():
        return None
    ends_again = end in ("\r", "\n") and component + end in text[stop + 2 : MAX_HEADER_CHARS]
    if not end or end.isalnum() or ends_again:  # no component separator: the segment end stands in its place
        component, end, stop = "", component, stop - 1
    if end == separator:
        return None
    return [*(element.strip(BLANK) for element in elements[:16]), component], end, stop + 2


def _unwrapped(text: str, at: int) -> int:
    """The place of the delimiter that stands at `at`, past a line break where a file that is wrapped at a fixed width
    has one just before it. A line break that is a segment's end itself is followed by a tag, which begins with a
    letter."""
    after = text[at:MAX_HEADER_CHARS].lstrip("\r\n")
    wrapped = text[at : at + 1] in ("\r", "\n") and after and not after[0].isalnum() and after[0] not in BLANK
    return text.index(after[0], at) if wrapped else at


class Segments:
    """The segments of an X12 file that comes in pieces: each a list of elements, the tag first, blank ones left out.

    Iterating raises Unreadable when the file does not begin with an ISA header. Anything after that comes through, if
    need be as `BAD_HEADER` or `OVERSIZED`. Line breaks around and inside segments do not count.
    """

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self._text = ""  # what is not cut yet; begins where a segment begins, unless skipping
        self._separator = ""
        self._end = ""  # "" until the first header
        self._skipping = False  # inside something oversized, up to its end

    def __iter__(self) -> Iterator[list[str]]:
        for chunk in self._chunks:
            self._text += chunk.decode("latin-1")
            if not self._end:
                self._text = self._text.lstrip(BLANK)
            yield from self._cut(is_last=False)
            if len(self._text) > MAX_SEGMENT_CHARS:
                if not self._skipping:
                    yield [OVERSIZED]
                self._skipping, self._text = True, ""
        yield from self._cut(is_last=True)
        if self._text.strip(BLANK) and not self._skipping:
            yield self._elements(self._text.strip(BLANK))

    def _cut(self, *, is_last: bool) -> Iterator[list[str]]:
        """Yield what is complete in `_text` and leave the rest there."""
        text, start = self._text, 0
        while True:
            stop = text.find(self._end, start) if self._end else -1
            part = (text[start:stop] if stop >= 0 else text[start:]).strip(BLANK)
            if part.startswith(BYTE_ORDER_MARK):
                part = part[3:].lstrip(BLANK)
            if not self._skipping and (part.startswith("ISA") or not self._end):
                start = text.index("ISA", start) if part.startswith("ISA") else start
                if len(text) - start < MAX_HEADER_CHARS and not is_last:
                    break  # the header may go on in the next chunk
                elements, start = self._header(text, start)
                yield elements
            elif stop < 0:
                break
            else:
                start = stop + 1
                if part and not self._skipping:
                    yield self._elements(part)
                self._skipping = False
        self._text = text[start:]

    def _header(self, text: str, start: int) -> tuple[list[str], int]:
        found = read_header(text[start : start + MAX_HEADER_CHARS])
        if found is not None:
            elements, self._end, length = found
            self._separator = text[start + 3]
            return elements, start + length
        if not self._end:
            raise Unreadable(NO_HEADER)
        self._skipping = True  # what it announces cannot be cut; go on at the next segment
        return [BAD_HEADER], start

    def _elements(self, part: str) -> list[str]:
        if "\n" in part or "\r" in part:
            part = part.replace("\n", "").replace("\r", "")
        if len(part) > MAX_SEGMENT_CHARS:
            return [OVERSIZED]
        elements = part.split(self._separator)
        return elements if len(elements) <= MAX_ELEMENTS else [OVERSIZED, elements[0]]
