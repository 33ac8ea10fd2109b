"""The layout that the compiled plane writes: fields lie where C puts them, without gaps."""

from __future__ import annotations

from sfu.core.audio_levels import LEVEL, NO_LEVELS


def test_every_field_has_eight_bytes() -> None:
    assert LEVEL.names is not None
    assert LEVEL.itemsize == 8 * len(LEVEL.names)


def test_no_levels_have_columns_all_the_same() -> None:
    assert NO_LEVELS["level"].size == 0
