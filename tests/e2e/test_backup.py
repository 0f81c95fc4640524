"""A backup of a running server, its folder, and what becomes of it: restored, served, an agent that is ahead of it."""
import collections
import json
import os
import shutil
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import Agent, Scene, Server, exectrail, wait_for
from test_kill import line


class Backup(Scene):
    def feed(self, agent, first, last):
        for n in range(first, last + 1):
            agent.process.child.stdin.write(line(n, 1800000000 + n // 1000, f"n{n}"))
        agent.process.child.stdin.flush()

    def backup(self, *options, **how):
        return exectrail("store", "backup", "--data", self.server.data, *options, self.folder / "to", **how)

    def generations(self):
        out = exectrail("store", "backup", "list", "--format", "ndjson", self.folder / "to").stdout
        return [json.loads(text) for text in out.splitlines()]

    def seen(self):
        return collections.Counter(e["process"]["args"][1] for e in self.server.search("comm:load"))

    def test_backup_and_restore_of_a_running_server(self):
        self.server = server = Server(self.folder)
        agent = Agent(self.folder, server, "--stdin", start=False)
        agent.start(stdin=subprocess.PIPE, wait=False)
        agent.wait_connected()
        self.feed(agent, 1, 3000)
        self.assertTrue(wait_for(lambda: server.count("comm:load") == 3000, 30, 0.2))

        # What was acknowledged before it began is in it, whatever comes meanwhile.
        feeding = threading.Thread(target=self.feed, args=(agent, 3001, 4000))
        feeding.start()
        told = self.backup().stdout.decode()
        feeding.join()
        self.assertRegex(told, r"(?m)^generation \d{8}T\d{6}\.\d{3}Z$")
        [first] = self.generations()
        self.assertGreaterEqual(first["events"], 3000)
        self.assertIn(b"all whole", exectrail("store", "backup", "verify", self.folder / "to").stdout)
        status, body, _ = server.request("POST", f"/api/v1/backup?to={self.folder}/other")
        self.assertEqual(status, 403, body)  # a path on the server's disk is not for who comes over the network
        self.assertFalse((self.folder / "other").exists())

        # Acknowledged after the backup: gone with the server's disk. Not acknowledged: the agent has it.
        self.assertTrue(wait_for(lambda: server.count("comm:load") == 4000, 30, 0.2))
        self.feed(agent, 4001, 5000)
        self.assertTrue(wait_for(lambda: server.count("comm:load") == 5000, 30, 0.2))
        time.sleep(1)  # for the acknowledgements
        server.kill()
        self.feed(agent, 5001, 5500)
        shutil.rmtree(server.data)
        exectrail("store", "restore", "--data", server.data, self.folder / "to")
        again = exectrail("store", "restore", "--data", server.data, self.folder / "to", check=False)
        self.assertEqual(again.returncode, 1)
        self.assertIn("not empty", again.stderr)
        self.assertEqual(oct((server.data / "ca.key").stat().st_mode)[-3:], "600")
        exectrail("verify", "--data", server.data)
        server.start()
        agent.wait_connected()
        self.assertTrue(wait_for(lambda: server.count("action:lost-by-server"), 30, 0.2), agent.process.text())
        self.feed(agent, 5501, 6000)
        self.assertTrue(wait_for(lambda: server.count('args:"n6000"'), 30, 0.2))
        seen = self.seen()
        self.assertEqual([n for n, c in seen.items() if c > 1], [], "doubled")
        self.assertEqual({f"n{n}" for n in [*range(1, 3001), *range(5001, 6001)]} - set(seen), set(), "lost")
        self.assertNotIn("n4500", seen)  # the test is of a server that went back
        self.assertEqual(server.count("action:restored-store"), 1)
        [lost] = server.search("action:lost-by-server")
        self.assertIn("acknowledged", lost["message"])
        exectrail("verify", "--data", server.data)

        # The restored server goes on with the same folder of backups: only what is new is copied.
        self.backup("--keep", "1")
        [second] = self.generations()
        self.assertGreater(second["generation"], first["generation"])
        agent.process.child.stdin.close()
        agent.stop()
        server.stop()

        # Without a server too, with nothing left to say.
        self.backup()
        self.assertEqual(len(self.generations()), 2)
        self.assertIn(b"all whole", exectrail("store", "backup", "verify", self.folder / "to").stdout)

    def test_damage_is_named(self):
        self.server = Server(self.folder)
        log = self.folder / "audit.log"
        log.write_bytes(b"".join(line(n, 1800000000, f"n{n}") for n in range(1, 200)))
        exectrail("import", "--data", self.server.data, "--host", "h", log)
        self.backup()
        victim = max((self.folder / "to/files").iterdir(), key=lambda path: path.stat().st_size)
        content = bytearray(victim.read_bytes())
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
        verify = exectrail("store", "backup", "verify", self.folder / "to", check=False)
        self.assertEqual(verify.returncode, 1)
        self.assertIn(victim.name, verify.stderr)
        restore = exectrail("store", "restore", "--data", self.folder / "new", self.folder / "to", check=False)
        self.assertEqual(restore.returncode, 1)
        self.assertIn(victim.name, restore.stderr)
        self.assertFalse((self.folder / "new").exists())
        refused = self.backup(check=False)
        self.assertEqual(refused.returncode, 0, refused.stderr)
        inside = exectrail("store", "backup", "--data", self.server.data, self.server.data / "x", check=False)
        self.assertEqual(inside.returncode, 1)
        self.assertIn("places of their own", inside.stderr)
        self.server.stop()


if __name__ == "__main__":
    unittest.main(verbosity=2)
