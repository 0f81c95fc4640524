#!/usr/bin/env python3
"""Runs clang-tidy on the sources of src/; prints what it finds and ends with 1 if it finds anything.

usage: tools/tidy.py BUILD, a build folder made with clang, up to date.

Only what changed since it was last found clean is looked at: a source whose object (which ninja makes anew for any
header too) or .clang-tidy is newer than the mark that the last clean run left in BUILD/tidy/.
"""
import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def sources(build):
    """{source below ROOT: its object}, from the build folder's commands."""
    objects = {}
    for command in json.loads((build / "compile_commands.json").read_text()):
        folder = pathlib.Path(command["directory"])
        path = pathlib.Path(os.path.normpath(folder / command["file"]))
        if path.is_relative_to(ROOT / "src"):
            objects[path.relative_to(ROOT)] = folder / command["output"]
    return objects


def mark_of(build, path):
    return build / "tidy" / str(path).replace("/", "_")


def is_known_clean(build, path, made):
    mark = mark_of(build, path)
    inputs = [made, ROOT / path, ROOT / ".clang-tidy"]
    return mark.exists() and all(mark.stat().st_mtime_ns >= each.stat().st_mtime_ns for each in inputs)


def look_at(build, path):
    """What is wrong with one source, or an empty text."""
    start = time.time_ns()
    done = subprocess.run(["clang-tidy", "-p", build, "--quiet", ROOT / path], capture_output=True, text=True)
    if done.returncode == 0 and not done.stdout.strip():
        mark = mark_of(build, path)
        mark.touch()
        os.utime(mark, ns=(start, start))
        return ""
    return done.stdout.strip() or f"{path}: clang-tidy ended with {done.returncode}: {done.stderr.strip()}"


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    objects = sources(build)
    (build / "tidy").mkdir(exist_ok=True)
    wrong = [f"{path.relative_to(ROOT)}: is not built" for path in sorted((ROOT / "src").rglob("*.c"))
             if path.relative_to(ROOT) not in objects]
    todo = [path for path, made in objects.items() if not is_known_clean(build, path, made)]
    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        wrong += filter(None, pool.map(lambda path: look_at(build, path), todo))
    print("\n".join(wrong) if wrong else f"clang-tidy finds nothing in {len(objects)} sources ({len(todo)} looked at)")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
