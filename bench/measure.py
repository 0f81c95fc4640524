"""Timing whole commands: wall and CPU seconds (children included) and peak memory, medians of several rounds."""
import os
import resource
import statistics
import subprocess
import time


def once(command, stdin=None, stdout=subprocess.DEVNULL):
    begin = time.monotonic()
    child = subprocess.Popen([str(word) for word in command], stdin=stdin, stdout=stdout, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    wall = time.monotonic() - begin
    if child.returncode != 0:
        raise SystemExit(f"bench: {' '.join(map(str, command))} ended with {child.returncode}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def medians(contenders, rounds=3, before=None):
    """{name: command} -> {name: (wall, cpu, peak MiB)}; the contenders take turns in each round."""
    figures = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, command in contenders.items():
            if before:
                before(name)
            figures[name].append(once(command))
    return {name: tuple(statistics.median(column) for column in zip(*rows)) for name, rows in figures.items()}
