#!/usr/bin/env python3
"""ClickHouse in this process (chdb): loads tab-separated rows from a pipe, answers the benchmark's queries.

usage: peer_clickhouse.py PIPE FOLDER, the settings as JSON on standard input; prints results as JSON. Run by
bench_store.py in a virtual environment that has chdb.
"""
import json
import os
import pathlib
import sys
import time

from chdb import session

LOW = set("action category etype outcome code host host_id boot user euser login groupname exe comm cwd tty parent_exe "
          "parent_comm success script keys source flags redactions arch syscall".split())
NUMBERS = {"time": "Int64", "serial": "UInt32", "pid": "UInt32", "ppid": "UInt32", "argc": "UInt16", "exit": "Int32", "items": "UInt8"}


def column(name, is_number):
    if name == "time":
        return "time DateTime64(3, 'UTC') CODEC(DoubleDelta, ZSTD(1))"
    if is_number:
        return f"`{name}` Nullable({NUMBERS.get(name, 'UInt32')}) CODEC(T64, ZSTD(1))"
    if name in LOW:
        return f"`{name}` LowCardinality(Nullable(String))" if name not in ("host", "user", "exe") else f"`{name}` LowCardinality(String)"
    return f"`{name}` String CODEC(ZSTD(3))"


def structure(columns):
    return ", ".join(f"`{name}` Nullable({'Int64' if is_number else 'String'})" for name, is_number in columns)


def load(db, pipe, columns):
    db.query("CREATE DATABASE bench ENGINE = Atomic")
    db.query("CREATE TABLE bench.events (" + ", ".join(column(*c) for c in columns) +
             ", INDEX grams cmd TYPE ngrambf_v1(3, 65536, 2, 0) GRANULARITY 4, INDEX users user TYPE set(100) GRANULARITY 4"
             ") ENGINE = MergeTree PARTITION BY toDate(time) ORDER BY (host, time)")
    values = ", ".join("fromUnixTimestamp64Milli(assumeNotNull(time), 'UTC')" if name == "time"
                       else f"`{name}`" if is_number or name in LOW and name not in ("host", "user", "exe")
                       else f"ifNull(`{name}`, '')" for name, is_number in columns)
    text = structure(columns).replace("'", "\\'")
    db.query(f"INSERT INTO bench.events SELECT {values} FROM file('{pipe}', 'TSV', '{text}')"
             " SETTINGS max_insert_threads = 2, max_threads = 2")


def queries(day):
    in_day = f"time >= toDateTime64('{day} 00:00:00', 3, 'UTC') AND time < toDateTime64('{day} 00:00:00', 3, 'UTC') + INTERVAL 1 DAY"
    return {
        "newest": [f"SELECT * FROM bench.events WHERE user = 'alice' AND {in_day} ORDER BY time DESC LIMIT 100"],
        "needle": ["SELECT * FROM bench.events WHERE cmd LIKE '%{needle}%'"],
        "nmap": ["SELECT count() FROM bench.events WHERE cmd LIKE '%nmap%'"],
        "top": ["SELECT exe, count() FROM bench.events WHERE exe != '' GROUP BY exe ORDER BY 2 DESC LIMIT 10",
                "SELECT toStartOfHour(time) AS hour, count() FROM bench.events GROUP BY hour"],
        "hosts": ["SELECT user, uniqExact(host) FROM bench.events WHERE user != '' GROUP BY user"],
    }


def ask(db, sql):
    lines = db.query(sql, "JSONCompactEachRow").bytes().split(b"\n")
    return [json.loads(line.decode(errors="replace"), strict=False) for line in lines if line]


def answer(name, rows):
    if name == "nmap":
        return int(rows[0][0][0])
    if name == "top":
        return [[exe, int(n)] for exe, n in rows[0]], sum(int(n) for _, n in rows[1])
    if name == "hosts":
        return {user: int(n) for user, n in rows[0]}
    return len(rows[0])


def run_queries(db, settings, results):
    for name, statements in queries(settings["day"]).items():
        times, cpus = [], []
        for _ in range(settings["rounds"] + 1):
            begin, cpu = time.monotonic(), time.process_time()
            rows = [ask(db, sql.replace("{needle}", settings["needle"])) for sql in statements]
            times.append((time.monotonic() - begin) * 1000)
            cpus.append((time.process_time() - cpu) * 1000)
        results["queries"][name] = {"first_ms": times[0], "ms": sorted(times[1:])[len(times[1:]) // 2],
                                    "cpu_ms": sum(cpus[1:]) / len(cpus[1:]), "answer": answer(name, rows)}


def main():
    pipe, folder = sys.argv[1:]
    settings = json.load(sys.stdin)
    db = session.Session(folder)
    begin, cpu = time.monotonic(), time.process_time()
    load(db, pipe, settings["columns"])
    loaded = time.process_time() - cpu
    db.query("OPTIMIZE TABLE bench.events FINAL")
    results = {"load_cpu_s": loaded, "cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - begin, "queries": {}}
    results["events"] = int(ask(db, "SELECT count() FROM bench.events")[0][0])
    results["bytes"] = int(ask(db, "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'bench'")[0][0])
    for path in pathlib.Path(folder).rglob("*"):
        if path.is_file():
            fd = os.open(path, os.O_RDONLY)
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(fd)
    run_queries(db, settings, results)
    status = pathlib.Path("/proc/self/status").read_text().splitlines()
    results["rss_mb"] = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
