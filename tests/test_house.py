"""The house rules, held by tests: ruff, mypy, the floors, sizes, Python 3.10 where code travels, a tidy top level.

The map is the docstring of `controlroom/__init__.py`: one line per folder, `name/  text`.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.__main__ import CACHE

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "controlroom"


@dataclass(frozen=True)
class Floor:
    """What one folder may import: floors below, and packages from outside. All other imports are red."""

    below: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    not_stdlib: tuple[str, ...] = ()  # of the standard library, what it may not
    not_loaded: tuple[str, ...] = ()  # what must not be in sys.modules after importing all of it


HEAVY = ("textual", "asyncssh", "anthropic", "genai_prices", "pydantic")
IMPURE: tuple[str, ...] = (
    "asyncio",
    "concurrent",
    "multiprocessing",
    "os",
    "random",
    "secrets",
    "shutil",
    "signal",
    "socket",
)
IMPURE += ("sqlite3", "subprocess", "tempfile", "threading", "time", "uuid")
TRAVELS = ("node", "runner", "wire", "metering", "text")  # to hosts, where Python 3.10 is enough
SMALL = (*HEAVY, "asyncio", "libtmux", "psutil")
HOME_PACKAGES = ("asyncssh", "cryptography", "pydantic", "pydantic_core", "tomli_w", "anthropic", "genai_prices")

FLOORS = {
    "text": Floor(not_loaded=SMALL),
    "metering": Floor(("text",), not_loaded=SMALL),
    "wire": Floor(("text",), not_stdlib=("socket", "asyncio"), not_loaded=SMALL),
    "runner": Floor(("wire", "metering", "text"), not_loaded=SMALL),
    "node": Floor(("runner", "wire", "metering", "text"), ("libtmux", "psutil"), not_loaded=HEAVY),
    "domain": Floor(
        ("metering", "text"),
        ("cronsim", "tree_sitter", "tree_sitter_bash"),
        not_stdlib=IMPURE,
        not_loaded=(*SMALL, "tree_sitter", "tree_sitter_bash"),
    ),
    "protocol": Floor(("domain", "wire", "metering", "text"), not_loaded=HEAVY),
    "client": Floor(("protocol", "domain", "wire", "metering", "text"), not_loaded=(*HEAVY, "sqlite3")),
    "engine": Floor(
        ("protocol", "domain", "wire", "metering", "text"),
        HOME_PACKAGES,
        not_loaded=("textual", "anthropic", "genai_prices"),
    ),
    "demo": Floor(
        ("node", "runner", "wire", "metering", "text"),
        ("libtmux", "psutil", "tomli_w"),
        not_loaded=("textual", "asyncssh", "anthropic"),
    ),
    "tui": Floor(
        ("client", "protocol", "domain", "metering", "text"),
        ("textual", "rich"),
        not_loaded=("asyncssh", "anthropic", "genai_prices"),
    ),
    "cli": Floor(("client", "protocol", "domain", "metering", "text"), not_loaded=HEAVY),
    "mcp": Floor(
        ("client", "protocol", "domain", "metering", "text"),
        ("mcp", "mcp_types"),
        not_loaded=("textual", "asyncssh", "anthropic", "genai_prices"),
    ),
}

DATA = {"manual"}  # folders of the package that hold no code

# One file alone may import this, because everything else is to be safe from it.
ONLY_IN = {
    "asyncssh": "controlroom/engine/hosts/ssh.py",
    "cryptography": "controlroom/engine/hosts/signer.py",
    "genai_prices": "controlroom/engine/catalogs/list_prices.py",
    "tree_sitter": "controlroom/domain/permissions/shell.py",
    "tree_sitter_bash": "controlroom/domain/permissions/shell.py",
}

# What the first frame of the screen does without: it is loaded once that is painted, or when somebody asks for it.
LATER = (
    *("asyncssh", "anthropic", "sqlite3", "argparse", "textual.document", "textual.widgets._text_area"),
    *("controlroom.client.client", "controlroom.protocol.messages", "controlroom.wire", "controlroom.metering"),
    *(
        "controlroom.domain.intents",
        "controlroom.domain.decide",
        "controlroom.domain.reduce",
        "controlroom.domain.queue",
    ),
    *("controlroom.domain.claims", "controlroom.domain.money", "controlroom.domain.limits", "controlroom.domain.news"),
    *("controlroom.domain.patch", "controlroom.domain.preconditions", "controlroom.domain.display.loglines"),
    *("controlroom.domain.display.tasks", "controlroom.domain.display.explain", "controlroom.text.event_text"),
    *("controlroom.tui.actions.actions", "controlroom.tui.logs.log_buffer", "controlroom.tui.widgets.fields"),
    *("controlroom.tui.widgets.charts", "controlroom.tui.screens.forms", "controlroom.tui.screens.dialogs"),
    *("controlroom.tui.screens.help", "controlroom.tui.screens.palette", "controlroom.tui.screens.tasks"),
)

# Entrances that have to be light: module -> what importing it must leave out of sys.modules.
LIGHT = {
    "controlroom": ("asyncio", "argparse", "json", *HEAVY),
    "controlroom.__main__": (*HEAVY, "asyncio"),
    "controlroom.cli.run": HEAVY,
    "controlroom.client.client": (*HEAVY, "sqlite3"),
    "controlroom.tui.run": LATER,
    "controlroom.runner.main": (
        *("asyncio", "dataclasses", "inspect", "subprocess", "pathlib", "libtmux", "psutil"),
        *("socket", "datetime", "ctypes"),
        *("controlroom.runner.claude.dialogs", "controlroom.runner.typed", "controlroom.runner.interactive_run"),
    ),
}

TOP_LEVEL = {"pyproject.toml", PACKAGE, "themes", "tests", "screenshots", "README.md"}
NOBODY = ("agent", "watcher", "ann", "linuxbrew")  # homes in the lab, in examples, and a well-known one
RETIRED = (
    *("purse", "purses", "veil", "veiled", "treasury", "errand", "errands", "bookkeeper", "wardrobe", "vigil"),
    *("attendance", "sights", "tending", "roster", "doorbell", "deed", "deeds", "inert"),
)
"""Words of our own that gave way to those of the field: fund, watcher view, budget controller and so on."""
PROSE = {"detail", "note", "text", "title", "when", "words"}
"""Fields that hold sentences for people: what follows from them is carried beside them, in types."""
READS_PROSE = {
    "controlroom/cli/agents.py:send": "argparse puts the words of a message there: - alone is stdin",
    "controlroom/domain/display/timeline.py:marks": "what somebody types to find lines is an expression after re:",
    "controlroom/domain/display/timeline.py:expression": "what somebody types to find lines is an expression after re:",
    "controlroom/domain/display/timeline.py:keeps": "finds what somebody looks for in lines of logs",
    "controlroom/engine/frontends/watcher_view.py:told": "finds what somebody looks for in the audit",
    "controlroom/tui/screens/arranging.py:filter_by": "the text is what somebody typed to filter by",
}
"""By file and function: what is looked for in them is what a person asked to find."""
WAITS_FOR_TIME = {
    "tests/engine/test_debounce.py": "its loop has a clock of its own",
    "tests/engine/test_interleavings.py": "a pause is one of the steps that come in any order",
    "tests/faults/soak.py": "faults and orders come after one another",
    "tests/pictures.py": "a person looks at what it makes",
    "tests/faults/test_machines.py": "a log that stands still is looked at twice",
    "tests/tui/stage.py": "plays programs that are slow",
    "tests/tui/terminals.py": "a screen that stands still is looked at twice",
}
"""Tests that may wait for a fixed time, and why."""
PRIVATE_OF_LIBRARIES = {
    "tests/engine/test_ssh.py": {"_server_host_keys"},  # asyncssh: a server's key is never changed while it runs
    "tests/tui/room.py": {
        *("_ready", "_scheduled"),  # asyncio: nothing public says whether a loop has anything to do
        "_compositor",  # Textual: nothing public gives the screen as it is drawn but a picture of it
    },
}
"""Private names of libraries that tests use, for want of a public way."""
LONGEST_FUNCTION = 60  # lines
LONGEST_FILE = 600  # lines
LONGER_WITH_A_REASON: dict[str, str] = {}


def committed(root: Path = ROOT) -> list[Path]:
    """The files that git has, relative to the root; all files where there is no git."""
    done = subprocess.run(["git", "ls-files", "-z"], cwd=root, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        hidden = {".git", ".venv", "__pycache__"}
        return [p.relative_to(root) for p in root.rglob("*") if p.is_file() and not hidden & set(p.parts)]
    return [Path(name) for name in done.stdout.split("\0") if name and (root / name).is_file()]


def texts(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    """The readable ones among some files."""
    for path in paths:
        try:
            yield path, (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def modules(folder: Path) -> list[Path]:
    """The Python files below a folder of the checkout."""
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


def dotted(path: Path) -> str:
    """The name of a module."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """Every name that a file imports, anywhere in it, with its line."""
    package = dotted(path).split(".")
    package = package if path.name == "__init__.py" else package[:-1]
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *(node.module or "").split(".")]).strip(".")
            if base.startswith(PACKAGE):
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, base


def imported(name: str, files: Collection[str]) -> str:
    """The module that an imported name is, or stands in; empty: none of these."""
    return next((known for known in (name, name.rpartition(".")[0]) if known in files), "")


def arrows() -> Iterator[tuple[str, str]]:
    """Every import of one module of ours by another, also those that are only there for types or come late."""
    files = {dotted(path): path for path in modules(ROOT / PACKAGE)}
    for name, path in files.items():
        yield from (
            (name, known) for _, wanted in imports(path) if (known := imported(wanted, files)) not in ("", name)
        )


def circle(found: Iterable[tuple[str, str]]) -> str:
    """A way along arrows that comes back to where it began, or an empty text."""
    below: dict[str, set[str]] = {}
    for above, under in found:
        below.setdefault(above, set()).add(under)
    try:
        TopologicalSorter(below).prepare()
    except CycleError as error:
        return " <- ".join(error.args[1])
    return ""


def room_of(module: str) -> str:
    """The room of a floor that a module stands in, or the module itself where it stands on the floor."""
    return ".".join(module.split(".")[:3])


def trouble(name: str, floor: str, rule: Floor) -> str:
    """Why a file of this floor may not import this name, or an empty text."""
    top = name.partition(".")[0]
    if top == PACKAGE:
        inner = name.removeprefix(PACKAGE).removeprefix(".") + "."
        if inner in (".", "__version__."):
            return ""
        allowed = (floor, *rule.below)
        return "" if any(inner.startswith(f"{below}.") for below in allowed) else "is not a floor below"
    if top in sys.stdlib_module_names:
        return "is not for this floor" if top in rule.not_stdlib else ""
    return "" if top in rule.outside else "is a package that this floor does without"


def wrong_imports(floor: str, rule: Floor) -> list[str]:
    """Every import of a floor that its rule does not allow."""
    return [
        f"{path.relative_to(ROOT)}:{line}: {name} {why}"
        for path in modules(ROOT / PACKAGE / floor)
        for line, name in imports(path)
        if (why := trouble(name, floor, rule))
    ]


def loaded(names: Iterable[str]) -> set[str]:
    """What stands in sys.modules of a fresh Python after importing these modules."""
    code = (
        "import sys, importlib\nfor name in sys.argv[1:]: importlib.import_module(name)\nprint(*sys.modules, sep='\\n')"
    )
    argv = [sys.executable, "-c", code, *names]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def folders() -> set[str]:
    """The folders of the package that hold code."""
    return {path.name for path in (ROOT / PACKAGE).iterdir() if path.is_dir() and modules(path)}


def the_map(folder: Path = ROOT / PACKAGE) -> set[str]:
    """The folders that a package's docstring tells of."""
    prose = ast.get_docstring(ast.parse((folder / "__init__.py").read_text())) or ""
    return set(re.findall(r"^\s*(\w+)/ +\S", prose, re.MULTILINE))


def run_tool(*words: str) -> None:
    """A checker of ours must have nothing to say."""
    done = subprocess.run([sys.executable, "-m", *words], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"


def test_ruff() -> None:
    run_tool("ruff", "check", "--quiet", "--no-fix", "--output-format=concise", ".")


def test_mypy_strict() -> None:
    run_tool("mypy", "--strict", "--cache-dir", str(CACHE / "mypy"), PACKAGE, "tests")


def test_the_map_tells_of_every_folder() -> None:
    there = folders() | DATA
    assert the_map() == there, "the docstring of controlroom/__init__.py has one line per folder: name/  text"
    assert the_map() - DATA == set(FLOORS), "each floor has a rule in this file"


@pytest.mark.parametrize("folder", sorted(DATA))
def test_a_folder_of_data_holds_no_code(folder: str) -> None:
    assert not modules(ROOT / PACKAGE / folder)
    assert any((ROOT / PACKAGE / folder).iterdir())


@pytest.mark.parametrize("floor", FLOORS)
def test_floors_import_only_what_is_below(floor: str) -> None:
    wrong = wrong_imports(floor, FLOORS[floor])
    assert not wrong, "\n".join(wrong)


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circle(arrows()) == ""


def test_rooms_look_down_only() -> None:
    rooms = ((room_of(above), room_of(below)) for above, below in arrows())
    assert circle((above, below) for above, below in rooms if above != below) == ""


@pytest.mark.parametrize("floor", FLOORS)
def test_a_floor_tells_of_its_rooms(floor: str) -> None:
    rooms = {path.name for path in (ROOT / PACKAGE / floor).iterdir() if path.is_dir() and modules(path)}
    if len(rooms) > 1:
        assert the_map(ROOT / PACKAGE / floor) == rooms, "the floor's docstring has one line per room: name/  text"


@pytest.mark.parametrize("floor", FLOORS)
def test_floors_load_only_what_they_need(floor: str) -> None:
    names = [dotted(path) for path in modules(ROOT / PACKAGE / floor) if path.name != "__main__.py"]
    assert sorted(loaded(names) & set(FLOORS[floor].not_loaded)) == []


@pytest.mark.parametrize("module", LIGHT)
def test_entrances_are_light(module: str) -> None:
    assert sorted(loaded([module]) & set(LIGHT[module])) == []


def test_what_one_file_alone_imports() -> None:
    importers: dict[str, set[str]] = {package: set() for package in ONLY_IN}
    for path in modules(ROOT / PACKAGE):
        for _, name in imports(path):
            importers.get(name.partition(".")[0], set()).add(str(path.relative_to(ROOT)))
    assert importers == {package: {path} for package, path in ONLY_IN.items()}


@pytest.mark.parametrize("floor", TRAVELS)
def test_what_travels_to_hosts_is_python_3_10(floor: str) -> None:
    for path in modules(ROOT / PACKAGE / floor):
        ast.parse(path.read_text(), str(path), feature_version=(3, 10))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Every function of a file and its number of lines."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", (node.end_lineno or 0) - node.lineno + 1


def test_functions_and_files_are_short() -> None:
    paths = [*modules(ROOT / PACKAGE), *modules(ROOT / "tests")]
    long = [f"{where}: {lines} lines" for path in paths for where, lines in functions(path) if lines > LONGEST_FUNCTION]
    for path in paths:
        name, lines = str(path.relative_to(ROOT)), len(path.read_text().splitlines())
        if lines > LONGEST_FILE and name not in LONGER_WITH_A_REASON:
            long.append(f"{name}: {lines} lines")
    assert not long, "\n".join(long)


def test_retired_words_stay_retired() -> None:
    retired = re.compile(rf"(?<![a-z])(?:{'|'.join(RETIRED)})(?![a-z])", re.IGNORECASE)
    paths = {*modules(ROOT / PACKAGE), *modules(ROOT / "tests")} - {Path(__file__)}
    found = [f"{path}: {hit[0]}" for path in paths for hit in retired.finditer(path.read_text())]
    assert not found, "\n".join(found)


def is_prose(node: ast.expr | None) -> bool:
    """Whether an expression is such a field of something, or what a method of a text makes of one."""
    while True:
        if isinstance(node, ast.Attribute):
            return node.attr in PROSE
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        elif isinstance(node, ast.Subscript):
            node = node.value
        else:
            return False


def decides_on_prose(node: ast.AST) -> bool:
    """Whether a node compares such a field, looks into it, or looks something up by it."""
    if isinstance(node, ast.Compare):
        return any(map(is_prose, (node.left, *node.comparators)))
    if isinstance(node, ast.Match):
        return is_prose(node.subject)
    if isinstance(node, ast.Subscript):
        return is_prose(node.slice)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        asks = node.func.attr in ("startswith", "endswith", "find", "index", "count") and is_prose(node.func.value)
        looks = node.func.attr in ("match", "fullmatch", "search", "findall", "finditer", "get", "index", "count")
        return asks or (looks and any(map(is_prose, node.args[:1] if node.func.attr == "get" else node.args)))
    return False


def prose_that_decides(path: Path) -> Iterator[str]:
    """Where a file decides on such a field: `file:function`, each with its line."""
    tree = ast.parse(path.read_text(), str(path))
    inside = {
        node: function.name
        for function in ast.walk(tree)
        if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef))
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        where = f"{path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name}:{inside.get(node, '')}"
        if decides_on_prose(node) and where not in READS_PROSE:
            yield f"{where} (line {getattr(node, 'lineno', 0)})"


@pytest.mark.parametrize("floor", ["domain", "engine", "tui", "cli", "client"])
def test_no_decision_is_made_on_the_wording_of_a_sentence(floor: str) -> None:
    paths = modules(ROOT / PACKAGE / floor)
    wrong = [where for path in paths for where in prose_that_decides(path)]
    assert not wrong, "carry a cause or a kind beside the words, and decide on that:\n" + "\n".join(wrong)


@pytest.mark.parametrize(
    ("code", "decides"),
    [
        ('if agent.detail.startswith("budget"): pass', True),
        ('if "reboot" in agent.detail.lower(): pass', True),
        ('if question.title == "host key": pass', True),
        ("re.match(pattern, alarm.text)", True),
        ("words[agent.detail]", True),
        ("words.get(item.title)", True),
        ("words.get(item.name, item.title)", False),
        ("if agent.cause is Cause.BUDGET: say(agent.detail)", False),
    ],
)
def test_a_decision_on_wording_is_seen(code: str, decides: bool, tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text(code)
    assert bool(list(prose_that_decides(path))) is decides


def test_no_work_is_left_for_later() -> None:
    mark = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X"]))
    found = [f"{path}: {hit[0]}" for path, text in texts(committed()) if (hit := mark.search(text))]
    assert not found, "\n".join(found)


def test_no_file_names_a_path_of_a_developer() -> None:
    ours = {str(ROOT), str(Path.home())} - {"/root", "/"}
    homes = rf"/home/(?!(?:{'|'.join(NOBODY)})\b)\w+"
    parts = [*map(re.escape, ours), homes, r"/Users/\w+", r"/root/\.?\w+"]
    path_of_somebody = re.compile(rf"(?<![\w.])(?:{'|'.join(parts)})\b")
    files = [path for path in committed() if path != Path("tests/test_house.py")]
    found = [f"{path}: {hit[0]}" for path, text in texts(files) if (hit := path_of_somebody.search(text))]
    assert not found, "\n".join(found)


def test_the_top_level_is_tidy() -> None:
    top = {path.parts[0] for path in committed() if not path.parts[0].startswith(".")}
    assert not top - TOP_LEVEL


def test_no_test_imports_another_one() -> None:
    """What several of them need stands in a module that is no test."""
    found = [
        f"{path.relative_to(ROOT)}:{line}: {name}"
        for path in modules(ROOT / "tests")
        for line, name in imports(path)
        if name.startswith("tests.") and name.rpartition(".")[2].startswith("test_")
    ]
    assert not found, "\n".join(found)


def naps(path: Path) -> Iterator[int]:
    """The lines of a file that wait for a fixed time; nothing at all and a minute or more (for ever) are no waits."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        match node:
            case ast.Call(
                func=ast.Attribute(value=ast.Name(id="time" | "asyncio"), attr="sleep") | ast.Attribute(attr="pause"),
                args=[ast.Constant(value=int() | float() as seconds)],
            ) if 0 < seconds < 60:
                yield node.lineno


def private(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file that reach into what belongs to somebody else, by attribute, import or name in quotes.

    A named tuple's own methods are public.
    """
    public = {"_asdict", "_fields", "_make", "_replace", "_exit"}
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Attribute | ast.ImportFrom | ast.Call):
            for name in reached(node):
                if name.startswith("_") and not name.startswith("__") and name not in public:
                    yield node.lineno, name


def reached(node: ast.Attribute | ast.ImportFrom | ast.Call) -> list[str]:
    """The names of somebody else's parts that a piece of code reads or replaces."""
    match node:
        case ast.Attribute(value=ast.Name(id="self" | "cls")) | ast.Attribute(value=ast.Call(ast.Name("super"))):
            return []
        case ast.Attribute(attr=name):
            return [name]
        case ast.ImportFrom(module=str(module), names=aliases) if module.startswith(("controlroom", "tests")):
            return [alias.name for alias in aliases]
        case ast.Call(func=ast.Name(id=verb) | ast.Attribute(attr=verb), args=args) if verb.endswith("attr"):
            return [
                word.value.rpartition(".")[2]
                for word in args[:2]
                if isinstance(word, ast.Constant) and isinstance(word.value, str)
            ]
        case _:
            return []


def test_no_test_reaches_into_a_private_part() -> None:
    """What a test sees in public breaks only when somebody would notice."""
    found = [
        f"{name}:{line}: {part}"
        for path in modules(ROOT / "tests")
        for name in [str(path.relative_to(ROOT))]
        for line, part in private(path)
        if part not in PRIVATE_OF_LIBRARIES.get(name, ())
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("code", "times"),
    [
        ("here.app._exit; room._key", 1),
        ("self._own; super()._own; point._replace(x=1)", 0),
        ("from controlroom.text.names import _ours, theirs", 1),
        ("patch.setattr(module, '_MOST', 3); patch.setattr('a.b._c', 3); getattr(x, '_y', None); getattr(x, 'y')", 3),
    ],
)
def test_a_private_part_is_seen(code: str, times: int, tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(code)
    assert len(list(private(tmp_path / "some.py"))) == times


def test_what_tests_import_lets_python_keep_bytecode() -> None:
    """Else each worker of a run compiles every test anew."""
    assert not sys.dont_write_bytecode


def test_no_test_waits_for_a_fixed_time() -> None:
    """It is too short on a busy machine and too long on any other: `tests/lab/waiting.py` waits for a condition."""
    apart = {ROOT / "tests" / folder for folder in ("lab", "benchmarks")}
    found = [
        f"{name}:{line}"
        for path in modules(ROOT / "tests")
        if not apart & set(path.parents) and (name := str(path.relative_to(ROOT))) not in WAITS_FOR_TIME
        for line in naps(path)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("code", "waits"),
    [
        ("time.sleep(0.1)", 1),
        ("await asyncio.sleep(2); await here.pilot.pause(0.1)", 2),
        ("time.sleep(0); time.sleep(600); await pilot.pause()", 0),
    ],
)
def test_a_fixed_wait_is_seen(code: str, waits: int, tmp_path: Path) -> None:
    (tmp_path / "some.py").write_text(code)
    assert len(list(naps(tmp_path / "some.py"))) == waits


def test_every_test_folder_is_a_package() -> None:
    """Else two tests with one file name meet."""
    bare = [path.parent for path in modules(ROOT / "tests") if not (path.parent / "__init__.py").exists()]
    assert not bare
