"""Which modules a verb can come to import: at once, and late inside functions. Read from the source, so it also finds
what no test happens to run.

`edges.container` makes each port when it is asked for, so of it only the ports that the verb asks for count.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
OURS = ("billing", "edges", "functions")
CONTAINER = "edges.container"


def reach(verb: str) -> tuple[frozenset[str], frozenset[str]]:
    """(modules of ours, top-level packages of others) that `functions.<verb>.handler` may import."""
    ours: set[str] = set()
    theirs: set[str] = set()
    ports: set[str] = set()
    todo = {f"functions.{verb}.handler"}
    while todo:
        module = todo.pop()
        ours.add(module)
        tree = _tree(module)
        found = set() if module == CONTAINER else set(_imports(tree))
        ports |= _ports_asked_of(tree)
        if CONTAINER in ours:
            found |= {name for port in ports for name in _port_imports(port)}
        for name in found:
            if name.split(".")[0] not in OURS:
                theirs.add(name.split(".")[0])
            elif (path := _module(name)) and path not in ours:
                todo.add(path)
    return frozenset(ours), frozenset(theirs - sys.stdlib_module_names)


def _file(module: str) -> Path:
    path = ROOT / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _module(name: str) -> str:
    """`package.module.attribute` -> `package.module`; "" where there is no such module."""
    if _file(name).exists():
        return name
    parent = name.rpartition(".")[0]
    return parent if parent and _file(parent).exists() else ""


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_file(module).read_text("utf-8"))


def _imports(tree: ast.AST) -> Iterator[str]:
    """Every name that is imported, but not those only a type checker sees."""
    if isinstance(tree, ast.If) and isinstance(tree.test, ast.Name) and tree.test.id == "TYPE_CHECKING":
        return
    if isinstance(tree, ast.Import):
        yield from (alias.name for alias in tree.names)
    elif isinstance(tree, ast.ImportFrom):
        yield from (f"{tree.module}.{alias.name}" for alias in tree.names)
    for child in ast.iter_child_nodes(tree):
        yield from _imports(child)


def _ports_asked_of(tree: ast.AST) -> set[str]:
    return {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "container"
    }


def _port_imports(port: str) -> set[str]:
    """What making that port imports, and what making the ports it is made of does."""
    defined = {node.name: node for node in _tree(CONTAINER).body if isinstance(node, ast.FunctionDef)}
    top = {name for node in _tree(CONTAINER).body if not isinstance(node, ast.FunctionDef) for name in _imports(node)}
    found: set[str] = set(top)
    todo, seen = {port}, set[str]()
    while todo:
        seen.add(one := todo.pop())
        found |= set(_imports(defined[one]))
        called = {n.func.id for n in ast.walk(defined[one]) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        todo |= (called & defined.keys()) - seen
    return found


def calls(verb: str) -> frozenset[str]:
    """Everything that the verb's handler may come to call, as it is written: `store.commit`, `client("sqs")`.

    Followed by name, from the handler on: a function, class or table of ours that is named is reached, a method once
    anything calls one of its name. That is more than can happen, never less. How the table itself is spoken to
    (`OWN_BUSINESS`) is left out: which of its writes a verb needs shows in what it asks of it.
    """
    modules, _ = reach(verb)
    defined: dict[str, list[tuple[str, ast.AST]]] = {}
    for module in modules:
        for name, node in _definitions(_tree(module)):
            defined.setdefault(name, []).append((module, node))
    todo = [(module, node) for module, node in defined["handler"] if module == f"functions.{verb}.handler"]
    seen: set[int] = set()
    called: set[str] = set()
    while todo:
        module, node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        for part in _own_parts(node):
            if isinstance(part, ast.Call) and module not in OWN_BUSINESS:
                called |= {ast.unparse(part.func), ast.unparse(part) if len(part.args) == 1 else ""}
            if isinstance(part, ast.Name):
                todo += defined.get(part.id, [])
            elif isinstance(part, ast.Attribute):
                todo += [*defined.get(part.attr, []), *defined.get(f".{part.attr}", [])]
    return frozenset(called)


OWN_BUSINESS = frozenset({"edges.store", "edges.table", "billing.ports"})


def _definitions(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Functions, classes and tables by name, methods with a dot before it."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        if isinstance(node, ast.ClassDef):
            yield from ((f".{part.name}", part) for part in node.body if isinstance(part, ast.FunctionDef))
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((target.id, node) for target in targets if isinstance(target, ast.Name))


def _own_parts(node: ast.AST) -> Iterator[ast.AST]:
    """What runs when it is used: of a class its fields and what Python calls by itself, not every method."""
    if not isinstance(node, ast.ClassDef):
        yield from ast.walk(node)
        return
    for part in [*node.bases, *node.decorator_list, *node.body]:
        if not isinstance(part, ast.FunctionDef) or part.name.startswith("__"):
            yield from ast.walk(part)
