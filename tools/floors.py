#!/usr/bin/env python3
"""Checks that every #include respects the floors of src/floors, and that no file calls what is banned.

A file may include its own folder and the folders that its row names. Prints FILE:LINE: what is wrong; ends with 1 if
anything is. Also checks that file names are unique in src/.
"""
import collections
import pathlib
import re
import sys

BANNED = ("strcpy strcat strncpy strncat sprintf vsprintf gets strtok atoi atol atoll atof alloca asctime ctime localtime "
          "gmtime rand srand system popen").split()
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")


def read_table(src):
    floors = {}
    for line in (src / "floors").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            floor, may_use, _ = (part.strip() for part in line.split("|"))
            floors[floor] = set(may_use.split())
    return floors


def floor_of(path, floors):
    """The longest floor that the path (relative to src/) stands in, or None."""
    best = None
    for floor in floors:
        if str(path).startswith(floor + "/") and (best is None or len(floor) > len(best)):
            best = floor
    return best


def check_file(src, path, floors):
    own = floor_of(path, floors)
    for number, line in enumerate((src / path).read_text(errors="replace").splitlines(), 1):
        where = f"src/{path}:{number}"
        include = INCLUDE.match(line)
        if include:
            if not (src / include[1]).exists():
                continue  # made by the build
            target = floor_of(include[1], floors)
            if own is None or target is None:
                yield f"{where}: {include[1]} is on no floor"
            elif target != own and target not in floors[own]:
                yield f"{where}: {own} may not include {target}"
        code = re.sub(r'"(\\.|[^"\\])*"|/\*.*?\*/|//.*', "", line)
        call = CALL.search(code)
        if call and not code.lstrip().startswith("*"):
            yield f"{where}: {call[1]}() is banned"
        if re.search(r"(?<![\w.>_])exit\s*\(", code) and path.name != "main.c" and not code.lstrip().startswith("*"):
            yield f"{where}: exit() stands in main.c alone"


def main():
    src = pathlib.Path(__file__).resolve().parent.parent / "src"
    floors = read_table(src)
    wrong = []
    names = collections.defaultdict(list)
    for path in sorted(src.rglob("*.[ch]")):
        path = path.relative_to(src)
        names[path.name].append(str(path))
        wrong += check_file(src, path, floors)
    wrong += [f"src: {' and '.join(paths)} have the same name" for name, paths in names.items()
              if len(paths) > 1 and name not in ("main.c",)]
    print("\n".join(wrong) if wrong else f"{sum(map(len, names.values()))} files respect {len(floors)} floors")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
