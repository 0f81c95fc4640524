"""The shipper stopped by a signal: the collector goes on, records wait, nothing is lost, and what had no room would be counted."""
import os
import signal
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Agent, Scene, Server, audit_lock, run, wait_for

N = 80
LONG = "x" * 100_000


class Stopped(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.server = Server(self.folder)
        self.agent = Agent(self.folder, self.server, "--canary", "10")

    def status(self):
        return dict(line.split("=", 1) for line in (self.agent.state / "status").read_text().splitlines() if "=" in line)

    def number(self, name):
        return int(self.status().get(name, 0))

    def shipper(self):
        self.assertTrue(wait_for(lambda: self.number("shipper_pid") > 0, 20, 0.1), self.status())
        return self.number("shipper_pid")

    def test_the_collector_goes_on(self):
        shipper = self.shipper()
        self.assertTrue(wait_for(lambda: self.number("canary_sent") > 0 and self.number("canary_ms") > 0, 30, 0.2), self.agent.process.text())
        os.kill(shipper, signal.SIGSTOP)
        self.addCleanup(lambda: os.path.exists(f"/proc/{shipper}") and os.kill(shipper, signal.SIGCONT))
        before, canary = self.number("time_ms"), self.number("canary_ms")
        run("/bin/true", "stopped-first")
        # heartbeats, the watch and the canary go on: rules that go are set back, a known exec is sent and seen
        run("auditctl", "-D")
        self.assertTrue(wait_for(lambda: "key=exectrail" in run("auditctl", "-l").stdout.decode(), 30, 0.2), self.agent.process.text())
        self.assertTrue(wait_for(lambda: self.number("time_ms") > before + 4000 and self.number("canary_ms") > canary, 30, 0.2), self.status())
        # more than the collector holds for it: then records wait in the kernel
        for i in range(N):
            run("/bin/true", f"stopped-{i}-", LONG)
        self.assertTrue(wait_for(lambda: "records wait in the kernel" in self.agent.process.text(), 30, 0.2), self.agent.process.text())
        before = self.number("time_ms")
        run("/bin/true", "stopped-last")
        self.assertTrue(wait_for(lambda: self.number("time_ms") > before + 4000, 30, 0.2), "heartbeats")
        os.kill(shipper, signal.SIGCONT)
        self.assertTrue(wait_for(lambda: self.server.count('args:"stopped-last"') == 1, 60, 0.5), self.agent.process.text())
        self.assertEqual(self.server.count("args:stopped-*"), N + 2)
        self.assertTrue(wait_for(lambda: self.server.search("action:agent-stalled and message:*waited*in*the*kernel*"), 30, 0.5))
        self.assertEqual(self.server.count("action:(canary-lost or witness-gap)"), 0)
        self.assertEqual(self.server.count("action:exec-unaudited and (exe:*true* or cmd:*stopped-*)"), 0)  # others were, without rules
        self.assertEqual(self.number("lost_since_start"), 0)
        self.assertEqual(self.agent.stop(), 0)

    def test_it_ends_though_the_shipper_stands_still(self):
        os.kill(self.shipper(), signal.SIGSTOP)
        run("/bin/true", "stopped-then-ended")
        self.assertEqual(self.agent.stop(), 0)  # it is sent on
        self.assertTrue(wait_for(lambda: self.server.count('args:"stopped-then-ended"') == 1, 20, 0.5))


if __name__ == "__main__":
    unittest.main()
