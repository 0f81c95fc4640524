"""The agent is replaced while commands run: by a restart, by a kill, by another version; nothing that was executed is missing or twice."""
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Scene, Server, audit_lock, audit_status, descendants, exectrail, run, wait_for
from supervisor import UNIT, SupervisedAgent, unit_setting

SECONDS = float(os.environ.get("SECONDS", "3"))
RESTARTS = int(os.environ.get("RESTARTS", "3"))
LOOP = """
import os, sys, time
end, n, tag = time.monotonic() + float(sys.argv[2]), 0, sys.argv[1]
while time.monotonic() < end:
    n += 1
    os.waitpid(os.posix_spawn("/bin/true", ["true", f"upgrade-{tag}-{n}"], {}), 0)
print(n)
"""


class Upgrade(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.server = Server(self.folder)

    def load(self, tag, seconds):
        return subprocess.Popen([sys.executable, "-c", LOOP, tag, str(seconds)], stdout=subprocess.PIPE)

    def expect_all(self, loads):
        """Each numbered exec is in the store exactly once."""
        wanted = {tag: int(child.communicate()[0]) for tag, child in loads.items()}
        total = sum(wanted.values())
        wait_for(lambda: self.server.count('args:upgrade-* and action:executed') >= total, 30, 0.5)
        numbers = {}
        for e in self.server.search('args:upgrade-* and action:executed', "--limit", "1000000"):
            tag, number = re.fullmatch(r"upgrade-(\w+)-(\d+)", e["process"]["args"][1]).groups()
            numbers.setdefault(tag, []).append(int(number))
        for tag, n in wanted.items():
            got = numbers.get(tag, [])
            missing = sorted(set(range(1, n + 1)) - set(got))
            self.assertEqual((missing[:20], len(got) - len(set(got)), len(set(got))), ([], 0, n), f"{tag}: missing, twice, all")
        return total

    def verify(self):
        """What the server proves from the first heartbeat on."""
        begin = self.host()["proved"]["first_heartbeat"]
        return exectrail("verify", "--completeness", "testhost", "--data", self.server.data, "--from", begin, "--to", "now", check=False)

    def host(self):
        return next(h for h in self.server.get("/api/v1/hosts")["hosts"] if h["name"] == "testhost")

    def test_restart_under_load(self):
        agent = SupervisedAgent(self.folder, self.server)
        agent.start()
        lost = int(audit_status()["lost"])
        owner = agent.pid
        self.assertEqual([name for name, _ in agent.stored], [f"audit.{owner}", "connector"])
        loads = {tag: self.load(tag, SECONDS) for tag in "abcd"}
        for _ in range(RESTARTS):
            time.sleep(SECONDS / (RESTARTS + 1))
            agent.restart()
            self.assertEqual(audit_status()["pid"], str(owner), "the kernel goes on sending to the first one's socket")
        total = self.expect_all(loads)
        agent.wait_up()
        self.assertEqual(int(audit_status()["lost"]), lost, "the kernel lost nothing")
        started = self.server.search("action:agent-started")
        self.assertEqual(len(started), RESTARTS + 1)
        self.assertEqual(sum("nothing is missing between them" in e["message"] for e in started), RESTARTS, started)
        self.assertEqual(self.server.search("action:(exec-unaudited or witness-gap or canary-lost or audit-changed or lost)"), [])
        self.assertTrue(wait_for(lambda: self.verify().returncode == 0, 30, 0.5), self.verify().stdout.decode())
        status = run(AGENT, "status", "--state", agent.state).stdout.decode()
        self.assertIn(f"goes on with the audit socket of process {owner}", status)
        print(f"{total} execs, {RESTARTS} restarts ", end="", file=sys.stderr)
        self.assertEqual(agent.stop(), 0)
        self.assertEqual(audit_status()["pid"], "0", "the kernel was told, though the first owner is long gone")

    def test_killed_and_replaced(self):
        """A kill leaves the sockets; what came after it is whole, and the gap before it is said."""
        agent = SupervisedAgent(self.folder, self.server, abstract=True)
        agent.start()
        os.kill(agent.pid, signal.SIGKILL)
        loads = {"k": self.load("k", 1.0)}
        self.assertTrue(wait_for(lambda: agent.n_starts == 2 and agent.ready.is_set(), 60), agent.text())
        self.expect_all(loads)
        started = self.server.search("action:agent-started", "--sort", "time:desc", "--limit", "1")[0]["message"]
        self.assertIn("the agent before was killed", started)
        done = wait_for(lambda: (d := self.verify()).returncode == 1 and "no heartbeat" in d.stdout.decode() and d, 20, 0.2)
        self.assertTrue(done, "what the killed one held is not known: a gap")
        # A note of a version that this agent does not know: a plain start, and a gap that is said.
        agent.restart()
        note = os.memfd_create("note")
        os.write(note, b"xt-note\xee" + bytes(64))
        with agent.lock:
            agent.stored.append(("note", note))
        os.kill(agent.pid, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: agent.n_starts == 4 and agent.ready.is_set(), 60), agent.text())
        self.assertTrue(wait_for(lambda: any("version 238" in e["message"] for e in self.server.search("action:agent-started")), 20, 0.2), agent.text())
        self.assertEqual(agent.stop(), 0)

    def test_a_manager_that_is_slow(self):
        """Its socket is full when the agent begins: what it has to know and to keep is sent again until it is taken."""
        agent = SupervisedAgent(self.folder, self.server, watchdog=False)
        stuffing = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(stuffing.close)
        stuffing.setblocking(False)
        stuffing.setsockopt(socket.SOL_SOCKET, getattr(socket, "SO_SNDBUFFORCE", 32), 8 << 20)  # the manager's queue is to be full, not this end
        with contextlib.suppress(BlockingIOError):
            while True:
                stuffing.sendto(b"X=1", agent.address)
        agent.start(wait=False, listens=False)
        agent.wait_up()
        time.sleep(1)
        status = run(AGENT, "status", "--state", agent.state).stdout.decode()
        self.assertIn("nobody keeps the audit socket", status)
        agent.listen()
        self.assertTrue(wait_for(lambda: [name for name, _ in agent.stored] == [f"audit.{agent.pid}", "connector"], 20), agent.stored)
        self.assertTrue(agent.ready.wait(20), "that it is ready is said again too")
        self.assertEqual(agent.stop(), 0)

    def test_without_the_witness_of_before(self):
        """The connector's socket of before has no reader any more: it is closed by the agent and by the manager."""
        agent = SupervisedAgent(self.folder, self.server)
        agent.start()
        owner = agent.pid
        agent.options = (*agent.options, "--witness", "off")
        agent.restart()
        agent.wait_up()
        self.assertTrue(wait_for(lambda: [name for name, _ in agent.stored] == [f"audit.{owner}"], 20, 0.1), agent.stored)
        inodes = {os.readlink(f"/proc/{agent.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{agent.pid}/fd")}
        connectors = [line.split() for line in pathlib.Path("/proc/net/netlink").read_text().splitlines() if line.split()[1] == "11"]
        self.assertEqual([c for c in connectors if f"socket:[{c[-1]}]" in inodes], [])
        self.assertEqual(agent.stop(), 0)

    def test_records_of_a_note_stay_with_the_collector(self):
        """They are as the kernel gave them, secrets included: the processes that talk to others must not have them in memory."""
        agent = SupervisedAgent(self.folder, self.server, watchdog=False)
        agent.start()
        note, marker = os.memfd_create("note"), os.urandom(24).hex().encode()
        os.write(note, b"xt-note\xee" + marker * 1000)
        with agent.lock:
            agent.stored.append(("note", note))
        os.kill(agent.pid, signal.SIGKILL)
        self.assertTrue(wait_for(lambda: agent.n_starts == 2 and agent.ready.is_set(), 60), agent.text())
        agent.wait_up()
        self.assertIn("version 238", agent.text())
        found = {pid: self.has_in_memory(pid, marker[:40]) for pid in descendants(agent.pid)}
        self.assertGreaterEqual(len(found), 2)
        self.assertEqual(set(found.values()), {False})
        self.assertEqual(agent.stop(), 0)

    def has_in_memory(self, pid, what):
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
                span, rights, *_ = line.split()
                begin, end = (int(n, 16) for n in span.split("-"))
                if rights.startswith("rw") and end - begin < 1 << 30:
                    with contextlib.suppress(OSError, ValueError):
                        memory.seek(begin)
                        if what in memory.read(end - begin):
                            return True
        return False


class Unit(Scene):
    def test_unit(self):
        """systemd reads every line of it, and what it bounds is bounded."""
        if not shutil.which("systemd-analyze"):
            self.skipTest("systemd is not installed")
        unit = self.folder / UNIT.name
        unit.write_text(UNIT.read_text().replace("/usr/sbin/exectrail-agent", AGENT))
        done = run("systemd-analyze", "verify", "--man=no", unit, check=False)
        self.assertEqual((done.returncode, [line for line in done.stderr.splitlines() if UNIT.name in line]), (0, []))
        for name in ("MemoryMax", "CPUQuota", "TasksMax", "WatchdogSec", "ProtectSystem", "NoNewPrivileges", "SystemCallFilter"):
            self.assertTrue(unit_setting(name), name)
        exposure = re.search(r"exposure level[^:]*: ([\d.]+)", run("systemd-analyze", "security", "--offline=true", unit, check=False).stdout.decode())
        if exposure:
            self.assertLess(float(exposure[1]), 4.2)


if __name__ == "__main__":
    unittest.main()
