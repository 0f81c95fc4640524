"""exectrail decode of real captures agrees with what the processes themselves received."""
import collections
import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import DATA, EXECTRAIL, SHARED, args_of


def open_text(path):
    if path.suffix == ".zst":
        return subprocess.Popen(["zstd", "-dcq", str(path)], stdout=subprocess.PIPE).stdout
    return open(path, "rb")


class Decode(unittest.TestCase):
    def agree(self, log, truth_file):
        with open_text(truth_file) as f:
            truth = collections.Counter()
            for line in f:
                t = json.loads(line)
                truth[t["pid"], tuple(t["args_hex"])] += 1
        decode = subprocess.Popen([EXECTRAIL, "decode", "-"], stdin=open_text(log), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        found = collections.Counter()
        for line in decode.stdout:
            e = json.loads(line)
            if e["event"].get("action") == "executed" and "args" in e.get("process", {}):
                found[e["process"]["pid"], tuple(a.hex() for a in args_of(e))] += 1
        self.assertEqual(decode.wait(), 0)
        self.assertGreater(len(truth), 50)
        self.assertEqual(truth - found, collections.Counter(), f"{log.name}: truth lines without an event of these bytes")

    def test_carried_captures(self):
        logs = {path.name.split(".")[0]: path for path in DATA.rglob("*.log*")}
        pairs = [(logs[truth.name.split(".")[0]], truth) for truth in sorted(DATA.rglob("*.truth.jsonl*"))]
        self.assertGreaterEqual(len(pairs), 3)
        for log, truth in pairs:
            with self.subTest(log.name):
                self.agree(log, truth)

    def test_whole_corpus(self):
        corpus = SHARED / "corpus"
        if not corpus.exists():
            self.skipTest("the shared corpus is not here")
        for name in ("args", "argv", "compat32", "fleet"):
            log = next(p for p in (corpus / f"{name}.log", corpus / f"{name}.log.zst") if p.exists())
            truth = next(p for p in (corpus / f"{name}.truth.jsonl", corpus / f"{name}.truth.jsonl.zst") if p.exists())
            with self.subTest(name):
                self.agree(log, truth)


if __name__ == "__main__":
    unittest.main()
