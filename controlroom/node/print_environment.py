"""Run inside a login shell by `login_shell.py`: prints the environment between two marks, its items ending in NUL."""

import os
import sys

if __name__ == "__main__":
    mark = os.fsencode(sys.argv[1])
    items = b"".join(name + b"=" + value + b"\0" for name, value in os.environb.items())
    with open(1, "wb", closefd=False) as out:
        out.write(b"\n" + mark + b"<" + items + b">" + mark + b"\n")
