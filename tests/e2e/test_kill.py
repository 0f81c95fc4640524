"""SIGKILL at random moments under load: no acknowledged event is lost, none is doubled."""
import collections
import json
import os
import random
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import PLAIN, Agent, Scene, Server, args_of, audit_lock, wait_for

ROUNDS = int(os.environ.get("ROUNDS", "10"))


def line(serial, second, text):
    stamp = f"audit({second}.{serial % 1000:03d}:{serial})"
    return (f'type=SYSCALL msg={stamp}: arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=1 ppid=1 pid={1000 + serial % 30000} '
            f'auid=1001 uid=1001 gid=1001 euid=1001 suid=1001 fsuid=1001 egid=1001 sgid=1001 fsgid=1001 tty=pts0 ses=7 comm="load" '
            f'exe="/usr/bin/load" key="exec"\n'
            f'type=EXECVE msg={stamp}: argc=2 a0="load" a1="{text}"\n'
            f'type=PROCTITLE msg={stamp}: proctitle="load"\n').encode()


class Kill(Scene):
    def test_server_killed_under_load(self):
        """The agent reads audit text from a pipe, so that every event given to it is known by its number."""
        server = Server(self.folder)
        agent = Agent(self.folder, server, "--stdin", start=False)
        agent.start(stdin=subprocess.PIPE, wait=False)
        agent.wait_connected()
        rng = random.Random(7)
        serial = 0
        for _ in range(ROUNDS):
            until = time.monotonic() + rng.uniform(0.2, 1.2)
            while time.monotonic() < until:
                for _ in range(50):
                    serial += 1
                    agent.process.child.stdin.write(line(serial, 1800000000 + serial // 1000, f"n{serial}"))
                agent.process.child.stdin.flush()
                time.sleep(0.01)
            server.kill()
            server.start()
        agent.process.child.stdin.flush()
        wait_for(lambda: server.count("comm:load") >= serial, 60, 0.5)
        seen = collections.Counter(e["process"]["args"][1] for e in server.search("comm:load"))
        self.assertEqual([n for n, c in seen.items() if c > 1], [], "doubled")
        self.assertEqual(set(seen), {f"n{i}" for i in range(1, serial + 1)}, "lost or invented")
        self.assertGreater(serial, 1000)
        agent.process.child.stdin.close()
        agent.stop()
        server.stop()

    def test_agent_killed_under_load(self):
        """Real kernel: what the agent was acknowledged for stays, once; what it missed is said."""
        with audit_lock():
            server = Server(self.folder)
            agent = Agent(self.folder, server)
            truth = self.folder / "truth.jsonl"
            environment = dict(os.environ, WITNESS=str(truth))
            witness = str(PLAIN / "tests/witness")
            rng = random.Random(11)
            n = 0
            for _ in range(3):
                until = time.monotonic() + rng.uniform(0.5, 1.5)
                while time.monotonic() < until:
                    n += 1
                    subprocess.run([witness, f"k{n}"], env=environment, check=True)
                before = {e["process"]["args"][1] for e in server.search("exe:*witness and success:yes")}
                agent.kill()
                for _ in range(5):
                    n += 1
                    subprocess.run([witness, f"k{n}"], env=environment, check=True)
                agent.start()
                after = {e["process"]["args"][1] for e in server.search("exe:*witness and success:yes")}
                self.assertLessEqual(before, after, "acknowledged events are gone")
                wait_for(lambda: server.search("action:agent-started and message:*not*watching*"), 20, 0.3)
            n += 1
            subprocess.run([witness, f"k{n}"], env=environment, check=True)
            self.assertTrue(wait_for(lambda: server.count(f'args:"k{n}"') == 1, 20, 0.2), "events flow again")
            seen = collections.Counter(e["process"]["args"][1] for e in server.search("exe:*witness and success:yes"))
            self.assertEqual([a for a, c in seen.items() if c > 1], [], "doubled")
            started = server.search("action:agent-started")
            self.assertGreaterEqual(len([e for e in started if "not watching" in e.get("message", "")]), 3, "each gap is said")
            self.assertGreaterEqual(len([e for e in started if "kernel lost" in e.get("message", "")]), 3, "and what the kernel lost in it")
            self.assertEqual(agent.stop(), 0)
            server.stop()


if __name__ == "__main__":
    unittest.main()
