"""Read a page as a person or a browser would: by headings, buttons, labels and text."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

INLINE = {"a", "strong"}
VOID = {"meta", "link", "input", "br", "rect"}


@dataclass
class Element:
    """One tag with what stands in it."""

    tag: str
    attributes: dict[str, str | None]
    parent: "Element | None"
    children: "list[Element | str]" = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(self._words().split())

    def _words(self) -> str:
        words = "".join(child if isinstance(child, str) else child._words() for child in self.children)
        return words if self.tag in INLINE else f" {words} "

    def __getitem__(self, name: str) -> str:
        return self.attributes.get(name) or ""

    def all(self, *tags: str) -> "list[Element]":
        found = []
        for child in self.children:
            if isinstance(child, Element):
                if child.tag in tags:
                    found.append(child)
                found += child.all(*tags)
        return found

    def within(self, tag: str) -> bool:
        return self.tag == tag or (self.parent is not None and self.parent.within(tag))

    def buttons(self) -> list[str]:
        return [one.text for one in self.all("button")]

    def button(self, text: str) -> "Element":
        (found,) = (one for one in self.all("button", "a") if one.text == text)
        return found

    def labelled(self, text: str) -> "Element":
        """The field that a label of that text belongs to."""
        (label,) = (one for one in self.all("label") if one.text == text)
        (found,) = (one for one in self.all("input") if one["id"] == label["for"])
        return found

    def headings(self) -> list[str]:
        return [one.text for one in self.all("h1", "h2", "h3")]


class _Builder(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.root = Element("", {}, None)
        self.here = self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, dict(attrs), self.here)
        self.here.children.append(element)
        if tag not in VOID:
            self.here = element

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.here.children.append(Element(tag, dict(attrs), self.here))

    def handle_endtag(self, tag: str) -> None:
        assert self.here.tag == tag, f"</{tag}> closes <{self.here.tag}>"
        assert self.here.parent is not None
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        self.here.children.append(data)


def parsed(html: str) -> Element:
    """The page as a tree; fails where tags do not match, ids repeat, or a label or description leads nowhere."""
    builder = _Builder()
    builder.feed(html)
    root = builder.root
    assert builder.here is root, f"<{builder.here.tag}> is never closed"
    named = [one["id"] for one in _every(root) if one["id"]]
    assert len(named) == len(set(named)), f"an id twice: {sorted(n for n in named if named.count(n) > 1)}"
    for one in _every(root):
        for reference in " ".join(one[name] for name in ("for", "form", "aria-labelledby", "aria-describedby")).split():
            assert reference in named, f"<{one.tag}> refers to {reference}, which is not there"
        assert "style" not in one.attributes, "the content security policy forbids inline styles"
        assert not [name for name in one.attributes if name.startswith("on")]
    assert not root.all("script", "style")
    return root


def _every(root: Element) -> list[Element]:
    children = [child for child in root.children if isinstance(child, Element)]
    return [one for child in children for one in (child, *_every(child))]
