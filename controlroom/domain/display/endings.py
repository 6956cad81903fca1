"""What an exit code or a signal means, in words for a person who did not write the program that ended.

Codes above 125 are the shell's (POSIX.1-2017, 2.8.2 and `env`); signal numbers are those of Linux and macOS where the
two agree. Claude's own code: Claude Code 2.1.330, observed.
"""

_SIGNALS = {
    1: ("SIGHUP", "its terminal or tmux session was closed"),
    2: ("SIGINT", "somebody interrupted it"),
    3: ("SIGQUIT", "somebody made it quit"),
    4: ("SIGILL", "it ran an instruction that this processor does not have"),
    6: ("SIGABRT", "it gave up by itself"),
    8: ("SIGFPE", "it computed something impossible"),
    9: ("SIGKILL", "it was killed without being asked, by a person or by the kernel for want of memory"),
    11: ("SIGSEGV", "it crashed"),
    13: ("SIGPIPE", "who read its output was gone"),
    14: ("SIGALRM", "its own timer ran out"),
    15: ("SIGTERM", "somebody asked it to end"),
    24: ("SIGXCPU", "it used up its share of CPU time (ulimit -t)"),
    25: ("SIGXFSZ", "it wrote a file that was too large (ulimit -f)"),
}

_CODES = {
    126: "its program is there but cannot be run: see its mode and its first line",
    127: "its program was not found: see PATH in the login shell of the host, or give the whole path",
}


def exit_words(kind: str, code: int | None, signal: int | None) -> str:
    """Say how an agent's process ended and what that means; empty when it is not known."""
    if signal is not None:
        name, meaning = _SIGNALS.get(signal, (f"signal {signal}", ""))
        return f"ended by {name}" + (f": {meaning}" if meaning else "")
    if code is None:
        return ""
    if code == 0:
        return "exit 0: it ended by itself, and says that all went well"
    if code in _CODES:
        return f"exit {code}: {_CODES[code]}"
    if code > 128 and code - 128 in _SIGNALS:
        name, meaning = _SIGNALS[code - 128]
        return f"exit {code}: something in it was ended by {name}; {meaning}"
    if kind == "command":
        return f"exit {code}: it says that something went wrong; what that is stands at the end of its log"
    return f"exit {code}: Claude gave up; why stands at the end of its log"
