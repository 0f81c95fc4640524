#!/usr/bin/env python3
"""`./dev fuzz [SECONDS]`: every fuzz target for that long, two at a time, from its corpus in tests/fuzz/corpus.

What is found stays in build-fuzz/findings/TARGET-*; new inputs that reach new code stay in build-fuzz/corpus. Ends with 1
when anything was found.
"""
import concurrent.futures
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = ROOT / "build-fuzz"


def fuzz(program, seconds):
    name = program.name.removeprefix("fuzz_")
    grown, findings = BUILD / "corpus" / name, BUILD / "findings"
    for folder in (grown, findings):
        folder.mkdir(parents=True, exist_ok=True)
    command = [program, f"-max_total_time={seconds}", "-rss_limit_mb=2048", "-timeout=10", "-print_final_stats=1", "-max_len=65536",
               f"-artifact_prefix={findings}/{name}-", grown, ROOT / "tests/fuzz/corpus" / name]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace")
    runs = [line.split()[-1] for line in done.stderr.splitlines() if "number_of_executed_units" in line]
    return name, done.returncode, runs[0] if runs else "?", done.stderr


def main():
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    programs = sorted(p for p in (BUILD / "tests/fuzz").glob("fuzz_*") if p.is_file() and os.access(p, os.X_OK))
    if not programs:
        sys.exit("fuzz: no targets in build-fuzz/tests/fuzz")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for name, code, runs, log in pool.map(lambda p: fuzz(p, seconds), programs):
            print(f"{'FOUND ' if code else 'clean '} {name:20} {runs} runs", flush=True)
            if code:
                failed = 1
                print(log[-4000:])
    return failed


if __name__ == "__main__":
    sys.exit(main())
