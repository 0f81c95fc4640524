"""Queries evaluated the slow way: a loop over the documents that `exectrail decode` prints.

Nothing here comes from the engine: queries are made as trees of this module's own, printed as text for the engine, and
evaluated on fields taken out of the documents. docs/query.md is the specification. Texts are bytes throughout.
"""
import datetime
import json
import random
import re

from actors import exectrail, unescape

# name in queries: (path in the document, kind)
FIELDS = {
    "time": (("@timestamp",), "time"), "serial": (("event", "sequence"), "number"), "id": (("event", "id"), "text"),
    "action": (("event", "action"), "text"), "outcome": (("event", "outcome"), "text"), "type": (("event", "code"), "text"),
    "category": (("event", "category"), "list"), "host": (("host", "name"), "text"), "host.id": (("host", "id"), "text"),
    "uid": (("user", "id"), "number"), "user": (("user", "name"), "text"), "euid": (("user", "effective", "id"), "number"),
    "auid": (("user", "audit", "id"), "number"), "login": (("user", "audit", "name"), "text"),
    "groupname": (("group", "name"), "text"), "ses": (("auditd", "session"), "number"), "pid": (("process", "pid"), "number"),
    "ppid": (("process", "parent", "pid"), "number"), "exe": (("process", "executable"), "text"),
    "comm": (("process", "name"), "text"), "args": (("process", "args"), "list"), "argc": (("process", "args_count"), "number"),
    "cmd": (("process", "command_line"), "text"), "cwd": (("process", "working_directory"), "text"),
    "tty": (("auditd", "data", "tty"), "text"), "exit": (("auditd", "data", "exit"), "number"),
    "success": (("auditd", "data", "success"), "text"), "key": (("auditd", "key"), "list"), "path": (("file", "path"), "list"),
    "syscall": (("auditd", "data", "syscall"), "text"), "script": (("process", "script"), "text"),
}
LONG_NAMES = {"user": "user.name", "exe": "process.executable", "uid": "user.id", "time": "@timestamp", "key": "auditd.key"}


def milliseconds(text):
    return round(datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000)


def stamp(ms):
    return datetime.datetime.fromtimestamp(ms / 1000, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def load(path, host):
    """Events of a file as decode tells them: a dict of fields each, absent ones left out."""
    events = []
    for line in exectrail("decode", "--host", host, path).stdout.splitlines():
        document = json.loads(line)
        escaped = "escaped" in document.get("exectrail", {}).get("flags", [])

        def text(value):
            return unescape(str(value)) if escaped else str(value).encode()
        event = {}
        for name, (path_in, kind) in FIELDS.items():
            value = document
            for step in path_in:
                value = value.get(step) if isinstance(value, dict) else None
            if value is None:
                continue
            event[name] = (milliseconds(value) if kind == "time" else int(value) if kind == "number" else
                           [text(item) for item in value] if kind == "list" else text(value))
        event[""] = {name: [text(item) for item in (value if isinstance(value, list) else [value])]
                     for name, value in document.get("auditd", {}).get("data", {}).items()}
        events.append(event)
    return events


# ------------------------------------------------------------------------------------------------ query language


def bare(value):
    return re.sub(rb'([\\():<>"*{}/| ])', rb"\\\1", value)


def quoted(value):
    return b'"' + value.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


def can_be_bare(value):
    return (value and not re.search(rb"[\t\r\n]", value) and value.lower() not in (b"and", b"or", b"not")
            and not value.lower().startswith(b"unset"))


def spelled(value, dice):
    return bare(value) if can_be_bare(value) and dice.random() < 0.5 else quoted(value)


def any_text(values, test):
    return any(test(v) for v in values)


def texts_of(value):
    return value if isinstance(value, list) else [str(value).encode() if isinstance(value, int) else value]


class Leaf:
    def __init__(self, text, name, test):
        self.text, self.name, self.test = text, name, test

    def matches(self, row):
        value = row.get(self.name)
        return value is not None and self.test(value)


class Join:
    def __init__(self, kind, parts):
        self.kind, self.parts = kind, parts
        inner = [part.text if isinstance(part, Leaf) else b"(" + part.text + b")" for part in parts]
        self.text = b"not " + inner[0] if kind == "not" else (b" " + kind.encode() + b" ").join(inner)

    def matches(self, row):
        if self.kind == "not":
            return not self.parts[0].matches(row)
        return (all if self.kind == "and" else any)(part.matches(row) for part in self.parts)


class All:
    text = b"*"

    def matches(self, row):
        return True


def glob_test(pieces, begins, ends):
    """Stars stand between the pieces, and before or behind them unless it begins or ends with one."""
    low = [piece.lower() for piece in pieces]

    def test(text):
        text = text.lower()
        if begins and not text.startswith(low[0]) or ends and not text.endswith(low[-1]):
            return False
        at = 0
        for piece in low:
            at = text.find(piece, at)
            if at < 0:
                return False
            at += len(piece)
        return True
    return test


class Maker:
    """Random queries whose values come from the events."""

    def __init__(self, events, seed):
        self.events = events
        self.dice = random.Random(seed)
        self.kinds = {name: kind for name, (_, kind) in FIELDS.items()}

    def value(self, name, rows):
        for _ in range(6):
            row = self.dice.choice(rows) if rows else {}
            if row.get(name) not in (None, []):
                value = row[name]
                value = self.dice.choice(value) if isinstance(value, list) else value
                if isinstance(value, int) or len(value) < 2000:
                    return value
        return b"root" if self.kinds.get(name) in ("text", "list") else 0

    def spelled_name(self, name):
        if name in LONG_NAMES and self.dice.random() < 0.2:
            name = LONG_NAMES[name]
        return (name.upper() if self.dice.random() < 0.05 else name).encode()

    def piece(self, text):
        begin = self.dice.randrange(len(text) + 1)
        return text[begin:begin + self.dice.randrange(1, 8)]

    def glob(self, name, text):
        dice = self.dice
        cut = dice.randrange(len(text) + 1)
        head, tail = text[:cut][-12:] or b"a", text[cut:][:12]
        form = dice.randrange(4)
        if re.search(rb"[\t\r\n]", head + tail):
            head, tail = b"a", b"o"
        if form == 0:
            return bare(head) + b"*", glob_test([head], True, False)
        if form == 1:
            return b"*" + bare(head), glob_test([head], False, True)
        if form == 2:
            return b"*" + bare(head) + b"*" + bare(tail) + b"*", glob_test([head, tail], False, False)
        return b"*" + bare(head) + b"*", glob_test([head], False, False)

    def regex(self, text):
        dice = self.dice
        piece = re.sub(rb"[^0-9A-Za-z_.=-]", b".", self.piece(text)) or b"o"
        literal = piece.replace(b".", rb"\.") if dice.random() < 0.3 else piece
        one = re.sub(rb"[^0-9A-Za-z]", b"o", piece)[:1]
        form = dice.randrange(7)
        expression = [literal, b"^" + literal, literal + b"$", b"(" + literal + b"|root)", one + b".?[a-n.]*" + one,
                      b"[0-9]{2,3}" + one, rb"\w\s*" + literal][form]
        expression = expression.replace(b" ", rb"\s")
        compiled = re.compile(re.sub(rb"(?<!\\)\$$", rb"\\Z", expression), re.I | re.S)
        return b"/" + expression + b"/", lambda value: compiled.search(value) is not None

    def leaf(self, names, rows):
        dice = self.dice
        name = dice.choice(names)
        kind = self.kinds[name]
        if dice.random() < 0.07:
            return Leaf(self.spelled_name(name) + b":*", name, lambda value: True)
        if kind in ("number", "time"):
            return self.number_leaf(name, kind, rows)
        text = self.value(name, rows)
        if name == "cmd" and dice.random() < 0.4:
            return self.free_text(text)
        form = dice.randrange(6)
        if form == 0:
            spelling, test = self.glob(name, text)
        elif form == 1:
            spelling, test = self.regex(text)
        elif form == 2 and name != "cmd":
            return self.value_list(name, rows)
        else:
            wanted = (self.piece(text) if name == "cmd" or dice.random() < 0.1 else text) or b"root"
            wanted = wanted.swapcase() if dice.random() < 0.3 else wanted
            spelling, low = spelled(wanted, dice), wanted.lower()
            test = (lambda value: low in value.lower()) if name == "cmd" else (lambda value: value.lower() == low)
        return Leaf(self.spelled_name(name) + b":" + spelling, name, lambda value: any_text(texts_of(value), test))

    def free_text(self, text):
        piece = self.piece(text) or b"a"
        if not can_be_bare(piece) or self.dice.random() < 0.5:
            low = piece.lower()
            return Leaf(quoted(piece), "cmd", lambda value: low in value.lower())
        test = glob_test([piece, b"e"], False, False)
        return Leaf(bare(piece) + b"*e", "cmd", test)

    def value_list(self, name, rows):
        values = [self.value(name, rows) for _ in range(self.dice.randrange(2, 4))]
        lows = [v.lower() for v in values]
        text = self.spelled_name(name) + b":(" + b" or ".join(quoted(v) for v in values) + b")"
        return Leaf(text, name, lambda value: any(v.lower() in lows for v in texts_of(value)))

    def number_leaf(self, name, kind, rows):
        dice = self.dice
        number = self.value(name, rows)
        if kind == "number" and dice.random() < 0.1:
            prefix = str(number).encode()[:2]
            return Leaf(name.encode() + b":" + prefix + b"*", name, lambda value: str(value).encode().startswith(prefix))
        operator = dice.choice([":", "<", "<=", ">", ">="])
        test = {":": lambda v: v == number, "<": lambda v: v < number, "<=": lambda v: v <= number, ">": lambda v: v > number,
                ">=": lambda v: v >= number}[operator]
        spelling = f'"{stamp(number)}"' if kind == "time" else str(number)
        return Leaf(self.spelled_name(name) + f" {operator} {spelling}".encode(), name, test)

    def data_leaf(self):
        name = self.dice.choice(["op", "acct", "res", "terminal", "ver"])
        values = [v for e in self.dice.sample(self.events, min(60, len(self.events))) for v in e[""].get(name, [])]
        wanted = self.dice.choice(values) if values else b"success"
        low = wanted.lower()
        return Leaf(b"auditd.data." + name.encode() + b":" + quoted(wanted), "",
                    lambda data: any(v.lower() == low for v in data.get(name, [])))

    def query(self, names, rows, depth, whole=True):
        form = self.dice.randrange(6)
        if whole and self.dice.random() < 0.05:
            return self.data_leaf()
        if depth == 0 or form < 2:
            return self.leaf(names, rows)
        if form == 2:
            return Join("not", [self.query(names, rows, depth - 1, whole)])
        parts = [self.query(names, rows, depth - 1, whole) for _ in range(self.dice.randrange(2, 4))]
        return Join("or" if form == 3 else "and", parts)


# ------------------------------------------------------------------------------------------------ stages


def items(value):
    """What a value counts as in groups."""
    if isinstance(value, list):
        return list(dict.fromkeys(value))[:256]
    return [] if value is None else [value]


def sort_key(value):
    value = (value[0] if value else None) if isinstance(value, list) else value
    return value


def sort_rows(rows, keys):
    """keys: (name, descending), ...; absent last, both ways, the same keep their order."""
    for name, descending in reversed(keys):
        there = [row for row in rows if sort_key(row.get(name)) is not None]
        absent = [row for row in rows if sort_key(row.get(name)) is None]
        rows = sorted(there, key=lambda row: sort_key(row[name]), reverse=descending) + absent if not descending else \
            sorted(there[::-1], key=lambda row: sort_key(row[name]))[::-1] + absent
    return rows


def hashable(value):
    return tuple(value) if isinstance(value, list) else value


def combinations(row, keys):
    """keys: (column, of, bin_ms), ...: each tuple of values that the row counts for."""
    tuples = [()]
    for _, of, bin_ms in keys:
        values = items(row.get(of)) or [None]
        if bin_ms:
            values = [None if v is None else v - v % bin_ms for v in values]
        tuples = [t + (v,) for t in tuples for v in values]
    return tuples


def compute(function, values):
    """A function of the values of a group's rows, absent ones among them."""
    there = [v for v in values if v is not None]
    if function == "count":
        return len(values)
    if function in ("count_distinct", "values"):
        distinct = sorted({item for v in there for item in items(v)})
        if function == "count_distinct":
            return len(distinct)
        return [v if isinstance(v, bytes) else str(v).encode() for v in distinct[:100]] or None
    if not there:
        return None
    if function == "sum":
        return sum(there) if -2**63 <= sum(there) < 2**64 else None
    if function == "avg":
        return sum(there) / len(there)
    return min(there) if function == "min" else max(there)


def group(rows, keys, functions):
    """functions: (column, function, of), ..."""
    groups = {} if keys else {(): []}
    for row in rows:
        for values in combinations(row, keys):
            groups.setdefault(values, []).append(row)
    out = []
    for values, members in groups.items():
        row = {column: value for (column, _, _), value in zip(keys, values) if value is not None}
        for column, function, of in functions:
            value = compute(function, [member.get(of) for member in members])
            if value is not None:
                row[column] = value
        out.append(row)
    return sort_rows(out, [(column, False) for column, _, _ in keys])


class Pipe:
    """A query with stages: its text, what rows it gives, and whether they are events."""

    def __init__(self, maker):
        self.maker = maker
        self.stages = []      # (text, function from rows to rows)
        self.columns = None   # None: events
        self.names = [n for n in FIELDS if n != "host.id"]  # that may be named
        self.is_table = False
        self.filter = maker.query(self.names, maker.events, maker.dice.randrange(3)) if maker.dice.random() < 0.8 else All()

    def add(self, text, function):
        self.stages.append((text if isinstance(text, bytes) else text.encode(), function))

    def run(self, events, everything):
        rows = [event for event in events if self.filter.matches(event)]
        for _, function in self.stages:
            rows = function(rows, everything)
        return rows

    @property
    def text(self):
        return self.filter.text + b"".join(b" | " + text for text, _ in self.stages)

    def table(self, columns, kinds):
        self.columns = self.names = columns
        self.maker.kinds = dict(self.maker.kinds, **kinds)
        self.is_table = True

    def make_sort(self):
        dice = self.maker.dice
        keys = [(name, dice.random() < 0.5) for name in dice.sample(self.names, min(len(self.names), dice.randrange(1, 4)))]
        self.add("sort " + ", ".join(name + (" desc" if down else dice.choice(["", " asc"])) for name, down in keys),
                 lambda rows, _: sort_rows(rows, keys))

    def make_limit(self):
        n = self.maker.dice.choice([1, 3, 10, 50, 500])
        self.add(f"limit {n}", lambda rows, _: rows[:n])

    def make_dedup(self):
        names = self.maker.dice.sample(self.names, min(len(self.names), self.maker.dice.randrange(1, 3)))

        def dedup(rows, _):
            seen = {}
            for row in rows:
                seen.setdefault(tuple(hashable(row.get(name)) for name in names), row)
            return list(seen.values())
        self.add("dedup " + ", ".join(names), dedup)

    def make_keep(self):
        names = self.maker.dice.sample(self.names, min(len(self.names), self.maker.dice.randrange(2, 6)))
        if not self.is_table and "id" not in names:
            names[0] = "id"
        self.add("keep " + ", ".join(names), lambda rows, _: rows)
        self.names = names
        if self.is_table:
            self.columns = names

    def make_where(self, sample):
        whole = not self.is_table and all(text.split()[0] in (b"where", b"sort", b"keep") for text, _ in self.stages)
        whole = whole and not any(text.startswith(b"keep") for text, _ in self.stages)
        tree = self.maker.query(self.names, sample, self.maker.dice.randrange(3), whole)
        if "cmd" not in self.names and b'"' == tree.text[:1]:
            return
        self.add(b"where " + tree.text, lambda rows, _: [row for row in rows if tree.matches(row)])

    def make_rare(self):
        names = self.maker.dice.sample([n for n in self.names if n != "count()"] or ["-"], 1)
        if names == ["-"]:
            return

        def rare(rows, _):
            keys = [(name, name, 0) for name in names]
            return sort_rows(group(rows, keys, [("count()", "count", None)]), [("count()", False)])
        self.add("rare " + ", ".join(names), rare)
        self.table([*names, "count()"], {"count()": "number", **self.as_items(names)})

    def as_items(self, names):
        """A list that was grouped by is one text."""
        return {name: "text" for name in names if self.maker.kinds[name] == "list"}

    def make_first(self):
        name = self.maker.dice.choice(self.names)

        def first(rows, everything):
            ever = {row[name]: row["first_seen"] for row in group(everything, [(name, name, 0)], [("first_seen", "min", "time")])
                    if name in row}
            found = [row for row in group(rows, [(name, name, 0)], [("count()", "count", None)]) if name in row]
            for row in found:
                row["first_seen"] = ever[row[name]]
            return sort_rows(found, [("first_seen", True), (name, False)])
        self.add("first " + name, first)
        self.table([name, "first_seen", "count()"], {"count()": "number", "first_seen": "time", **self.as_items([name])})

    def make_stats(self):
        dice, kinds = self.maker.dice, self.maker.kinds
        keys, functions, new_kinds, text_by, text_of = [], [], {}, [], []
        for name in dice.sample(self.names, min(len(self.names), dice.choice([0, 1, 1, 1, 2, 3]))):
            if kinds[name] == "real" or (kinds[name] == "list" and any(kinds[of] == "list" for _, of, _ in keys)):
                continue
            if kinds[name] == "time" and dice.random() < 0.8:
                unit = dice.choice([("1m", 60000), ("1h", 3600000), ("1 day", 86400000), ("90s", 90000)])
                column = f"b{len(self.stages)}{len(keys)}"
                keys.append((column, name, unit[1]))
                text_by.append(f"{column} = bin({name}, {unit[0]})")
                new_kinds[column] = "time"
            else:
                keys.append((name, name, 0))
                text_by.append(name)
                new_kinds.update(self.as_items([name]))
        for i in range(dice.randrange(1, 5)):
            of = dice.choice(self.names)
            choices = {"number": ["count_distinct", "min", "max", "sum", "avg", "values"], "text": ["count_distinct", "min", "max", "values"],
                       "time": ["count_distinct", "min", "max"], "list": ["count_distinct", "values"], "real": ["min", "max"]}[kinds[of]]
            function = dice.choice(["count", "count", *choices])
            formula = "count()" if function == "count" else f"{function}({of})"
            column = f"c{len(self.stages)}{i}" if dice.random() < 0.4 else formula
            if column in [c for c, _, _ in functions] or column in [c for c, _, _ in keys]:
                continue
            functions.append((column, function, of))
            text_of.append(formula if column == formula else f"{column} = {formula}")
            new_kinds[column] = ("number" if function.startswith("count") else "list" if function == "values" else
                                 "real" if function == "avg" else kinds[of])
        if not functions:
            functions, text_of, new_kinds["n"] = [("n", "count", None)], ["n = count()"], "number"
        self.add("stats " + ", ".join(text_of) + (" by " + ", ".join(text_by) if keys else ""),
                 lambda rows, _: group(rows, keys, functions))
        self.table([c for c, _, _ in keys] + [c for c, _, _ in functions], new_kinds)


def make_pipe(events, seed):
    """A query with up to five stages."""
    maker = Maker(events, seed)
    pipe, dice = Pipe(maker), maker.dice
    for i in range(dice.choice([0, 1, 1, 2, 2, 3, 4, 5])):
        kind = dice.choice(["stats", "stats", "sort", "limit", "keep", "where", "dedup", "rare", "first"])
        if kind == "first" and any(text.split()[0] not in (b"where", b"sort", b"keep") for text, _ in pipe.stages):
            kind = "stats"
        if kind == "where":
            sample = pipe.run(events, events)[:200] if any(n not in FIELDS for n in pipe.names) else events
            names = [n for n in pipe.names if maker.kinds[n] != "real"]
            if names:
                pipe.names, back = names, pipe.names
                pipe.make_where(sample)
                pipe.names = back
        else:
            getattr(pipe, "make_" + kind)()
    return pipe


# ------------------------------------------------------------------------------------------------ answers


def shown(text):
    """A text as JSON holds it: what is no UTF-8 is escaped."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        out = ""
        while text:
            for n in (1, 2, 3, 4):
                try:
                    c = text[:n].decode()
                    out += f"\\x{text[0]:02x}" if c < " " or c == "\x7f" else "\\\\" if c == "\\" else c
                    text = text[n:]
                    break
                except UnicodeDecodeError:
                    pass
            else:
                out += f"\\x{text[0]:02x}"
                text = text[1:]
        return out


def expected(pipe, rows):
    """What the API should answer: rows of a table, or ids of events."""
    if not pipe.is_table:
        return [row["id"].decode() for row in rows]

    def cell(column, value):
        if value is None:
            return None
        if isinstance(value, list):
            return [shown(item) for item in value]
        if isinstance(value, bytes):
            return shown(value)
        return stamp(value) if pipe.maker.kinds[column] == "time" else value
    return [[cell(column, row.get(column)) for column in pipe.columns] for row in rows]
