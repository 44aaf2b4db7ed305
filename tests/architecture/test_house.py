"""The shape of the house: imports, state, docstrings, what the server process loads, and what is never written down."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "vaultbridge").rglob("*.py"))
HEAVY = ("torch", "llama_cpp", "transformers", "lancedb", "FlagEmbedding")

CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*|__all__")
CONTAINERS = frozenset({"list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict"})
SHARED = frozenset({"Lock", "RLock", "Event", "Semaphore", "Queue", "local", "ContextVar", "WeakValueDictionary"})
MUTATING = frozenset(
    "append extend insert add update pop popitem clear remove discard setdefault sort reverse __setitem__".split()
)


def parsed(source: Path) -> ast.Module:
    return ast.parse(source.read_text(encoding="utf-8"), str(source))


def test_there_is_a_house_to_look_at() -> None:
    assert len(SOURCES) > 50


def test_the_import_contracts_hold() -> None:
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "0 broken" in result.stdout


# --- state ------------------------------------------------------------------------------------------------------------


def state(tree: ast.Module) -> Iterator[str]:
    """What a module keeps that a caller could change, or changes itself."""
    constants: set[str] = set()
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            name = ast.unparse(target)
            if _called(node.value) in SHARED:
                yield f"{name} is shared by everyone who imports it"
            if not _mutable(node.value):
                continue
            if CONSTANT.fullmatch(name):
                constants.add(name)
            else:
                yield f"{name} can be changed"
    for inner in ast.walk(tree):
        if isinstance(inner, ast.Global):
            yield f"global {', '.join(inner.names)}"
        if (changed := _changed(inner)) in constants:
            yield f"{changed} is changed on line {getattr(inner, 'lineno', 0)}"


def _mutable(value: ast.expr) -> bool:
    literal = isinstance(value, ast.List | ast.Dict | ast.Set | ast.ListComp | ast.DictComp | ast.SetComp)
    return literal or _called(value) in CONTAINERS


def _called(value: ast.expr) -> str:
    return ast.unparse(value.func).split(".")[-1] if isinstance(value, ast.Call) else ""


def _changed(node: ast.AST) -> str:
    """The name whose contents a node changes."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATING:
        return ast.unparse(node.func.value)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return ast.unparse(node.value)
    return ""


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("LIMITS: Mapping[str, int] = {'a': 1}\nNAMES = frozenset({'a'})\nlog = getLogger(__name__)", 0),
        ("cache = {}", 1),
        ("seen: set[str] = set()", 1),
        ("RUNNING = []\ndef f(): RUNNING.append(1)", 1),
        ("TABLE = {}\ndef f(): TABLE['a'] = 1", 1),
        ("n = 0\ndef f():\n    global n\n    n += 1", 1),
        ("LOCK = threading.Lock()", 1),
    ],
)
def test_the_search_for_state_finds_it(code: str, found: int) -> None:
    assert len(list(state(ast.parse(code)))) == found


def test_no_module_keeps_state() -> None:
    assert {str(source.relative_to(ROOT)): found for source in SOURCES if (found := list(state(parsed(source))))} == {}


# --- docstrings -------------------------------------------------------------------------------------------------------


def undocumented(tree: ast.Module | ast.ClassDef, name: str) -> Iterator[str]:
    """The public names in a module or class, itself first, that say nothing of themselves."""
    if not ast.get_docstring(tree):
        yield name
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from undocumented(node, f"{name}.{node.name}")
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
            and not any(ast.unparse(decorator).endswith(("overload", ".setter")) for decorator in node.decorator_list)
        ):
            yield f"{name}.{node.name}"


def test_everything_public_has_a_docstring() -> None:
    missing = [name for source in SOURCES for name in undocumented(parsed(source), str(source.relative_to(ROOT)))]
    assert missing == []


# --- the server process -----------------------------------------------------------------------------------------------


def test_the_server_process_loads_no_model_library() -> None:
    doors = "vaultbridge.server.app, vaultbridge.wiring, vaultbridge.cli"
    code = f"import sys, {doors}; print([name for name in {HEAVY!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (result.returncode, result.stdout.strip()) == (0, "[]"), result.stderr


# --- what is never written down ---------------------------------------------------------------------------------------

# Put together here, so that this file does not hold what it looks for.
MACHINE = [rf"(?<![\w.~-])/{place}/\w" for place in ("work", "root", "home", "Users", "private/var", "workspace")]
REGISTRIES = [
    re.escape(host)
    for host in (
        ".".join(("pypi", "org")),
        ".".join(("files", "pythonhosted", "org")),
        ".".join(("registry", "npmjs", "org")),
        ".".join(("registry", "yarnpkg", "com")),
        ".".join(("proxy", "golang", "org")),
    )
] + ["artifact" + "ory", "--index" + "-url", "devp" + "i"]
FORBIDDEN = re.compile("|".join(MACHINE + REGISTRIES))


def tracked() -> list[Path]:
    """The project's text files, new ones included."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listed.stdout.decode().split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_machine_or_a_registry() -> None:
    found: list[str] = []
    for file in tracked():
        content = file.read_bytes()
        if b"\0" in content:
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), start=1):
            if match := FORBIDDEN.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {match[0]}")
    assert found == []


def test_the_search_for_machines_finds_them() -> None:
    home = "/".join(("", "home", "me", "vault"))
    assert FORBIDDEN.search(f"vault = {home}")
    assert FORBIDDEN.search("https://" + ".".join(("pypi", "org")) + "/simple")
    assert not FORBIDDEN.search("https://example.org/home/page and ~/notes")
