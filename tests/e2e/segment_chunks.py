"""All chunks of a segment, read as docs/segment-format.md says, without the product's code: for tests that look for bytes."""
import struct
import subprocess


def unpack_frames(frames):
    """What many zstd frames hold, one behind the other."""
    return subprocess.run(["zstd", "-dcq"], input=b"".join(frames), stdout=subprocess.PIPE, check=True).stdout if frames else b""


def chunks(data):
    """(field, stored bytes, codec) of every chunk."""
    assert data[:8] == b"xtsegm\r\n" and data[-8:] == b"xtend.\r\n"
    at, size = struct.unpack_from("<QI", data, len(data) - 40)
    assert at + size + 40 == len(data)
    n_groups, n_columns = struct.unpack_from("<II", data, at + 56)
    columns = at + 64 + 32 * n_groups
    assert columns + 88 * n_columns == at + size
    for i in range(n_columns):
        field = struct.unpack_from("<H", data, columns + 88 * i)[0]
        for part in (24, 56):
            offset, stored, _, _, codec = struct.unpack_from("<QIIBB", data, columns + 88 * i + part)
            yield field, data[offset:offset + stored], codec


def read(data):
    """Everything that a segment holds, unpacked, and its fields."""
    found = list(chunks(data))
    plain = b"".join(stored for _, stored, codec in found if codec == 0)
    return plain + unpack_frames([stored for _, stored, codec in found if codec == 1 and stored]), {field for field, _, _ in found}
