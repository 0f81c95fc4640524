"""Audit records of many types and system calls, made up in the forms of the kernel: what captures of commands lack."""
import itertools

TASK = 'ppid=1 pid=7 auid=54321 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts1 ses=5 comm="x" exe="/usr/bin/x" key="k"'
POINTER = 0x7ffc12345678
AT_FDCWD = 0xffffff9c
I386, AARCH64 = "40000003", "c00000b7"


class Made:
    """Lines of audit text; each event has a stamp and a serial of its own."""

    def __init__(self):
        self.lines = []
        self.serial = itertools.count(1)

    def event(self, *records):
        n = next(self.serial)
        for record in records:
            kind, _, body = record.partition(" ")
            self.lines.append(f"type={kind} msg=audit({1700000000 + n // 1000}.{n % 1000:03d}:{n}): {body}")

    def call(self, number, args, exit="0", arch="c000003e", extra=()):
        success = "no" if exit.startswith("-") else "yes"
        words = " ".join(f"a{i}={value:x}" for i, value in enumerate((args + [0, 0, 0, 0])[:4]))
        self.event(f"SYSCALL arch={arch} syscall={number} success={success} exit={exit} {words} items=0 {TASK}", *extra,
                   "PROCTITLE proctitle=78002D61")


def make():
    made = Made()
    call, ev = made.call, made.event
    # errors
    for e in list(range(1, 41))+[61, 62, 71, 75, 84, 88, 90, 95, 97, 98, 99, 101, 103, 104, 105, 107, 110, 111, 112,
            113, 115, 116, 122, 125, 126, 127, 128, 129, 130, 131, 132, 133, 512, 513, 514, 516]:
        call(3, [3], exit=f'-{e}')
    # open
    for f in [0, 1, 2, 0x40, 0x241, 0x441, 0x800, 0x80000, 0x90800, 0x101002, 0x1002, 0x4000, 0x8000, 0x20000,
            0x40000, 0x200000, 0x410002, 0x90242, 0xc2, 0x2000, 0x8241]:
        call(2, [POINTER, f, 0o644])
        call(257, [AT_FDCWD, POINTER, f, 0o600])
        call(304, [3, POINTER, f])
    for m in [0, 0o644, 0o4755, 0o2755, 0o1777, 0o7777]:
        call(90, [POINTER, m])
        call(91, [3, m])
        call(85, [POINTER, m])
        call(83, [POINTER, m])
        call(268, [AT_FDCWD, POINTER, m])
        call(258, [AT_FDCWD, POINTER, m])
        call(95, [m])
    for m in [0o100644, 0o010600, 0o020666, 0o060660, 0o140755, 0o644]:
        call(133, [POINTER, m, 0x103])
        call(259, [AT_FDCWD, POINTER, m])
    for m in range(8):
        call(21, [POINTER, m])
        call(269, [AT_FDCWD, POINTER, m])
        call(439, [AT_FDCWD, POINTER, m, 0x200])
    # mmap
    for p in [0, 1, 2, 3, 4, 5, 7, 0x1000003]:
        call(9, [0, 4096, p, 0x22], exit='140737354121216')
        call(10, [POINTER, 4096, p])
    for f in [1, 2, 3, 0x22, 0x32, 0x802, 0x812, 0x20022, 0x40022, 0x4022, 0x10022, 0x100022, 0x1022, 0x2022, 0x8022,
            0x62]:
        call(9, [0, 4096, 3, f])
    # clone
    for f in [0x11, 0x1200011, 0x3d0f00, 0x4111, 0x10000011, 0x20000011, 0x7c020011, 0x80000000, 0]:
        call(56, [f, 0, 0, 0], exit='8')
    for f in [0x20000, 0x10000000, 0x20000000, 0x40000000, 0x2000000, 0x4000000, 0x8000000, 0x80]:
        call(272, [f])
        call(308, [3, f])
    # signals
    for g in list(range(0, 35))+[64]:
        call(62, [1, g])
        call(200, [1, g])
        call(234, [1, 1, g])
        ev(f'ANOM_ABEND auid=54321 uid=0 gid=0 ses=5 pid=7 comm="x" exe="/usr/bin/x" sig={g} res=1')
    # sockets
    for fam in list(range(0, 46)):
        call(41, [fam, 1, 0], exit='3')
        call(53, [fam, 1, 0])
    for ty in [1, 2, 3, 4, 5, 6, 10, 0x80001, 0x801, 0x80802]:
        call(41, [2, ty, 6])
    for pr in [0, 1, 2, 6, 8, 12, 17, 33, 41, 46, 47, 50, 51, 58, 94, 103, 108, 132, 136, 255]:
        call(41, [2, 3, pr])
        call(41, [10, 3, pr])
    for pr in range(0, 22):
        call(41, [16, 3, pr])
    for lv in [0, 1, 6, 17, 41, 58, 255, 263, 270, 0x10e]:
        for op in list(range(0, 70))+[0x64, 0x65]:
            if op<30 or lv in (0,1,6,41,263): call(54,[3,lv,op]);
    call(55, [3, 1, 4])
    for fl in [0, 1, 2, 0x40, 0x4000, 0x4040, 0x8000, 0x40000000, 0x100, 0x20, 0x4000000, 0x20000000, 0x10000]:
        call(44, [3, POINTER, 10, fl])
        call(45, [3, POINTER, 10, fl])
        call(46, [3, POINTER, fl])
        call(47, [3, POINTER, fl])
    for sh in (0, 1, 2): call(48, [3, sh])
    # ptrace, prctl, fcntl
    for r in list(range(0, 26))+[0x4200, 0x4201, 0x4202, 0x4203, 0x4204, 0x4205, 0x4206, 0x4207, 0x4208, 0x4209,
            0x420a, 0x420b, 0x420c, 0x420e]:
        call(101, [r, 7])
    for o in list(range(0, 66))+[0x53564d41, 0x59616d61]:
        call(157, [o, 1])
    for c in range(0, 42):
        call(157, [24, c])
        call(157, [23, c])
    for s in (1, 9, 15): call(157, [1, s])
    for c in list(range(0, 17))+[36, 37, 38, 1024, 1025, 1026, 1029, 1030, 1031, 1032, 1033, 1034, 1035, 1036]:
        call(72, [3, c, 1])
    call(72, [3, 4, 0x802])
    call(72, [3, 2, 0])
    call(72, [3, 8, 54321])
    call(72, [3, 1033, 0xf])
    # others
    for w in range(5): call(8, [3, 0, w])
    for o in (1, 2, 3): call(233, [3, o, 4, POINTER])
    for r in range(16):
        call(160, [r, POINTER])
        call(97, [r, POINTER])
        call(302, [0, r])
    for s in (0, 1, 2, 3, 5, 6, 0x40000001): call(144, [7, s, POINTER])
    for b in range(37): call(321, [b, POINTER, 0x78])
    for r in [0x5401, 0x5402, 0x5413, 0x5412, 0x540e, 0x5410, 0x541b, 0x5421, 0x8901, 0x8912, 0x8927, 0x80045430,
            0x5452, 0x4b3a, 0x1260]: call(16, [0, r, POINTER])
    for m in [0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x400, 0x800, 0x1000, 0x1006, 0x2000, 0x4000, 0x8000, 0x10000,
            0x40000, 0x80000, 0x100000, 0x200000, 0x1000000, 0xc0ed0001]: call(165, [POINTER, POINTER, POINTER, m])
    for u in [0, 1, 2, 4, 8, 3]: call(166, [POINTER, u])
    for s in (0, 1, 2, 3):
        call(317, [s, 0, POINTER])
        call(317, [1, s, POINTER])
    for p in [0, 8, 0x40000, 0x0400000, 0x5000003, 0xffffffff, 0x20008]: call(135, [p])
    call(117, [54321, 0xffffffff, 0])
    call(105, [54321])
    call(106, [27])
    call(113, [0, 54321])
    call(119, [0, 27, (1 << 64) - 1])
    call(92, [POINTER, 54321, 27])
    call(93, [3, 0, 0])
    call(94, [POINTER, 0xffffffff, 27])
    call(260, [AT_FDCWD, POINTER, 54321, 27])
    call(263, [AT_FDCWD, POINTER, 0x200])
    call(263, [AT_FDCWD, POINTER, 0])
    call(264, [AT_FDCWD, POINTER, AT_FDCWD, POINTER])
    call(316, [AT_FDCWD, POINTER, 3, POINTER])
    call(265, [AT_FDCWD, POINTER, AT_FDCWD, POINTER])
    call(267, [AT_FDCWD, POINTER, POINTER+8, 64])
    call(266, [POINTER, AT_FDCWD, POINTER])
    call(262, [AT_FDCWD, POINTER, POINTER, 0x100])
    call(332, [AT_FDCWD, POINTER, 0, 0xfff])
    call(30, [1, POINTER, 0x1000])
    call(29, [0, 4096, 0o1666|0o1000])
    call(31, [1, 0])
    call(64, [0, 1, 0o1600])
    call(68, [0, 0o1644])
    call(240, [POINTER, 0x42, 0o600])
    call(430, [POINTER, 1])
    call(431, [3, 0, POINTER, POINTER])
    call(432, [3, 1, 0x3])
    call(429, [AT_FDCWD, POINTER, AT_FDCWD, POINTER])
    call(428, [AT_FDCWD, POINTER, 1])
    call(310, [7, POINTER, 1, POINTER])
    call(319, [POINTER, 3])
    call(280, [AT_FDCWD, POINTER, POINTER, 0x100])
    call(293, [POINTER, 0x80000])
    call(292, [3, 4, 0x80000])
    call(291, [0x80000])
    call(290, [0, 0x80800])
    call(288, [3, POINTER, POINTER, 0x80800])
    call(25, [POINTER, 1, 2, 1])
    call(28, [POINTER, 4096, 4])
    call(26, [POINTER, 4096, 4])
    call(325, [POINTER, 1, 1])
    call(151, [3])
    call(61, [0, POINTER, 1])
    call(247, [1, 7, POINTER, 4])
    call(202, [POINTER, 0x81, 1])
    call(250, [0])
    call(169, [0xfee1dead, 672274793, 0x4321fedc])
    call(179, [0x80000200, POINTER])
    call(12, [0], exit='94038452355072')
    # i386
    call(5, [POINTER&0xffffffff, 0x8241, 0o644], arch=I386)
    call(295, [AT_FDCWD, 1, 0x8000, 0], arch=I386)
    call(102, [3], arch=I386, extra=('SOCKETCALL nargs=3 a0=3 a1=bfff a2=10', ))
    call(102, [1], arch=I386, extra=('SOCKETCALL nargs=3 a0=2 a1=1 a2=6', ))
    call(117, [23, 0, 4096, 0o1666], arch=I386)
    call(90, [POINTER&0xffffffff], arch=I386)
    call(192, [0, 4096, 3, 0x22], arch=I386)
    call(37, [1, 9], arch=I386)
    call(221, [3, 4, 0x802], arch=I386)
    call(212, [1, 54321, 27], arch=I386)
    call(13, [0], arch=I386)
    # aarch64
    for f in [0, 0x4000, 0x8000, 0x10000, 0x20000, 0x80241]: call(56, [AT_FDCWD, POINTER, f, 0o644], arch=AARCH64)
    call(220, [0x1200011], arch=AARCH64)
    call(129, [1, 9], arch=AARCH64)
    call(222, [0, 4096, 5, 0x2], arch=AARCH64)
    # sockaddr
    ad=['0200003500000000','02000035C00002010000000000000000','0200','02000035C0','0A0000350000000020010DB800000000000000000000000100000000','0A0000350000000000000000000000000000FFFFC000020100000000','0A00','0100','010000','01002F72756E2F782E736F636B6574','01002F72756E2F782E736F636B657400','0100006162630000','100000000100000002000000','1000','0000','00000000','110003000200000001000006010203040506','280000000004000002000000','260068617368000000000000000000000000000000000000736861323536','1D00000003000000','1F0000000100','1E000200010000000200000000000000','2C000000020000000300000000000000','63000000','FFFF0000']
    for a in ad:
        call(42, [3, POINTER, 16], extra=(f'SOCKADDR saddr={a}', ))
    # other records
    for r in ['PATH item=0 name="/x" inode=1 dev=fe:01 mode=0104755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0000000000003000 cap_fi=0 cap_fe=1 cap_fver=2 cap_frootid=0',
     'PATH item=0 name="/dev/tty" inode=1 dev=00:05 mode=020666 ouid=0 ogid=0 rdev=05:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0',
     'PATH item=0 name=2F612062 inode=1 dev=08:01 mode=0120777 ouid=0 ogid=0 rdev=00:00 nametype=CREATE cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0',
     'PATH item=0 name=(null) nametype=UNKNOWN cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0',
     'PATH item=0 name="/s" inode=1 dev=08:01 mode=0140755 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0',
     'PATH item=0 name="/p" inode=1 dev=08:01 mode=010600 ouid=0 ogid=0 rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0',
     'PATH item=0 name="/b" inode=1 dev=08:01 mode=060660 ouid=0 ogid=0 rdev=08:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0',
     'PATH item=0 name="/d" inode=1 dev=08:01 mode=041777 ouid=0 ogid=0 rdev=00:00 nametype=DELETE cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0']:
        ev(f'SYSCALL arch=c000003e syscall=87 success=yes exit=0 a0={POINTER:x} a1=0 a2=0 a3=0 items=1 {TASK}','CWD cwd="/"',r,'PROCTITLE proctitle="rm"')
    ev('CAPSET pid=7 cap_pi=0 cap_pp=1ffffffffff cap_pe=8000000000 cap_pa=0')
    ev('BPRM_FCAPS fver=2 fp=0000000000000400 fi=0 fe=1 old_pp=0 old_pi=0 old_pe=0 old_pa=0 pp=400 pi=0 pe=400 pa=0 frootid=0')
    for c in ['0', '7fff0000', '0x7ffc0000', '0x80000000', '0x30000', '0x50000', '0x7ff00000', '0x7fc00000']:
        ev(f'SECCOMP auid=54321 uid=0 gid=0 ses=5 pid=7 comm="x" exe="/usr/bin/x" sig=31 arch=c000003e syscall=59 compat=0 ip=0x7f code={c}')
    ev('MMAP fd=3 flags=0x2')
    ev('MMAP fd=3 flags=0x12')
    ev('MQ_OPEN oflag=0x42 mode=0600 mq_flags=0x0 mq_maxmsg=10 mq_msgsize=1 mq_curmsgs=0')
    ev('MQ_NOTIFY mqdes=3 sigev_signo=10')
    ev('OPENAT2 oflag=0100101 mode=0600 resolve=0xa')
    ev('IPC ouid=0 ogid=0 mode=0666')
    ev('IPC_SET_PERM qbytes=0 ouid=0 ogid=0 mode=0600')
    for f in (0,1,2,3,5,7,10,12): ev(f'NETFILTER_CFG table=nat family={f} entries=5 op=xt_replace pid=7 subj=unconfined comm="x"')
    for p in (1,2,6,17,58,132): ev(f'NETFILTER_PKT mark=0x0 saddr=192.0.2.1 daddr=192.0.2.2 proto={p}')
    for l in range(0,8): ev(f'CONFIG_CHANGE auid=54321 ses=5 op=add_rule key="k" list={l} res=1')
    ev('CONFIG_CHANGE op=set audit_enabled=2 old=1 auid=4294967295 ses=4294967295 res=0')
    ev('CONFIG_CHANGE op=set audit_failure=2 old=1 auid=54321 ses=5 res=1')
    ev('AVC avc:  denied  { sys_admin } for  pid=7 comm="x" capability=21  scontext=u:r:t tcontext=u:r:t tclass=capability permissive=0')
    ev('AVC avc:  denied  { ioctl } for  pid=7 comm="x" path="/dev/tty" dev="devtmpfs" ino=5 ioctlcmd=0x5401 scontext=u:r:t tcontext=u:r:t tclass=chr_file permissive=1')
    ev('ANOM_PROMISCUOUS dev=eth0 prom=256 old_prom=0 auid=54321 uid=0 gid=0 ses=5')
    ev('EVENT_LISTENER pid=7 uid=0 auid=4294967295 tty=(none) ses=4294967295 comm="x" exe="/x" nl-mcgrp=1 op=connect res=1')
    ev('BPF prog-id=5 op=LOAD')
    for r in (1,2): ev(f'FANOTIFY resp={r} fan_type=1 fan_info=1F subj_trust=2 obj_trust=1')
    for u in (0,1,9,13,18,22,28,40): ev(f'URINGOP uring_op={u} success=no exit=-2 items=0 ppid=1 pid=7 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 key=(null)')
    ev('LOGIN pid=7 uid=0 old-auid=4294967295 auid=54321 tty=(none) old-ses=4294967295 ses=5 res=1')
    ev('TTY tty pid=7 uid=0 auid=54321 ses=5 major=136 minor=1 comm="bash" data=6C730D1B5B41037F09')
    ev('KERN_MODULE name="nft"')
    ev('KERN_MODULE name=6E6674')
    ev('MAC_STATUS enforcing=0 old_enforcing=1 auid=54321 ses=5 enabled=1 old-enabled=1 lsm=selinux res=1')
    ev("USER_CMD pid=7 uid=0 auid=54321 ses=5 msg='cwd=\"/root\" cmd=6C73202D6C exe=\"/usr/bin/sudo\" terminal=pts/1 res=success'")
    ev("USER_LOGIN pid=7 uid=0 auid=54321 ses=5 msg='op=login id=0 exe=\"/usr/sbin/sshd\" hostname=? addr=192.0.2.1 terminal=ssh res=success'")
    ev("ADD_GROUP pid=7 uid=0 auid=54321 ses=5 msg='op=add-group id=0 exe=\"/usr/sbin/groupadd\" hostname=? addr=? terminal=pts/1 res=success'")
    ev("CRYPTO_KEY_USER pid=7 uid=0 auid=54321 ses=5 msg='op=destroy kind=server fp=SHA256:aa direction=? spid=7 suid=0  exe=\"/usr/sbin/sshd\" hostname=? addr=? terminal=? res=success'")
    ev('INTEGRITY_DATA pid=7 uid=0 auid=54321 ses=5 op=appraise_data cause=missing-hash comm="x" name="/x" dev="vda" ino=1 res=0 errno=0')
    ev('OBJ_PID opid=8 oauid=54321 ouid=0 oses=5 obj=unconfined ocomm="y"')
    ev('FD_PAIR fd0=3 fd1=4')
    ev('SERVICE_START pid=1 uid=0 auid=4294967295 ses=4294967295 msg=\'unit=x comm="systemd" exe="/usr/lib/systemd/systemd" hostname=? addr=? terminal=? res=success\'')
    return ("\n".join(made.lines) + "\n").encode()
