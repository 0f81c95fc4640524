"""Owns the kernel's audit socket until its standard input ends, as an audit daemon of others does. Prints 0 or the errno."""
import contextlib
import os
import select
import socket
import struct
import sys

AUDIT_SET, NLM_F_REQUEST_ACK, STATUS_PID = 1001, 5, 4


def set_pid(s, pid):
    status = struct.pack("=11I", STATUS_PID, 0, 0, pid, *[0] * 7)
    s.send(struct.pack("=IHHII", 16 + len(status), AUDIT_SET, NLM_F_REQUEST_ACK, 1, 0) + status)
    while True:
        kind, error = struct.unpack("=IHHIIi", s.recv(65536)[:20])[1::4]
        if kind == 2:  # NLMSG_ERROR: the acknowledgement
            return -error


s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)
s.bind((0, 0))
print(set_pid(s, os.getpid()), flush=True)
while sys.stdin not in select.select([sys.stdin, s], [], [])[0]:
    with contextlib.suppress(OSError):  # ENOBUFS: more records than it reads
        s.recv(65536)
set_pid(s, 0)
