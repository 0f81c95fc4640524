"""What a server that was taken over, or whoever answers in its place, does to an agent. Used by test_hostile_server.py.

A Door is an address that agents are told: it hands connections on to the real server, or does one of the attacks below. The frames
are made here, from their description in src/wire, with none of the product's code but the checksum of libxxhash.
"""
import contextlib
import ctypes
import os
import socket
import ssl
import struct
import threading
import time

XXHASH = ctypes.CDLL("libxxhash.so.0")
XXHASH.XXH3_64bits.restype = ctypes.c_uint64
XXHASH.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]

ENROLL, ENROLLED, HELLO, WELCOME, BATCH, ACK, HEARTBEAT, REFUSED, RENEW, RENEWED, TRUST, POLICY = range(1, 13)
BUSY, CORRUPT = 8, 7
MOST = 2**64 - 1


def frame(kind, payload=b""):
    body = bytes([kind, 0, 0, 0]) + payload
    return struct.pack("<I", len(payload)) + body[:4] + struct.pack("<Q", XXHASH.XXH3_64bits(body, len(body))) + payload


def varint(n):
    out = b""
    while n >= 128:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def block(data):
    return varint(len(data)) + data


def welcome(number=0, hash_=bytes(16), dictionary=0, window=8, features=7):
    return frame(WELCOME, varint(1) + varint(number) + hash_ + varint(dictionary) + varint(window) + varint(features))


def ack(number):
    return frame(ACK, varint(number))


def refused(reason, retry_ms, words=b"go away"):
    return frame(REFUSED, varint(reason) + varint(retry_ms) + block(words))


def trust(ca, renew=1):
    return frame(TRUST, block(ca) + block(b"") + block(b"") + varint(renew) + varint(0))


class Peer:
    """The hostile end of one connection."""

    def __init__(self, door, connection):
        self.door, self.connection, self.rest = door, connection, b""

    def tls(self, certificate=None, **options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        for name, value in options.items():
            setattr(context, name, value)
        if options.get("maximum_version"):
            context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(*(certificate or self.door.certificate))
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.door.keep(self.connection)
        return self

    def hello(self):
        while True:
            if len(self.rest) >= 16:
                n = 16 + struct.unpack_from("<I", self.rest)[0]
                if len(self.rest) >= n:
                    kind, self.rest = self.rest[4], self.rest[n:]
                    if kind == HELLO:
                        return self
            data = self.connection.recv(65536)
            if not data:
                raise EOFError
            self.rest += data

    def send(self, data):
        for at in range(0, len(data), 16384):
            piece = data[at:at + 16384]
            self.connection.sendall(piece)
            self.door.n_bytes += len(piece)
        return self

    def forever(self, data):
        while True:
            self.send(data)

    def read(self):
        """Until the agent closes."""
        while self.connection.recv(65536):
            pass


class Door:
    def __init__(self, folder, server):
        self.server, self.attack = server, None
        self.certificate = (server.data / "server.pem", server.data / "server.key")
        self.other_certificate = (folder / "other.pem", folder / "other.key")
        self.host_certificate = None  # what the agent itself was given
        self.ca = (server.data / "ca.pem").read_bytes()
        self.n_connections = self.n_bytes = 0  # during the attack
        self.open, self.lock = set(), threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.run, daemon=True).start()

    def keep(self, connection):
        with self.lock:
            self.open.add(connection)

    def turn(self, attack):
        """Whoever is connected is not any more."""
        self.attack = attack
        self.n_connections = self.n_bytes = 0
        with self.lock:
            for connection in self.open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self.open.clear()

    def close(self):
        self.turn(None)
        self.listener.close()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # what was sent was taken, but for that
                self.keep(connection)
                self.n_connections += 1
                threading.Thread(target=self.serve, args=(connection, self.attack), daemon=True).start()

    def serve(self, connection, attack):
        try:
            if attack:
                attack(Peer(self, connection))
            else:
                self.hand_on(connection)
        except (OSError, EOFError):
            pass
        finally:
            with contextlib.suppress(OSError):
                connection.close()

    def hand_on(self, connection):
        other = socket.create_connection(("127.0.0.1", self.server.agent_port))
        self.keep(other)
        threading.Thread(target=self.copy, args=(connection, other), daemon=True).start()
        self.copy(other, connection)

    @staticmethod
    def copy(source, target):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


# ---------------------------------------------------------------------------------------------------- before TLS, and TLS

def closes_at_once(peer):
    peer.connection.close()


def speaks_http(peer):
    peer.connection.recv(4096)
    peer.connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")


def noise_before_tls(peer):
    peer.forever(os.urandom(65536))


def old_tls(peer):
    peer.tls(minimum_version=ssl.TLSVersion.TLSv1, maximum_version=ssl.TLSVersion.TLSv1)


def another_ca(peer):
    peer.tls(peer.door.other_certificate).read()


def a_hosts_certificate(peer):
    peer.tls((peer.door.host_certificate, peer.door.host_certificate)).read()


def handshake_without_end(peer):
    peer.connection.sendall(b"\x16\x03\x03\x40\x00\x02\x00\x3f\xf0")
    while True:
        peer.connection.sendall(b"\x00")
        time.sleep(0.5)


def tickets_without_end(peer):
    peer.tls(num_tickets=50000).hello().read()


# ---------------------------------------------------------------------------------------------------- frames

def noise_after_tls(peer):
    peer.tls().forever(os.urandom(16384))


def noise_after_welcome(peer):
    peer.tls().hello().send(welcome()).forever(os.urandom(16384))


def claims_four_gigabytes(peer):
    peer.tls().hello().send(welcome() + b"\xff\xff\xff\xff" + bytes(12)).forever(bytes(16384))


def claims_what_a_frame_may_have(peer):
    peer.tls().hello().send(welcome() + struct.pack("<I", 32 << 20) + bytes(12)).forever(bytes(16384))


def wrong_checksums(peer):
    peer.tls().hello().send(welcome() + ack(1)[:-9] + b"\x55" * 9).read()


def frames_of_nothing(peer):
    """Of each type, and of types that there are none of."""
    peer.tls().hello().send(welcome()).forever(b"".join(frame(kind) for kind in (RENEWED, TRUST, POLICY, 60, 255)))


def welcomes_of_nothing(peer):
    peer.tls().hello().send(frame(WELCOME) + frame(0)).read()


def byte_by_byte(peer):
    peer.tls().hello()
    for byte in welcome() + ack(0) * 20:
        peer.connection.sendall(bytes([byte]))
        time.sleep(0.01)
    peer.read()


def never_reads(peer):
    peer.tls().hello().send(welcome(window=MOST))
    time.sleep(60)


# ---------------------------------------------------------------------------------------------------- what they say

def refuses(peer):
    peer.tls().hello().send(refused(BUSY, 0)).read()


def refuses_for_a_moment(peer):
    """In other words each time, so that each is a line of the log."""
    peer.tls().hello().send(refused(CORRUPT, 1, os.urandom(8).hex().encode())).read()


def welcomes_absurdly(peer):
    peer.tls().hello().send(welcome(dictionary=MOST, window=MOST, features=MOST) + ack(MOST) + ack(0)).read()


def welcomes_with_window_of_nothing(peer):
    peer.tls().hello().send(welcome(window=0, dictionary=2) + ack(2**40)).read()


def knows_another_past(peer):
    peer.tls().hello().send(welcome(2**40, os.urandom(16))).read()


def acknowledges_and_closes(peer):
    peer.tls().hello().send(welcome() + ack(0)).connection.close()


def acknowledges_without_end(peer):
    peer.tls().hello().send(welcome()).forever(ack(0) * 100)


def bad_orders(peer):
    message = frame(POLICY, b"".join(block(part) for part in (b"order", b"signature", peer.door.ca, b"", b"")))
    peer.tls().hello().send(welcome()).forever(message)


def wants_renewals(peer):
    peer.tls().hello().send(welcome()).forever(trust(peer.door.ca) + frame(RENEWED, block(b"no certificate")))
