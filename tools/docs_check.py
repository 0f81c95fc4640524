#!/usr/bin/env python3
"""Checks that documents are true: generated ones are current, and paths that ARCHITECTURE.md and README.md name exist, with the functions named beside them.

--write writes the generated documents anew.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
GENERATORS = [["tools/schema_doc.py"]]


def generated(write):
    for command in GENERATORS:
        if not (ROOT / command[0]).exists():
            continue
        arguments = [sys.executable, *command] + ([] if write else ["--check"])
        done = subprocess.run(arguments, cwd=ROOT, capture_output=True, text=True)
        if done.returncode:
            yield f"{command[0]}: {(done.stdout + done.stderr).strip()}; run ./dev doc"


def named_paths():
    """Every `path` in backticks that looks like a file or folder of this repository has to exist."""
    for document in ("ARCHITECTURE.md", "README.md"):
        path = ROOT / document
        if not path.exists():
            yield f"{document}: is missing"
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for name in re.findall(r"`((?:src|tests|tools|docs|rules|etc|ui|bench|packaging)/[\w./-]*)`", line):
                if not (ROOT / name).exists():
                    yield f"{document}:{number}: {name} does not exist"


def named_functions():
    """In ARCHITECTURE.md's tables a row that names functions and files: each function is called or defined in one of them."""
    for number, line in enumerate((ROOT / "ARCHITECTURE.md").read_text().splitlines(), 1):
        files = [ROOT / name for name in re.findall(r"`(src/[\w./-]+\.c)`", line)]
        text = "".join(path.read_text() for path in files if path.exists())
        for name in re.findall(r"`(xt_\w+)`", line):
            if files and not re.search(rf"\b{name}\b", text):
                yield f"ARCHITECTURE.md:{number}: {name} is not in {' or '.join(str(p.relative_to(ROOT)) for p in files)}"


def refusals():
    """Every reason to refuse an agent has its row in docs/fleet.md."""
    text = (ROOT / "docs/fleet.md").read_text()
    for name in re.findall(r'^ *\[\w+\] = \{"([a-z-]+)"', (ROOT / "src/wire/refusal.c").read_text(), re.M):
        if f"| `{name}` |" not in text:
            yield f"docs/fleet.md: no row explains {name}"


def main():
    wrong = [*refusals(), *generated("--write" in sys.argv), *named_paths(), *named_functions()]
    print("\n".join(wrong) if wrong else "documents are current")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
