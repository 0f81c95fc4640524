#!/usr/bin/env python3
"""The generator of events: is what it makes consistent, and how fast is it?

Checked on 200,000 events: serials of a host's boot are consecutive, its time never goes back, and what an event says of
its parent (program, command line, entity) is what that pid last executed. Ends with 1 if anything is not so.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(__file__))
from bench_store import Job
from measure import once

CHECKED = 200000
TIMED = 1000000


def check(lines):
    serials, times, executed = {}, {}, {}
    wrong = {"serial": 0, "time": 0, "parent": 0}
    parents = 0
    for line in lines:
        event = json.loads(line)
        boot = (event["host"]["name"], event["host"]["boot"]["id"])
        serial, process = event["event"]["sequence"], event.get("process", {})
        wrong["serial"] += boot in serials and serials[boot] + 1 != serial
        wrong["time"] += times.get(boot, "") > event["@timestamp"]
        serials[boot], times[boot] = serial, event["@timestamp"]
        escaped = "escaped" in event.get("exectrail", {}).get("flags", [])
        parent = process.get("parent", {})
        if "entity_id" in parent:
            parents += 1
            exe, cmd, entity = executed.get((boot, parent["pid"]), (None, None, None))
            same = escaped or cmd is None or cmd[:8000] == parent.get("command_line", "")[:8000]
            wrong["parent"] += exe != parent.get("executable") or entity != parent["entity_id"] or not same
        if event["event"].get("action") == "executed" and event["event"]["outcome"] == "success":
            command = None if escaped else process.get("command_line")
            executed[(boot, process["pid"])] = (process.get("executable"), command, process.get("entity_id"))
    print(f"{len(serials)} boots of hosts, {parents} events that know their parent; wrong: {wrong}")
    return not any(wrong.values())


def main():
    with tempfile.TemporaryDirectory(prefix="exectrail-bench-") as name:
        job = Job(CHECKED, pathlib.Path(name))
        generator = subprocess.Popen(job.generator("ndjson"), stdout=subprocess.PIPE)
        good = check(generator.stdout)
        good &= generator.wait() == 0
        _, reading, _ = once(Job(1, pathlib.Path(name)).generator("none"))
        print(f"\n{'format':10}{'CPU s':>8}{'events per CPU s':>18}   ({TIMED} events, captures read before)")
        for form in ("none", "batches", "columns", "text", "ndjson"):
            _, cpu, _ = once(Job(TIMED, pathlib.Path(name)).generator(form))
            print(f"{form:10}{cpu - reading:8.2f}{TIMED / (cpu - reading):18,.0f}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
