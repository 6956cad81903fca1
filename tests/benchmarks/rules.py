"""What rules cost: one decision, and how long a prompt on a host waits until a rule has answered it over SSH.

    python -m tests.benchmarks.rules [--rounds 200]

Decisions: of a line of three commands, by 11 rules and 1,000; of a file by 1,000. Prompts: a stand-in for Claude on a
host over SSH on loopback asks again and again, and notes when it has its answer: headless by its control channel; on a
terminal by its hook for permission requests, from the hook's start until it has ended, with the dialog on the screen,
every tenth time after six quiet seconds. Targets: 1 ms, 5 ms with 1,000 rules, 150 ms from prompt to answer.
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


ON_A_TERMINAL = r"""#!/usr/bin/env python3
import json, os, subprocess, sys, time
words = sys.argv[1:]
hook = json.load(open(words[words.index("--settings") + 1]))["hooks"]["PermissionRequest"][0]["hooks"][0]["command"]
session = words[words.index("--session-id") + 1]
folder = os.path.join(os.environ.get("CLAUDE_CONFIG_DIR") or os.path.expanduser("~/.claude"), "sessions")
os.makedirs(folder, exist_ok=True)
def is_now(status, **more):
    beside = os.path.join(folder, "new")
    with open(beside, "w") as file:
        json.dump({"pid": os.getpid(), "sessionId": session, "status": status, **more}, file)
    os.replace(beside, os.path.join(folder, "%d.json" % os.getpid()))
is_now("busy")
rule, mark = "\u2500" * 60, "\u254c" * 60
took = []
for number in range(ROUNDS):
    time.sleep(6 if number % 10 == 9 else 0.3)
    command = "tool7 run %d" % number
    rows = [rule, " Bash command", " look", mark, " " + command, mark, " Do you want to proceed?", " \u276f 1. Yes"]
    rows += ["   2. No", "", " Esc to cancel \u00b7 Tab to amend"]
    sys.stdout.write("\x1b[2J\x1b[H" + "\r\n".join(rows))
    sys.stdout.flush()
    is_now("waiting", waitingFor="permission prompt")
    asked = {"hook_event_name": "PermissionRequest", "tool_name": "Bash", "tool_input": {"command": command}}
    began = time.monotonic()
    done = subprocess.run(hook, shell=True, input=json.dumps(asked).encode(), stdout=subprocess.PIPE)
    took.append(time.monotonic() - began)
    if b"allow" not in done.stdout:
        sys.exit(1)
    sys.stdout.write("\x1b[2J\x1b[H")
    sys.stdout.flush()
    is_now("busy")
with open("FIGURES", "w") as file:
    json.dump(took, file)
time.sleep(600)
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
    for kind, program in (("headless", STAND_IN), ("interactive", ON_A_TERMINAL)):
        waits = answered(min(rounds, 100), kind, program)
        told = f"{part(waits, 0.5) * 1000:.0f} ms ({part(waits, 0.95) * 1000:.0f}, {max(waits) * 1000:.0f})"
        rows.append((f"prompt to answer over SSH, {kind}, median (95 %, worst) of {len(waits)}", told, "150 ms"))
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


def answered(rounds: int, kind: str, stand_in: str) -> list[float]:
    """Seconds from each prompt on a host to its answer by a rule."""
    with tempfile.TemporaryDirectory() as folder, LoopbackLab() as lab:
        lab.up(1)
        host, home = lab["vm1"], Path(folder)
        figures, program = host.home / "figures.json", host.home / "claude-stand-in"
        program.write_text(stand_in.replace("ROUNDS", str(rounds)).replace("FIGURES", str(figures)))
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
            run(
                "spawn",
                "a",
                "--host",
                "vm1",
                "--profile",
                "p",
                "--kind",
                kind,
                *(("--task", "ask") if kind == "headless" else ()),
            )
            while not figures.exists():
                time.sleep(0.2)
        finally:
            run("stop")
        took: list[float] = json.loads(figures.read_text())
        return took


if __name__ == "__main__":
    main(sys.argv[1:])
