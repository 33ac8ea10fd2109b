"""The browser code's own checks: its unit tests and types, and that the pages fit their policy and themselves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
STATIC = ROOT / "signaling" / "static"
SCRIPTS = sorted(STATIC.rglob("*.js"))
PAGES = sorted(STATIC.rglob("*.html"))
SHEETS = sorted(STATIC.rglob("*.css"))
MAX_FILE_LINES = 400


def in_node(program: str, *arguments: str) -> None:
    """Runs a program of Node's; without it the test is skipped, in CI it fails."""
    path = f"{ROOT / 'node_modules' / '.bin'}:{os.environ['PATH']}"
    if not shutil.which(program, path=path):
        if os.environ.get("CI") == "true":
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed: script/test installs it on Debian as root")
    done = subprocess.run(
        [program, *arguments], cwd=ROOT, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_unit_tests_of_the_browser_code_pass() -> None:
    tests = sorted(Path(__file__).parent.glob("*.test.js"))
    assert tests
    in_node("node", "--test", *map(str, tests))


def test_the_browser_code_is_typed() -> None:
    in_node("tsc", "--project", "signaling/static")


@pytest.mark.parametrize("path", [*SCRIPTS, *PAGES, *SHEETS], ids=lambda path: str(path.relative_to(STATIC)))
def test_a_file_is_short_and_loads_nothing_from_elsewhere(path: Path) -> None:
    text = path.read_text()
    assert len(text.splitlines()) <= MAX_FILE_LINES
    assert not re.search(r"""(src|href|from|import|url)\s*[=(]?\s*["']?(https?:)?//\w""", text)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(STATIC)))
def test_a_page_has_nothing_inline_and_names_only_what_exists(path: Path) -> None:
    page = path.read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", page)
    for name in re.findall(r'(?:src|href)="/([^"]+)"', page):
        assert (STATIC / name).is_file() or name == "v1/openapi.json", name
    for icon in re.findall(r'href="#(icon-[\w-]+)"', page):
        assert f'<symbol id="{icon}"' in page, icon
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    for label in re.findall(r'\sfor="([^"]+)"', page):
        assert label in ids, label


def test_the_scripts_of_the_page_name_only_elements_and_icons_that_it_has() -> None:
    page = (STATIC / "app" / "index.html").read_text()
    scripts = "\n".join(path.read_text() for path in STATIC.glob("app/*.js"))
    names = set(re.findall(r"element\('([\w-]+)'", scripts)) | set(re.findall(r"fromTemplate\('([\w-]+)'", scripts))
    assert len(names) > 20
    for name in names:
        assert f' id="{name}"' in page, name
    faces = re.findall(r"icon: (?:\w+ \? '([\w-]+)' : )?'([\w-]+)'", scripts)
    icons = {icon for face in faces for icon in face if icon}
    assert len(icons) > 8
    for icon in icons:
        assert f'<symbol id="icon-{icon}"' in page, icon
