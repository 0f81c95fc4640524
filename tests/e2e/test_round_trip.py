"""Import, export as raw, and read again: the same events, for this program and for ausearch; every capture, every kind
of damage that is an event, several hosts, and what secrets were taken out of."""
import collections
import itertools
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))
from actors import DATA, EXECTRAIL, PLAIN, SHARED, Scene, exectrail, run

CAPTURE = DATA / "capture"
HOST = ["--host", "web-1"]
# Not compared in ausearch's words, see src/event/render_raw.h: pointers and titles of execs; capabilities of files that have none; ids,
# whose names ausearch asks of this machine where no field holds them (the numbers are compared in the documents).
ABOUT_ARGUMENTS = {"a0", "a1", "a2", "a3"}
ABOUT_NO_CAPABILITIES = {"cap_fp=none", "cap_fi=none", "cap_fe=0", "cap_fver=0", "cap_frootid=0", "cap_fp=0", "cap_fi=0"}
NAMED_IDS = {"uid", "auid", "gid", "euid", "suid", "fsuid", "egid", "sgid", "fsgid", "ouid", "ogid", "old-auid", "id"}
FLEET_LINES = 100000


def documents(path, *options, program=EXECTRAIL):
    out = run(program, "decode", *HOST, "--records", *options, str(path)).stdout
    return [json.loads(line) for line in out.splitlines()]


def canonical(event):
    return json.dumps(event, sort_keys=True)


def strip(event, *names):
    """Without these names, whatever object they stand in."""
    for name in names:
        event.pop(name, None)
    for value in event.values():
        if isinstance(value, dict):
            strip(value, *names)
    return event


def split(events):
    """Events by id, and the lines that are none, whose ids tell where they stood."""
    lines = sorted(e["event"]["original"].removeprefix("unparsed: ") for e in events if e["event"]["action"] == "unparsed")
    return {e["event"]["id"]: e for e in events if e["event"]["action"] != "unparsed"}, lines


def words_of_ausearch(path):
    """{stamp and serial: the record types and words of the event, counted}"""
    out = run("ausearch", "-i", "-if", str(path), check=False).stdout.decode("latin-1")
    events = collections.defaultdict(collections.Counter)
    for line in out.split("\n"):
        match = re.match(r"(node=\S+ )?type=(\S+) msg=audit\((.*?)\) ?: (.*)", line)
        if not match:
            continue
        node, kind, stamp, body = match.groups()
        counted = events[(node or "node=web-1 ", stamp)]
        counted[kind] += 1
        for word in body.split(" "):
            name = word.split("=")[0]
            if word and not (kind == "PROCTITLE" or word in ABOUT_NO_CAPABILITIES or (kind == "SYSCALL" and name in ABOUT_ARGUMENTS)
                             or name in NAMED_IDS):
                counted[f"{kind} {word}"] += 1
    return events


class RoundTrip(Scene):
    def exported(self, path, *options, program=EXECTRAIL):
        data, raw = self.folder / "data", self.folder / "raw.log"
        shutil.rmtree(data, ignore_errors=True)
        run(program, "import", "--data", str(data), *HOST, *options, str(path), timeout=600)
        with open(raw, "wb") as out:
            subprocess.run([program, "export", "--data", str(data), "--format", "raw"], stdout=out, check=True)
        return raw

    def text(self, path):
        """The capture as a file of text: ausearch reads no other."""
        if path.suffix != ".zst":
            return path
        plain = self.folder / path.stem
        run("zstd", "-qdf", str(path), "-o", str(plain))
        return plain

    def compare_ausearch(self, path, raw):
        before, after = words_of_ausearch(path), words_of_ausearch(raw)
        self.assertEqual(sorted(before, key=str), sorted(after, key=str))
        for stamp, words in before.items():
            self.assertEqual(words, after[stamp], stamp)

    def check(self, path, for_ausearch=True):
        raw = self.exported(path, "--secrets", "off")
        before, lines = split(documents(path))
        after, lines_after = split(documents(raw))
        self.assertEqual(before.keys(), after.keys())
        for id_, event in before.items():
            self.assertEqual(canonical(event), canonical(after[id_]))
        self.assertEqual(lines, lines_after)
        self.assertGreater(len(before), 10)
        if for_ausearch:
            self.compare_ausearch(self.text(path), raw)

    def test_every_capture(self):
        paths = sorted(CAPTURE.glob("*.log")) + sorted((DATA / "event").glob("*.log.zst"))
        names = {path.name for path in paths}
        paths += [path for path in sorted((SHARED / "corpus").glob("*.log")) if path.name not in names]
        self.assertGreater(len(paths), 8)
        for path in paths:
            with self.subTest(path.name):
                self.check(path)

    def test_the_fleet(self):
        """The first of it by the build without sanitizers; who the parent was is told by the order of arrival."""
        packed, path = SHARED / "corpus/fleet.log.zst", self.folder / "fleet.log"
        program = str(PLAIN / "exectrail")
        if not packed.exists():
            self.skipTest(f"{packed} is not there")
        with subprocess.Popen(["zstd", "-qdc", str(packed)], stdout=subprocess.PIPE) as child:
            path.write_bytes(b"".join(itertools.islice(child.stdout, FLEET_LINES)))
            child.stdout.close()
        raw = self.exported(path, "--secrets", "off", program=program)
        before, after = (collections.Counter(run(program, "decode", *HOST, "--records", str(p)).stdout.splitlines())
                         for p in (path, raw))
        self.assertEqual(before.total(), after.total())
        lost, found = ({e["event"]["id"]: canonical(strip(e, "parent")) for e in map(json.loads, lines)}
                       for lines in (before - after, after - before))
        self.assertLess(len(lost), 20)
        self.assertEqual(lost, found)

    def test_lines_that_are_no_records(self):
        lines = (CAPTURE / "session.log").read_bytes().splitlines()
        for at in (190, 120, 60, 3, 0):
            lines.insert(at, b'not a \xff record %d "x' % at)
        path = self.folder / "unparsed.log"
        path.write_bytes(b"\n".join(lines) + b"\n")
        self.check(path)

    def test_lost_records(self):
        lines = (CAPTURE / "session.log").read_bytes().splitlines(True)
        path = self.folder / "dropped.log"
        path.write_bytes(b"".join(line for i, line in enumerate(lines) if i % 7 != 3))
        self.check(path)

    def test_a_cut_end(self):
        lines = (CAPTURE / "session.log").read_bytes().splitlines(True)
        path = self.folder / "cut.log"
        path.write_bytes(b"".join(lines[:100]) + lines[100][:len(lines[100]) // 2])
        self.check(path, for_ausearch=False)  # the words that were cut off are those of a field that is unset

    def test_spliced_lines(self):
        """The records are there once; that one of them was cut is told by the line as it stood, which stays."""
        out = []
        for i, line in enumerate((CAPTURE / "session.log").read_bytes().splitlines(True)):
            is_cut = i % 17 == 5 and line.startswith((b"type=CWD", b"type=EXECVE", b"type=PATH"))
            out.append(line[:len(line) * 2 // 3] + b"\0" * (i % 3) if is_cut else line)
        path = self.folder / "spliced.log"
        path.write_bytes(b"".join(out))
        raw = self.exported(path, "--secrets", "off")
        (before, lines), (after, lines_after) = split(documents(path)), split(documents(raw))
        self.assertEqual(before.keys(), after.keys())
        self.assertEqual(lines, lines_after)
        self.assertGreater(len(lines), 5)
        told = ("exectrail", "records", "argc")  # where what was cut off is told
        for id_, event in before.items():
            event, again = strip(event, *told), strip(after[id_], *told)
            self.assertEqual(canonical(event), canonical(again))

    def test_late_records(self):
        """They stand with their event in the export, where they are late no more."""
        lines = (CAPTURE / "session.log").read_bytes().splitlines(True)
        stamp = next(re.search(rb"msg=audit\(\S+", line)[0] for line in lines if line.startswith(b"type=SYSCALL"))
        lines.insert(400, b'type=PATH %s item=5 name="/late" nametype=NORMAL\n' % stamp)
        path = self.folder / "late.log"
        path.write_bytes(b"".join(lines))
        raw = self.exported(path, "--secrets", "off")
        before, _ = split(documents(path))
        after, _ = split(documents(raw))
        late = [e for e in before.values() if e["event"]["action"] == "amended"]
        self.assertEqual(len(late), 1)
        of = late[0]["exectrail"]["of"]
        self.assertIn("/late", [p["name"] for p in after[of]["auditd"]["paths"]])
        for id_ in before.keys() - {of, late[0]["event"]["id"]}:
            self.assertEqual(canonical(before[id_]), canonical(after[id_]))
        self.assertEqual(before.keys() - {late[0]["event"]["id"]}, after.keys())

    def test_several_hosts(self):
        captures = [((CAPTURE / name).read_bytes().splitlines(True), node) for name, node in
                    (("webshell.log", b"web-1"), ("tty.log", b"db-2.example"), ("webshell.log", b"web-3"))]
        out = []
        for i in range(max(len(lines) for lines, _ in captures)):
            out += [b"node=" + node + b" " + lines[i] for lines, node in captures if i < len(lines)]
        path = self.folder / "nodes.log"
        path.write_bytes(b"".join(out))
        self.check(path)
        hosts = {e["host"]["name"] for e in documents(self.folder / "raw.log")}
        self.assertEqual(hosts, {"web-1", "db-2.example", "web-3"})

    def test_secrets_that_were_taken_out(self):
        """What stands for them stands in the text; that it is no typed look-alike is told by the event alone."""
        stamp = "msg=audit(1700000000.123:%d): "
        call = ("arch=c000003e syscall=59 success=yes exit=0 a0=1 a1=2 a2=3 a3=4 items=0 ppid=1 pid=%d auid=1000 uid=0 gid=0 euid=0 "
                "suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=(none) ses=3 comm=\"mysql\" exe=\"/usr/bin/mysql\" key=\"exec\"\n")
        text = ""
        for i, argument in enumerate(("-phunter2", "--password=hunter2", "-uroot")):
            at = stamp % (100 + i)
            text += f"type=SYSCALL {at}{call % (500 + i)}type=EXECVE {at}argc=2 a0=\"mysql\" a1=\"{argument}\"\n"
            title = f"mysql\0{argument}".encode().hex().upper()
            text += f"type=PROCTITLE {at}proctitle={title}\n"
        path = self.folder / "secrets.log"
        path.write_text(text)
        raw = self.exported(path)
        self.assertNotIn(b"hunter2", pathlib.Path(raw).read_bytes())
        self.assertNotIn(b"hunter2".hex().upper().encode(), pathlib.Path(raw).read_bytes())
        before, after = split(documents(path, "--redact"))[0], split(documents(raw))[0]
        self.assertEqual(sum("redactions" in e.get("exectrail", {}) for e in before.values()), 2)
        for id_, event in before.items():
            self.assertEqual(canonical(strip(event, "redactions", "exectrail")), canonical(strip(after[id_], "exectrail")))


if __name__ == "__main__":
    unittest.main()
