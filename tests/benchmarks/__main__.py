"""Run all benchmarks, here and at another commit in turn, and print what got worse and what got better.

    python -m tests.benchmarks [COMMIT] [--only NAME …] [--rounds 3] [--all]

COMMIT is checked out in a temporary folder and runs with the packages of this environment; nothing here changes. Each
round runs each benchmark in both trees, one right after the other; without a COMMIT only here. Compared are the medians
of all rounds: a figure is worse or better when it differs by more than 5 %, and no round here came as far as the median
there. The exit code is 1 when a figure got worse, 2 when a benchmark failed here.

Both trees are measured by today's benchmark wherever it can be imported there, else each by its own. A benchmark that
the other commit does not have is named, and left out. Processor time says more than time on the wall while other
programs run; the load of the machine is printed with each run.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.comparison import Compared, Figure, Key, Verdict, compared, figures_of
from tests.benchmarks.figures import load
from tests.benchmarks.table import FIGURES

HERE = Path(__file__).parents[2]
FOLDER = Path("tests", "benchmarks")
PATIENCE = 1200.0
"""Seconds for one benchmark in one tree."""

_IMPORTS = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(f"tests.benchmarks.{name}")
    except Exception as problem:
        print(name)
"""


class Tree(NamedTuple):
    """A checkout, and the Python that runs it."""

    name: str
    folder: Path
    python: str
    own: Collection[str]
    """The benchmarks that its commit has."""

    def run(self, *words: str, timeout: float, environ: Mapping[str, str] = os.environ) -> tuple[int, str]:
        """Run Python in it; return the exit code and all that was written."""
        process = subprocess.Popen(
            [self.python, *words], cwd=self.folder, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        try:
            written, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)  # it takes away what it has made
            written, _ = process.communicate()
            return 1, f"{written.decode(errors='replace')}\nit took longer than {timeout:.0f} s"
        return process.returncode, written.decode(errors="replace")

    def measure(self, benchmark: str) -> dict[Key, Figure] | str:
        """Run a benchmark; return its figures, or the last line that it wrote when it failed."""
        with tempfile.TemporaryDirectory(prefix="cr-") as folder:
            path = Path(folder, "figures")
            path.touch()
            environ = {**os.environ, FIGURES: str(path)}
            code, written = self.run("-m", f"tests.benchmarks.{benchmark}", timeout=PATIENCE, environ=environ)
            if code:
                return (written.strip().splitlines() or [f"exit code {code}"])[-1]
            return figures_of(benchmark, path.read_text().splitlines())


def main(argv: Sequence[str]) -> int:
    """Run benchmarks and print the table; return the exit code."""
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = names(HERE)
    parser.add_argument("commit", nargs="?", metavar="COMMIT", help="what to compare with, as git names it")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=known, default=known, help=", ".join(known))
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run in each tree (default 3)")
    parser.add_argument("--all", action="store_true", help="print the figures that are the same, too")
    options = parser.parse_args(argv)
    here = Tree("here", HERE, sys.executable, known)
    if options.commit is None:
        return report([here], options)
    with other_tree(options.commit) as there:
        return report([there, here], options)


def report(trees: Sequence[Tree], options: argparse.Namespace) -> int:
    """Measure in all trees, and print what came of it; return the exit code."""
    measured: dict[str, list[dict[Key, Figure]]] = {tree.name: [] for tree in trees}
    failed: dict[tuple[str, str], str] = {}
    for turn in range(options.rounds):
        for name in options.only:
            for tree in trees if turn % 2 else trees[::-1]:
                if (tree.name, name) in failed or not has(tree, name):
                    continue
                began = time.monotonic()
                figures = tree.measure(name)
                if isinstance(figures, str):
                    failed[tree.name, name] = figures
                else:
                    measured[tree.name].append(figures)
                words = f"round {turn + 1}: {name} {tree.name}, {time.monotonic() - began:.0f} s, {load()}"
                print(words, "FAILED" * isinstance(figures, str), file=sys.stderr, flush=True)
    rows = compared(measured[trees[0].name], measured[trees[-1].name])
    print_rows(rows, trees, everything=options.all or len(trees) == 1)
    print_gaps(trees, options.only, failed)
    if any(tree == trees[-1].name for tree, _ in failed):
        return 2
    return int(any(row.verdict is Verdict.WORSE for row in rows))


def has(tree: Tree, benchmark: str) -> bool:
    """Whether a benchmark can be run in a tree."""
    return (tree.folder / FOLDER / f"{benchmark}.py").exists()


def print_gaps(trees: Sequence[Tree], benchmarks: Iterable[str], failed: Mapping[tuple[str, str], str]) -> None:
    """Print which figures are missing. A commit need not run what came after it."""
    for tree in trees:
        for name in benchmarks:
            words = failed.get((tree.name, name), "")
            if name not in tree.own and (words or not has(tree, name)):
                print(f"left out: {name}, which {tree.name} does not have")
            elif words:
                print(f"failed: {name} {tree.name}: {words}")


def print_rows(rows: Iterable[Compared], trees: Sequence[Tree], *, everything: bool) -> None:
    """Print figures by verdict."""
    rows = list(rows)
    for verdict in Verdict:
        chosen = [row for row in rows if row.verdict is verdict]
        if len(trees) > 1:
            print(f"\n{verdict.value}: {len(chosen)} figures")
        if verdict is Verdict.SAME and not everything:
            continue
        for key, there, here, ratio, _ in chosen:
            both = f"{there!s:>12} {here!s:>12}   {ratio:.2f}" if len(trees) > 1 else f"{here!s:>12}"
            print(f"  {key.benchmark:<14} {key.what:<44} {both}")


def names(folder: Path) -> list[str]:
    """The benchmarks of a tree: the modules that print a table when they are run."""
    return sorted(path.stem for path in (folder / FOLDER).glob("*.py") if _is_benchmark(path))


def _is_benchmark(path: Path) -> bool:
    text = path.read_text()
    return path.stem != "__main__" and "print_table(" in text and '\nif __name__ == "__main__"' in text


@contextmanager
def other_tree(commit: str) -> Iterator[Tree]:
    """Check a commit out, with today's benchmarks where they fit, until the end."""
    name = _git("rev-parse", "--short", f"{commit}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="cr-") as place:
        folder = Path(place, "tree")
        _git("worktree", "add", "--quiet", "--detach", str(folder), name)
        try:
            tree = Tree(name, folder, _python(Path(place, "venv"), folder), names(folder))
            _measure_alike(tree)
            yield tree
        finally:
            _git("worktree", "remove", "--force", str(folder))


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _python(place: Path, tree: Path) -> str:
    """Make an environment that finds the tree first, and then the packages of this one; return its Python."""
    venv.create(place, symlinks=True)
    packages = [path for path in sys.path if path.endswith("site-packages")]
    own = next(place.glob("lib/python*/site-packages"))
    (own / "tree.pth").write_text("\n".join([str(tree), *packages]) + "\n")
    return str(place / "bin" / "python")


def _measure_alike(tree: Tree) -> None:
    """Put today's benchmarks into a tree; where one cannot be imported there, the tree keeps its own, or has none."""
    folder, today = tree.folder / FOLDER, HERE / FOLDER
    own = {path.stem: path.read_text() for path in folder.glob("*.py")}
    ours = {path.stem: path.read_text() for path in today.glob("*.py") if path.stem != "__main__"}
    for name, text in ours.items():
        (folder / f"{name}.py").write_text(text)
    while unfit := set(_unfit(tree, sorted(ours))):
        needed = {name: {other for other in ours if f"tests.benchmarks.{other} import" in ours[name]} for name in unfit}
        first = {name for name in unfit if not needed[name] & unfit} or unfit
        for name in first:
            (folder / f"{name}.py").unlink()
            if name in own:
                (folder / f"{name}.py").write_text(own[name])
            ours.pop(name)


def _unfit(tree: Tree, modules: Sequence[str]) -> list[str]:
    code, written = tree.run("-c", _IMPORTS, *modules, timeout=PATIENCE)
    if code:
        raise SystemExit(written)
    return written.split()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
