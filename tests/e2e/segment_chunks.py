"""All chunks of a segment, read as docs/segment-format.md says, without the product's code: for tests that look for bytes."""
import struct
import subprocess


def unpack_frames(frames):
    """What many zstd frames hold, one behind the other."""
    return subprocess.run(["zstd", "-dcq"], input=b"".join(frames), stdout=subprocess.PIPE, check=True).stdout if frames else b""


class Directory:
    """A cursor over the directory's bytes."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0

    def take(self, form):
        values = struct.unpack_from("<" + form, self.raw, self.at)
        self.at += struct.calcsize("<" + form)
        return values

    def array(self, n):
        """A FOR of n values."""
        base, width = self.take("QB")
        planes = self.raw[self.at:self.at + width * n]
        self.at += width * n
        return [(base + sum(planes[p * n + i] << 8 * p for p in range(width))) % 2**64 for i in range(n)]

    def places(self, n):
        """Stored bytes and codec of n chunks."""
        stored, _, form, _ = (self.array(n) for _ in range(4))
        return [(size, f >> 8) for size, f in zip(stored, form)]


def chunks(data):
    """(field, stored bytes, codec) of every chunk."""
    assert data[:8] == b"xtsegm\r\n" and data[8:10] == b"\2\0" and data[-8:] == b"xtend.\r\n"
    begin, stored_bytes, raw_bytes = struct.unpack_from("<QII", data, len(data) - 40)
    assert begin + stored_bytes + 40 == len(data)
    stored = data[begin:begin + stored_bytes]
    directory = Directory(stored if stored_bytes == raw_bytes else unpack_frames([stored]))
    n_groups, n_fields = struct.unpack_from("<II", directory.raw, 56)
    directory.at = 72
    for _ in range(3):
        directory.array(n_groups)
    at = 40
    for _ in range(n_fields):
        field, kind, _ = directory.take("HBB")
        places = []
        if kind == 2:
            _, n_chunks = directory.take("II")
            directory.array(n_chunks)
            places += directory.places(n_chunks)
            directory.array(n_chunks)
            places += directory.places(1)
        for _ in range(4):
            directory.array(n_groups)
        a, b = directory.places(n_groups), directory.places(n_groups)
        for pair in zip(a, b):
            places += pair
        for size, codec in places:
            yield field, data[at:at + size], codec
            at += size
    assert at == begin and directory.at == len(directory.raw)


def read(data):
    """Everything that a segment holds, unpacked, and its fields."""
    found = list(chunks(data))
    plain = b"".join(stored for _, stored, codec in found if codec == 0)
    return plain + unpack_frames([stored for _, stored, codec in found if codec == 1 and stored]), {field for field, _, _ in found}
