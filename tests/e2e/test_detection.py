"""A web shell raises its alert at the webhook; a login of alice shows, noise hidden, just what she typed."""
import http.client
import os
import pwd
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import Agent, Process, Scene, Server, Users, Webhook, audit_lock, free_port, wait_for


class Detection(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.users = Users(self.folder)
        self.addCleanup(self.users.remove)
        self.webhook = Webhook()
        self.addCleanup(self.webhook.stop)
        self.server = Server(self.folder, "--webhook", self.webhook.url)
        self.addCleanup(lambda: self.server.process.child.poll() is None and self.server.stop())
        self.agent = Agent(self.folder, self.server)
        self.addCleanup(lambda: self.agent.process.child.poll() is None and self.agent.stop())

    def start_php(self):
        root = self.folder / "www"
        root.mkdir()
        (root / "shell.php").write_text('<?php system($_GET["c"]); ?>')
        port = free_port()
        user = pwd.getpwnam("www-data")
        php = Process(["php", "-S", f"127.0.0.1:{port}", "-t", str(root)], self.folder / "php.log", user=user.pw_uid, group=user.pw_gid,
                      extra_groups=[], start_new_session=True)
        self.addCleanup(php.stop)

        def page(command):
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", "/shell.php?c=" + command)
                return connection.getresponse().read().decode()
            except OSError:
                return None
        self.assertTrue(wait_for(lambda: page("true") is not None, 20, 0.1))
        return page

    def test_web_shell_alerts(self):
        page = self.start_php()
        self.assertTrue(wait_for(lambda: self.webhook.received, 20), "the first command alerts")
        del self.webhook.received[:]
        asked = time.monotonic()
        self.assertIn("www-data", page("python3+-c+'import+os;os.system(%22id%22)'"))
        wait_for(lambda: len(self.webhook.received) > 0, 5)
        alerts = self.server.alerts()
        self.assertTrue(alerts)
        if self.webhook.received:
            print(f"    webhook {1000 * (self.webhook.received[0][0] - asked):.0f} ms after the request", flush=True)
        shell = [a for a in alerts if a["event"]["process"].get("args", [])[:2] == ["sh", "-c"]]
        self.assertTrue(shell, "the shell under the web server is an alert")
        self.assertEqual(shell[0]["rule"]["level"], "critical", "a shell raises the level")
        self.assertEqual(shell[0]["event"]["user"]["name"], "www-data")
        marked = self.server.search("user:www-data and rule:*")
        self.assertTrue(marked, "the event itself carries the mark")
        again = len(self.server.alerts())
        for _ in range(5):
            page("id")
        wait_for(lambda: self.server.count("user:www-data and exe:*/id") >= 6, 20, 0.2)
        folded = self.server.alerts()
        self.assertLessEqual(len(folded) - again, 2, "the same by host, rule and parent is one alert")
        self.assertGreater(max(a["count"] for a in folded), 3)

    def test_own_work_does_not_alert(self):
        subprocess.run(["bash", "-c", "id; uname -a; ls / >/dev/null"], check=True, stdout=subprocess.DEVNULL)
        self.assertTrue(wait_for(lambda: self.server.count("comm:uname and host:testhost"), 20, 0.2))
        self.assertEqual([a["rule"]["name"] for a in self.server.alerts()], [])

    def type_in_session(self, *commands):
        """A person at a terminal: prompts awaited by pauses, keys sent one line at a time."""
        session = subprocess.Popen(self.users.ssh_command("xtalice", tty=True), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT)
        time.sleep(3)
        for command in (*commands, "exit"):
            session.stdin.write(command.encode() + b"\n")
            session.stdin.flush()
            time.sleep(1)
        out, _ = session.communicate(timeout=20)
        return out.decode(errors="replace")

    def test_login_shows_what_was_typed(self):
        self.users.add("xtalice", "-m", "-s", "/bin/bash")
        self.users.start_sshd("xtalice")
        out = self.type_in_session("whoami", "uname -a", "printf 'a b' | cat - /etc/hostname >/dev/null", "id -un")
        self.assertIn("xtalice", out)
        self.assertTrue(wait_for(lambda: self.server.count('login:xtalice and cmd:"id -un"'), 20, 0.2))
        typed = ["whoami", "uname -a", "cat - /etc/hostname", "id -un"]
        shown = [e["process"].get("command_line") or e["event"]["action"]
                 for e in self.server.search("login:xtalice", "--noise", "hide", "--sort", "time:asc")]
        self.assertEqual(shown, ["logged-in", *typed], "noise hidden: that she logged in, and just what she typed")
        hidden = [e["process"]["command_line"] for e in self.server.search("login:xtalice and args:*", "--noise", "only")]
        self.assertTrue(hidden, "what the shell ran by itself is tagged")
        for command in typed:
            self.assertNotIn(command, hidden)
        everything = self.server.count("login:xtalice")
        self.assertEqual(everything, self.server.count("login:xtalice", "--noise", "hide") + self.server.count("login:xtalice", "--noise", "only"))


if __name__ == "__main__":
    unittest.main()
