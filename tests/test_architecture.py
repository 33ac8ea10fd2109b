"""The structure, enforced: who may import whom, how long files and functions may be, which names are not used."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("sfu", "signaling", "recorder", "loadtest")
MAX_FILE_LINES = 450
MAX_FUNCTION_LINES = 70
MAX_LINE_LENGTH = 120  # ruff sees to Python
MAX_CLASS_LINES = 350

# Importer -> what of ours it may import. The longest matching prefix decides; a package may always import itself.
ALLOWED: dict[str, tuple[str, ...]] = {
    "sfu.wire": (),
    "sfu.core": ("sfu.wire",),
    "sfu.plane": (
        *("sfu.wire", "sfu.core.types", "sfu.core.audio_levels", "sfu.core.transport_feedback"),
        *("sfu.core.reception", "sfu.core.feedback", "sfu.core.report_blocks", "sfu.core.reports"),
    ),
    "sfu.control": (
        *("sfu.wire", "sfu.core.types"),
        *(f"sfu.control_{name}" for name in ("figures", "messages", "reports", "sinks", "values")),
    ),
    "sfu.control_figures": ("sfu.control_values",),
    "sfu.control_messages": ("sfu.control_values",),
    "sfu.control_reports": ("sfu.control_values",),
    "sfu.control_sinks": ("sfu.core.types", "sfu.control_values"),
    "sfu.control_values": ("sfu.wire",),
    "sfu.config": ("sfu.core", "sfu.plane", "sfu.net", "sfu.control"),
    "sfu.net": ("sfu.wire", "sfu.plane", "sfu.core.types", "sfu.control"),
    "sfu": ("sfu",),
    "signaling": ("sfu.control", "sfu.core.types", "sfu.wire", "sfu.config", "sfu.logs"),
    # The one place that holds a Worker; everybody else speaks to it through a link.
    "signaling.embedded": ("sfu.control", "sfu.config", "sfu.worker", "signaling"),
    # The other place, where it is a process: what passes before Commands can, and the socket they pass through.
    "signaling.process": ("sfu.control", "sfu.config", "sfu.logs", "sfu.startup", "signaling"),
    "signaling.supervised": ("sfu.frame_socket", "signaling"),
    # The recorder is a process, too, and known by what it is told and says.
    "signaling.outputs": ("sfu.control", "recorder.control", "signaling"),
    # Taps are live recordings of one: the same packets become frames by the same code, and are decoded by it.
    "signaling.taps": (
        *("sfu.control", "sfu.tap", "sfu.wire", "sfu.core.types", "signaling"),
        *("recorder.config", "recorder.files.decoding", "recorder.journal", "recorder.marks", "recorder.media"),
        "recorder.take",
    ),
    "signaling.client.tapping": ("sfu.wire", "sfu.tap", "sfu.core.types", "recorder.files.decoding", "signaling"),
    # Viewers are shown what the composer writes; how a playlist is written is its matter.
    "signaling.live": ("recorder.live.playlist", "signaling"),
    "signaling.recordings": ("sfu.control", "recorder.control", "recorder.journal.events", "signaling"),
    # Layouts are checked where they are asked for, by the code that will draw them.
    "signaling.recordings.options": ("recorder.mix.layouts", "signaling"),
    "signaling.api.recording_models": ("recorder.mix.layouts", "signaling"),
    "signaling.remote_recordings": ("recorder.mix.layouts", "signaling"),
    "signaling.recordings.recorder": ("sfu.control", "recorder.control", "signaling"),
    "signaling.recordings.uploading": ("recorder.control", "signaling"),
    # Addresses are checked where they are written, by the code that will use them.
    "signaling.values": ("sfu.net.addresses", "recorder.uploads.target", "signaling"),
    "signaling.cli": ("sfu", "signaling", "recorder", "loadtest"),
    "signaling.client": ("sfu.wire", "sfu.net", "sfu.core.types", "sfu.control", "sfu.plane.interface", "signaling"),
    "signaling.demo": ("sfu", "signaling"),
    "recorder.process": ("sfu.control", "sfu.frame_socket", "recorder"),
    "recorder.uploads.process": ("sfu.control", "sfu.frame_socket", "recorder"),
    "recorder.uploads.command": ("signaling.values", "recorder"),
    "recorder": ("sfu.wire", "sfu.core", "sfu.tap", "sfu.control", "signaling.client"),
    # Whoever measures recordings looks at what lies on the disk, and makes files as the recorder does.
    "loadtest.recording": ("recorder.journal", "signaling", "loadtest"),
    "loadtest.making": (
        *("sfu.wire", "sfu.core.types", "signaling"),
        *("recorder.config", "recorder.journal", "recorder.recovery"),
    ),
    "loadtest": ("sfu.wire", "sfu.plane", "sfu.net", "sfu.core.types", "sfu.control", "signaling"),
}
# Rings that have no I/O, no clock and no randomness of their own.
PURE = (
    "sfu.wire",
    "sfu.core",
    *(f"signaling.{name}" for name in ("auth", "messages", "negotiation", "negotiation_answer", "negotiation_offer")),
    *(
        f"signaling.{name}"
        for name in ("answering", "correspondence", "publishing", "rooms", "session", "showing", "slots", "subscribing")
    ),
    *(f"signaling.{name}" for name in ("outgoing", "presence", "replay", "resume")),
    *(f"signaling.{name}" for name in ("placement", "quality", "supervision")),
    *(
        f"signaling.{name}"
        for name in ("attempts", "events", "expiry", "gate", "keyring", "ledger", "public_keys", "records")
    ),
    *(f"signaling.webhooks.{name}" for name in ("delivery", "guard", "outbox", "registry", "schedule", "signature")),
    *(f"signaling.{name}" for name in ("sdp", "sdp_extensions", "sdp_formats", "sdp_streams", "sdp_transport")),
    "recorder.withholding",
    *(f"recorder.live.{name}" for name in ("boxes", "config", "pace", "playlist")),
    *(f"recorder.uploads.{name}" for name in ("config", "parts", "schedule", "target")),
    *(f"signaling.recordings.{name}" for name in ("consents", "options", "retention", "session")),
    *(f"recorder.journal.{name}" for name in ("errors", "events", "records", "session_time")),
    *(
        f"signaling.api.{name}"
        for name in (
            *("idempotency", "models", "openapi", "paging", "parameters", "problems", "reasons", "versions"),
            "watching_models",
        )
    ),
    "signaling.turn",
    *(f"signaling.taps.{name}" for name in ("feed", "messages", "session")),
    *(f"signaling.whip.{name}" for name in ("egress", "exchange", "ingestion", "lines", "session")),
)
IMPURE_MODULES = {"asyncio", "socket", "time", "random", "threading", "os", "aiohttp", "secrets", "subprocess"}
FORBIDDEN_WORDS = {"manager", "helper", "helpers", "handler", "utils", "util", "misc"}


def sources() -> list[Path]:
    return [path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py"))]


def checked() -> list[Path]:
    return sources() + sorted((ROOT / "tests").rglob("*.py"))


def compiled() -> list[Path]:
    suffixes = ("pyx", "pxd", "pxi")
    return [path for package in PRODUCT for one in suffixes for path in sorted((ROOT / package).rglob(f"*.{one}"))]


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def within(module: str, prefix: str) -> bool:
    return module == prefix or module.startswith(prefix + ".")


def imports(tree: ast.AST, module: str, *, types: bool = False) -> Iterator[str]:
    """Modules imported at run time; what stands under TYPE_CHECKING is exempt, unless `types`."""
    exempt: set[ast.AST] = set()
    for node in () if types else ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            exempt.update(inner for statement in node.body for inner in ast.walk(statement))
    for node in ast.walk(tree):
        if node in exempt:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def may_import(module: str, target: str) -> bool:
    if target in ("sfu", "sfu.__version__"):  # where it is, and which
        return True
    rule = max((name for name in ALLOWED if within(module, name)), key=len)
    return within(target, rule) or any(within(target, allowed) for allowed in ALLOWED[rule])


def test_imports_point_only_the_permitted_way() -> None:
    wrong = [
        f"{module} imports {target}"
        for path in sources()
        for module in [module_name(path)]
        for target in imports(ast.parse(path.read_text()), module)
        if target.split(".")[0] in PRODUCT and not may_import(module, target)
    ]
    assert not wrong, "\n".join(wrong)


def test_the_workers_shells_know_each_other_one_way_but_for_those_of_one_transport() -> None:
    """Types included. A Transport, what it publishes, and who receives or taps that point at each other."""
    shells = {module_name(path): path for path in (ROOT / "sfu").glob("*.py")}
    known = {
        module: {
            other
            for target in imports(ast.parse(path.read_text()), module, types=True)
            for other in shells
            if other not in ("sfu", module) and within(target, other)
        }
        for module, path in shells.items()
    }
    for _ in shells:  # whom they know by way of others, too
        known = {module: others.union(*(known[other] for other in others)) for module, others in known.items()}
    circular = {module for module, others in known.items() if module in others}
    assert circular == {"sfu.endpoint", "sfu.publishing", "sfu.subscribing", "sfu.subscription", "sfu.tapping"}


def test_pure_rings_do_no_io_and_read_no_clock() -> None:
    wrong = [
        f"{module} imports {target}"
        for path in sources()
        for module in [module_name(path)]
        if any(within(module, pure) for pure in PURE)
        for target in imports(ast.parse(path.read_text()), module)
        if target.split(".")[0] in IMPURE_MODULES
    ]
    assert not wrong, "\n".join(wrong)


def test_pure_rings_have_no_coroutines() -> None:
    wrong = [
        f"{module_name(path)}.{node.name}"
        for path in sources()
        if any(within(module_name(path), pure) for pure in PURE)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AsyncFunctionDef)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", checked(), ids=lambda path: str(path.relative_to(ROOT)))
def test_files_functions_and_classes_stay_small(path: Path) -> None:
    text = path.read_text()
    wrong = []
    if text.count("\n") > MAX_FILE_LINES:
        wrong.append(f"{text.count(chr(10))} lines in the file, at most {MAX_FILE_LINES}")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and node.end_lineno:
            limit = MAX_CLASS_LINES if isinstance(node, ast.ClassDef) else MAX_FUNCTION_LINES
            length = node.end_lineno - node.lineno + 1
            if length > limit:
                wrong.append(f"{node.name}: {length} lines, at most {limit}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", compiled(), ids=lambda path: str(path.relative_to(ROOT)))
def test_compiled_files_and_functions_stay_small(path: Path) -> None:
    lines = path.read_text().splitlines()
    wrong = [f"line {number} is too long" for number, line in enumerate(lines, 1) if len(line) > MAX_LINE_LENGTH]
    if len(lines) > MAX_FILE_LINES:
        wrong.append(f"{len(lines)} lines in the file, at most {MAX_FILE_LINES}")
    # What is no function is counted with the one before: none is near the limit.
    starts = [number for number, line in enumerate(lines) if re.match(r" *c?def ", line)]
    for start, end in itertools.pairwise([*starts, len(lines)]):
        if end - start > MAX_FUNCTION_LINES:
            wrong.append(f"{lines[start].strip()}: {end - start} lines, at most {MAX_FUNCTION_LINES}")
    assert not wrong, "\n".join(wrong)


def test_names_say_what_a_thing_is() -> None:
    wrong = []
    for path in sources():
        names = [module_name(path).rsplit(".", 1)[-1]]
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.append(node.name)
        for name in names:
            words = {word.lower() for word in re.findall(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])", name)}
            if words & FORBIDDEN_WORDS:
                wrong.append(f"{module_name(path)}: {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_and_public_names_are_documented(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "the module says nothing of itself"


@pytest.mark.parametrize(
    "package",
    sorted({path.parent for path in sources()}),
    ids=lambda path: str(path.relative_to(ROOT)),
)
def test_packages_explain_themselves(package: Path) -> None:
    """A package has a README, or lies inside one whose README speaks of it."""
    above = [folder for folder in (package, *package.parents) if folder.is_relative_to(ROOT) and folder != ROOT]
    assert any((folder / "README.md").exists() for folder in above)


def test_every_module_has_a_test_beside_it() -> None:
    """tests/ mirrors the tree: pure modules are tested by a file (or folder) of their own."""
    names = {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    wrong = [
        module_name(path)
        for path in sources()
        if any(within(module_name(path), ring) for ring in ("sfu.wire", "sfu.core"))
        and path.name not in ("__init__.py", "types.py", "errors.py")
        and f"test_{path.stem}" not in names
    ]
    assert not wrong, "\n".join(wrong)
