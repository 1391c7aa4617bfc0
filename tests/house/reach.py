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
