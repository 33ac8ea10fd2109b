"""What participants show in `sfu loadtest gallery`, what is said of it, and a real run."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest import gallery
from sfu.plane import open_plane
from tests.loadtest.test_command import _loadtest


def test_a_grid_has_tiles_alike_and_a_stage_one_that_is_large() -> None:
    tracks = [f"t{index}" for index in range(24)]
    grid = gallery.shown("grid", tracks).tiles or []
    assert {(tile.width, tile.height, tile.on_stage) for tile in grid} == {(256, 144, False)}
    assert [tile.track for tile in grid] == tracks
    first, *others = gallery.shown("speaker", tracks).tiles or []
    assert (first.width, first.height, first.on_stage) == (1280, 720, True)
    assert {(tile.width, tile.height, tile.on_stage) for tile in others} == {(192, 108, False)}


@pytest.mark.parametrize(("mbps", "missing", "is_well"), [(3.9, 0, True), (4.1, 0, False), (1.0, 0.5, False)])
def test_it_is_well_when_all_is_seen_for_4_mbit_s(mbps: float, missing: float, is_well: bool) -> None:
    seen = {"tiles": {"q": 23 - missing, "h": 0.0, "f": 1.0}, "wanted": 24, "missing": missing}
    point: Any = SimpleNamespace(name="25 people, speaker", received_mbps_per_participant=mbps, gallery=seen)
    ((text, is_so),) = gallery.verdicts([point])
    assert is_so == is_well
    assert ("missing" in text) == bool(missing) and "layer h" not in text


@pytest.mark.long
@pytest.mark.skipif(open_plane(()).name != "compiled", reason="nothing is compiled here")
async def test_everybody_sees_everybody(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    said = await _loadtest(
        *("gallery", "--participants=4", "--duration=2", "--warm-up=0.5", f"--json={file}"), status=(0, 3)
    )
    grid, speaker = json.loads(file.read_text())["points"]
    assert (grid["gallery"]["wanted"], grid["gallery"]["missing"]) == (3, 0)
    assert speaker["gallery"]["tiles"]["f"] == 1 and speaker["gallery"]["missing"] == 0
    assert "4 people, grid:" in said
