"""Import through a running server: counts of a body in several requests, sealed afterwards, nothing twice."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import Scene, Server, exectrail

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


if __name__ == "__main__":
    unittest.main()
