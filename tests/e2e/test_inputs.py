"""The agent's other inputs beside a real auditd, which is left alone: its socket, its log with rotations, its multicast."""
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Agent, Process, Scene, Server, audit_lock, audit_status, run, wait_for
from audit_daemon import AuditDaemon

OTHERS = ("-a", "always,exit", "-F", "arch=b64", "-S", "sethostname", "-F", "key=others")


def execute(word, n):
    for i in range(n):
        subprocess.run(["/bin/true", word, str(i)], check=True)


class Inputs(Scene):
    def setUp(self):
        super().setUp()
        if not shutil.which("auditd"):
            self.skipTest("auditd is not installed")
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.server = Server(self.folder)
        run("auditctl", *OTHERS)
        self.addCleanup(run, "auditctl", "-D")
        self.auditd = AuditDaemon(self.folder)
        self.addCleanup(self.auditd.stop)

    def host(self, name="testhost"):
        return next((h for h in self.server.get("/api/v1/hosts")["hosts"] if h["name"] == name), {})

    def found(self, word, host="testhost"):
        """The numbers of the execs of that word which the store has, sorted."""
        events = self.server.search(f'args:"{word}" and action:executed and host:"{host}"', "--limit", "5000")
        return sorted(int(e["process"]["args"][2]) for e in events)

    def logged(self, word):
        return sorted(int(n) for n in re.findall(rb'a1="%s" a2="(\d+)"' % word.encode(), self.auditd.text()))

    def check(self, word, n, host="testhost"):
        self.assertTrue(wait_for(lambda: len(self.found(word, host)) >= n, 40, 0.3), f"{word}: {len(self.found(word, host))} of {n}")
        self.assertEqual(self.found(word, host), list(range(n)))
        self.assertTrue(wait_for(lambda: self.logged(word) == list(range(n)), 10, 0.3), "auditd's log has all of them")
        self.assertEqual(audit_status()["pid"], str(self.auditd.pid), "auditd keeps the socket")
        self.assertIsNone(self.auditd.process.child.poll(), "auditd runs")

    def test_auto_and_own_beside_auditd(self):
        """What nobody chose listens beside it; who asks for the socket itself is refused, and auditd keeps it."""
        refused = run(AGENT, "--server", f"127.0.0.1:{self.server.agent_port}", "--token", self.server.enrolment_token(), "--state",
                      self.folder / "refused", "--audit", "own", check=False, timeout=30)
        self.assertEqual(refused.returncode, 1)
        self.assertIn(str(self.auditd.pid), refused.stderr.strip().splitlines()[-1])
        agent = Agent(self.folder, self.server, "--audit", "auto")
        self.assertTrue(wait_for(lambda: self.host().get("audit_mode") == "multicast", 30, 0.2), agent.process.text())
        self.assertIn("best effort", self.host()["completeness"])
        execute("auto", 10)
        self.check("auto", 10)
        self.assertEqual(audit_status()["pid"], str(self.auditd.pid))
        self.assertIn(b"auto", self.auditd.text())
        self.assertEqual(agent.stop(), 0)

    def test_each_mode_beside_auditd(self):
        for mode, claims in (("multicast", "best effort"), (f"af_unix:{self.auditd.socket}", "not connected"), (f"follow:{self.auditd.log}", "log")):
            name = mode.split(":")[0]
            agent = Agent(self.folder, self.server, "--audit", mode, host=name, state=self.folder / name)
            self.assertTrue(wait_for(lambda: self.host(name).get("audit_mode") == name, 30, 0.2), agent.process.text())
            self.assertTrue(wait_for(lambda: self.host(name)["completeness"].startswith("unproven"), 30, 0.2),  # connected by now
                            self.host(name)["completeness"])
            self.assertIn(claims, self.host(name)["completeness"])
            execute(f"beside-{name}", 20)
            self.check(f"beside-{name}", 20, name)
            event = self.server.search(f'args:"beside-{name}" and action:executed')[0]
            self.assertEqual(event["process"]["executable"], os.path.realpath("/bin/true"))
            self.assertEqual(event["process"]["parent"]["pid"], os.getpid())
            self.assertIn("python", event["process"]["parent"]["executable"])
            flags = set(event.get("exectrail", {}).get("flags", []))
            self.assertLessEqual(flags, {"parent-inferred"}, "the same event as from the kernel")  # this process is older than the agent
            self.assertEqual(agent.stop(), 0)
            rules = run("auditctl", "-l").stdout.decode()
            self.assertIn("key=others", rules, "rules of others stay")
            self.assertEqual(rules.count("\n"), 1, rules)

    def test_plugin_of_auditd_in_binary(self):
        settings = self.folder / "agent.conf"
        settings.write_text(f"server = 127.0.0.1:{self.server.agent_port}\ntoken = {self.server.enrolment_token()}\n"
                            f"state = {self.folder}/agent\nhost = testhost\n")
        settings.chmod(0o600)
        plugin = self.auditd.plugins / "exectrail.conf"
        run(AGENT, "install-plugin", "--config", settings, "--file", plugin)
        plugin.write_text(plugin.read_text().replace("format = string", "format = binary"))
        self.auditd.end()
        self.auditd.start()
        self.assertTrue(wait_for(lambda: self.host().get("connected"), 40, 0.2), self.auditd.process.text())
        execute("as-binary", 20)
        self.check("as-binary", 20)
        self.assertEqual(self.host()["audit_mode"], "plugin")

    def test_socket_is_connected_to_again(self):
        agent = Agent(self.folder, self.server, "--audit", f"af_unix:{self.auditd.socket}")
        execute("before", 10)
        self.check("before", 10)
        self.auditd.end()
        self.assertTrue(wait_for(lambda: self.server.count("action:input-lost") == 1, 20, 0.2), agent.process.text())
        self.assertTrue(wait_for(lambda: "not connected, and no record" in self.host()["completeness"], 20, 0.2), self.host()["completeness"])
        self.auditd.write_socket("binary")  # and now it speaks otherwise
        self.auditd.start()
        self.assertTrue(wait_for(lambda: self.server.count("action:input-returned") == 1, 20, 0.2), agent.process.text())
        execute("after", 10)
        self.check("after", 10)
        self.assertEqual(agent.stop(), 0)

    def test_followed_through_rotations_and_kills(self):
        dice = random.Random(7)
        agent = Agent(self.folder, self.server, "--follow", self.auditd.log)
        n = 0
        for step in range(12):
            for _ in range(15):
                subprocess.run(["/bin/true", "rotated", str(n)], check=True)
                n += 1
            what = dice.randrange(3)
            if what == 0:
                self.assertTrue(self.auditd.rotate())
            elif what == 1:
                time.sleep(dice.random() * 0.3)
                agent.kill()
                if dice.randrange(2):
                    self.assertTrue(self.auditd.rotate())
                agent.start(wait=False)
            else:
                time.sleep(dice.random())
        agent.wait_connected()
        self.check("rotated", n)
        self.assertEqual(self.server.count("action:input-gap"), 0)
        self.assertEqual(agent.stop(), 0)


class FollowedText(Scene):
    """Text of another host: the kernel here is none of its business."""

    def line(self, n):
        stamp = f"audit({1700000000 + n // 10}.{n % 10:03d}:{n + 1})"
        return (f'type=SYSCALL msg={stamp}: arch=c000003e syscall=59 success=yes exit=0 ppid=1 pid={n + 100} auid=1000 uid=0 gid=0 euid=0 '
                f'suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=3 comm="x" exe="/bin/x" key=(null)\n'
                f'type=EXECVE msg={stamp}: argc=2 a0="x" a1="{n}"\ntype=PROCTITLE msg={stamp}: proctitle=78\n')

    def test_logrotate(self):
        if not shutil.which("logrotate"):
            self.skipTest("logrotate is not installed")
        server, log, n = Server(self.folder), self.folder / "other.log", 0
        log.touch()
        agent = Agent(self.folder, server, "--audit", "text", "--follow", log, host="other")
        for step, how in enumerate(("copytruncate", "create", "copytruncate\ndateext\ndateformat -%Y%m%d-%s", "create\ndateext\ndateformat -%Y%m%d-%s") * 2):
            with open(log, "a") as file:
                for _ in range(50):
                    file.write(self.line(n))
                    n += 1
            self.assertTrue(wait_for(lambda: server.count("action:executed") >= n - 40, 30, 0.2), agent.process.text())
            settings = self.folder / "logrotate.conf"
            settings.write_text(f"{log} {{\nrotate 9\nsize 1\n{how}\n}}\n")
            settings.chmod(0o600)
            time.sleep(1.1 if "dateext" in how else 0)  # the name holds the second
            run("logrotate", "-f", "-s", self.folder / "logrotate.state", settings)
            if step % 3 == 2:
                agent.kill()
                agent.start()
        self.assertTrue(wait_for(lambda: server.count("action:executed") >= n, 30, 0.3), f'{server.count("action:executed")} of {n}')
        found = server.search("action:executed", "--limit", "5000")
        self.assertEqual(sorted(int(e["process"]["args"][1]) for e in found), list(range(n)))
        self.assertEqual(agent.stop(), 0)


if __name__ == "__main__":
    unittest.main()
