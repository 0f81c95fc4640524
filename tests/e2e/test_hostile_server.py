"""A hostile server cannot harm the agent: whatever answers it, the agent lives, costs little and loses nothing.

Each attack (hostile_server.py) has an agent of its own, all at once: what is harmless alone is harmless. Agents read audit text
from a pipe, so that every event is known by its number. What is bounded is counted, and not timed: connections, bytes taken,
lines of the log, memory.
"""
import collections
import inspect
import os
import pathlib
import random
import subprocess
import sys
import time
import types
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import hostile_server
from actors import BUILD, Agent, Scene, Server, descendants, run, wait_for
from hostile_server import Door
from test_kill import line

ATTACKS = [a for name, a in vars(hostile_server).items() if inspect.isfunction(a) and list(inspect.signature(a).parameters) == ["peer"]]
SECONDS = 5
SANITIZED = "asan" in BUILD.name or "tsan" in BUILD.name
MOST_CONNECTIONS = 16          # in that time
MOST_BYTES = 6 << 20           # taken from one that sends without end
MOST_LINES = 70                # of its log
MOST_GROWTH_MIB = 64 if SANITIZED else 16
if SANITIZED:  # what AddressSanitizer keeps of freed memory is no growth of the agent's
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4:thread_local_quarantine_size_kb=64"


def grown_mib(pids):
    """The greatest resident memory that these processes had, together."""
    total = 0
    for pid in pids:
        for row in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            total += int(row.split()[1]) if row.startswith("VmHWM:") else 0
    return total / 1024


def cpu_seconds(pids):
    fields = [pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split() for pid in pids]
    return sum(int(f[11]) + int(f[12]) for f in fields) / os.sysconf("SC_CLK_TCK")


class Victim:
    def __init__(self, scene, server, attack, name, n_doors=1):
        self.attack, self.name, self.n = attack, name, 0
        folder = scene.folder / self.name
        folder.mkdir()
        doors = [Door(scene.folder, server) for _ in range(n_doors)]
        for door in doors:
            scene.addCleanup(door.close)
        self.door, self.other_door = doors[0], doors[-1]
        address = types.SimpleNamespace(agent_port=",127.0.0.1:".join(str(d.port) for d in doors), enrolment_token=server.enrolment_token)
        self.agent = Agent(folder, address, "--stdin", host=name, start=False)
        self.agent.start(stdin=subprocess.PIPE, wait=False)

    def feed(self, n, noise=0):
        for _ in range(n):
            self.n += 1
            text = f"n{self.n}" + random.Random(self.n).randbytes(noise).hex()
            self.agent.process.child.stdin.write(line(self.n, 1800000000, text))
        self.agent.process.child.stdin.flush()

    def pids(self):
        return [self.agent.process.child.pid, *descendants(self.agent.process.child.pid)]

    def begin(self):
        self.door.host_certificate = self.agent.state / "shipper/identity.pem"
        self.lines, self.mib, self.cpu = self.agent.process.text().count("\n"), grown_mib(self.pids()), cpu_seconds(self.pids())
        self.door.turn(self.attack)

    def end(self):
        """What the attack did."""
        alive = self.agent.process.child.poll() is None
        told = collections.OrderedDict(alive=alive, connections=self.door.n_connections, bytes=self.door.n_bytes)
        if alive:
            told.update(lines=self.agent.process.text().count("\n") - self.lines, mib=round(grown_mib(self.pids()) - self.mib, 1),
                        cpu=round(cpu_seconds(self.pids()) - self.cpu, 2))
        self.door.turn(None)
        return told


class HostileServer(Scene):
    def counts(self, server):
        answer = server.get("/api/v1/search?q=comm%3Aload&by=host&limit=1000")
        return {group["values"][0]: group["count"] for group in answer["groups"]}

    def wait_all(self, server, victims, seconds):
        def all_there():
            counts = self.counts(server)
            return all(counts.get(v.name, 0) >= v.n for v in victims)
        if not wait_for(all_there, seconds, 0.3):
            counts = self.counts(server)
            self.fail({v.name: (counts.get(v.name), v.n, v.agent.process.text()[-500:]) for v in victims if counts.get(v.name) != v.n})

    def assert_all_once(self, server, victims):
        seen = collections.defaultdict(collections.Counter)
        for event in server.search("comm:load", "--limit", "1000000"):
            seen[event["host"]["name"]][event["event"]["sequence"]] += 1
        for v in victims:
            self.assertEqual(seen[v.name], collections.Counter(range(1, v.n + 1)), f"{v.name}: lost or doubled")

    def begin_dribble(self, server):
        """Of two servers one never comes to an end with its handshake: the agent leaves it for the other."""
        victim = Victim(self, server, hostile_server.handshake_without_end, name="dribble", n_doors=2)
        victim.feed(20)
        self.wait_all(server, [victim], 60)
        victim.other_door.turn(hostile_server.closes_at_once)
        victim.begin()
        self.assertTrue(wait_for(lambda: victim.door.n_connections, 30), victim.agent.process.text())
        victim.other_door.turn(None)
        victim.feed(20)
        return victim

    def test_attacks(self):
        server = Server(self.folder)
        dribble = self.begin_dribble(server)
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=server/OU=exectrail server", "-keyout", self.folder / "other.key", "-out", self.folder / "other.pem")
        only = os.environ.get("ONLY", "").split(",")
        victims = [Victim(self, server, a, a.__name__) for a in ATTACKS if only == [""] or a.__name__ in only]
        for v in victims:
            v.feed(20)
        self.wait_all(server, victims, 90)
        for v in victims:
            v.begin()
        began = time.monotonic()
        for v in victims:
            v.feed(*((800, 3000) if v.name == "never_reads" else (20,)))
        time.sleep(max(0, SECONDS - (time.monotonic() - began)))
        told = {v.name: v.end() for v in victims}
        for name, what in told.items():
            print(f"{name:34}", " ".join(f"{key}={value}" for key, value in what.items()), flush=True)
        for v in victims:
            v.feed(10)
        self.wait_all(server, [dribble, *victims], 60)
        self.assertLess(dribble.door.n_connections, 4)
        self.assertIn("does not answer", dribble.agent.process.text())
        self.assert_all_once(server, [dribble, *victims])
        for name, what in told.items():
            with self.subTest(name):
                self.assertTrue(what["alive"])
                self.assertLess(what["connections"], MOST_CONNECTIONS)
                self.assertLess(what["bytes"], MOST_BYTES)
                self.assertLess(what["lines"], MOST_LINES)
                self.assertLess(what["mib"], MOST_GROWTH_MIB)
        for v in [dribble, *victims]:
            v.agent.process.child.stdin.close()
        for v in [dribble, *victims]:
            v.agent.stop()
        server.stop()


if __name__ == "__main__":
    unittest.main()
