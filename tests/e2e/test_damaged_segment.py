"""A server whose store has damaged segments starts, answers the rest, and says what it leaves out."""
import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import Scene, Server, exectrail

N_SEGMENTS = 6
PER_SEGMENT = 40


def lines(segment):
    out = []
    for i in range(segment * PER_SEGMENT, (segment + 1) * PER_SEGMENT):
        stamp = f"audit({1700000000 + i}.000:{i + 1})"
        out.append(f'type=SYSCALL msg={stamp}: arch=c000003e syscall=59 success=yes exit=0 items=1 ppid=1 pid={i + 100} auid=1001 uid=1001 '
                   f'gid=1001 euid=1001 suid=1001 fsuid=1001 egid=1001 sgid=1001 fsgid=1001 tty=pts0 ses=7 comm="s{segment}" '
                   f'exe="/bin/s{segment}"\ntype=EXECVE msg={stamp}: argc=2 a0="s{segment}" a1="n{i}"\n')
    return "".join(out).encode()


class DamagedSegment(Scene):
    def test_the_rest_is_answered(self):
        server = Server(self.folder)
        for segment in range(N_SEGMENTS):
            status, body, _ = server.request("POST", "/api/v1/import?host=h", body=lines(segment))
            self.assertEqual(status, 200, body)
            self.assertEqual(server.request("POST", "/api/v1/seal")[0], 200)
        self.assertEqual(server.stop(), 0)
        files = sorted((server.data / "segments").glob("*.xts"))
        self.assertEqual(len(files), N_SEGMENTS)
        damage = {  # what each is to be; the last is left alone
            0: lambda b: b[:len(b) // 2],                                       # cut
            1: lambda b: bytes([b[0] ^ 1]) + b[1:],                             # its head
            2: lambda b: b[:-20] + bytes(20),                                   # its end
            3: lambda b: b"",                                                   # empty
            4: lambda b: b[:200] + bytes(x ^ 0xff for x in b[200:-1500]) + b[-1500:],  # its chunks, which are read last
        }
        for i, how in damage.items():
            files[i].write_bytes(how(files[i].read_bytes()))
        server.start()
        answer = server.get("/api/v1/search?q=*&limit=1000")
        self.assertTrue(answer["partial"])
        self.assertEqual({f.name for f in files[:-1]}, set(answer["skipped"]) & {f.name for f in files})
        texts = [row["process"]["args"][1] for row in answer["rows"]]
        self.assertEqual(len(texts), len(set(texts)))
        whole = {f"n{i}" for i in range((N_SEGMENTS - 1) * PER_SEGMENT, N_SEGMENTS * PER_SEGMENT)}
        self.assertEqual(whole, set(texts) & whole, "the rest is answered")
        done = exectrail("search", "--data", server.data, "--count", f"comm:s{N_SEGMENTS - 1}")
        self.assertEqual(int(done.stdout), PER_SEGMENT)
        self.assertIn(files[0].name, done.stderr, "the command line says what was skipped")
        # It takes, seals and answers what is new, and verify names each file.
        self.assertEqual(server.request("POST", "/api/v1/import?host=h", body=lines(N_SEGMENTS))[0], 200)
        self.assertEqual(server.request("POST", "/api/v1/seal")[0], 200)
        self.assertEqual(server.count(f"comm:s{N_SEGMENTS}"), PER_SEGMENT)
        done = exectrail("verify", "--data", server.data, check=False)
        self.assertEqual(done.returncode, 1)
        for i in damage:
            self.assertIn(files[i].name, done.stdout.decode() + done.stderr)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()
