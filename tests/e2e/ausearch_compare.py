#!/usr/bin/env python3
"""Every record of audit logs as ausearch reads it beside how exectrail decode does: raw fields and interpretation.

    tests/e2e/ausearch_compare.py [--show N] FILE...     whole files (.zst too); a table of what differs and how often

The text is cut into pieces of some thousand lines, at ends of events where that is possible; each piece goes through
`ausearch --raw`, `ausearch -i` and `exectrail decode --records --interpret`. Raw: this file reads the lines of
ausearch's raw output with a reader of its own, and holds each field against the record of our document. Interpreted: a
line of `ausearch -i` is cut into fields with the raw line as the guide; each is compared with what ours says, written in
ausearch's notation (function `in_their_words`, whose rules are all there are). What then still differs must be of a
class in CLASSES, which says why ours is right. Anything else is a failure.
"""
import argparse
import calendar
import collections
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
EXECTRAIL = os.environ.get("XT_PROGRAM", str(ROOT / os.environ.get("XT_BUILD", "build") / "exectrail"))
PIECE_BYTES = 16 << 20

CLASSES = {
    # raw fields
    "pointer": "a0 to a3 of an exec are pointers into memory that is gone; they are not kept (src/event/from_audit.h)",
    "unset": "an unset login id or session is absent, as a field without a value is in ECS",
    "no-key": "key=(null), no rule with a key matched: absent",
    "no-name": "name=(null), there was none: absent",
    "no-capability": "cap_fp=0 and its like on a file without capabilities: absent",
    "title-repeated": "a PROCTITLE that only repeats the arguments is not kept twice (compared here)",
    "word-repeated": "a word that auditd appended and that says what the document says already (compared here)",
    "word-unset": "auditd appended unset or unknown(N): it knew no name",
    # ausearch prints a number
    "argument-named": "ours names what this argument is; ausearch prints hex",
    "field-named": "ours names what this field is; ausearch prints the number",
    "address-in-hex": "the call gives an address: ours is in hex, as addresses are read",
    "value-newer": "ours has a name of newer or rarer flags, options and families; ausearch 3.0.9 has none, or leaves the bit out",
    "kernel-error": "an error of the kernel's own (restarted or traced call); ausearch: (null)(Unknown error)",
    # ausearch says something wrong
    "argument-misread": "ausearch reads the argument as what it is not (see MISREAD)",
    "call-without-argument": "ausearch reads an argument that the call does not have",
    "open-flags-of-arch": "the open flags of arm and aarch64 have other numbers than those of x86",
    "octal-as-hex": "oflag= of OPENAT2 is octal; ausearch reads it as hex",
    "renamed-flag": "0x02000000 is CLONE_NEWCGROUP since 4.6; ausearch has the name of the flag that was there before 2.6.38",
    "misspelt": "ausearch's table has a typing mistake (IGPWR)",
    "not-an-option": "a type of control messages (SCM_...), which no call sets",
    "wrong-number": "netfilter's options that are set have other names than those that are asked for",
    "negated": "ausearch puts ~ before a flag that is set",
    "kinds-mixed": "the mode of an object without a file type; ausearch prints a type 000",
    "node-without-kind": "ausearch leaves out what kind of node is made",
    "value-of-two-bits": "3 is MAP_SHARED_VALIDATE, not two kinds of mapping at once",
    "title-begins-with-nul": "the first argument is empty; ausearch loses the NUL and prints a rest of hex digits behind",
    "short-address": "all the bytes that name the peer are there; ausearch wants the padding too",
    "unnamed": "two bytes are the family alone: an unnamed socket, or AF_UNSPEC, which disconnects",
    "nul-in-address": "an abstract name may hold NULs; ausearch ends it there",
    # the log says no name
    "name-unknown": "the log has no name for the id; ausearch asks the machine it runs on, which need not be the one that wrote",
}

# (call, argument): ausearch 3.0.9 has no table for it; what it is, from the call's manual page.
NAMED = set("""accept4:a3 clone:a0 dup3:a2 epoll_create1:a0 eventfd2:a1 faccessat2:a3 fcntl:a2 fcntl64:a2 fsconfig:a1 fsmount:a1
fsmount:a2 fsopen:a1 futex:a1 ipc:a0 keyctl:a0 madvise:a2 memfd_create:a1 mlock2:a2 mlockall:a0 mmap2:a2 mmap2:a3 move_mount:a0
move_mount:a2 mremap:a3 msgget:a1 msgctl:a1 semctl:a2 msync:a2 newfstatat:a3 open:a2 openat:a3 open_tree:a0 open_tree:a2 pipe2:a1 prctl:a1 prlimit64:a1
quotactl:a0 reboot:a2 seccomp:a0 seccomp:a1 semget:a2 shmat:a2 shmctl:a1 shutdown:a1 socketpair:a0 socketpair:a1 socketpair:a2
statx:a0 statx:a2 statx:a3 symlinkat:a1 umask:a0 unlinkat:a2 utimensat:a3 wait4:a2 waitid:a0 waitid:a3 chown:a1 chown32:a1 fchown:a1
fchown:a2 fchown32:a1 lchown:a1 lchown32:a1 setreuid:a1 personality:a0 fchownat:a3 execveat:a0 name_to_handle_at:a0
inotify_add_watch:a2""".split())
# (call, argument) that ausearch takes for something else, and what it is.
MISREAD = {
    "fchownat:a1": "a pointer to the path, not a user",
    "readlinkat:a2": "a pointer to the buffer, not a directory",
    "fcntl:a2": "of F_SETOWN: a process, not a user",
    "socket:a2": "a protocol belongs to the family; ausearch takes all for those of IP",
    "mount:a3": "the upper half is a magic number that old programs put there",
    "prctl:a0": "PR_MPX_... are gone since 5.4 and are numbers like others",
    "mmap:a2": "of i386: a pointer to all arguments",
    "mmap:a3": "of i386: a pointer to all arguments", "fcntl64:a2": "of F_SETOWN: a process, not a user",
}
NO_SUCH_ARGUMENT = {"faccessat:a3"}
SET_NUMBERS = {b"IPT_SO_SET_REPLACE", b"IPT_SO_SET_ADD_COUNTERS", b"IP6T_SO_SET_REPLACE", b"IP6T_SO_SET_ADD_COUNTERS"}
# Arguments that are ids.
IDS = re.compile(r"set(re|res|fs)?[ug]id(32)?:a[012]|[fl]?chown(32)?:a[12]|fchownat:a[23]")
# Names that ours adds to what ausearch prints, or has where it prints `unknown-...` or a bare number.
NEWER = re.compile(rb"SIGRTMIN.*|O_LARGEFILE|O_TMPFILE|PROT_GROWS(DOWN|UP)|MSG_ZEROCOPY|MSG_CMSG_COMPAT|SOCK_(CLOEXEC|NONBLOCK|PACKET)|AF_(UNSPEC"
                   rb"|IB|MPLS|MCTP|XDP|SMC|KCM|QIPCRTR)|CLONE_(NEWTIME|PIDFD|NEWCGROUP|IO)|F_OFD_\w+|F_[GS]ET_(FILE_)?RW_HINT|F_(ADD|GET)_SEALS|IP_\w+|IPV6_\w+|IPT_\w+|MCAST_\w+"
                   rb"|SO_\w+|TCP_\w+|UDP_\w+|PACKET_\w+|NETLINK_\w+|SOL_\w+|PR_\w+|BPF_\w+|TIOC\w+|SIOC\w+|FIO\w+|BLK\w+|KD\w+|TUN\w+|TCG\w+"
                   rb"|READ_IMPLIES_EXEC|UNAME26|PER_\w+|ADDR_\w+|PTRACE_\w+|IPPROTO_\w+|MAP_\w+|MS_\w+|RENAME_\w+|SCHED_\w+|SEEK_\w+|entry|watch"
                   rb"|uring_exit|0x[0-9a-f]+|SECCOMP_RET_KILL_\w+|checkpoint_restore|perfmon|bpf")
# Fields that ausearch prints as they are, with what ours says: by the kernel's headers.
FIELDS = {
    "frootid": {b"0": b"root"}, "cap_frootid": {b"0": b"root"}, "old-ses": {b"4294967295": b"unset"},
    "oses": {b"4294967295": b"unset"}, "audit_enabled": {b"0": b"disabled", b"1": b"enabled", b"2": b"immutable"},
    "audit_failure": {b"0": b"silent", b"1": b"printk", b"2": b"panic"}, "permissive": {b"0": b"no", b"1": b"yes"},
    "enforcing": {b"0": b"permissive", b"1": b"enforcing"}, "old_enforcing": {b"0": b"permissive", b"1": b"enforcing"},
    "enabled": {b"0": b"no", b"1": b"yes"}, "old-enabled": {b"0": b"no", b"1": b"yes"}, "fan_type": {b"0": b"none", b"1": b"rule"},
    "fan_info": {b"1F": b"31"}, "subj_trust": {b"2": b"unknown"}, "obj_trust": {b"1": b"yes"},
    "uring_op": {b"%d" % n: b"IORING_OP_" + name for n, name in (
        (0, b"NOP"), (1, b"READV"), (9, b"SENDMSG"), (13, b"ACCEPT"), (18, b"OPENAT"), (22, b"READ"), (28, b"OPENAT2"),
        (40, b"MSG_RING"))},
}


# Notation: names are compared without these prefixes, in small letters, - as _, and by these other spellings.
PREFIXES = re.compile(rb"^(af|ipproto|seccomp_ret|nfproto|fan|eth_p|sys)_")
SAME = {b"local": b"unix", b"__o_tmpfile": b"o_tmpfile", b"ipv6_icmp": b"icmpv6", b"ipcomp": b"comp",
        b"ptrace_peekuser": b"ptrace_peekusr", b"ptrace_pokeuser": b"ptrace_pokeusr", b"sched_other": b"sched_normal",
        b"filesystem": b"fs", b"user_notify": b"user_notif", b"audit_netlink_multicast": b"audit_nlgrp_readlog",
        b"kill": b"kill_thread", b"tiocinq": b"fionread"}
NOTHING = {b"map_file", b"0x0", b"sig0"}  # names of 0
WHOLE = ({b"o_dsync", b"__o_sync"}, {b"o_sync"}), ({b"o_directory", b"o_tmpfile"}, {b"o_tmpfile"})


def words_of(text):
    """The set of names in a meaning, without the prefixes that ausearch leaves out and in small letters."""
    names = (PREFIXES.sub(b"", word.lower().replace(b"-", b"_")) for word in re.split(rb"[|,]", text))
    found = {SAME.get(name, name) for name in names} - NOTHING
    for parts, whole in WHOLE:
        found = found - parts | whole if parts <= found else found
    return found


class Difference(Exception):
    pass


# ---- their side

FIELD = re.compile(rb"(?:^| )([^ =]+)=(?:\"([^\"]*)\"|'|([^ ]*))")
HEADER = re.compile(rb"(?:node=(\S+) )?type=(\S+) msg=audit\((\d+)\.(\d{3}):(\d+)\):\s*(.*)", re.S)
HEX = re.compile(rb"(?:[0-9A-F]{2})+")
STRINGS = set(b"vm sw exe cwd key cmd dir grp name comm path data acct file peer kmod watch ocomm label device cgroup old-fs "
              b"new-fs target profile srcname old-disk new-disk root_dir proctitle old-chardev new-chardev "
              b"invalid_context".split())
ARGUMENT = re.compile(rb"a\d+(?:\[\d+\])?")


def read_fields(kind, text):
    """(name, how it was written, text, is a program's): of the body of a record or the inside of msg='...'."""
    found, at = [], 0
    inside = text.find(b"msg='")
    body = text if inside < 0 or kind.startswith(b"EXEC") else text[:inside]
    for m in FIELD.finditer(body):
        found.append((m[1].lstrip(b"("), b'"' if m[2] is not None else b"", m[2] if m[2] is not None else m[3], False))
    if len(body) < len(text):
        end = text.rfind(b"'")
        program = text[inside + 5:end if end > inside + 4 else len(text)]
        for m in FIELD.finditer(program):
            found.append((m[1].lstrip(b"("), b'"' if m[2] is not None else b"", m[2] if m[2] is not None else m[3], True))
    return found


def decoded(kind, name, quote, value):
    """The bytes that a field stands for; None for (null)."""
    if quote:
        return value
    if value == b"(null)":
        return None
    is_text = ARGUMENT.fullmatch(name) if kind == b"EXECVE" else name in STRINGS
    if is_text and HEX.fullmatch(value):
        return bytes.fromhex(value.decode())
    return value


class Raw:
    """A line of ausearch --raw."""
    __slots__ = ("kind", "body", "fields", "words")

    def __init__(self, kind, rest):
        self.kind = kind
        self.body, _, words = rest.partition(b"\x1d")
        self.fields = read_fields(kind, self.body)
        self.words = [(m[1], m[2] if m[2] is not None else m[3]) for m in FIELD.finditer(words)] if words else []
        if b"SADDR={" in words:
            inner = words[words.index(b"SADDR={") + 7:]
            self.words = [(b"SADDR", inner[:inner.rindex(b"}")].strip() if b"}" in inner else inner)]


def read_raw(output):
    events = collections.OrderedDict()
    for line in output.split(b"\n"):
        m = HEADER.match(line)
        if m:
            events.setdefault((int(m[3]) * 1000 + int(m[4]), int(m[5])), []).append(Raw(m[2], m[6]))
        elif line and not line.startswith(b"----"):
            raise Difference(f"a line of ausearch --raw is no record: {line[:200]!r}")
    return events


SHOWN = re.compile(rb"(?:node=\S+ )?type=(\S+) msg=audit\((\S+ \S+)\.(\d{3}):(\d+)\) : ?(.*)", re.S)


def read_interpreted(output):
    events, seconds = {}, {}
    text = output.split(b"\ntype=")
    for i, line in enumerate(text):
        line = line if i == 0 else b"type=" + line
        if line.startswith(b"----\n"):
            line = line[5:]
        if line.endswith(b"\n----"):
            line = line[:-5]
        m = SHOWN.match(line.rstrip(b"\n"))
        if not m:
            if line.strip(b"-\n"):
                raise Difference(f"a line of ausearch -i is no record: {line[:200]!r}")
            continue
        if m[2] not in seconds:
            seconds[m[2]] = calendar.timegm(time.strptime(m[2].decode(), "%m/%d/%y %H:%M:%S"))
        events.setdefault((seconds[m[2]] * 1000 + int(m[3]), int(m[4])), []).append((m[1], m[5]))
    return events


# ---- our side

ESCAPE = re.compile(rb"\\(\\|x[0-9a-f]{2})")


def plain(text, is_escaped):
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else str(text).encode()
    return ESCAPE.sub(lambda m: b"\\" if m[1] == b"\\" else bytes([int(m[1][1:], 16)]), data) if is_escaped else data


class Ours:
    """A record of our document: values and meanings by name, lists of bytes."""
    __slots__ = ("kind", "values", "meanings", "untrusted", "used")

    def __init__(self, record, is_escaped):
        self.kind = record["type"].encode()
        own = {"type", "raw", "untrusted", "interpreted"}
        each = lambda v: [plain(x, is_escaped) for x in (v if isinstance(v, list) else [v])]
        self.values = {plain(k, is_escaped): each(v) for k, v in record.items() if k not in own}
        self.meanings = {plain(k, is_escaped): each(v) for k, v in record.get("interpreted", {}).items()}
        for name, number in record.get("raw", {}).items():
            name = name.encode()
            self.meanings[name], self.values[name] = self.values[name][:1], [number.encode()]
        self.untrusted = {plain(k, is_escaped) for k in record.get("untrusted", [])}
        self.used = collections.Counter()

    def take(self, name):
        """The next value of that name and what it means; None at the end."""
        values = self.values.get(name)
        n = self.used[name]
        if values is None or n >= len(values):
            return None, None
        self.used[name] += 1
        meaning = self.meanings.get(name)
        meaning = meaning[n] if meaning and n < len(meaning) else values[n]
        return values[n], meaning


def read_ours(output):
    events = {}
    for line in output.splitlines():
        e = json.loads(line)
        at = e["@timestamp"]
        stamp = calendar.timegm(time.strptime(at[:19], "%Y-%m-%dT%H:%M:%S")) * 1000 + int(at[20:23])
        is_escaped = "escaped" in e.get("exectrail", {}).get("flags", ())
        records = [Ours(r, is_escaped) for r in e["auditd"]["records"]] if "auditd" in e else []
        events.setdefault((stamp, e["event"].get("sequence")), []).append((e, records))
    return events


# ---- notation

OCTAL = {bytes([i]): b"\\%03o" % i for i in range(32)}
UNUSUAL = re.compile(rb"[\x00-\x1f]")


def shown(text):
    """ausearch writes control characters as \\ooo."""
    return UNUSUAL.sub(lambda m: OCTAL[m[0]], text)


FAMILY = {b"unix": b"local"}


def address_in_their_words(text):
    family, _, rest = text.partition(b" ")
    if family == b"family":
        return b"unknown-family(%s)" % rest
    name = FAMILY.get(family, family)
    if family in (b"inet", b"inet6") and b":" in rest and b"bytes)" not in rest:
        host, _, port = rest.rpartition(b":")
        return b"{ saddr_fam=%s laddr=%s lport=%s }" % (name, host.strip(b"[]"), port)
    if family == b"unix" and rest == b"(unnamed)":
        return b"{ saddr_fam=local unnamed socket }"
    if family == b"unix":
        return b"{ saddr_fam=local path=%s }" % rest.lstrip(b"@")
    if b"bytes)" in rest:
        return b"{ saddr_fam=%s sockaddr len too short }" % name
    if family == b"netlink":
        return b"{ saddr_fam=netlink nlnk-fam=16 nlnk-pid=%s }" % re.match(rb"pid=(\d+)", rest)[1]
    return b"{ saddr_fam=%s (unsupported) }" % name


def in_their_words(kind, name, value, meaning):
    """What ausearch -i would write if it meant the same. value is what the record held, decoded; meaning is ours."""
    if name in (b"dev", b"rdev"):
        return value  # ours in decimal is one more thing
    if name == b"saddr" and kind == b"SOCKADDR":
        return address_in_their_words(meaning)
    if name == b"key":
        return b" key=".join(shown(k) for k in value.split(b"\x01"))
    if kind == b"SYSCALL" and name in (b"a0", b"a1", b"a2", b"a3") and meaning == value:
        return b"0x" + value
    if name == b"per" and meaning.startswith(b"PER_"):
        return meaning
    return shown(meaning)


# ---- comparison

class Comparison:
    def __init__(self, show=0):
        self.classes = collections.Counter()
        self.examples = {}
        self.unlisted = []
        self.show = show
        self.n_events = self.n_records = self.n_fields = self.n_equal = 0

    def put(self, name, example):
        self.classes[name] += 1
        if name not in CLASSES:
            self.unlisted.append((name, example))
        self.examples.setdefault(name, []) if self.show == 0 else None
        if len(self.examples.setdefault(name, [])) < max(self.show, 1):
            self.examples[name].append(example)

    # -- raw

    def raw_field(self, event, raw, ours, field, got):
        kind, (name, quote, value, is_program) = raw.kind, field
        want = decoded(kind, name, quote, value)
        if got == want and got is not None:
            if is_program != (name in ours.untrusted) and is_program:
                return "program-not-named"
            return None
        if got is None:
            action = event["event"].get("action")
            if kind == b"SYSCALL" and name in (b"a0", b"a1", b"a2", b"a3") and action == "executed":
                return "pointer"
            if value in (b"4294967295", b"-1") and name in (b"auid", b"ses"):
                return "unset"
            if want is None:
                return "no-key" if name == b"key" else "no-name"
            if kind == b"PATH" and name.startswith(b"cap_") and int(value, 16) == 0:
                return "no-capability"
            if kind == b"PROCTITLE" and action == "executed":
                return "title-repeated" if self.repeats(event, want) else "title-not-repeated"
        if name == b"key" and want is not None and got == want.replace(b"\x01", b" "):
            return None
        return "raw-differs"

    @staticmethod
    def repeats(event, title):
        is_escaped = "escaped" in event.get("exectrail", {}).get("flags", ())
        args = b"\0".join(plain(a, is_escaped) for a in event["process"].get("args", ()))
        return args.startswith(title)

    def arguments(self, event, raws):
        """argc and the arguments of all EXECVE records, put together here, against process.args."""
        parts, n_least = {}, 0
        for raw in raws:
            for name, quote, value, _ in raw.fields:
                m = re.fullmatch(rb"a(\d+)(?:\[(\d+)\])?", name)
                if m:
                    parts.setdefault(int(m[1]), {})[int(m[2] or 0)] = (quote, value)
        theirs = []
        for i in sorted(parts):
            pieces = [parts[i][k] for k in sorted(parts[i])]
            whole = b"".join(v for _, v in pieces)
            is_hex = not pieces[0][0] and HEX.fullmatch(whole)
            theirs.append(bytes.fromhex(whole.decode()) if is_hex else whole)
        is_escaped = "escaped" in event.get("exectrail", {}).get("flags", ())
        ours = [plain(a, is_escaped) for a in event.get("process", {}).get("args", ())]
        self.n_fields += len(theirs)
        if ours != theirs:
            self.put("raw-arguments", (event["event"]["id"], theirs[:5], ours[:5]))

    def words(self, event, raw, ours):
        for name, value in raw.words:
            self.n_fields += 1
            got, _ = ours.take(name)
            if got is not None:
                if got != value:
                    self.put("raw-word", (event["event"]["id"], name, value, got))
                continue
            if value == b"unset" or value.startswith(b"unknown("):
                self.put("word-unset", value)
            elif value in ours.meanings.get(name.lower(), ()):
                self.put("word-repeated", value)
            else:
                self.put("raw-word-lost", (event["event"]["id"], name, value, ours.meanings))

    # -- interpreted

    def interpreted_line(self, event, raw, line, meanings):
        at = 0
        fields = raw.fields
        for i, (name, quote, value, is_program) in enumerate(fields):
            start = line.find(name + b"=", at)
            if start < 0 or (start > at + 1 and not self.may_skip(line[at:start])):
                self.put("line-not-understood", (raw.kind, name, line[at:at + 120]))
                return
            at = start + len(name) + 1
            after = fields[i + 1][0] + b"=" if i + 1 < len(fields) else None
            expected = meanings[i]
            self.n_fields += 1
            if expected is not None and line.startswith(expected, at):
                end = at + len(expected)
                tail = line[end:end + 3 + len(after or b"")]
                if (after is None and tail.strip(b" ')") == b"") or (after and after in tail) or \
                        (after and self.may_skip(line[end:line.find(after, end)] if line.find(after, end) >= 0 else b"x" * 99)):
                    self.n_equal += 1
                    at = end
                    continue
            end = len(line) if after is None else line.find(b" " + after, at)
            if end < 0:
                end = line.find(after, at)
            if end < 0:
                self.put("line-not-understood", (raw.kind, name, line[at:at + 120]))
                return
            theirs = line[at:end].rstrip(b" ")
            at = end
            if theirs == expected:
                self.n_equal += 1
                continue
            difference = self.classify(event, raw, name, quote, value, theirs, expected)
            if difference is None:
                self.n_equal += 1
                continue
            self.put(difference, (raw.kind, name, value[:80], theirs[:160], (expected or b"")[:160]))

    @staticmethod
    def may_skip(between):
        """Words without a name, msg=' and the like between two fields."""
        return len(between) < 64 and b"=" not in between.replace(b"msg='", b"").replace(b"msg=", b"")

    def classify(self, event, raw, name, quote, value, theirs, ours):
        """None: the same in another notation; else a class."""
        kind, text = raw.kind, name.decode(errors="replace")
        if ours is None:
            return "ours-missing"
        both_unknown = re.fullmatch(rb"unknown-[\w-]+\((?:0x)?([0-9a-f]+)\)", theirs)
        if both_unknown and (ours in (value, b"0x" + value) or re.fullmatch(rb"family \d+", ours)):
            return None
        if words_of(theirs) == words_of(ours):
            return None
        if quote and theirs.strip(b'"') == ours:
            return None
        if theirs == b"unknown(%s)" % value and ours == value:
            return "name-unknown"
        if text == "data" and kind in (b"TTY", b"USER_TTY") and re.sub(rb'"|,(?=[<"])|(?<=[">]),', b"", theirs) == ours:
            return None
        if kind == b"SYSCALL" and re.fullmatch("a[0-3]", text):
            return self.classify_argument(event, text, value, theirs, ours)
        if text in FIELDS and theirs == value and FIELDS[text].get(value) == ours:
            return "field-named"
        if text == "exit" and theirs == value and ours == b"0x%x" % int(value):
            return "address-in-hex"
        if text == "exit" and theirs.startswith(b"(null)(Unknown error") and re.fullmatch(rb"ERESTART\w+|ENO\w+", ours):
            return "kernel-error"
        if theirs == b"SIG0" and value == b"0":
            return None
        if theirs == b"IGPWR" and ours == b"SIGPWR":
            return "misspelt"
        if text == "mode" and theirs == b"000," + ours.lstrip(b"0"):
            return "kinds-mixed"
        if text == "oflag" and kind == b"OPENAT2":
            return "octal-as-hex"
        if text == "code" and theirs == b"kill" and value == b"0x80000000" and ours == b"SECCOMP_RET_KILL_PROCESS":
            return "value-newer"
        if kind == b"SOCKETCALL" and theirs == b"0x" + value:
            return None if ours == value else "argument-named"
        if both_unknown and all(NEWER.fullmatch(w) for w in ours.split(b"|")):
            return "value-newer"
        if kind == b"PROCTITLE" and value.startswith(b"00"):
            return "title-begins-with-nul" if theirs.startswith(ours.lstrip(b" ")) else "title-differs"
        if text == "saddr":
            return self.classify_address(value, theirs, ours)
        return "interpreted-differs"

    @staticmethod
    def classify_address(value, theirs, ours):
        if len(value) == 4 and (b"too short" in theirs or theirs == b"unknown-family(0)"):
            return "unnamed" if value in (b"0100", b"0000") else None if b"too short" in ours else "address-differs"
        if b"too short" in theirs and b"too short" in ours:
            return None
        if theirs == b"unknown-family(0)" and ours == b"{ saddr_fam=unspec (unsupported) }":
            return "unnamed"
        if b"too short" in theirs and (ours.startswith(b"{ saddr_fam=inet laddr=") or value == b"010000"):
            return "short-address"
        if value.startswith(b"010000") and b"\\x00" in ours and theirs == ours.split(b"\\x00")[0] + b" }":
            return "nul-in-address"
        return "address-differs"

    @staticmethod
    def classify_argument(event, text, value, theirs, ours):
        data = event["auditd"]["data"]
        call = data["syscall"] + ":" + text
        if call in NO_SUCH_ARGUMENT and ours == b"0x" + value:
            return "call-without-argument"
        if b"IGPWR" in theirs:
            return "misspelt"
        if theirs == b"CLONE_STOPPED":
            return "renamed-flag"
        if b"|~" in theirs and theirs.replace(b"~", b"") == ours:
            return "negated"
        if call == "mmap:a3" and ours.startswith(b"MAP_SHARED_VALIDATE"):
            return "value-of-two-bits"
        if call.startswith("mknod") and (ours.endswith(theirs.lstrip(b"0")) or theirs == b"000," + ours):
            return "node-without-kind"
        if data["arch"] in ("aarch64", "arm") and theirs.startswith(b"O_") and ours.startswith(b"O_"):
            return "open-flags-of-arch"
        if theirs == b"0x" + value and call in NAMED:
            return "argument-named"
        more, less = words_of(ours) - words_of(theirs), words_of(theirs) - words_of(ours)
        lost = [w for w in less if not w.startswith((b"unknown", b"0x"))]
        if more and not lost and all(NEWER.fullmatch(w) for w in ours.split(b"|") if words_of(w) <= more):
            return "value-newer"
        if IDS.fullmatch(call) and ours == b"0x" + value:
            return "name-unknown"
        if call.endswith("sockopt:a2") and theirs.startswith(b"SCM_") and ours == b"0x" + value:
            return "not-an-option"
        if re.match(rb"IP6?T_SO_GET", theirs) and ours in (b"0x" + value, theirs.replace(b"GET", b"SET"), *SET_NUMBERS):
            return "wrong-number"
        if call in MISREAD:
            return "argument-misread"
        return "argument:" + call

    def record(self, event, raw, ours, line):
        self.n_records += 1
        meanings, is_exec_args = [], raw.kind == b"EXECVE"
        for field in raw.fields:
            name, quote, value, is_program = field
            want = decoded(raw.kind, name, quote, value)
            if is_exec_args:
                meanings.append(shown(want) if want is not None else b"(null)")
                continue
            self.n_fields += 1
            got, meaning = ours.take(name)
            difference = self.raw_field(event, raw, ours, field, got)
            if difference:
                self.put(difference, (event["event"]["id"], raw.kind, name, value[:100], got and got[:100]))
            meanings.append(self.meaning_of(raw, name, want, got, meaning))
        self.words(event, raw, ours)
        if line is not None:
            self.interpreted_line(event, raw, line, meanings)

    @staticmethod
    def meaning_of(raw, name, want, got, meaning):
        if want is None:
            return b"(null)"
        if got is not None:
            return in_their_words(raw.kind, name, want, meaning)
        if name in (b"auid", b"ses"):
            return b"unset"
        if raw.kind == b"PROCTITLE":
            return shown(want.replace(b"\0", b" "))
        if name in (b"cap_fp", b"cap_fi"):
            return b"none"
        if name in (b"a0", b"a1", b"a2", b"a3"):
            return b"0x" + want
        return shown(want)

    def event(self, key, raws, lines, documents):
        self.n_events += 1
        if len(documents) != 1:
            self.put("event-not-once", (key, len(documents), [r.kind for r in raws]))
            return
        event, records = documents[0]
        by_kind = {}
        for r in records:
            by_kind.setdefault(r.kind, []).append(r)
        shown_by_kind = {}
        for kind, line in reversed(lines):  # ausearch -i has the records of an event backwards
            shown_by_kind.setdefault(kind, []).append(line)
        if collections.Counter(k for k, _ in lines) != collections.Counter(r.kind for r in raws):
            self.put("lines-lost", (key, [k for k, _ in lines], [r.kind for r in raws]))
        for raw in raws:
            mine, theirs = by_kind.get(raw.kind), shown_by_kind.get(raw.kind)
            if not mine:
                self.put("record-lost", (key, raw.kind))
                continue
            self.record(event, raw, mine.pop(0), theirs.pop(0) if theirs else None)
        if sum(map(len, by_kind.values())):
            self.put("record-too-many", (key, [k for k, v in by_kind.items() if v]))
        if any(r.kind == b"EXECVE" for r in raws):
            self.arguments(event, [r for r in raws if r.kind == b"EXECVE"])

    def text(self, text):
        with tempfile.NamedTemporaryFile(prefix="exectrail-test-", suffix=".log") as file:
            file.write(text)
            file.flush()
            env = dict(os.environ, TZ="UTC", LC_ALL="C")
            run = lambda *words: subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                                stderr=subprocess.DEVNULL, env=env).stdout
            ours = read_ours(run(EXECTRAIL, "decode", "--records", "--interpret", "--unmasked", file.name))
            raws = read_raw(run("ausearch", "--raw", "-if", file.name))
            lines = read_interpreted(run("ausearch", "-i", "-if", file.name))
        if not raws:
            raise Difference("ausearch gave nothing")
        for key, records in raws.items():
            self.event(key, records, lines.get(key, []), ours.pop(key, []))
        for key, left in ours.items():
            self.put("event-of-ours-alone", (key, left[0][0]["event"].get("action")))

    def table(self):
        rows = [f"{self.n_events} events, {self.n_records} records, {self.n_fields} fields; {self.n_equal} interpretations alike"]
        for name, n in self.classes.most_common():
            rows.append(f"  {n:9}  {name:18} {CLASSES.get(name, 'NOT LISTED')}")
            for example in self.examples.get(name, [])[:self.show if name in CLASSES else max(self.show, 3)]:
                rows.append(f"             {example}")
        return "\n".join(rows)


STAMP = re.compile(rb"audit\((\d+\.\d+:\d+)\)")


def pieces(stream, size=PIECE_BYTES):
    """Text in pieces that end before the first record of an event, where the next lines let that be seen."""
    rest = b""
    while True:
        data = stream.read(size)
        if not data:
            if rest:
                yield rest
            return
        rest += data
        end = rest.rfind(b"\ntype=SYSCALL")
        if len(rest) >= size and end > 0:
            yield rest[:end + 1]
            rest = rest[end + 1:]


def open_text(path):
    path = pathlib.Path(path)
    if path.suffix == ".zst":
        return subprocess.Popen(["zstd", "-dcq", str(path)], stdout=subprocess.PIPE).stdout
    return open(path, "rb")


def compare(path, limit=None, show=0, comparison=None):
    comparison = comparison or Comparison(show)
    with open_text(path) as stream:
        if limit:
            text = stream.read(limit)
            comparison.text(text[:text.rindex(b"\ntype=SYSCALL") + 1] if len(text) == limit else text)
            return comparison
        for piece in pieces(stream):
            comparison.text(piece)
    return comparison


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--show", type=int, default=0, help="examples of each class")
    parser.add_argument("--bytes", type=int, help="of each file only so many")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    failed = False
    for name in args.files:
        comparison = compare(name, args.bytes, args.show)
        print(f"{name}: {comparison.table()}", flush=True)
        failed |= bool(comparison.unlisted)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
