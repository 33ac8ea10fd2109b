"""Lists in pages: the cursor of the next page names the last item of this one, so that what comes and goes meanwhile
neither repeats nor hides anything else. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import Annotated, Final, TypeVar

from msgspec import Meta, Struct

# Enough for a screen; more pages cost a request each.
DEFAULT_LIMIT: Final = 50
# The largest page is some 100 kB, and is made in one turn in which nobody else is served.
MAX_LIMIT: Final = 200

T = TypeVar("T")


class PageQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    limit: Annotated[int, Meta(ge=1, le=MAX_LIMIT, description=f"How many at most. Default {DEFAULT_LIMIT}.")] = (
        DEFAULT_LIMIT
    )
    cursor: Annotated[
        Annotated[str, Meta(max_length=512)] | None,
        Meta(description="`next_cursor` of the page before. Left out: the first page."),
    ] = None


def page(items: Iterable[T], key: Callable[[T], str], query: PageQuery) -> tuple[list[T], str | None]:
    """Items in order of their keys, which are unique, and the cursor of the next page; None after the last.

    The cursor is the key of the last item, and callers are told not to care: a cursor that is none of ours is just a
    place in the order.
    """
    after = query.cursor
    later = items if after is None else (item for item in items if key(item) > after)
    found = nsmallest(query.limit + 1, later, key=key)
    if len(found) <= query.limit:
        return found, None
    return found[: query.limit], key(found[query.limit - 1])
