"""The page in a real browser, fed by the real kernel: live rows, exact arguments, sessions, hostile text, noise, alerts."""
import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import threading
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import EXECTRAIL, ROOT, Agent, Scene, Server, Users, audit_lock, exectrail, run, wait_for

SHOTS = os.environ.get("SHOTS")  # a folder for screenshots


class Page(Scene):
    def browser(self, orders):
        if not shutil.which("chromium") or not shutil.which("node"):
            self.skipTest("chromium or node is not installed")
        if not (ROOT / "ui/node_modules/playwright-core").exists():
            self.skipTest("playwright-core is not installed: ./dev build")
        done = run("node", str(ROOT / "tests/e2e/page.mjs"), check=False, timeout=300, env={"ORDERS": json.dumps({"shots": SHOTS, **orders})})
        print(done.stdout.decode(), flush=True)
        self.assertEqual(done.returncode, 0, done.stdout.decode() + done.stderr)

    def link(self, server, view=""):
        return exectrail("user", "link", "--data", server.data, "--http", f"http://127.0.0.1:{server.http_port}", "tester").stdout.decode().split()[-1] + view

    def test_live_page(self):
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        users = Users(self.folder)
        self.addCleanup(users.remove)
        self.scenario(users)

    def scenario(self, users):
        users.add("xtalice", "-m", "-s", "/bin/bash")
        users.start_sshd("xtalice")
        server = Server(self.folder)
        agent = Agent(self.folder, server)
        service = pwd.getpwnam("www-data")
        for _ in range(2):
            subprocess.run(["sh", "-c", "id"], user=service.pw_uid, group=service.pw_gid, stdin=subprocess.DEVNULL,
                           stdout=subprocess.DEVNULL, start_new_session=True, check=True)
        run(*users.ssh_command("xtalice", tty=True), stdin=b"exit\n", check=False)
        self.assertTrue(wait_for(lambda: server.count("login:xtalice", "--noise", "only"), 20, 0.2), "a login makes noise")
        counted_twice = wait_for(lambda: [a for a in server.get("/api/v1/alerts")["alerts"] if a["count"] > 1 and a["user"] == "www-data"], 20, 0.2)
        self.assertTrue(counted_twice)
        witness = str(ROOT / "build/tests/witness")
        remote = [*users.ssh_command("xtalice")]
        script = self.folder / "as-alice"  # execs its arguments in a session of alice's, nothing between
        script.write_text("#!/bin/sh\nexec " + " ".join(map(shell_quote, remote)) + ' "$1"\n')
        script.chmod(0o755)

        def by_alice(*argv):
            return [str(script), "exec " + " ".join(map(shell_quote, argv))]
        go_on = self.folder / "go-on"

        def again():  # the browser stops the agent, looks, and asks for it
            agent.process.child.wait()
            if wait_for(go_on.exists, 120, 0.1):
                agent.start()
        starter = threading.Thread(target=again, daemon=True)
        starter.start()
        exact = ["/usr/bin/printf", "%s", "a b", "", "it's", '"quoted"']
        self.browser({
            "address": self.link(server, "&live=1&q=login:xtalice"),
            "exec": exact, "execVia": by_alice(*exact), "shown": "it'\\''s", "inTree": "/usr/bin/printf",
            "hostile": [by_alice("/bin/true", "<img src=x onerror=alert(1)>"), by_alice("/bin/true", "\u202egnp.exe"),
                        by_alice("/bin/true", "\x1b]0;owned\x07\x1b[2J")],
            "noise": {"query": "login:xtalice"}, "alert": "www-data", "host": "testhost",
            "stop": ["kill", str(agent.process.child.pid)], "start": ["touch", str(go_on)],
            "erase": [str(EXECTRAIL), "store", "erase", "--data", str(server.data), "--reason", "test", "--yes",
                      "id:" + counted_twice[0]["event"]["event"]["id"]],
        })
        starter.join()
        agent.stop()
        server.stop()

    def test_static_files(self):
        server = Server(self.folder)
        status, body, headers = server.request("GET", "/", token=False, headers={"Accept-Encoding": "identity"})
        self.assertEqual(status, 200)
        self.assertNotIn("Content-Encoding", headers)
        self.assertIn(b"<title>Exectrail</title>", body)
        policy = headers["Content-Security-Policy"]
        self.assertIn("default-src 'none'", policy)
        self.assertNotIn("unsafe", policy)
        for path in ("/api/v1/search?q=", "/api/v1/hosts", "/api/v1/alerts", "/api/v1/tail"):
            self.assertEqual(server.request("GET", path, token=False)[0], 401, path)
        compressed = sum(f.stat().st_size for f in (ROOT / "ui/dist").glob("*.gz"))
        self.assertLess(compressed, 150_000)
        server.stop()

    def test_login_link_works_once(self):
        server = Server(self.folder)
        secret = self.link(server).split("login=")[1]
        body = json.dumps({"secret": secret})
        headers = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{server.http_port}"}
        status, _, answer = server.request("POST", "/api/v1/login", body, headers, token=False)
        self.assertEqual(status, 200)
        cookie = answer["Set-Cookie"]
        for word in ("HttpOnly", "SameSite=Strict"):
            self.assertIn(word, cookie)
        status, _, _ = server.request("GET", "/api/v1/me", headers={"Cookie": cookie.split(";")[0]}, token=False)
        self.assertEqual(status, 200)
        self.assertIn(server.request("POST", "/api/v1/login", body, headers, token=False)[0], (401, 403))
        self.assertEqual(server.request("GET", "/api/v1/me", headers={"Cookie": "exectrail=forged"}, token=False)[0], 401)
        server.stop()


def shell_quote(text):
    return "'" + text.replace("'", "'\\''") + "'"


if __name__ == "__main__":
    unittest.main()
