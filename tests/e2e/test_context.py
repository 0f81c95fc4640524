"""What each event says beside its records: where its session came from, the labels and the system of its host."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Agent, Process, Scene, Server, Users, audit_lock, exectrail, run, wait_for


class Context(Scene):
    def setUp(self):
        super().setUp()
        lock = audit_lock()
        lock.__enter__()
        self.addCleanup(lock.__exit__, None, None, None)
        self.server = Server(self.folder)

    def found(self, query):
        wait_for(lambda: self.server.count(query) > 0, 20, 0.2)
        return self.server.search(query)

    def test_labels_and_system(self):
        settings = self.folder / "agent.conf"
        settings.write_text("label = env=prod\nlabel = team=data bases\nlabel = zone=a\n")
        agent = Agent(self.folder, self.server, "--config", settings, "--label", "zone=b")
        run("/bin/true", "labelled")
        [event] = self.found('args:labelled and action:executed')
        self.assertEqual(event["labels"], {"env": "prod", "team": "data bases", "zone": "b"})
        self.assertEqual(event["host"]["os"]["kernel"], os.uname().release)
        self.assertIn("full", event["host"]["os"])
        for query, n in (('labels.env:prod', 1), ('labels.env:PROD', 1), ('labels.env:pr*', 1), ('labels.team:"data bases"', 1), ('labels.zone:*', 1),
                         ('labels.zone:a', 0), ('labels.none:*', 0), ('not labels.env:test', 1), ('labels:"env=prod"', 1)):
            self.assertEqual(self.server.count(f'args:labelled and action:executed and {query}'), n, query)
        self.assertEqual(agent.stop(), 0)
        settings.write_text("label = db_password=hunter22x\n")
        refused = run(AGENT, "--config", settings, "--output", "-", "--state", self.folder / "other", check=False)
        self.assertEqual(refused.returncode, 2)
        self.assertIn("db_password", refused.stderr)
        self.assertNotIn("hunter22x", refused.stderr)

    def test_container(self):
        number = os.urandom(32).hex()
        groups = next((p for p in map(pathlib.Path, ("/sys/fs/cgroup", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup/pids")) if (p / "cgroup.procs").exists()), None)
        if not groups:
            self.skipTest("there are no control groups here")
        group = groups / f"docker-{number}.scope"
        kept = pathlib.Path(f"/run/containers/storage/overlay-containers/{number}/userdata")
        try:
            group.mkdir()
        except OSError as error:
            self.skipTest(f"no control group can be made here: {error}")
        self.addCleanup(group.rmdir)
        made = next(p for p in [*reversed(kept.parents), kept] if not p.exists())
        self.addCleanup(shutil.rmtree, made)
        kept.mkdir(parents=True)
        (kept / "config.json").write_text(json.dumps({"ociVersion": "1", "process": {"args": ["}"]}, "annotations": {
            "io.kubernetes.cri-o.ImageName": "quay.io/a/b:1", "io.kubernetes.pod.name": "web-1", "io.kubernetes.pod.namespace": "shop",
            "io.kubernetes.container.name": "app"}}))
        agent = Agent(self.folder, self.server)
        run("/bin/sh", "-c", f"echo $$ > {group}/cgroup.procs; /bin/sleep 1.91; exit 0")
        [event] = self.found('args:"1.91" and exe:*sleep and pod:web-1')
        self.assertEqual(event["container"], {"id": number, "image": {"name": "quay.io/a/b:1"}, "name": "app"})
        self.assertEqual(event["orchestrator"], {"resource": {"name": "web-1"}, "namespace": "shop"})
        self.assertEqual(agent.stop(), 0)

    def test_session_source(self):
        if not shutil.which("sshd") and not os.path.exists("/usr/sbin/sshd"):
            self.skipTest("sshd is not installed")
        users, go = Users(self.folder), self.folder / "go"
        self.addCleanup(users.remove)
        users.add("xtalice", "-m", "-s", "/bin/bash")
        users.start_sshd("xtalice")
        agent = Agent(self.folder, self.server)
        session = Process(users.ssh_command("xtalice", f"/bin/true first; while [ ! -e {go} ]; do sleep 0.1; done; /bin/true second; exit 0"),
                          self.folder / "ssh.log")
        [first] = self.found('args:first and exe:*true')
        if "session" not in first["auditd"]:
            self.skipTest("logins have no session here (pam_loginuid)")
        self.assertEqual(first["source"]["ip"], "127.0.0.1")
        kept = self.folder / "agent/sessions"
        self.assertTrue(wait_for(lambda: kept.exists() and "127.0.0.1" in kept.read_text(), 20, 0.2), "written down")
        agent.kill()
        agent.start()
        go.touch()
        [second] = self.found('args:second and exe:*true')
        self.assertEqual(second["source"]["ip"], "127.0.0.1", "over a restart of the agent")
        self.assertEqual(second["auditd"]["session"], first["auditd"]["session"])
        session.child.wait(20)
        self.assertEqual(agent.stop(), 0)
        self.assertGreaterEqual(self.server.count('from:"127.0.0.1" and args:(first or second) and action:executed'), 2)


class Imported(Scene):
    def test_session_source(self):
        server, log = Server(self.folder), self.folder / "audit.log"
        log.write_text("".join(f"type={kind} msg=audit(1700000000.00{n}:{n}): pid=9 uid=0 auid=5 ses=7 msg='op=x acct=\"a\" {addr} res=success'\n"
                               for n, (kind, addr) in enumerate((("USER_START", "addr=192.0.2.7"), ("USER_ACCT", "addr=?")), 1)))
        exectrail("import", "--data", server.data, "--host", "old", log)
        self.assertEqual(server.count('host:old and from:"192.0.2.7"'), 2)
        [event] = server.search("host:old and serial:2")
        self.assertEqual(event["source"]["ip"], "192.0.2.7")


if __name__ == "__main__":
    unittest.main()
