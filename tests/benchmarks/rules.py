"""What rules cost: one decision, and how long a prompt on a host waits until a rule has answered it over SSH.

    python -m tests.benchmarks.rules [--rounds 200]

Decisions: of a line of three commands, by 11 rules and 1,000; of a file by 1,000. Prompts: a stand-in for Claude on a
host over SSH on loopback asks again and again by its control channel, and notes when it has its answer. Targets: 1 ms,
5 ms with 1,000 rules, 150 ms from prompt to answer.
"""

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from controlroom.domain.permissions.calls import Call
from controlroom.domain.permissions.judge import RuleSet
from controlroom.domain.permissions.rules import Rule, RuleVerdict
from tests.benchmarks.figures import load, part
from tests.benchmarks.table import print_table
from tests.lab.loopback import LoopbackLab

LINE = "cd /srv/app && tool7 run x --y=1 | tool9 run 2>&1; tool8 run -q"

STAND_IN = """#!/usr/bin/env python3
import json, sys, time
def say(value):
    print(json.dumps(value), flush=True)
sys.stdin.readline()
say({"type": "system", "subtype": "init", "session_id": "s", "model": "m"})
took = []
for number in range(ROUNDS):
    request = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "tool7 run %d" % number}}
    began = time.monotonic()
    say({"type": "control_request", "request_id": "q%d" % number, "request": request})
    while "q%d" % number not in (line := sys.stdin.readline()):
        if not line:
            sys.exit(1)
    took.append(time.monotonic() - began)
    time.sleep(0.05)
with open("FIGURES", "w") as file:
    json.dump(took, file)
say({"type": "result", "subtype": "success", "is_error": False, "num_turns": 1, "result": "done"})
sys.stdin.read()
"""


def main(argv: list[str]) -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args(argv).rounds
    few, many = rules(11), rules(1_000)
    line = Call("Bash", {"command": LINE}, "vm1", "a", "docs", "/srv/app")
    file = Call("Edit", {"file_path": "/srv/app/src/d99/x.py", "old_string": "a", "new_string": "b"}, folder="/srv/app")
    rows = [
        ("a line of three commands, 11 rules", decided(few, line, rounds), "1 ms"),
        ("a line of three commands, 1,000 rules", decided(many, line, rounds), "5 ms"),
        ("a file, 1,000 rules", decided(many, file, rounds), "5 ms"),
    ]
    waits = answered(min(rounds, 100))
    told = f"{part(waits, 0.5) * 1000:.0f} ms ({part(waits, 0.95) * 1000:.0f}, {max(waits) * 1000:.0f})"
    rows.append((f"prompt to answer over SSH, median (95 %, worst) of {len(waits)}", told, "150 ms"))
    print_table(f"rules; {load()}", rows)


def rules(count: int) -> RuleSet:
    """Rules of all kinds, of which the last ones are about the calls."""
    allow, deny = RuleVerdict.ALLOW, RuleVerdict.DENY
    third = max(1, count // 3)
    made = [Rule(f"p{number}", allow, "Edit", f"src/d{number}/**") for number in range(third)]
    made += [Rule(f"d{number}", deny, "Bash", f"bad{number} *") for number in range(third)]
    made += [Rule(f"t{number}", allow, "Bash", f"tool{number} run *") for number in range(max(10, count - 2 * third))]
    return RuleSet(tuple(made))


def decided(ruled: RuleSet, call: Call, rounds: int) -> str:
    """The middle of what decisions took, in milliseconds of the processor, and the worst."""
    ruled.judge(call, 0, {})
    took = []
    gc.collect()
    for _ in range(rounds):
        began = time.process_time()
        ruled.judge(call, 0, {})
        took.append(time.process_time() - began)
    return f"{part(took, 0.5) * 1000:.2f} ms ({max(took) * 1000:.2f})"


def answered(rounds: int) -> list[float]:
    """Seconds from each prompt on a host to its answer by a rule."""
    with tempfile.TemporaryDirectory() as folder, LoopbackLab() as lab:
        lab.up(1)
        host, home = lab["vm1"], Path(folder)
        figures, program = host.home / "figures.json", host.home / "claude-stand-in"
        program.write_text(STAND_IN.replace("ROUNDS", str(rounds)).replace("FIGURES", str(figures)))
        program.chmod(0o755)
        (home / ".ssh").mkdir(mode=0o700)
        (home / ".ssh" / "config").write_text(f"Include {lab.ssh_config}\n")
        environ = {**os.environ, "CONTROLROOM_HOME": folder, "HOME": folder}

        def run(*words: str) -> None:
            program = [sys.executable, "-m", "controlroom", *words]
            subprocess.run(program, env=environ, check=True, stdout=subprocess.DEVNULL)

        (home / "config.toml").write_text(f"[profiles.p]\ncommand = [{json.dumps(str(program))}]\n")
        (home / "config.toml").chmod(0o600)
        try:
            run("host", "add", "vm1", "--fingerprint", host.fingerprint)
            run("rules", "add", "tools", "Bash: tool7 run *")
            run("spawn", "a", "--host", "vm1", "--profile", "p", "--kind", "headless", "--task", "ask")
            while not figures.exists():
                time.sleep(0.2)
        finally:
            run("stop")
        took: list[float] = json.loads(figures.read_text())
        return took


if __name__ == "__main__":
    main(sys.argv[1:])
