"""Import through a running server: counts of a body in several requests, sealed afterwards, nothing twice."""
import gzip
import os
import pty
import re
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import EXECTRAIL, Scene, Server, exectrail, wait_for

LINE = ("type=USER_LOGIN msg=audit(1700000000.123:{}): pid=1 uid=0 auid=0 ses=1 msg='op=login acct=\"root\" exe=\"/bin/login\" "
        "hostname=? addr=? terminal=tty1 res=success'\n")
N = 40000  # more than one request's bytes


class Import(Scene):
    def test_a_long_file_through_a_server(self):
        server = Server(self.folder)
        path = self.folder / "audit.log"
        path.write_text("".join(LINE.format(serial) for serial in range(1, N + 1)))
        done = exectrail("import", "--data", server.data, "--host", "h1", path)
        self.assertIn(f"{N} events of {N} lines, 0 of them unparsed", done.stderr)
        self.assertEqual(len(list((server.data / "segments").glob("*.xts"))), 1, "sealed when the import returns")
        address = f"http://127.0.0.1:{server.http_port}/"
        exectrail("import", "--server", address, "--token", server.token, "--host", "h1", path)
        done = exectrail("search", "--server", address, "--token", server.token, "--count", "host:h1")
        self.assertEqual(done.stdout.strip(), str(N).encode())
        server.stop()

    def test_a_folder_that_others_may_enter_shows_them_nothing(self):
        data = self.folder / "open"
        data.mkdir(mode=0o755)
        path = self.folder / "audit.log"
        path.write_text(LINE.format(1))
        exectrail("import", "--data", data, "--host", "h1", path)
        for name in ("state.db", "pending.db", "segments", "admin.token", "ca.key"):
            self.assertEqual((data / name).stat().st_mode & 0o077, 0, name)


def records(first, n):
    return "".join(LINE.format(serial).replace("1700000000.123", f"{1700000000 + serial // 100}.{serial % 100:03}")
                   for serial in range(first, first + n))


class Files(Scene):
    def test_rotated_files_in_any_order_packed_and_twice(self):
        data, names = self.folder / "data", []
        for i, text in enumerate([records(1, 5000), records(5001, 5000), records(10001, 5000)]):
            name = self.folder / ("audit.log" if i == 2 else f"audit.log.{2 - i}")
            name.write_text(text)
            names.append(name)
        packed = self.folder / "audit.log.2.gz"
        packed.write_bytes(gzip.compress(names[0].read_bytes()))
        done = exectrail("import", "--data", data, "--host", "h1", names[2], packed, names[1], names[0])
        self.assertIn("4 files: 15000 events of 20000 lines, 0 of them unparsed; 5000 more were there already", done.stderr)
        done = exectrail("import", "--data", data, "--host", "h1", *names)
        self.assertIn("3 files: 0 events of 15000 lines, 0 of them unparsed; 15000 more", done.stderr)
        done = exectrail("import", "--quiet", "--data", data, "--host", "h1", names[0])
        self.assertEqual(done.stderr, "")

    def test_a_damaged_file_does_not_keep_the_others_out(self):
        data = self.folder / "data"
        (self.folder / "a.log").write_text(records(1, 100))
        packed = self.folder / "b.log.gz"
        packed.write_bytes(gzip.compress(records(101, 20000).encode())[:-5000])
        done = exectrail("import", "--data", data, "--host", "h1", self.folder / "a.log", packed, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "b.log.gz.*gzip data is cut off")
        count = int(exectrail("search", "--data", data, "--count", "host:h1").stdout)
        self.assertGreater(count, 100)

    def test_killed_in_the_middle_and_again(self):
        """Whenever it is killed: what is there is a number of whole segments, and the next import completes it."""
        data, path, n = self.folder / "data", self.folder / "audit.log", 270000
        path.write_text(records(1, n))
        command = [EXECTRAIL, "import", "--quiet", "--data", str(data), "--host", "h1", str(path)]
        counts = []
        for what in ("*.tmp", "*.xts"):  # being written; committed
            child = subprocess.Popen(command)
            wait_for(lambda: child.poll() is not None or list((data / "segments").glob(what)), 120, 0.001)
            child.send_signal(signal.SIGKILL)
            child.wait()
            counts.append(int(exectrail("search", "--data", data, "--count", "host:h1").stdout))
        self.assertTrue(set(counts) <= {0, 262144, n}, counts)
        self.assertGreater(counts[1], 0)
        subprocess.run(command, check=True)
        self.assertEqual(int(exectrail("search", "--data", data, "--count", "host:h1").stdout), n)
        distinct = exectrail("search", "--data", data, "* | stats count_distinct(id)", "--format", "csv").stdout
        self.assertEqual(int(distinct.split()[-1]), n)
        exectrail("verify", "--data", data)


class Progress(Scene):
    def test_on_a_terminal_and_elsewhere(self):
        path = self.folder / "audit.log"
        path.write_text(records(1, 150000))
        command = [EXECTRAIL, "import", "--host", "h1", "--data"]
        master, slave = pty.openpty()
        child = subprocess.Popen(command + [str(self.folder / "one"), str(path)], stderr=slave)
        os.close(slave)
        shown = b""
        while True:
            try:
                piece = os.read(master, 4096)
            except OSError:  # nobody writes there any more
                break
            if not piece:
                break
            shown += piece
        os.close(master)
        self.assertEqual(child.wait(), 0)
        lines = re.findall(rb"\r *(\d+) %  (\d+) events  (\d+)/s  (?:\d+:)+\d\d left  (\S+)\x1b\[K", shown)
        self.assertGreater(len(lines), 2, shown)
        percents = [int(line[0]) for line in lines]
        self.assertEqual(percents, sorted(percents))
        self.assertLessEqual(percents[-1], 100)
        self.assertGreater(int(lines[-1][1]), 0)
        self.assertTrue(all(str(path).encode().startswith(line[3]) for line in lines), lines[0])
        self.assertIn(b"150000 events of 150000 lines", shown)
        done = subprocess.run(command + [str(self.folder / "two"), str(path)], stderr=subprocess.PIPE, check=True)
        self.assertNotIn(b"\r", done.stderr)


if __name__ == "__main__":
    unittest.main()
