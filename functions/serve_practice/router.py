"""From method and path to the route that serves them. Twelve routes need no framework; this one starts in no time."""

import re
from dataclasses import dataclass

from edges.inbound.bad_input import BadInput
from edges.inbound.fields import ID_PATTERN, ID_PATTERNS
from functions.serve_practice.calls import ELSEWHERE, ROUTES
from functions.serve_practice.route import Route


class NoSuchPath(Exception):
    """Nothing is served there (404)."""


class WrongMethod(Exception):
    """Something is served there, but not by this method (405); `allowed` are those it has."""

    def __init__(self, allowed: tuple[str, ...]) -> None:
        super().__init__(", ".join(allowed))
        self.allowed = allowed


@dataclass(frozen=True)
class Found:
    """The route and the parts of the path that it names."""

    route: Route
    params: dict[str, str]


def find(method: str, path: str) -> Found:
    """Raises NoSuchPath, WrongMethod where the path is served by another method, BadInput where a PUT names an id that
    nothing can have."""
    allowed = {
        other for pattern, methods in ELSEWHERE.items() if _match(pattern, path) is not None for other in methods
    }
    for route in ROUTES:
        params = _match(route.path, path)
        if params is None:
            continue
        if route.method == method:
            _check_ids(method, params)
            return Found(route, params)
        allowed.add(route.method)
    if allowed:
        raise WrongMethod(tuple(sorted(allowed)))
    raise NoSuchPath


def _check_ids(method: str, params: dict[str, str]) -> None:
    wrong = [name for name, text in params.items() if not re.fullmatch(ID_PATTERNS.get(name, ID_PATTERN), text)]
    if wrong and method == "GET":
        raise NoSuchPath  # nothing has such an id
    if wrong:
        message = "must be 1 to 64 of the characters A-Z a-z 0-9 . _ : -"
        raise BadInput(422, "The id in the path cannot be used.", tuple((name, message) for name in wrong))


def _match(pattern: str, path: str) -> dict[str, str] | None:
    """The named parts of `path`, or None where it is another path."""
    wanted, given = pattern.split("/"), path.split("/")
    if len(wanted) != len(given):
        return None
    params: dict[str, str] = {}
    for part, text in zip(wanted, given, strict=True):
        if part.startswith("{"):
            params[part[1:-1]] = text
        elif part != text:
            return None
    return params
