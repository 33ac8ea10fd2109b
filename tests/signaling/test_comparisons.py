"""Secrets, and what is made of them, are compared in constant time: `==` takes longer, the more of it is right."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import signaling

SOURCES = Path(signaling.__file__).parent
SECRET = re.compile(r"(^|_)(secrets?|digests?|signatures?|passwords?|credentials?|hmac|mac)$", re.IGNORECASE)
EQUALITY = (ast.Eq, ast.NotEq)

# Neither tells anybody anything: what is compared are the server's own settings, at start; and a new secret with the
# one before it, for somebody who may set either.
HARMLESS = {
    ("config.py", "secret == DEVELOPMENT_KEY[1]"),
    ("webhooks/registry.py", "secret != before.secret"),
}


def comparisons(source: str) -> Iterator[str]:
    """Those by `==` and `!=` of anything that is called a secret, or that comes of a function or table called so."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], EQUALITY):
            named = [name for side in (node.left, *node.comparators) for name in names(side)]
            if any(map(SECRET.search, named)):
                yield ast.unparse(node)


def names(value: ast.expr) -> list[str]:
    match value:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return [name]
        case ast.Call(func=inner) | ast.Subscript(value=inner) | ast.Await(value=inner):
            return names(inner)
    return []


def test_no_secret_is_compared_by_equality() -> None:
    found = {
        (str(path.relative_to(SOURCES)), comparison)
        for path in SOURCES.rglob("*.py")
        for comparison in comparisons(path.read_text())
    }
    assert found == HARMLESS


def test_such_a_comparison_would_be_found() -> None:
    for line in ("secret == given", "given != key.secret", "_digest(a) == b", "keys.secrets[0] == a"):
        assert list(comparisons(line)), line
    assert not list(comparisons("name == 'secret'; compare_digest(secret, given); len(secret) == 32"))
