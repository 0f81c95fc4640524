"""A login on the real kernel as a tree: parents, exit codes, who became whom by sudo, su, a set-user-ID file and setuid().

What is true of each process comes from the witness, which writes down its own pid, parent and user ids, and from wait().
"""
import json
import os
import pathlib
import shutil
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import PLAIN, Agent, Scene, Server, Users, audit_lock, audit_unavailable, exectrail, run, wait_for

RULES = ("-F arch=b64 -S exit_group -k e2e-exit", "-F arch=b64 -S setuid,setresuid,setreuid -k e2e-identity")


class Session(Scene):
    def setUp(self):
        super().setUp()
        self.users = Users(self.folder)
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.addCleanup(self.users.remove)
        self.truth = self.folder / "truth.jsonl"
        self.truth.touch()
        os.chmod(self.truth, 0o666)
        self.witness = self.folder / "witness"
        shutil.copy(PLAIN / "tests/witness", self.witness)
        self.server = Server(self.folder)
        self.addCleanup(lambda: self.server.process.child.poll() is None and self.server.stop())
        self.agent = Agent(self.folder, self.server)
        self.addCleanup(lambda: self.agent.process.child.poll() is None and self.agent.stop())
        for rule in RULES:
            run("auditctl", "-a", "always,exit", *rule.split())
            self.addCleanup(run, "auditctl", "-d", "always,exit", *rule.split())

    def log_in(self):
        """What xtalice does; the processes that the witness saw."""
        self.alice = self.users.add("xtalice", "-m", "-s", "/bin/bash")
        self.service = self.users.add("xtsvc", "-r", "-M", "-s", "/usr/sbin/nologin")
        self.users.start_sshd("xtalice")
        sudoers = pathlib.Path("/etc/sudoers.d/exectrail-e2e")
        sudoers.write_text("xtalice ALL=(ALL) NOPASSWD: ALL\nDefaults:xtalice env_keep += WITNESS\n")
        sudoers.chmod(0o440)
        self.addCleanup(sudoers.unlink)
        setuid = self.folder / "setuid-witness"
        shutil.copy(self.witness, setuid)
        setuid.chmod(0o4755)
        w = self.witness
        script = self.folder / "script.sh"
        script.write_text(f"""#!/bin/bash
{w} plain
( {w} subshell; true )
{setuid} setuid-file
sudo {w} by-sudo
sudo -u xtsvc {w} by-sudo-to-service
sudo su -s /bin/sh xtsvc -c '{w} by-su; true'
sudo python3 -c 'import os; os.setuid({self.service.pw_uid}); os.execv("{w}", ["{w}", "by-setuid"])'
bash -c 'exit 7'
bash -c '{w} chained-before; exec {w} chained-after'
exit 3
""")
        script.chmod(0o755)
        run(*self.users.ssh_command("xtalice", str(script)), env={"WITNESS": str(self.truth)}, check=False)
        found = [json.loads(line) for line in self.truth.read_text().splitlines()]
        return {bytes.fromhex(t["args"][1]).decode(): t for t in found}

    def tree(self, host, ses):
        out = exectrail("session", "--data", self.server.data, "--format", "ndjson", host, ses).stdout
        return [json.loads(line) for line in out.splitlines()]

    def test_a_login_as_a_tree(self):
        truth = self.log_in()
        self.assertEqual(len(truth), 9)
        ses = {t["ses"] for t in truth.values()}
        self.assertEqual(len(ses), 1)
        ses = ses.pop()
        if ses == 4294967295:
            self.skipTest("logins have no session here (pam_loginuid)")
        wait_for(lambda: self.server.count(f"ses:{ses} and args:chained-after") == 1 and
                 self.server.count(f"ses:{ses} and syscall:exit_group") >= 20, 30, 0.3)
        processes = {p["process"]: p for p in self.tree("testhost", ses)}
        # Parents stand before their children, and each process under its number once.
        order = list(processes)
        for p in processes.values():
            if p["parent"] is not None:
                self.assertLess(order.index(p["parent"]), order.index(p["process"]))
                self.assertEqual(processes[p["parent"]]["depth"] + 1, p["depth"])

        def of(name):
            found = [p for p in processes.values() if any(s.get("cmd", "").endswith(" " + name) and "witness" in s.get("exe", "")
                                                          for s in p["steps"])]
            self.assertEqual(len(found), 1, name)
            return found[0]

        def above(p):
            chain = []
            while p["parent"] is not None:
                p = processes[p["parent"]]
                chain.append(p)
            return chain

        script = [p for p in processes.values() if any("script.sh" in s.get("cmd", "") and s["exe"].endswith("bash") for s in p["steps"])][-1]
        for name, t in truth.items():
            p = of(name)
            step = [s for s in p["steps"] if s["did"] == "executed"][-1]
            self.assertEqual((p["pid"], p["ppid"]), (t["pid"], t["ppid"]), name)
            self.assertIn(t["ppid"], [processes[p["parent"]]["pid"]], name)
            self.assertIn(script, above(p), f"{name} stands below the script")
            self.assertEqual((p["who"]["uid"], p["who"]["euid"]), (t["uid"], t["euid"]), name)
            self.assertEqual(p["exit_code"], 0, name)
            self.assertGreaterEqual(p["duration_ms"], 0)
            self.assertTrue(step["entity"])

        self.assertEqual(script["exit_code"], 3)
        self.assertEqual([p["exit_code"] for p in processes.values() if p.get("cmd", "").endswith("exit 7")], [7])
        chained = of("chained-after")
        self.assertEqual([s["cmd"].split()[-1] for s in chained["steps"] if s["did"] == "executed"][-1], "chained-after")
        self.assertEqual(len([s for s in chained["steps"] if s["did"] == "executed"]), 2, "bash, and what it became")
        alice, service = self.alice.pw_uid, self.service.pw_uid

        def changes(name):
            p = of(name)
            return [(s["from"]["uid"], s["from"]["euid"], s["to"]["uid"], s["to"]["euid"], s["by"])
                    for q in [*reversed(above(p)), p] for s in q["steps"] if "by" in s or "from" in s]

        self.assertEqual(changes("plain")[-1:], changes("subshell")[-1:])
        self.assertEqual(changes("setuid-file")[-1], (alice, alice, alice, 0, "setuid-witness"))
        for name, uid in (("by-sudo", 0), ("by-sudo-to-service", service), ("by-su", service), ("by-setuid", service)):
            got = changes(name)
            self.assertIn((alice, alice, alice, 0, "sudo"), got, f"{name}: sudo's file is root's")
            self.assertEqual(got[-1][2:4], (uid, uid), f"{name}: {got}")
        self.assertIn("setuid", changes("by-setuid")[-1][4])

        text = exectrail("session", "--data", self.server.data, "testhost", ses).stdout.decode()
        self.assertRegex(text, r"^session \d+ of testhost, login xtalice from 127\.0\.0\.1, ")
        self.assertRegex(text, r"bash -c exit 7  \[pid \d+, xtalice, \d+ ms, exit 7\]")
        self.assertRegex(text, r"setuid-witness setuid-file  \[pid \d+, xtalice -> xtalice \(effective root\) by setuid-witness, ")
        self.assertRegex(text, r"ran-sudo: .*witness by-sudo\n")
        self.assertEqual(self.agent.stop(), 0)
        self.server.stop()


if __name__ == "__main__":
    why = audit_unavailable()
    if why:
        Session = unittest.skip(why)(Session)
    unittest.main()
