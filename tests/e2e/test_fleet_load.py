#!/usr/bin/env python3
"""Many agents on one server: stopped and killed under load, what was acknowledged is in the store once, host by host.

The agents are those of bench/fleet: TLS, identities, chained batches and acknowledgements as agents have them. `./dev bench
fleet --large` is the long form, with 10,000.
"""
import pathlib
import signal
import sys
import unittest

from actors import DATA, PLAIN, Scene, Server

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "bench"))
from fleet_under_load import Fleet  # noqa: E402

AGENTS = 200


class FleetLoad(Scene):
    def stored(self, server):
        answer = server.get("/api/v1/search?q=boot%3Asimulated&by=host&limit=100000")
        return {group["values"][0]: group["count"] for group in answer["groups"]}

    def restart(self, server, fleet, sig):
        before = fleet.last["connections"]
        server.process.child.send_signal(sig)
        server.process.child.wait(60)
        server.start()
        self.assertIsNotNone(fleet.wait(lambda line: line["connections"] >= before + AGENTS, 60), fleet.last)
        self.assertIsNotNone(fleet.settled(60), fleet.last)

    def test_restarts_under_load(self):
        server = Server(self.folder)
        captures = [DATA / f"capture/{name}.log" for name in ("args", "session", "webshell")]
        fleet = Fleet(PLAIN / "bench/bench-fleet", captures, server.agent_port, server.enrolment_token("--uses", "0"), AGENTS, 10, 200)
        try:
            fleet.tell("enroll")
            self.assertIsNotNone(fleet.wait(lambda line: line["enrolled"] == AGENTS, 60), fleet.last)
            fleet.tell("connect", 0)
            self.assertIsNotNone(fleet.all_up(60), fleet.last)
            fleet.tell("start")
            self.assertIsNotNone(fleet.wait(lambda line: line["acked"] > 500, 60), fleet.last)
            self.restart(server, fleet, signal.SIGKILL)
            self.restart(server, fleet, signal.SIGTERM)
            fleet.tell("stop")
            self.assertIsNotNone(fleet.drained(60), fleet.last)
            acked = fleet.counts(self.folder / "counts")
            self.assertEqual(fleet.last["forgot"], 0)
            self.assertGreater(min(acked.values()), 0)
            self.assertEqual(self.stored(server), acked)
            self.assertNotIn("corrupt", fleet.last["refused"])
        finally:
            fleet.end()
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
