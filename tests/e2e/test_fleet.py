"""The identity of hosts with real programs: renewal under load, a new CA, clones, revocation, the inventory.

Agents read audit text from a pipe, so that every event given to them is known by its number; no kernel audit is used. Time
is made short by certificates of seconds, machines by another /etc/machine-id in a mount namespace.
"""
import collections
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import AGENT, Agent, Process, Scene, Server, exectrail, run, wait_for
from test_kill import line


def can_unshare():
    return os.geteuid() == 0 and subprocess.run(["unshare", "-m", "true"], stderr=subprocess.DEVNULL).returncode == 0


class Feeder(threading.Thread):
    """Gives an agent numbered events until it is stopped."""

    def __init__(self, agent, first=0):
        super().__init__(daemon=True)
        self.agent, self.n, self.ending = agent, first, False
        self.start()

    def run(self):
        with contextlib.suppress(BrokenPipeError):  # a failed test ends its agent first
            self.feed()

    def feed(self):
        while not self.ending:
            for _ in range(5):
                self.n += 1
                self.agent.process.child.stdin.write(line(self.n, 1800000000 + self.n // 1000, f"n{self.n}"))
            self.agent.process.child.stdin.flush()
            time.sleep(0.02)

    def stop(self):
        self.ending = True
        self.join()
        return self.n


class Fleet(Scene):
    def start_agent(self, server, **options):
        agent = Agent(self.folder, server, "--stdin", start=False, **options)
        agent.start(stdin=subprocess.PIPE, wait=False)
        agent.wait_connected()
        return agent

    def host(self, server, name="testhost"):
        return next(h for h in server.get("/api/v1/hosts")["hosts"] if h["name"] == name)

    def assert_all_once(self, server, n):
        self.assertTrue(wait_for(lambda: server.count("comm:load") >= n, 60, 0.3), f"{server.count('comm:load')} of {n}")
        seen = collections.Counter(e["process"]["args"][1] for e in server.search("comm:load"))
        self.assertEqual([k for k, c in seen.items() if c > 1], [], "doubled")
        self.assertEqual(set(seen), {f"n{i}" for i in range(1, n + 1)}, "lost or invented")

    def test_renewal_and_rotation_under_load(self):
        server = Server(self.folder, "--host-cert-valid", "12s")
        agent = self.start_agent(server)
        first = self.host(server)
        feeder = Feeder(agent)
        shipper = agent.state / "shipper"
        before = (shipper / "identity.pem").read_bytes()
        self.assertTrue(wait_for(lambda: (shipper / "identity.pem").read_bytes() != before, 25, 0.2), agent.process.text())
        self.assertTrue(wait_for(lambda: self.host(server)["certificate_ends"] > first["certificate_ends"], 10, 0.2))
        self.assertFalse((shipper / "next.pem").exists(), "it took the place of the old one")
        self.assertIn("certificate is renewed", agent.process.text())
        # A new CA: the agent hears of it over its connection and has a certificate of it a moment later.
        old = json.loads(exectrail("ca", "list", "--data", server.data, "--format", "ndjson").stdout)
        both = exectrail("ca", "rotate", "--data", server.data, "--format", "ndjson").stdout.splitlines()
        new = json.loads(both[1])
        self.assertEqual((len(both), new["signs_hosts"], new["server"]), (2, True, False))
        self.assertTrue(wait_for(lambda: self.host(server)["ca"] == new["id"], 20, 0.2), agent.process.text())
        self.assertEqual((shipper / "ca.pem").read_bytes(), (server.data / "ca.pem").read_bytes())
        exectrail("ca", "retire", "--data", server.data)
        self.assertTrue(wait_for(lambda: (shipper / "ca.pem").read_bytes() == (server.data / "ca.pem").read_bytes(), 20, 0.2))
        self.assertNotEqual(old["id"], new["id"])
        # The whole server goes and comes: its certificate is of the new CA alone.
        server.kill()
        server.start()
        agent.wait_connected()
        host = self.host(server)
        self.assertEqual((host["id"], host["refused"], host["cloned"]), (first["id"], "", False))
        self.assertLess(abs(host["clock_offset_ms"]), 5000)
        self.assert_all_once(server, feeder.stop())
        status = run(AGENT, "status", "--state", str(agent.state)).stdout.decode()
        self.assertRegex(status, r"certificate +until 20\d\d-")
        agent.process.child.stdin.close()
        agent.stop()
        server.stop()

    @unittest.skipUnless(can_unshare(), "another machine id needs a mount namespace")
    def test_clone_and_revocation(self):
        server = Server(self.folder)
        agent = self.start_agent(server)
        feeder = Feeder(agent)
        self.assertTrue(wait_for(lambda: server.count("comm:load") > 0))
        copy = self.folder / "copy"
        shutil.copytree(agent.state, copy)
        (copy / "lock").unlink(missing_ok=True)
        owner = os.stat(agent.state / "shipper")
        for path in [copy / "shipper", *(copy / "shipper").rglob("*")]:
            os.chown(path, owner.st_uid, owner.st_gid)
        (self.folder / "machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        clone = Process(["unshare", "-m", "sh", "-c", f"mount --bind {self.folder}/machine-id /etc/machine-id && exec {AGENT} "
                         f"--stdin --server 127.0.0.1:{server.agent_port} --state {copy} --host testhost"],
                        self.folder / "clone.log", stdin=subprocess.PIPE)
        self.assertTrue(wait_for(lambda: "cloned-host" in clone.text(), 10), clone.text())
        self.assertTrue(wait_for(lambda: self.host(server)["cloned"], 5))
        self.assertTrue(wait_for(lambda: any("Two machines" in json.dumps(a) for a in server.alerts()), 10, 0.2),
                        server.alerts())
        self.assertEqual(server.count("action:cloned-host"), 1)
        host = self.host(server)
        self.assertEqual((host["connected"], host["clone_machine_id"]), (True, "0123456789abcdef0123456789abcdef"))
        self.assertIn("cloned-host", exectrail("hosts", "--data", server.data).stdout.decode())
        self.assertTrue(wait_for(lambda: "cloned-host" in run(AGENT, "status", "--state", str(copy)).stdout.decode(), 10, 0.2))
        self.assertIn("next try", run(AGENT, "status", "--state", str(copy)).stdout.decode())
        clone.child.stdin.close()
        clone.stop()
        exectrail("hosts", "release", "testhost", "--data", server.data)
        self.assertFalse(self.host(server)["cloned"])
        n = feeder.n
        self.assertTrue(wait_for(lambda: server.count("comm:load") >= n, 20, 0.2), "the host itself goes on")
        # What is proved of it: text from elsewhere proves nothing, and says so; an agent that is gone is silence.
        proved = json.loads(exectrail("hosts", "completeness", "--data", server.data, "--format", "ndjson").stdout)
        self.assertEqual((proved["name"], proved["complete"], proved["kernel_lost"], proved["new_streams"]), ("testhost", False, 0, 0))
        # Revocation: nothing is asked, the open connection ends and the agent says why.
        feeder.stop()
        began = time.monotonic()
        exectrail("hosts", "revoke", "testhost", "--data", server.data)
        self.assertTrue(wait_for(lambda: not self.host(server)["connected"], 5, 0.05))
        self.assertTrue(wait_for(lambda: "host-revoked" in agent.process.text(), 10), agent.process.text())
        self.assertLess(time.monotonic() - began, 10)
        self.assertNotEqual(agent.process.child.wait(20), 0)
        server.stop()

    def test_inventory_tokens_and_errors(self):
        server = Server(self.folder, "--host-cert-valid", "5s")
        agent = self.start_agent(server)
        (self.folder / "inventory").write_text("# ours\ntesthost\nDB-17\nweb-1 # rack 4\n")
        told = exectrail("hosts", "expect", self.folder / "inventory", "--data", server.data, "--format", "ndjson").stdout
        self.assertEqual([(json.loads(g)["name"], json.loads(g)["state"]) for g in told.splitlines()],
                         [("db-17", "never enrolled"), ("web-1", "never enrolled")])
        (self.folder / "inventory").write_text("db-17\n")
        exectrail("hosts", "expect", self.folder / "inventory", "--data", server.data)
        told = exectrail("hosts", "expect", "--data", server.data, "--format", "csv").stdout.decode()
        self.assertIn("testhost,not in the inventory", told)
        (self.folder / "inventory").write_text("two words\n")
        failed = exectrail("hosts", "expect", self.folder / "inventory", "--data", server.data, check=False)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("inventory:1", failed.stderr)
        # Tokens: listed without their secrets, and taken back.
        token = server.enrolment_token()
        listed = [json.loads(t) for t in exectrail("token", "list", "--data", server.data, "--format", "ndjson").stdout.splitlines()]
        self.assertEqual(sorted(t["state"] for t in listed), ["used", "valid"])
        valid = next(t["id"] for t in listed if t["state"] == "valid")
        exectrail("token", "revoke", valid[:8], "--data", server.data)
        refused = run(AGENT, "--stdin", "--server", f"127.0.0.1:{server.agent_port}", "--state", str(self.folder / "other"),
                      "--token", token, check=False, timeout=30)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("token-unknown", refused.stderr)
        # Away until its certificate is over: a clear error, and one start with a new token makes it the same host again.
        before = self.host(server)["id"]
        agent.process.child.stdin.close()
        agent.stop()
        time.sleep(5.5)
        agent.start(stdin=subprocess.PIPE, wait=False)
        self.assertTrue(wait_for(lambda: "certificate-expired" in agent.process.text(), 20), agent.process.text())
        self.assertTrue(wait_for(lambda: self.host(server)["refused"] == "certificate-expired", 5))
        feeder = Feeder(agent)
        time.sleep(0.5)
        n = feeder.stop()
        agent.process.child.stdin.close()
        agent.stop()
        agent.start("--token", server.enrolment_token(), stdin=subprocess.PIPE, wait=False)
        agent.wait_connected()
        self.assertEqual(self.host(server)["id"], before)
        self.assert_all_once(server, n)
        agent.process.child.stdin.close()
        agent.stop()
        server.stop()


if __name__ == "__main__":
    unittest.main()
