"""How an agent ends, as the server tells of it: told to end (by whom), killed, stopped by a signal; with the real kernel."""
import os
import pwd
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import Agent, Scene, Server, audit_lock, exectrail, wait_for


class End(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.server = Server(self.folder)
        self.agent = Agent(self.folder, self.server)

    def host(self):
        return next(h for h in self.server.get("/api/v1/hosts")["hosts"] if h["name"] == "testhost")

    def gaps(self):
        begin = self.host()["proved"]["first_heartbeat"]
        found = self.server.get(f"/api/v1/hosts/testhost/completeness?from={begin}&to=now")["hosts"][0]["gaps"]
        return {gap["kind"] for gap in found}

    def alerts_of(self, *names):
        def fired():
            rules = {a["rule"]["id"][-2:] if isinstance(a.get("rule"), dict) else a["rule.id"][-2:] for a in self.server.alerts()}
            return rules if set(names) <= rules else None
        return wait_for(fired, 20, 0.2)

    def test_told_to_end(self):
        # A process that says whose login it is ends the agent: the event names both.
        code = f"open('/proc/self/loginuid','w').write('1'); import os,time; os.kill({self.agent.process.child.pid},15); time.sleep(5)"
        killer = subprocess.Popen([sys.executable, "-c", code])
        self.addCleanup(lambda: (killer.kill(), killer.wait()))
        self.assertEqual(self.agent.process.child.wait(60), 0, self.agent.process.text())
        event = wait_for(lambda: self.server.search("action:agent-stopped"), 20, 0.2)[0]
        self.assertEqual(event["event"]["reason"], "planned")
        self.assertEqual((event["user"]["id"], event["user"]["audit"]["id"]), ("0", "1"), event)
        self.assertRegex(event["message"], rf"told to end by process {killer.pid} \(python3[^)]*\), user root, login {pwd.getpwuid(1).pw_name}$")
        host = wait_for(lambda: (h := self.host())["state"] == "stopped" and h, 20, 0.2)
        self.assertTrue(host, self.host())
        self.assertIn("stopped", exectrail("hosts", "--data", self.server.data).stdout.decode())
        self.assertEqual(self.gaps(), {"stopped"}, "at once, and nothing else is missing")
        self.assertIn("42", self.alerts_of("42") or "", self.server.alerts())
        # It stays that when the next one watches, with its two ends.
        self.agent.start()
        self.assertTrue(wait_for(lambda: self.server.count('action:gap and message:*told*') == 1, 20, 0.2))
        self.assertEqual(self.host()["state"], "connected")
        self.assertEqual(self.gaps() - {"unseen"}, {"stopped"})

    def test_killed(self):
        os.kill(self.agent.process.child.pid, signal.SIGKILL)
        self.agent.process.child.wait()
        self.assertTrue(wait_for(lambda: self.host()["state"] == "silent", 30, 0.2), self.host())
        self.assertEqual(self.server.count("action:agent-stopped"), 0)
        self.agent.start()
        self.assertTrue(wait_for(lambda: "silent" in self.gaps(), 30, 0.2), self.gaps())
        self.assertNotIn("stopped", self.gaps())
        # Its helper is stopped by a signal: an event, an alert.
        helper = next(int(line.split("=")[1]) for line in (self.agent.state / "status").read_text().splitlines() if line.startswith("helper_pid="))
        os.kill(helper, signal.SIGSTOP)
        self.addCleanup(lambda: self.agent.process.child.poll() is None and os.kill(helper, signal.SIGCONT))
        self.assertIn("41", self.alerts_of("41") or "", self.agent.process.text())
        os.kill(helper, signal.SIGCONT)


if __name__ == "__main__":
    unittest.main()
