"""decode reads every record as ausearch does, field by field; what differs is of a class that says why."""
import os
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(__file__))
import ausearch_compare
import made_records
from actors import DATA, SHARED

FLEET_BYTES = 2 << 20  # of fleet.log; `./dev differential` takes all of it


@unittest.skipUnless(shutil.which("ausearch"), "ausearch is not installed")
class Ausearch(unittest.TestCase):
    def agrees(self, comparison, n_events):
        self.assertEqual(comparison.unlisted[:5], [], comparison.table())
        self.assertGreater(comparison.n_events, n_events)
        self.assertGreater(comparison.n_equal, 5 * comparison.n_events)

    def test_carried_captures(self):
        for path in sorted((DATA / "capture").glob("*.log")):
            with self.subTest(path.name):
                self.agrees(ausearch_compare.compare(path, limit=1 << 20), 15)

    def test_made_records(self):
        comparison = ausearch_compare.Comparison()
        comparison.text(made_records.make())
        self.agrees(comparison, 1500)

    def test_shared_captures(self):
        if not (SHARED / "corpus").exists():
            self.skipTest("the shared corpus is not here")
        for name in ("bypass.log", "sudo.log", "compat32.log.zst", "argv.log.zst", "fleet.log.zst"):
            with self.subTest(name):
                self.agrees(ausearch_compare.compare(SHARED / "corpus" / name, limit=FLEET_BYTES), 30)

    def test_finds_a_difference(self):
        """Lines that only one side reads as they are."""
        line = b"type=SYSCALL msg=audit(1700000000.001:1): arch=c000003e syscall=2 success=%s exit=3 a0=1 a1=%x a2=0 a3=0 " \
               b"items=0 ppid=1 pid=7 auid=1001 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts1 ses=5 " \
               b"comm=\"x\" exe=\"/x\" key=\"k\"\n"
        with tempfile.TemporaryDirectory(prefix="exectrail-test-") as folder:
            fake = os.path.join(folder, "ausearch")
            with open(fake, "w") as f:  # ausearch of another text
                f.write(f"#!/bin/sh\nexec {shutil.which('ausearch')} \"$1\" -if {folder}/other\n")
            os.chmod(fake, 0o755)
            for other, wanted in ((line % (b"no", 0), "raw-differs"), (line % (b"yes", 1), "raw-differs")):
                with open(os.path.join(folder, "other"), "wb") as f:
                    f.write(other)
                path, os.environ["PATH"] = os.environ["PATH"], folder + ":" + os.environ["PATH"]
                try:
                    comparison = ausearch_compare.Comparison()
                    comparison.text(line % (b"yes", 0))
                finally:
                    os.environ["PATH"] = path
                self.assertIn(wanted, comparison.classes)
                self.assertTrue(comparison.unlisted)


if __name__ == "__main__":
    unittest.main()
