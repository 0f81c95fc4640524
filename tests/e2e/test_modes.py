"""How the agent listens: as auditd's plugin beside a real auditd, beside another owner, and never taking anything away."""
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Agent, Process, Scene, Server, audit_lock, audit_status, exectrail, run, wait_for


class Modes(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.server = Server(self.folder)

    def host(self):
        return next((h for h in self.server.get("/api/v1/hosts")["hosts"] if h["name"] == "testhost"), {})

    def auditd(self, plugins):
        """A real auditd with a configuration and a log of its own."""
        folder = self.folder / "auditd"
        folder.mkdir()
        (folder / "auditd.conf").write_text(
            f"log_file = {folder}/audit.log\nlog_format = ENRICHED\nlog_group = root\nplugin_dir = {plugins}\nflush = INCREMENTAL_ASYNC\n"
            "freq = 50\nmax_log_file = 50\nnum_logs = 2\npriority_boost = 4\nq_depth = 2000\noverflow_action = SYSLOG\n"
            "max_log_file_action = IGNORE\nspace_left = 10\nspace_left_action = IGNORE\nadmin_space_left = 5\nadmin_space_left_action = IGNORE\n"
            "disk_full_action = IGNORE\ndisk_error_action = IGNORE\nend_of_event_timeout = 2\nuse_libwrap = no\ntcp_listen_queue = 5\n")
        return Process(["auditd", "-n", "-c", str(folder)], self.folder / "auditd.log")

    def test_plugin_of_auditd(self):
        if not shutil.which("auditd"):
            self.skipTest("auditd is not installed")
        plugins = self.folder / "plugins.d"
        plugins.mkdir()
        settings = self.folder / "agent.conf"
        settings.write_text(f"server = 127.0.0.1:{self.server.agent_port}\ntoken = {self.server.enrolment_token()}\n"
                            f"state = {self.folder}/agent\nhost = testhost\n")
        settings.chmod(0o600)
        done = run(AGENT, "install-plugin", "--config", settings, "--file", plugins / "exectrail.conf")
        self.assertIn(b"auditd", done.stdout)
        before = audit_status()
        auditd = self.auditd(plugins)
        self.assertTrue(wait_for(lambda: audit_status()["pid"] == str(auditd.child.pid), 20), auditd.text())
        self.assertTrue(wait_for(lambda: self.host().get("connected"), 30, 0.2), auditd.text())
        try:
            subprocess.run(["/bin/true", "beside auditd", "a\nb"], check=True)
            self.assertTrue(wait_for(lambda: self.server.search('args:"beside auditd"'), 20, 0.2), "the exec came through auditd")
            event = self.server.search('args:"beside auditd"')[0]
            self.assertEqual(event["process"]["args_count"], 3)
            self.assertEqual(audit_status()["pid"], str(auditd.child.pid), "auditd keeps the socket")
            self.assertEqual(self.host()["audit_mode"], "plugin")
            self.assertTrue(self.host()["completeness"])
            status = run(AGENT, "status", "--state", self.folder / "agent").stdout.decode()
            self.assertIn("plugin", status)
        finally:
            auditd.stop()
            # auditd leaves auditing on when it ends: that is its own way, undone here
            self.assertTrue(wait_for(lambda: not run("auditctl", "-l").stdout.strip().startswith(b"-a"), 10, 0.2), "the plugin took its rules along")
            run("auditctl", "-e", before["enabled"])
            run("auditctl", "-b", before["backlog_limit"])
            run("auditctl", "-f", before["failure"])
            run("auditctl", "--backlog_wait_time", before["backlog_wait_time"])
        run(AGENT, "uninstall-plugin", "--file", plugins / "exectrail.conf")
        self.assertFalse((plugins / "exectrail.conf").exists())

    def test_beside_another_owner(self):
        owner = subprocess.Popen([sys.executable, os.path.join(os.path.dirname(__file__), "owner.py")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.assertEqual(owner.stdout.readline().strip(), b"0")
        try:
            agent = Agent(self.folder, self.server)
            self.assertTrue(wait_for(lambda: self.host().get("audit_mode") == "multicast", 20, 0.2), agent.process.text())
            self.assertIn("best effort", self.host()["completeness"])
            self.assertEqual(audit_status()["pid"], str(owner.pid), "the owner keeps the socket")
            self.assertEqual(agent.stop(), 0)
            refused = run(AGENT, "--server", f"127.0.0.1:{self.server.agent_port}", "--token", self.server.enrolment_token(), "--state",
                          self.folder / "second", "--audit", "own", check=False, timeout=30)
            self.assertEqual(refused.returncode, 1)
            self.assertIn(str(owner.pid), refused.stderr.strip().splitlines()[-1])
        finally:
            owner.stdin.close()
            owner.wait(10)

    def test_completeness_is_proved(self):
        """The kernel's own switch is turned off and on again: nothing of it is in any record, heartbeats alone prove it."""
        agent = Agent(self.folder, self.server, "--repair", "off")
        self.assertTrue(wait_for(lambda: self.proved().get("first_heartbeat"), 20, 0.2), agent.process.text())
        begin = self.proved()["first_heartbeat"]
        self.assertTrue(wait_for(lambda: self.verify("--from", begin, "--to", "now").returncode == 0, 30, 0.5),
                        self.verify("--from", begin, "--to", "now").stdout)
        said = self.verify("--from", begin, "--to", "now").stdout.decode()
        self.assertRegex(said, r"complete: testhost .*\n(.*\n)*  ledger  stream [0-9a-f]{32}: batches \d+ to \d+ .* 0 numbers missing, the chain holds")
        run("auditctl", "-e", "0")
        self.assertTrue(wait_for(lambda: self.proved()["audit_off_s"] > 0, 10, 0.2), "seen while it is off")
        run("auditctl", "-e", "1")
        self.assertTrue(wait_for(lambda: self.server.search("action:gap"), 15, 0.2), "an event says from when to when")
        self.assertIn("audit was switched off", self.server.search("action:gap")[0]["message"])
        done = self.verify("--from", begin)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout.decode(), r"not complete: (.*\n)*  gap     .*: audit was switched off")
        self.assertEqual(self.proved()["kernel_lost"], 0)
        self.assertRegex(exectrail("hosts", "--data", self.server.data, "--format", "csv").stdout.decode(),
                         r"testhost,.*,owner,no,[0-9]+,0,0,[1-9]")  # what was executed meanwhile is lost, as the second witness counts
        self.assertEqual(agent.stop(), 0)

    def proved(self):
        return self.host().get("proved", {})

    def verify(self, *times):
        return exectrail("verify", "--completeness", "testhost", "--data", self.server.data, *times, check=False)

    def test_rules_of_others_stay_and_blind_ones_are_named(self):
        run("auditctl", "-a", "never,exit", "-F", "arch=b64", "-S", "execve", "-F", "uid=12345", "-k", "hide-me")
        try:
            before = run("auditctl", "-l").stdout
            agent = Agent(self.folder, self.server)
            self.assertTrue(wait_for(lambda: "hide-me" in self.host().get("blind", ""), 20, 0.2), "the rule that blinds is named")
            self.assertEqual(agent.stop(), 0)
            self.assertEqual(run("auditctl", "-l").stdout, before)
        finally:
            run("auditctl", "-D")


if __name__ == "__main__":
    unittest.main()
