"""A data folder with a path longer than a socket address holds works like any other."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import DATA, Scene, Server, exectrail


class LongPath(Scene):
    def test_command_line_goes_through_the_server(self):
        folder = self.folder / ("long" * 40)
        folder.mkdir()
        server = Server(folder)
        exectrail("import", "--data", server.data, "--host", "h", DATA / "capture/session.log")
        self.assertEqual(server.count(""), 85)
        self.assertEqual(server.get("/api/v1/status")["events"], 85)
        server.stop()


if __name__ == "__main__":
    unittest.main()
