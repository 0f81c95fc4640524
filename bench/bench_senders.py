#!/usr/bin/env python3
"""Events a second of the server's CPU, of the first 60 MB of fleet.log sent as syslog over TCP and with _bulk, beside an import.

CPU is the server's alone, all its threads, from the first byte to when the events are stored; medians of three servers each.
Without the shared captures the carried ones are repeated, whose repeated events are known and not stored again.
"""
import http.client
import json
import os
import pathlib
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))
from bench_decode import EXECTRAIL, make_input

N_BYTES = int(os.environ.get("N_BYTES", 60 << 20))
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, folder):
        self.data = folder / "data"
        self.http, self.syslog = free_port(), free_port()
        self.child = subprocess.Popen([EXECTRAIL, "server", "--data", self.data, "--http", f"127.0.0.1:{self.http}", "--listen",
                                       "127.0.0.1:0", "--syslog", f"127.0.0.1:{self.syslog}"], stderr=subprocess.DEVNULL)
        while not (self.data / "server.json").exists():
            time.sleep(0.05)
        self.token = (self.data / "admin.token").read_text().strip()

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def stored(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.http)
        connection.request("GET", "/api/v1/status", headers={"Authorization": f"Bearer {self.token}"})
        return json.loads(connection.getresponse().read())["events"]

    def settle(self, n):
        while self.stored() < n:
            time.sleep(0.2)

    def stop(self):
        self.child.terminate()
        self.child.wait()


def send_syslog(server, lines):
    with socket.create_connection(("127.0.0.1", server.syslog)) as connection:
        connection.sendall(b"".join(b"<13>Nov 23 15:04:05 web-1 audit: %s\n" % line for line in lines))


def send_bulk(server, lines, per_request=1600):
    connection = http.client.HTTPConnection("127.0.0.1", server.http)
    for at in range(0, len(lines), per_request):
        body = b"".join(b'{"create":{"_index":"filebeat-8"}}\n' + json.dumps(
            {"@timestamp": "2026-11-23T15:04:05.123Z", "message": line.decode(), "host": {"name": "web-1"}, "input": {"type": "log"},
             "log": {"file": {"path": "/var/log/audit/audit.log"}, "offset": at}, "agent": {"type": "filebeat", "version": "8.11.0"},
             "ecs": {"version": "8.0.0"}}).encode() + b"\n" for line in lines[at:at + per_request])
        connection.request("POST", "/es/_bulk?filter_path=errors,items.*.error,items.*.status", body,
                           {"Authorization": f"Bearer {server.token}", "Content-Type": "application/x-ndjson"})
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200 or answer["errors"]:
            sys.exit(f"_bulk: {response.status} {json.dumps(answer)[:500]}")


def send_import(server, path):
    subprocess.run([EXECTRAIL, "import", "--data", server.data, "--host", "web-1", path], stderr=subprocess.DEVNULL, check=True)


def main():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="exectrail-bench-"))
    try:
        whole, name = make_input(folder)
        with open(whole, "rb") as log:
            lines = log.read(N_BYTES).rpartition(b"\n")[0].split(b"\n")
        # the last event's end is given out only after a while: it is left out of the wait
        path = folder / "part.log"
        path.write_bytes(b"\n".join(lines) + b"\n")
        ways = {"import": lambda server: send_import(server, path), "syslog over TCP": lambda server: send_syslog(server, lines),
                "_bulk": lambda server: send_bulk(server, lines)}
        figures, n = {way: [] for way in ways}, 0
        for _ in range(3):
            for way, send in ways.items():
                shutil.rmtree(folder / "data", ignore_errors=True)
                server = Server(folder)
                before = server.cpu()
                send(server)
                n = n or server.stored()
                server.settle(n - 5)
                figures[way].append(server.cpu() - before)
                server.stop()
        print(f"{name}: {n} events, {len(lines)} lines, {sum(map(len, lines)) / 1e6:.0f} MB")
        for way, seconds in figures.items():
            cpu = statistics.median(seconds)
            print(f"  {way:16} {cpu:6.2f} CPU s  {n / cpu:9,.0f} events/CPU s  {len(lines) / cpu:9,.0f} lines/CPU s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
