"""Real kernel: an agent that stands still under load harms nobody (protect host) and loses nothing (protect record); what
others change of audit is told and set back. STALL_SECONDS (1): how long it stands still; `./dev torture stall` takes 20."""
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import audit_status, descendants, run, wait_for
from test_witness import Listening

SECONDS = float(os.environ.get("STALL_SECONDS", "1"))
SPAWNERS = 2
# Executes /bin/true with a number for so many seconds; prints how many, and the longest that one took.
SPAWNER = """
import os, sys, time
word, end, n, longest = sys.argv[1], time.monotonic() + float(sys.argv[2]), 0, 0.0
while time.monotonic() < end:
    begin = time.monotonic()
    os.waitpid(os.posix_spawn("/bin/true", ["/bin/true", word, str(n)], {}), 0)
    longest = max(longest, time.monotonic() - begin)
    n += 1
print(n, longest)
"""


class Protect(Listening):
    def stand_still(self, *options):
        """Number of execs, longest of them in seconds, and what became of them: recorded, unaudited, messages missing."""
        self.start("--canary", "0", *options)
        pids = [self.agent.child.pid, *descendants(self.agent.child.pid)]
        spawners = [subprocess.Popen([sys.executable, "-c", SPAWNER, f"stall-test-{i}", str(SECONDS + 1)], stdout=subprocess.PIPE)
                    for i in range(SPAWNERS)]
        time.sleep(0.5)
        limits = audit_status()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(SECONDS)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        counts = [spawner.communicate()[0].split() for spawner in spawners]
        n, longest = sum(int(count[0]) for count in counts), max(float(count[1]) for count in counts)
        parents = {spawner.pid for spawner in spawners}

        def outcome():
            mine = [e for e in self.read() if e.get("process", {}).get("parent", {}).get("pid") in parents]
            recorded = sum(e["event"]["action"] == "executed" and e["process"].get("args", [""])[0] == "/bin/true" for e in mine)
            unaudited = sum(e["event"]["action"] == "exec-unaudited" for e in mine)
            return recorded, unaudited
        wait_for(lambda: sum(outcome()) >= n, 20 + 2 * SECONDS, 0.5)
        gaps = [e["message"] for e in self.having("witness-gap")]
        print(f"{options}: {n} execs, the longest {longest * 1000:.0f} ms; recorded {outcome()[0]}, unaudited {outcome()[1]}, gaps {gaps[:3]}; "
              f"backlog limit {limits['backlog_limit']}, wait {limits['backlog_wait_time']}, lost {audit_status()['lost']}", flush=True)
        self.assertTrue(self.having("agent-stalled") or SECONDS < 9, "that it stood still is told")
        return n, longest, outcome(), gaps, limits

    def test_host_is_not_harmed(self):
        n, longest, (recorded, unaudited), gaps, limits = self.stand_still("--protect", "host")
        self.assertEqual(limits["backlog_wait_time"], "0")
        self.assertLess(longest, SECONDS, "no exec waited for the agent")
        missing = sum(int(text.split()[0]) for text in gaps)
        self.assertLessEqual(recorded + unaudited, n, "nothing is counted twice")
        self.assertLessEqual(n - recorded - unaudited, missing, "each exec is recorded, told as unaudited, or in a hole of the witness")
        if unaudited > 0:
            self.assertTrue(wait_for(lambda: "completeness   incomplete" in self.status(), 15, 0.5), self.status())
        self.assertIn("protect        host", self.status())
        self.stop()

    def test_record_loses_nothing(self):
        n, longest, (recorded, unaudited), gaps, limits = self.stand_still("--protect", "record")
        self.assertGreater(int(limits["backlog_wait_time"]), 0)
        self.assertLess(longest, 12, "the bound of each record's wait holds")
        self.assertEqual((recorded, unaudited, gaps), (n, 0, []))
        self.assertIn("protect        record", self.status())
        self.stop()

    def wait_repaired(self, since, text):
        def told():
            return [e for e in self.read()[since:] if e["event"]["action"] == "audit-repaired" and text in e["message"]]
        self.assertTrue(wait_for(told, 10, 0.1), f"{text} is not set back:\n{self.agent.text()}")

    def test_changes_are_told_and_set_back(self):
        self.start("--canary", "0", "--protect", "record")
        wanted = audit_status()
        rules = run("auditctl", "-l").stdout
        changes = [(["-e", "0"], "enabled"), (["-D"], "rules"), (["-b", "64"], "backlog"), (["--backlog_wait_time", "7"], "backlog")]
        for words, text in changes[:3]:
            since = len(self.read())
            run("auditctl", *words)
            self.wait_repaired(since, text)
            self.assertTrue(self.wait_action("audit-changed", since))
            now = audit_status()
            self.assertEqual({name: now[name] for name in ("enabled", "pid", "backlog_wait_time")},
                             {name: wanted[name] for name in ("enabled", "pid", "backlog_wait_time")})
            self.assertGreaterEqual(int(now["backlog_limit"]), 8192)
            self.assertEqual(run("auditctl", "-l").stdout, rules)
        since = len(self.read())
        run("auditctl", *changes[3][0])  # the same again so soon: somebody means it
        self.assertTrue(self.wait_action("audit-not-repaired", since))
        self.assertEqual(audit_status()["backlog_wait_time"], "7")
        self.stop()

    def test_changes_stay_without_repair(self):
        self.start("--canary", "0", "--repair", "off")
        since = len(self.read())
        run("auditctl", "-e", "0")
        self.assertTrue(self.wait_action("audit-changed", since))
        time.sleep(1)
        self.assertEqual(audit_status()["enabled"], "0")
        self.assertEqual(self.having("audit-repaired"), [])
        self.stop()

    @unittest.skipUnless(SECONDS >= 5, "of the long form")
    def test_cpu_limit(self):
        self.start("--canary", "0", "--cpu-limit", "1")
        spawners = [subprocess.Popen([sys.executable, "-c", SPAWNER, "limit-test", "25"], stdout=subprocess.PIPE) for _ in range(4)]
        self.assertTrue(wait_for(lambda: len(self.having("cpu-limit")) >= 2, 30, 0.3), self.agent.text())
        since = len(self.read())
        n = sum(int(spawner.communicate()[0].split()[0]) for spawner in spawners)
        count = lambda: sum("limit-test" in e.get("process", {}).get("args", []) and e["process"]["args"][0] == "/bin/true" for e in self.having("executed"))
        self.assertTrue(wait_for(lambda: count() >= n, 20, 0.3), f"{count()} of {n}")
        self.assertFalse([e for e in self.read()[since + 500:] if e["event"]["action"] == "exited"], "ends are left out")
        self.assertIn("ends of processes and their control groups are left out", self.status())
        self.stop()


if __name__ == "__main__":
    unittest.main()
