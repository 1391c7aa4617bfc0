"""One kind of object, kept in the order it was made, with the indices its lists are asked by.

Ids are numbered with a fixed width, so their text order is their age and a page begins by bisection instead of a walk.
Source of the paging rules: docs.stripe.com/api/pagination.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from infra.local.stripe.errors import Json, missing
from infra.local.stripe.params import Args

PAGE_DEFAULT = 10
PAGE_MAX = 100


@dataclass(frozen=True, slots=True)
class Page:
    """What a list call asks for: how many, from where, made when (unix seconds, `made_before` excluded)."""

    limit: int
    starting_after: str | None
    ending_before: str | None
    made_from: int | None
    made_before: int | None


def read_page(args: Args) -> Page:
    """The parameters every list call shares: limit, starting_after, ending_before, created[gt|gte|lt|lte]."""
    limit = args.whole("limit", least=1, most=PAGE_MAX) or PAGE_DEFAULT
    starting_after, ending_before = args.text("starting_after"), args.text("ending_before")
    made_from = made_before = None
    created = args.table("created")
    if created is not None:
        after, made_from = created.whole("gt"), created.whole("gte")
        up_to, made_before = created.whole("lte"), created.whole("lt")
        made_from = after + 1 if after is not None else made_from
        made_before = up_to + 1 if up_to is not None else made_before
    return Page(limit, starting_after, ending_before, made_from, made_before)


class Shelf:
    """All objects of one kind of one account; `noun` is what error messages call one, `indexed` its fields."""

    def __init__(self, noun: str, *indexed: str) -> None:
        self.noun = noun
        self._rows: dict[str, Json] = {}
        self._ids: list[str] = []
        self._indexed = indexed
        self._index: dict[tuple[str, str], list[str]] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Json]:
        """Oldest first."""
        return iter(self._rows.values())

    def made_after(self, count: int) -> Iterator[Json]:
        """What was made after the first `count` objects, oldest first. Only for kinds that are never forgotten."""
        return (self._rows[object_id] for object_id in self._ids[count:])

    def add(self, row: Json) -> Json:
        """Keeps a new object; its id must be the highest so far."""
        self._rows[row["id"]] = row
        self._ids.append(row["id"])
        for field in self._indexed:
            if row[field] is not None:
                self._index.setdefault((field, row[field]), []).append(row["id"])
        return row

    def get(self, object_id: str | None) -> Json | None:
        """The object, or None."""
        return None if object_id is None else self._rows.get(object_id)

    def find(self, object_id: str, param: str | None = None) -> Json:
        """The object. Errors: `resource_missing`, 404, or 400 where the parameter `param` named it."""
        row = self._rows.get(object_id)
        if row is None:
            raise missing(self.noun, object_id, param)
        return row

    def replace(self, row: Json) -> None:
        """Another object under the same id and the same indexed values (the stub of something deleted)."""
        self._rows[row["id"]] = row

    def move(self, row: Json, field: str, value: str | None) -> None:
        """Sets an indexed field and keeps its index."""
        if row[field] is not None:
            self._index[field, row[field]].remove(row["id"])
        row[field] = value
        if value is not None:
            insort(self._index.setdefault((field, value), []), row["id"])

    def forget_before(self, made_before: int) -> None:
        """Drops what was made before that second. Only for kinds without an index."""
        old = 0
        while old < len(self._ids) and self._rows[self._ids[old]]["created"] < made_before:
            del self._rows[self._ids[old]]
            old += 1
        del self._ids[:old]

    def newest(self, field: str, value: str) -> list[Json]:
        """Every object whose indexed field has that value, newest first."""
        return [self._rows[object_id] for object_id in reversed(self._index.get((field, value), []))]

    def page(self, page: Page, **wanted: str | set[str] | None) -> tuple[list[Json], bool]:
        """The page, newest first, and whether more follow. `wanted`: field = value or a set, None filters nothing."""
        filters = {
            field: value if isinstance(value, set) else {value} for field, value in wanted.items() if value is not None
        }
        ids = self._candidates(filters)
        for edge, param in ((page.starting_after, "starting_after"), (page.ending_before, "ending_before")):
            if edge is not None:
                self.find(edge, param)
        if page.ending_before is not None:
            newer = range(bisect_right(ids, page.ending_before), len(ids))
            rows, more = self._take(ids, newer, page, filters)
            return rows[::-1], more
        last = len(ids) if page.starting_after is None else bisect_left(ids, page.starting_after)
        return self._take(ids, range(last - 1, -1, -1), page, filters)

    def _candidates(self, filters: dict[str, set[str]]) -> list[str]:
        for field in self._indexed:
            if field in filters:
                return self._index.get((field, filters.pop(field).pop()), [])
        return self._ids

    def _take(
        self, ids: list[str], positions: range, page: Page, filters: Mapping[str, set[str]]
    ) -> tuple[list[Json], bool]:
        rows: list[Json] = []
        for at in positions:
            row = self._rows[ids[at]]
            if page.made_from is not None and row["created"] < page.made_from:
                if positions.step < 0:
                    break  # from here on everything is older
                continue
            if page.made_before is not None and row["created"] >= page.made_before:
                continue
            if any(row.get(field) not in values for field, values in filters.items()):
                continue
            if len(rows) == page.limit:
                return rows, True
            rows.append(row)
        return rows, False
