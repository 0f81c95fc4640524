"""Random queries, with stages, over real captures: the engine's answer is that of query_reference.py, while half of the events is
open in memory, after a restart, sealed in several segments, and merged.

QUERIES=N asks N queries in each of the four states (80 unless it is set; ./dev queries: 1500), SEED=S makes them others.
"""
import http.client
import json
import os
import pathlib
import sys
import unittest
import urllib.parse

sys.path.insert(0, os.path.dirname(__file__))
import query_reference as reference
from actors import DATA, SHARED, Scene, Server, exectrail

N = int(os.environ.get("QUERIES", "80"))
SEED = int(os.environ.get("SEED", "1"))
FILES = ["args", "session", "tamper", "tty", "webshell", "calls", "compat32-head"]
SHARED_FILES = ["bypass", "sudo", "webshell"]
MANUAL = pathlib.Path(__file__).resolve().parents[2] / "docs/query.md"


class Queries(Scene):
    def ask(self, query, **params):
        params = urllib.parse.urlencode({"q": query, "limit": 10000, "format": "json", **params})
        self.connection.request("GET", "/api/v1/search?" + params, headers={"Authorization": f"Bearer {self.server.token}"})
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())

    def connect(self):
        self.connection = http.client.HTTPConnection("127.0.0.1", self.server.http_port, timeout=60)

    def load(self):
        """Captures as (host, file); events as the reference sees them."""
        self.captures = [("h-" + name, DATA / f"capture/{name}.log") for name in FILES]
        if N > 100 and SHARED.exists():
            self.captures += [("s-" + name, SHARED / f"corpus/{name}.log") for name in SHARED_FILES]
        self.events = [event for host, path in self.captures for event in reference.load(path, host)]

    def send(self, captures, compact):
        for i, (host, path) in enumerate(captures):
            last = compact and i + 1 == len(captures)
            status, body, _ = self.server.request("POST", f"/api/v1/import?host={host}&secrets=off&compact={int(last)}",
                                                  path.read_bytes())
            self.assertEqual(status, 200, body)

    def put_in_order(self):
        """Newest first; of what is the same by time, host and serial the engine says the order, everywhere the same one."""
        status, answer = self.ask("")
        self.assertEqual(status, 200, answer)
        places = {row["event"]["id"]: i for i, row in enumerate(answer["rows"])}
        self.assertEqual(len(places), len(self.events), "the ids tell events apart")
        self.events.sort(key=lambda event: places[event["id"].decode()])
        keys = [(-event["time"], event["host.id"], -event.get("serial", -1)) for event in self.events]
        self.assertEqual(keys, sorted(keys))

    def check(self, state, seed):
        wrong = []
        n_rows = n_tables = 0
        for i in range(N):
            pipe = reference.make_pipe(self.events, seed * 1000003 + i)
            want = reference.expected(pipe, pipe.run(self.events, self.events))
            status, answer = self.ask(pipe.text)
            if status != 200:
                wrong.append((i, pipe.text, answer))
                continue
            rows = answer["rows"]
            if not pipe.is_table:
                rows = [row["event"]["id"] if "event" in row else row["event.id"] for row in rows]
            n_rows += 0 < len(want) < len(self.events)
            n_tables += pipe.is_table
            if rows != want:
                differs = next((k for k, (a, b) in enumerate(zip(rows, want)) if a != b), min(len(rows), len(want)))
                wrong.append((i, pipe.text, f"{len(rows)} rows, expected {len(want)}; the first that differs is {differs}: "
                              f"{str(rows[differs:differs + 1])[:600]}, expected {str(want[differs:differs + 1])[:600]}"))
        for i, text, why in wrong[:8]:
            print(f"{state}, query {i} of seed {seed}:\n  {text.decode(errors='backslashreplace')}\n  {why}")
        self.assertEqual(len(wrong), 0, f"{state}: {len(wrong)} of {N} answers differ")
        self.assertGreater(n_rows, N // 3, "the queries tell rows apart")
        self.assertGreater(n_tables, N // 4)

    def ask_the_manual(self):
        """The rows of each query of docs/query.md; a line behind `!` is one that is refused."""
        answers = {}
        for line in MANUAL.read_text().splitlines():
            query = line.strip()
            if line.startswith("    ") and not query.startswith("! "):
                status, answer = self.ask(query)
                self.assertEqual(status, 200, f"{query}: {answer}")
                answers[query] = answer["rows"]
        self.assertGreater(sum(map(bool, answers.values())), 20, "most find something")
        return answers

    def test_the_engine_agrees_with_a_loop(self):
        self.server = Server(self.folder)
        self.connect()
        self.load()
        self.send(self.captures[:1], True)
        self.send(self.captures[1:], False)
        self.put_in_order()
        self.check("half of it open", SEED)
        manual = self.ask_the_manual()
        self.server.stop()
        self.server.start()
        self.connect()
        self.check("opened anew", SEED + 1)
        status, body, _ = self.server.request("POST", "/api/v1/import?host=h-x&compact=1", b"")
        self.assertEqual(status, 200, body)
        self.check("sealed", SEED + 2)
        self.server.stop()
        extra = self.folder / "none.log"
        extra.write_bytes(b"")
        exectrail("import", "--data", self.server.data, "--host", "h-x", extra)
        self.server.start()
        self.connect()
        self.assertEqual(len(list((self.server.data / "segments").glob("*.xts"))), 1, "merged")
        self.check("merged", SEED + 3)
        self.assertEqual(self.ask_the_manual(), manual)
        self.server.stop()

    def test_the_command_line_with_and_without_a_server(self):
        data = self.folder / "data"
        exectrail("import", "--data", data, "--host", "h1", DATA / "capture/session.log")
        query = "user:* | stats n = count(), values(outcome), avg(argc) by user | sort n desc"

        def search(*options, **more):
            return exectrail("search", "--data", data, *options, **more)

        def answers():
            done = search("--format", "ndjson", "--explain", query)
            return done.stdout, search("--format", "csv", query).stdout, search(query).stdout, done.stderr
        ndjson, csv, table, explained = answers()
        rows = [json.loads(line) for line in ndjson.splitlines()]
        self.assertEqual([row["user"] for row in rows], ["root", "bob", "alice"] if rows[1]["user"] == "bob" else ["root", "alice", "bob"])
        self.assertEqual(sum(row["n"] for row in rows), int(search("--count", "user:*").stdout))
        self.assertEqual(csv.split(b"\r\n")[0], b"user,n,values(outcome),avg(argc)")
        self.assertEqual(len(csv.split(b"\r\n")), len(rows) + 2)
        self.assertEqual(table.split(b"\n")[0].split(), [b"user", b"n", b"values(outcome)", b"avg(argc)"])
        self.assertRegex(explained, rf"stage stats .* by user: rows in {sum(r['n'] for r in rows)}, out {len(rows)}\n")
        self.assertRegex(explained, rf"stage sort n desc: rows in {len(rows)}, out {len(rows)}\n")
        raw = search("--format", "raw", "action:executed | sort argc desc | limit 2").stdout
        self.assertEqual(len(set(line.split(b"audit(")[1].split(b")")[0] for line in raw.splitlines())), 2)
        kept = search("--format", "ndjson", "* | keep user, id | limit 1").stdout
        self.assertLessEqual(set(json.loads(kept)), {"user.name", "event.id"})
        self.server = Server(self.folder)
        self.assertEqual(answers()[:3], (ndjson, csv, table), "through the server's socket")
        for options, why in ((["--count"], "takes no count"), (["--sort", "user"], "takes no sort"), (["--fields", "user"], "takes no fields"),
                             (["--by", "user"], "only a search has them"), (["--format", "raw"], "no format of this name")):
            done = search(*options, query, check=False)
            self.assertIn(done.returncode, (1, 2), options)
            self.assertIn(why, done.stderr)
        status, body, _ = self.server.request("GET", "/api/v1/tail?" + urllib.parse.urlencode({"q": query}))
        self.assertEqual((status, json.loads(body)["error"]["column"]), (400, 8), body)
        done = exectrail("tail", "--data", data, query, check=False)
        self.assertIn(done.returncode, (1, 2))
        self.assertIn("only a search has them", done.stderr)
        self.assertIn("buckets", self.server.get("/api/v1/histogram?" + urllib.parse.urlencode({"q": query})))
        self.server.stop()


if __name__ == "__main__":
    unittest.main()
