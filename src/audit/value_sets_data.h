/* Made by tools/gen_audit_values.py; do not edit. */
/* clang-format off */
#pragma once

static const xt_named values_open[] = {
    {0x40, "O_CREAT"}, {0x80, "O_EXCL"}, {0x100, "O_NOCTTY"}, {0x200, "O_TRUNC"}, {0x400, "O_APPEND"},
    {0x800, "O_NONBLOCK"}, {0x1000, "O_DSYNC"}, {0x2000, "O_ASYNC"}, {0x4000, "O_DIRECT"}, {0x8000, "O_LARGEFILE"},
    {0x10000, "O_DIRECTORY"}, {0x20000, "O_NOFOLLOW"}, {0x40000, "O_NOATIME"}, {0x80000, "O_CLOEXEC"},
    {0x101000, "O_SYNC"}, {0x200000, "O_PATH"}, {0x410000, "O_TMPFILE"},
};

static const xt_named values_prot[] = {
    {0, "PROT_NONE"}, {1, "PROT_READ"}, {2, "PROT_WRITE"}, {4, "PROT_EXEC"}, {8, "PROT_SEM"},
    {0x1000000, "PROT_GROWSDOWN"}, {0x2000000, "PROT_GROWSUP"},
};

static const xt_named values_map[] = {
    {1, "MAP_SHARED"}, {2, "MAP_PRIVATE"}, {3, "MAP_SHARED_VALIDATE"}, {0x10, "MAP_FIXED"}, {0x20, "MAP_ANONYMOUS"},
    {0x40, "MAP_32BIT"}, {0x100, "MAP_GROWSDOWN"}, {0x800, "MAP_DENYWRITE"}, {0x1000, "MAP_EXECUTABLE"},
    {0x2000, "MAP_LOCKED"}, {0x4000, "MAP_NORESERVE"}, {0x8000, "MAP_POPULATE"}, {0x10000, "MAP_NONBLOCK"},
    {0x20000, "MAP_STACK"}, {0x40000, "MAP_HUGETLB"}, {0x80000, "MAP_SYNC"}, {0x100000, "MAP_FIXED_NOREPLACE"},
};

static const xt_named values_mremap[] = {
    {1, "MREMAP_MAYMOVE"}, {2, "MREMAP_FIXED"}, {4, "MREMAP_DONTUNMAP"},
};

static const xt_named values_madvise[] = {
    {0, "MADV_NORMAL"}, {1, "MADV_RANDOM"}, {2, "MADV_SEQUENTIAL"}, {3, "MADV_WILLNEED"}, {4, "MADV_DONTNEED"},
    {8, "MADV_FREE"}, {9, "MADV_REMOVE"}, {0xa, "MADV_DONTFORK"}, {0xb, "MADV_DOFORK"}, {0xc, "MADV_MERGEABLE"},
    {0xd, "MADV_UNMERGEABLE"}, {0xe, "MADV_HUGEPAGE"}, {0xf, "MADV_NOHUGEPAGE"}, {0x10, "MADV_DONTDUMP"},
    {0x11, "MADV_DODUMP"}, {0x12, "MADV_WIPEONFORK"}, {0x13, "MADV_KEEPONFORK"}, {0x14, "MADV_COLD"},
    {0x15, "MADV_PAGEOUT"}, {0x16, "MADV_POPULATE_READ"}, {0x17, "MADV_POPULATE_WRITE"}, {0x18, "MADV_DONTNEED_LOCKED"},
    {0x19, "MADV_COLLAPSE"}, {0x64, "MADV_HWPOISON"}, {0x65, "MADV_SOFT_OFFLINE"},
};

static const xt_named values_msync[] = {
    {1, "MS_ASYNC"}, {2, "MS_INVALIDATE"}, {4, "MS_SYNC"},
};

static const xt_named values_mlockall[] = {
    {1, "MCL_CURRENT"}, {2, "MCL_FUTURE"}, {4, "MCL_ONFAULT"},
};

static const xt_named values_mlock2[] = {
    {1, "MLOCK_ONFAULT"},
};

static const xt_named values_clone[] = {
    {0x100, "CLONE_VM"}, {0x200, "CLONE_FS"}, {0x400, "CLONE_FILES"}, {0x800, "CLONE_SIGHAND"}, {0x1000, "CLONE_PIDFD"},
    {0x2000, "CLONE_PTRACE"}, {0x4000, "CLONE_VFORK"}, {0x8000, "CLONE_PARENT"}, {0x10000, "CLONE_THREAD"},
    {0x20000, "CLONE_NEWNS"}, {0x40000, "CLONE_SYSVSEM"}, {0x80000, "CLONE_SETTLS"}, {0x100000, "CLONE_PARENT_SETTID"},
    {0x200000, "CLONE_CHILD_CLEARTID"}, {0x400000, "CLONE_DETACHED"}, {0x800000, "CLONE_UNTRACED"},
    {0x1000000, "CLONE_CHILD_SETTID"}, {0x2000000, "CLONE_NEWCGROUP"}, {0x4000000, "CLONE_NEWUTS"},
    {0x8000000, "CLONE_NEWIPC"}, {0x10000000, "CLONE_NEWUSER"}, {0x20000000, "CLONE_NEWPID"},
    {0x40000000, "CLONE_NEWNET"}, {0x80000000, "CLONE_IO"}, {0x100000000, "CLONE_CLEAR_SIGHAND"},
    {0x200000000, "CLONE_INTO_CGROUP"},
};

static const xt_named values_unshare[] = {
    {0x80, "CLONE_NEWTIME"}, {0x100, "CLONE_VM"}, {0x200, "CLONE_FS"}, {0x400, "CLONE_FILES"}, {0x800, "CLONE_SIGHAND"},
    {0x1000, "CLONE_PIDFD"}, {0x2000, "CLONE_PTRACE"}, {0x4000, "CLONE_VFORK"}, {0x8000, "CLONE_PARENT"},
    {0x10000, "CLONE_THREAD"}, {0x20000, "CLONE_NEWNS"}, {0x40000, "CLONE_SYSVSEM"}, {0x80000, "CLONE_SETTLS"},
    {0x100000, "CLONE_PARENT_SETTID"}, {0x200000, "CLONE_CHILD_CLEARTID"}, {0x400000, "CLONE_DETACHED"},
    {0x800000, "CLONE_UNTRACED"}, {0x1000000, "CLONE_CHILD_SETTID"}, {0x2000000, "CLONE_NEWCGROUP"},
    {0x4000000, "CLONE_NEWUTS"}, {0x8000000, "CLONE_NEWIPC"}, {0x10000000, "CLONE_NEWUSER"},
    {0x20000000, "CLONE_NEWPID"}, {0x40000000, "CLONE_NEWNET"}, {0x80000000, "CLONE_IO"},
};

static const xt_named values_sched[] = {
    {0, "SCHED_NORMAL"}, {1, "SCHED_FIFO"}, {2, "SCHED_RR"}, {3, "SCHED_BATCH"}, {5, "SCHED_IDLE"},
    {6, "SCHED_DEADLINE"},
};

static const xt_named values_signal[] = {
    {1, "SIGHUP"}, {2, "SIGINT"}, {3, "SIGQUIT"}, {4, "SIGILL"}, {5, "SIGTRAP"}, {6, "SIGABRT"}, {7, "SIGBUS"},
    {8, "SIGFPE"}, {9, "SIGKILL"}, {0xa, "SIGUSR1"}, {0xb, "SIGSEGV"}, {0xc, "SIGUSR2"}, {0xd, "SIGPIPE"},
    {0xe, "SIGALRM"}, {0xf, "SIGTERM"}, {0x10, "SIGSTKFLT"}, {0x11, "SIGCHLD"}, {0x12, "SIGCONT"}, {0x13, "SIGSTOP"},
    {0x14, "SIGTSTP"}, {0x15, "SIGTTIN"}, {0x16, "SIGTTOU"}, {0x17, "SIGURG"}, {0x18, "SIGXCPU"}, {0x19, "SIGXFSZ"},
    {0x1a, "SIGVTALRM"}, {0x1b, "SIGPROF"}, {0x1c, "SIGWINCH"}, {0x1d, "SIGIO"}, {0x1e, "SIGPWR"}, {0x1f, "SIGSYS"},
};

static const xt_named values_sigmask[] = {
    {0, "SIG_BLOCK"}, {1, "SIG_UNBLOCK"}, {2, "SIG_SETMASK"},
};

static const xt_named values_family[] = {
    {0, "AF_UNSPEC"}, {1, "AF_UNIX"}, {2, "AF_INET"}, {3, "AF_AX25"}, {4, "AF_IPX"}, {5, "AF_APPLETALK"},
    {6, "AF_NETROM"}, {7, "AF_BRIDGE"}, {8, "AF_ATMPVC"}, {9, "AF_X25"}, {0xa, "AF_INET6"}, {0xb, "AF_ROSE"},
    {0xc, "AF_DECnet"}, {0xd, "AF_NETBEUI"}, {0xe, "AF_SECURITY"}, {0xf, "AF_KEY"}, {0x10, "AF_NETLINK"},
    {0x11, "AF_PACKET"}, {0x12, "AF_ASH"}, {0x13, "AF_ECONET"}, {0x14, "AF_ATMSVC"}, {0x15, "AF_RDS"}, {0x16, "AF_SNA"},
    {0x17, "AF_IRDA"}, {0x18, "AF_PPPOX"}, {0x19, "AF_WANPIPE"}, {0x1a, "AF_LLC"}, {0x1b, "AF_IB"}, {0x1c, "AF_MPLS"},
    {0x1d, "AF_CAN"}, {0x1e, "AF_TIPC"}, {0x1f, "AF_BLUETOOTH"}, {0x20, "AF_IUCV"}, {0x21, "AF_RXRPC"},
    {0x22, "AF_ISDN"}, {0x23, "AF_PHONET"}, {0x24, "AF_IEEE802154"}, {0x25, "AF_CAIF"}, {0x26, "AF_ALG"},
    {0x27, "AF_NFC"}, {0x28, "AF_VSOCK"}, {0x29, "AF_KCM"}, {0x2a, "AF_QIPCRTR"}, {0x2b, "AF_SMC"}, {0x2c, "AF_XDP"},
    {0x2d, "AF_MCTP"},
};

static const xt_named values_sock_type[] = {
    {1, "SOCK_STREAM"}, {2, "SOCK_DGRAM"}, {3, "SOCK_RAW"}, {4, "SOCK_RDM"}, {5, "SOCK_SEQPACKET"}, {6, "SOCK_DCCP"},
    {0xa, "SOCK_PACKET"},
};

static const xt_named values_sock_flag[] = {
    {0x800, "SOCK_NONBLOCK"}, {0x80000, "SOCK_CLOEXEC"},
};

static const xt_named values_ip_proto[] = {
    {0, "IPPROTO_IP"}, {1, "IPPROTO_ICMP"}, {2, "IPPROTO_IGMP"}, {4, "IPPROTO_IPIP"}, {6, "IPPROTO_TCP"},
    {8, "IPPROTO_EGP"}, {0xc, "IPPROTO_PUP"}, {0x11, "IPPROTO_UDP"}, {0x16, "IPPROTO_IDP"}, {0x1d, "IPPROTO_TP"},
    {0x21, "IPPROTO_DCCP"}, {0x29, "IPPROTO_IPV6"}, {0x2b, "IPPROTO_ROUTING"}, {0x2c, "IPPROTO_FRAGMENT"},
    {0x2e, "IPPROTO_RSVP"}, {0x2f, "IPPROTO_GRE"}, {0x32, "IPPROTO_ESP"}, {0x33, "IPPROTO_AH"},
    {0x3a, "IPPROTO_ICMPV6"}, {0x3b, "IPPROTO_NONE"}, {0x3c, "IPPROTO_DSTOPTS"}, {0x5c, "IPPROTO_MTP"},
    {0x5e, "IPPROTO_BEETPH"}, {0x62, "IPPROTO_ENCAP"}, {0x67, "IPPROTO_PIM"}, {0x6c, "IPPROTO_COMP"},
    {0x73, "IPPROTO_L2TP"}, {0x84, "IPPROTO_SCTP"}, {0x87, "IPPROTO_MH"}, {0x88, "IPPROTO_UDPLITE"},
    {0x89, "IPPROTO_MPLS"}, {0x8f, "IPPROTO_ETHERNET"}, {0x90, "IPPROTO_AGGFRAG"}, {0xff, "IPPROTO_RAW"},
    {0x100, "IPPROTO_SMC"}, {0x106, "IPPROTO_MPTCP"},
};

static const xt_named values_netlink_proto[] = {
    {0, "NETLINK_ROUTE"}, {1, "NETLINK_UNUSED"}, {2, "NETLINK_USERSOCK"}, {3, "NETLINK_FIREWALL"},
    {4, "NETLINK_SOCK_DIAG"}, {5, "NETLINK_NFLOG"}, {6, "NETLINK_XFRM"}, {7, "NETLINK_SELINUX"}, {8, "NETLINK_ISCSI"},
    {9, "NETLINK_AUDIT"}, {0xa, "NETLINK_FIB_LOOKUP"}, {0xb, "NETLINK_CONNECTOR"}, {0xc, "NETLINK_NETFILTER"},
    {0xd, "NETLINK_IP6_FW"}, {0xe, "NETLINK_DNRTMSG"}, {0xf, "NETLINK_KOBJECT_UEVENT"}, {0x10, "NETLINK_GENERIC"},
    {0x12, "NETLINK_SCSITRANSPORT"}, {0x13, "NETLINK_ECRYPTFS"}, {0x14, "NETLINK_RDMA"}, {0x15, "NETLINK_CRYPTO"},
    {0x16, "NETLINK_SMC"},
};

static const xt_named values_can_proto[] = {
    {1, "CAN_RAW"}, {2, "CAN_BCM"}, {3, "CAN_TP16"}, {4, "CAN_TP20"}, {5, "CAN_MCNET"}, {6, "CAN_ISOTP"},
    {7, "CAN_J1939"},
};

static const xt_named values_ether[] = {
    {1, "ETH_P_802_3"}, {2, "ETH_P_AX25"}, {3, "ETH_P_ALL"}, {4, "ETH_P_802_2"}, {5, "ETH_P_SNAP"}, {6, "ETH_P_DDCMP"},
    {7, "ETH_P_WAN_PPP"}, {8, "ETH_P_PPP_MP"}, {9, "ETH_P_LOCALTALK"}, {0xc, "ETH_P_CAN"}, {0xd, "ETH_P_CANFD"},
    {0xe, "ETH_P_CANXL"}, {0x10, "ETH_P_PPPTALK"}, {0x11, "ETH_P_TR_802_2"}, {0x15, "ETH_P_MOBITEX"},
    {0x16, "ETH_P_CONTROL"}, {0x17, "ETH_P_IRDA"}, {0x18, "ETH_P_ECONET"}, {0x19, "ETH_P_HDLC"}, {0x1a, "ETH_P_ARCNET"},
    {0x1b, "ETH_P_DSA"}, {0x1c, "ETH_P_TRAILER"}, {0x60, "ETH_P_LOOP"}, {0xf5, "ETH_P_PHONET"},
    {0xf6, "ETH_P_IEEE802154"}, {0xf7, "ETH_P_CAIF"}, {0xf8, "ETH_P_XDSA"}, {0xf9, "ETH_P_MAP"}, {0xfa, "ETH_P_MCTP"},
    {0x200, "ETH_P_PUP"}, {0x201, "ETH_P_PUPAT"}, {0x800, "ETH_P_IP"}, {0x805, "ETH_P_X25"}, {0x806, "ETH_P_ARP"},
    {0x8ff, "ETH_P_BPQ"}, {0xa00, "ETH_P_IEEEPUP"}, {0xa01, "ETH_P_IEEEPUPAT"}, {0x22eb, "ETH_P_ERSPAN2"},
    {0x22f0, "ETH_P_TSN"}, {0x4305, "ETH_P_BATMAN"}, {0x6000, "ETH_P_DEC"}, {0x6001, "ETH_P_DNA_DL"},
    {0x6002, "ETH_P_DNA_RC"}, {0x6003, "ETH_P_DNA_RT"}, {0x6004, "ETH_P_LAT"}, {0x6005, "ETH_P_DIAG"},
    {0x6006, "ETH_P_CUST"}, {0x6007, "ETH_P_SCA"}, {0x6558, "ETH_P_TEB"}, {0x8035, "ETH_P_RARP"},
    {0x809b, "ETH_P_ATALK"}, {0x80f3, "ETH_P_AARP"}, {0x8100, "ETH_P_8021Q"}, {0x8137, "ETH_P_IPX"},
    {0x86dd, "ETH_P_IPV6"}, {0x8808, "ETH_P_PAUSE"}, {0x8809, "ETH_P_SLOW"}, {0x883e, "ETH_P_WCCP"},
    {0x8847, "ETH_P_MPLS_UC"}, {0x8848, "ETH_P_MPLS_MC"}, {0x884c, "ETH_P_ATMMPOA"}, {0x8863, "ETH_P_PPP_DISC"},
    {0x8864, "ETH_P_PPP_SES"}, {0x886c, "ETH_P_LINK_CTL"}, {0x8884, "ETH_P_ATMFATE"}, {0x888e, "ETH_P_PAE"},
    {0x8892, "ETH_P_PROFINET"}, {0x8899, "ETH_P_REALTEK"}, {0x88a2, "ETH_P_AOE"}, {0x88a4, "ETH_P_ETHERCAT"},
    {0x88a8, "ETH_P_8021AD"}, {0x88b5, "ETH_P_802_EX1"}, {0x88be, "ETH_P_ERSPAN"}, {0x88c7, "ETH_P_PREAUTH"},
    {0x88ca, "ETH_P_TIPC"}, {0x88cc, "ETH_P_LLDP"}, {0x88e3, "ETH_P_MRP"}, {0x88e5, "ETH_P_MACSEC"},
    {0x88e7, "ETH_P_8021AH"}, {0x88f5, "ETH_P_MVRP"}, {0x88f7, "ETH_P_1588"}, {0x88f8, "ETH_P_NCSI"},
    {0x88fb, "ETH_P_PRP"}, {0x8902, "ETH_P_CFM"}, {0x8906, "ETH_P_FCOE"}, {0x890d, "ETH_P_TDLS"}, {0x8914, "ETH_P_FIP"},
    {0x8915, "ETH_P_IBOE"}, {0x8917, "ETH_P_80221"}, {0x892f, "ETH_P_HSR"}, {0x894f, "ETH_P_NSH"},
    {0x9000, "ETH_P_LOOPBACK"}, {0x9100, "ETH_P_QINQ1"}, {0x9200, "ETH_P_QINQ2"}, {0x9300, "ETH_P_QINQ3"},
    {0xdada, "ETH_P_EDSA"}, {0xdadb, "ETH_P_DSA_8021Q"}, {0xe001, "ETH_P_DSA_A5PSW"}, {0xed3e, "ETH_P_IFE"},
    {0xfbfb, "ETH_P_AF_IUCV"},
};

static const xt_named values_sol[] = {
    {1, "SOL_SOCKET"}, {0xff, "SOL_RAW"}, {0x105, "SOL_DECNET"}, {0x106, "SOL_X25"}, {0x107, "SOL_PACKET"},
    {0x108, "SOL_ATM"}, {0x109, "SOL_AAL"}, {0x10a, "SOL_IRDA"}, {0x10b, "SOL_NETBEUI"}, {0x10c, "SOL_LLC"},
    {0x10d, "SOL_DCCP"}, {0x10e, "SOL_NETLINK"}, {0x10f, "SOL_TIPC"}, {0x110, "SOL_RXRPC"}, {0x111, "SOL_PPPOL2TP"},
    {0x112, "SOL_BLUETOOTH"}, {0x113, "SOL_PNPIPE"}, {0x114, "SOL_RDS"}, {0x115, "SOL_IUCV"}, {0x116, "SOL_CAIF"},
    {0x117, "SOL_ALG"}, {0x118, "SOL_NFC"}, {0x119, "SOL_KCM"}, {0x11a, "SOL_TLS"}, {0x11b, "SOL_XDP"},
    {0x11c, "SOL_MPTCP"}, {0x11d, "SOL_MCTP"}, {0x11e, "SOL_SMC"},
};

static const xt_named values_so[] = {
    {1, "SO_DEBUG"}, {2, "SO_REUSEADDR"}, {3, "SO_TYPE"}, {4, "SO_ERROR"}, {5, "SO_DONTROUTE"}, {6, "SO_BROADCAST"},
    {7, "SO_SNDBUF"}, {8, "SO_RCVBUF"}, {9, "SO_KEEPALIVE"}, {0xa, "SO_OOBINLINE"}, {0xb, "SO_NO_CHECK"},
    {0xc, "SO_PRIORITY"}, {0xd, "SO_LINGER"}, {0xe, "SO_BSDCOMPAT"}, {0xf, "SO_REUSEPORT"}, {0x10, "SO_PASSCRED"},
    {0x11, "SO_PEERCRED"}, {0x12, "SO_RCVLOWAT"}, {0x13, "SO_SNDLOWAT"}, {0x14, "SO_RCVTIMEO"}, {0x15, "SO_SNDTIMEO"},
    {0x16, "SO_SECURITY_AUTHENTICATION"}, {0x17, "SO_SECURITY_ENCRYPTION_TRANSPORT"},
    {0x18, "SO_SECURITY_ENCRYPTION_NETWORK"}, {0x19, "SO_BINDTODEVICE"}, {0x1a, "SO_ATTACH_FILTER"},
    {0x1b, "SO_DETACH_FILTER"}, {0x1c, "SO_PEERNAME"}, {0x1d, "SO_TIMESTAMP"}, {0x1e, "SO_ACCEPTCONN"},
    {0x1f, "SO_PEERSEC"}, {0x20, "SO_SNDBUFFORCE"}, {0x21, "SO_RCVBUFFORCE"}, {0x22, "SO_PASSSEC"},
    {0x23, "SO_TIMESTAMPNS"}, {0x24, "SO_MARK"}, {0x25, "SO_TIMESTAMPING"}, {0x26, "SO_PROTOCOL"}, {0x27, "SO_DOMAIN"},
    {0x28, "SO_RXQ_OVFL"}, {0x29, "SO_WIFI_STATUS"}, {0x2a, "SO_PEEK_OFF"}, {0x2b, "SO_NOFCS"},
    {0x2c, "SO_LOCK_FILTER"}, {0x2d, "SO_SELECT_ERR_QUEUE"}, {0x2e, "SO_BUSY_POLL"}, {0x2f, "SO_MAX_PACING_RATE"},
    {0x30, "SO_BPF_EXTENSIONS"}, {0x31, "SO_INCOMING_CPU"}, {0x32, "SO_ATTACH_BPF"}, {0x33, "SO_ATTACH_REUSEPORT_CBPF"},
    {0x34, "SO_ATTACH_REUSEPORT_EBPF"}, {0x35, "SO_CNX_ADVICE"}, {0x37, "SO_MEMINFO"}, {0x38, "SO_INCOMING_NAPI_ID"},
    {0x39, "SO_COOKIE"}, {0x3b, "SO_PEERGROUPS"}, {0x3c, "SO_ZEROCOPY"}, {0x3d, "SO_TXTIME"},
    {0x3e, "SO_BINDTOIFINDEX"}, {0x3f, "SO_TIMESTAMP_NEW"}, {0x40, "SO_TIMESTAMPNS_NEW"}, {0x41, "SO_TIMESTAMPING_NEW"},
    {0x42, "SO_RCVTIMEO_NEW"}, {0x43, "SO_SNDTIMEO_NEW"}, {0x44, "SO_DETACH_REUSEPORT_BPF"},
    {0x45, "SO_PREFER_BUSY_POLL"}, {0x46, "SO_BUSY_POLL_BUDGET"}, {0x47, "SO_NETNS_COOKIE"}, {0x48, "SO_BUF_LOCK"},
    {0x49, "SO_RESERVE_MEM"}, {0x4a, "SO_TXREHASH"}, {0x4b, "SO_RCVMARK"},
};

static const xt_named values_ip_opt[] = {
    {1, "IP_TOS"}, {2, "IP_TTL"}, {3, "IP_HDRINCL"}, {4, "IP_OPTIONS"}, {5, "IP_ROUTER_ALERT"}, {6, "IP_RECVOPTS"},
    {7, "IP_RETOPTS"}, {8, "IP_PKTINFO"}, {9, "IP_PKTOPTIONS"}, {0xa, "IP_MTU_DISCOVER"}, {0xb, "IP_RECVERR"},
    {0xc, "IP_RECVTTL"}, {0xd, "IP_RECVTOS"}, {0xe, "IP_MTU"}, {0xf, "IP_FREEBIND"}, {0x10, "IP_IPSEC_POLICY"},
    {0x11, "IP_XFRM_POLICY"}, {0x12, "IP_PASSSEC"}, {0x13, "IP_TRANSPARENT"}, {0x14, "IP_ORIGDSTADDR"},
    {0x15, "IP_MINTTL"}, {0x16, "IP_NODEFRAG"}, {0x17, "IP_CHECKSUM"}, {0x18, "IP_BIND_ADDRESS_NO_PORT"},
    {0x19, "IP_RECVFRAGSIZE"}, {0x1a, "IP_RECVERR_RFC4884"}, {0x20, "IP_MULTICAST_IF"}, {0x21, "IP_MULTICAST_TTL"},
    {0x22, "IP_MULTICAST_LOOP"}, {0x23, "IP_ADD_MEMBERSHIP"}, {0x24, "IP_DROP_MEMBERSHIP"}, {0x25, "IP_UNBLOCK_SOURCE"},
    {0x26, "IP_BLOCK_SOURCE"}, {0x27, "IP_ADD_SOURCE_MEMBERSHIP"}, {0x28, "IP_DROP_SOURCE_MEMBERSHIP"},
    {0x29, "IP_MSFILTER"}, {0x2a, "MCAST_JOIN_GROUP"}, {0x2b, "MCAST_BLOCK_SOURCE"}, {0x2c, "MCAST_UNBLOCK_SOURCE"},
    {0x2d, "MCAST_LEAVE_GROUP"}, {0x2e, "MCAST_JOIN_SOURCE_GROUP"}, {0x2f, "MCAST_LEAVE_SOURCE_GROUP"},
    {0x30, "MCAST_MSFILTER"}, {0x31, "IP_MULTICAST_ALL"}, {0x32, "IP_UNICAST_IF"}, {0x33, "IP_LOCAL_PORT_RANGE"},
    {0x34, "IP_PROTOCOL"},
};

static const xt_named values_ipt_set[] = {
    {0x40, "IPT_SO_SET_REPLACE"}, {0x41, "IPT_SO_SET_ADD_COUNTERS"},
};

static const xt_named values_ipt_get[] = {
    {0x40, "IPT_SO_GET_INFO"}, {0x41, "IPT_SO_GET_ENTRIES"}, {0x42, "IPT_SO_GET_REVISION_MATCH"},
    {0x43, "IPT_SO_GET_REVISION_TARGET"},
};

static const xt_named values_ip6t_set[] = {
    {0x40, "IP6T_SO_SET_REPLACE"}, {0x41, "IP6T_SO_SET_ADD_COUNTERS"},
};

static const xt_named values_ip6t_get[] = {
    {0x40, "IP6T_SO_GET_INFO"}, {0x41, "IP6T_SO_GET_ENTRIES"}, {0x44, "IP6T_SO_GET_REVISION_MATCH"},
    {0x45, "IP6T_SO_GET_REVISION_TARGET"},
};

static const xt_named values_ipv6_opt[] = {
    {1, "IPV6_ADDRFORM"}, {2, "IPV6_2292PKTINFO"}, {3, "IPV6_2292HOPOPTS"}, {4, "IPV6_2292DSTOPTS"},
    {5, "IPV6_2292RTHDR"}, {6, "IPV6_2292PKTOPTIONS"}, {7, "IPV6_CHECKSUM"}, {8, "IPV6_2292HOPLIMIT"},
    {9, "IPV6_NEXTHOP"}, {0xa, "IPV6_AUTHHDR"}, {0xb, "IPV6_FLOWINFO"}, {0x10, "IPV6_UNICAST_HOPS"},
    {0x11, "IPV6_MULTICAST_IF"}, {0x12, "IPV6_MULTICAST_HOPS"}, {0x13, "IPV6_MULTICAST_LOOP"},
    {0x14, "IPV6_ADD_MEMBERSHIP"}, {0x15, "IPV6_DROP_MEMBERSHIP"}, {0x16, "IPV6_ROUTER_ALERT"},
    {0x17, "IPV6_MTU_DISCOVER"}, {0x18, "IPV6_MTU"}, {0x19, "IPV6_RECVERR"}, {0x1a, "IPV6_V6ONLY"},
    {0x1b, "IPV6_JOIN_ANYCAST"}, {0x1c, "IPV6_LEAVE_ANYCAST"}, {0x1d, "IPV6_MULTICAST_ALL"},
    {0x1e, "IPV6_ROUTER_ALERT_ISOLATE"}, {0x1f, "IPV6_RECVERR_RFC4884"}, {0x20, "IPV6_FLOWLABEL_MGR"},
    {0x21, "IPV6_FLOWINFO_SEND"}, {0x22, "IPV6_IPSEC_POLICY"}, {0x23, "IPV6_XFRM_POLICY"}, {0x24, "IPV6_HDRINCL"},
    {0x2a, "MCAST_JOIN_GROUP"}, {0x2b, "MCAST_BLOCK_SOURCE"}, {0x2c, "MCAST_UNBLOCK_SOURCE"},
    {0x2d, "MCAST_LEAVE_GROUP"}, {0x2e, "MCAST_JOIN_SOURCE_GROUP"}, {0x2f, "MCAST_LEAVE_SOURCE_GROUP"},
    {0x30, "MCAST_MSFILTER"}, {0x31, "IPV6_RECVPKTINFO"}, {0x32, "IPV6_PKTINFO"}, {0x33, "IPV6_RECVHOPLIMIT"},
    {0x34, "IPV6_HOPLIMIT"}, {0x35, "IPV6_RECVHOPOPTS"}, {0x36, "IPV6_HOPOPTS"}, {0x37, "IPV6_RTHDRDSTOPTS"},
    {0x38, "IPV6_RECVRTHDR"}, {0x39, "IPV6_RTHDR"}, {0x3a, "IPV6_RECVDSTOPTS"}, {0x3b, "IPV6_DSTOPTS"},
    {0x3c, "IPV6_RECVPATHMTU"}, {0x3d, "IPV6_PATHMTU"}, {0x3e, "IPV6_DONTFRAG"}, {0x3f, "IPV6_USE_MIN_MTU"},
    {0x42, "IPV6_RECVTCLASS"}, {0x43, "IPV6_TCLASS"}, {0x46, "IPV6_AUTOFLOWLABEL"}, {0x48, "IPV6_ADDR_PREFERENCES"},
    {0x49, "IPV6_MINHOPCOUNT"}, {0x4a, "IPV6_RECVORIGDSTADDR"}, {0x4b, "IPV6_TRANSPARENT"}, {0x4c, "IPV6_UNICAST_IF"},
    {0x4d, "IPV6_RECVFRAGSIZE"}, {0x4e, "IPV6_FREEBIND"},
};

static const xt_named values_tcp_opt[] = {
    {1, "TCP_NODELAY"}, {2, "TCP_MAXSEG"}, {3, "TCP_CORK"}, {4, "TCP_KEEPIDLE"}, {5, "TCP_KEEPINTVL"},
    {6, "TCP_KEEPCNT"}, {7, "TCP_SYNCNT"}, {8, "TCP_LINGER2"}, {9, "TCP_DEFER_ACCEPT"}, {0xa, "TCP_WINDOW_CLAMP"},
    {0xb, "TCP_INFO"}, {0xc, "TCP_QUICKACK"}, {0xd, "TCP_CONGESTION"}, {0xe, "TCP_MD5SIG"},
    {0xf, "TCP_COOKIE_TRANSACTIONS"}, {0x10, "TCP_THIN_LINEAR_TIMEOUTS"}, {0x11, "TCP_THIN_DUPACK"},
    {0x12, "TCP_USER_TIMEOUT"}, {0x13, "TCP_REPAIR"}, {0x14, "TCP_REPAIR_QUEUE"}, {0x15, "TCP_QUEUE_SEQ"},
    {0x16, "TCP_REPAIR_OPTIONS"}, {0x17, "TCP_FASTOPEN"}, {0x18, "TCP_TIMESTAMP"}, {0x19, "TCP_NOTSENT_LOWAT"},
    {0x1a, "TCP_CC_INFO"}, {0x1b, "TCP_SAVE_SYN"}, {0x1c, "TCP_SAVED_SYN"}, {0x1d, "TCP_REPAIR_WINDOW"},
    {0x1e, "TCP_FASTOPEN_CONNECT"}, {0x1f, "TCP_ULP"}, {0x20, "TCP_MD5SIG_EXT"}, {0x21, "TCP_FASTOPEN_KEY"},
    {0x22, "TCP_FASTOPEN_NO_COOKIE"}, {0x23, "TCP_ZEROCOPY_RECEIVE"}, {0x24, "TCP_INQ"}, {0x25, "TCP_TX_DELAY"},
};

static const xt_named values_udp_opt[] = {
    {1, "UDP_CORK"}, {0x64, "UDP_ENCAP"}, {0x65, "UDP_NO_CHECK6_TX"}, {0x66, "UDP_NO_CHECK6_RX"}, {0x67, "UDP_SEGMENT"},
    {0x68, "UDP_GRO"},
};

static const xt_named values_packet_opt[] = {
    {1, "PACKET_ADD_MEMBERSHIP"}, {2, "PACKET_DROP_MEMBERSHIP"}, {3, "PACKET_RECV_OUTPUT"}, {5, "PACKET_RX_RING"},
    {6, "PACKET_STATISTICS"}, {7, "PACKET_COPY_THRESH"}, {8, "PACKET_AUXDATA"}, {9, "PACKET_ORIGDEV"},
    {0xa, "PACKET_VERSION"}, {0xb, "PACKET_HDRLEN"}, {0xc, "PACKET_RESERVE"}, {0xd, "PACKET_TX_RING"},
    {0xe, "PACKET_LOSS"}, {0xf, "PACKET_VNET_HDR"}, {0x10, "PACKET_TX_TIMESTAMP"}, {0x11, "PACKET_TIMESTAMP"},
    {0x12, "PACKET_FANOUT"}, {0x13, "PACKET_TX_HAS_OFF"}, {0x14, "PACKET_QDISC_BYPASS"},
    {0x15, "PACKET_ROLLOVER_STATS"}, {0x16, "PACKET_FANOUT_DATA"}, {0x17, "PACKET_IGNORE_OUTGOING"},
};

static const xt_named values_netlink_opt[] = {
    {1, "NETLINK_ADD_MEMBERSHIP"}, {2, "NETLINK_DROP_MEMBERSHIP"}, {3, "NETLINK_PKTINFO"},
    {4, "NETLINK_BROADCAST_ERROR"}, {5, "NETLINK_NO_ENOBUFS"}, {6, "NETLINK_RX_RING"}, {7, "NETLINK_TX_RING"},
    {8, "NETLINK_LISTEN_ALL_NSID"}, {9, "NETLINK_LIST_MEMBERSHIPS"}, {0xa, "NETLINK_CAP_ACK"}, {0xb, "NETLINK_EXT_ACK"},
    {0xc, "NETLINK_GET_STRICT_CHK"},
};

static const xt_named values_msg[] = {
    {1, "MSG_OOB"}, {2, "MSG_PEEK"}, {4, "MSG_DONTROUTE"}, {8, "MSG_CTRUNC"}, {0x10, "MSG_PROXY"}, {0x20, "MSG_TRUNC"},
    {0x40, "MSG_DONTWAIT"}, {0x80, "MSG_EOR"}, {0x100, "MSG_WAITALL"}, {0x200, "MSG_FIN"}, {0x400, "MSG_SYN"},
    {0x800, "MSG_CONFIRM"}, {0x1000, "MSG_RST"}, {0x2000, "MSG_ERRQUEUE"}, {0x4000, "MSG_NOSIGNAL"},
    {0x8000, "MSG_MORE"}, {0x10000, "MSG_WAITFORONE"}, {0x40000, "MSG_BATCH"}, {0x4000000, "MSG_ZEROCOPY"},
    {0x20000000, "MSG_FASTOPEN"}, {0x40000000, "MSG_CMSG_CLOEXEC"},
};

static const xt_named values_shutdown[] = {
    {0, "SHUT_RD"}, {1, "SHUT_WR"}, {2, "SHUT_RDWR"},
};

static const xt_named values_ptrace[] = {
    {0, "PTRACE_TRACEME"}, {1, "PTRACE_PEEKTEXT"}, {2, "PTRACE_PEEKDATA"}, {3, "PTRACE_PEEKUSR"},
    {4, "PTRACE_POKETEXT"}, {5, "PTRACE_POKEDATA"}, {6, "PTRACE_POKEUSR"}, {7, "PTRACE_CONT"}, {8, "PTRACE_KILL"},
    {9, "PTRACE_SINGLESTEP"}, {0xc, "PTRACE_GETREGS"}, {0xd, "PTRACE_SETREGS"}, {0xe, "PTRACE_GETFPREGS"},
    {0xf, "PTRACE_SETFPREGS"}, {0x10, "PTRACE_ATTACH"}, {0x11, "PTRACE_DETACH"}, {0x12, "PTRACE_GETFPXREGS"},
    {0x13, "PTRACE_SETFPXREGS"}, {0x18, "PTRACE_SYSCALL"}, {0x19, "PTRACE_GET_THREAD_AREA"},
    {0x1a, "PTRACE_SET_THREAD_AREA"}, {0x1e, "PTRACE_ARCH_PRCTL"}, {0x1f, "PTRACE_SYSEMU"},
    {0x21, "PTRACE_SINGLEBLOCK"}, {0x4200, "PTRACE_SETOPTIONS"}, {0x4201, "PTRACE_GETEVENTMSG"},
    {0x4202, "PTRACE_GETSIGINFO"}, {0x4203, "PTRACE_SETSIGINFO"}, {0x4204, "PTRACE_GETREGSET"},
    {0x4205, "PTRACE_SETREGSET"}, {0x4206, "PTRACE_SEIZE"}, {0x4207, "PTRACE_INTERRUPT"}, {0x4208, "PTRACE_LISTEN"},
    {0x4209, "PTRACE_PEEKSIGINFO"}, {0x420a, "PTRACE_GETSIGMASK"}, {0x420b, "PTRACE_SETSIGMASK"},
    {0x420c, "PTRACE_SECCOMP_GET_FILTER"}, {0x420d, "PTRACE_SECCOMP_GET_METADATA"}, {0x420e, "PTRACE_GET_SYSCALL_INFO"},
    {0x420f, "PTRACE_GET_RSEQ_CONFIGURATION"},
};

static const xt_named values_prctl[] = {
    {1, "PR_SET_PDEATHSIG"}, {2, "PR_GET_PDEATHSIG"}, {3, "PR_GET_DUMPABLE"}, {4, "PR_SET_DUMPABLE"},
    {5, "PR_GET_UNALIGN"}, {6, "PR_SET_UNALIGN"}, {7, "PR_GET_KEEPCAPS"}, {8, "PR_SET_KEEPCAPS"}, {9, "PR_GET_FPEMU"},
    {0xa, "PR_SET_FPEMU"}, {0xb, "PR_GET_FPEXC"}, {0xc, "PR_SET_FPEXC"}, {0xd, "PR_GET_TIMING"}, {0xe, "PR_SET_TIMING"},
    {0xf, "PR_SET_NAME"}, {0x10, "PR_GET_NAME"}, {0x13, "PR_GET_ENDIAN"}, {0x14, "PR_SET_ENDIAN"},
    {0x15, "PR_GET_SECCOMP"}, {0x16, "PR_SET_SECCOMP"}, {0x17, "PR_CAPBSET_READ"}, {0x18, "PR_CAPBSET_DROP"},
    {0x19, "PR_GET_TSC"}, {0x1a, "PR_SET_TSC"}, {0x1b, "PR_GET_SECUREBITS"}, {0x1c, "PR_SET_SECUREBITS"},
    {0x1d, "PR_SET_TIMERSLACK"}, {0x1e, "PR_GET_TIMERSLACK"}, {0x1f, "PR_TASK_PERF_EVENTS_DISABLE"},
    {0x20, "PR_TASK_PERF_EVENTS_ENABLE"}, {0x21, "PR_MCE_KILL"}, {0x22, "PR_MCE_KILL_GET"}, {0x23, "PR_SET_MM"},
    {0x24, "PR_SET_CHILD_SUBREAPER"}, {0x25, "PR_GET_CHILD_SUBREAPER"}, {0x26, "PR_SET_NO_NEW_PRIVS"},
    {0x27, "PR_GET_NO_NEW_PRIVS"}, {0x28, "PR_GET_TID_ADDRESS"}, {0x29, "PR_SET_THP_DISABLE"},
    {0x2a, "PR_GET_THP_DISABLE"}, {0x2d, "PR_SET_FP_MODE"}, {0x2e, "PR_GET_FP_MODE"}, {0x2f, "PR_CAP_AMBIENT"},
    {0x32, "PR_SVE_SET_VL"}, {0x33, "PR_SVE_GET_VL"}, {0x34, "PR_GET_SPECULATION_CTRL"},
    {0x35, "PR_SET_SPECULATION_CTRL"}, {0x36, "PR_PAC_RESET_KEYS"}, {0x37, "PR_SET_TAGGED_ADDR_CTRL"},
    {0x38, "PR_GET_TAGGED_ADDR_CTRL"}, {0x39, "PR_SET_IO_FLUSHER"}, {0x3a, "PR_GET_IO_FLUSHER"},
    {0x3b, "PR_SET_SYSCALL_USER_DISPATCH"}, {0x3c, "PR_PAC_SET_ENABLED_KEYS"}, {0x3d, "PR_PAC_GET_ENABLED_KEYS"},
    {0x3e, "PR_SCHED_CORE"}, {0x3f, "PR_SME_SET_VL"}, {0x40, "PR_SME_GET_VL"}, {0x53564d41, "PR_SET_VMA"},
    {0x59616d61, "PR_SET_PTRACER"},
};

static const xt_named values_ambient[] = {
    {1, "PR_CAP_AMBIENT_IS_SET"}, {2, "PR_CAP_AMBIENT_RAISE"}, {3, "PR_CAP_AMBIENT_LOWER"},
    {4, "PR_CAP_AMBIENT_CLEAR_ALL"},
};

static const xt_named values_arch_prctl[] = {
    {0x1001, "ARCH_SET_GS"}, {0x1002, "ARCH_SET_FS"}, {0x1003, "ARCH_GET_FS"}, {0x1004, "ARCH_GET_GS"},
    {0x1011, "ARCH_GET_CPUID"}, {0x1012, "ARCH_SET_CPUID"}, {0x1021, "ARCH_GET_XCOMP_SUPP"},
    {0x1022, "ARCH_GET_XCOMP_PERM"}, {0x1023, "ARCH_REQ_XCOMP_PERM"}, {0x1024, "ARCH_GET_XCOMP_GUEST_PERM"},
    {0x1025, "ARCH_REQ_XCOMP_GUEST_PERM"}, {0x2001, "ARCH_MAP_VDSO_X32"}, {0x2002, "ARCH_MAP_VDSO_32"},
    {0x2003, "ARCH_MAP_VDSO_64"},
};

static const xt_named values_fcntl[] = {
    {0, "F_DUPFD"}, {1, "F_GETFD"}, {2, "F_SETFD"}, {3, "F_GETFL"}, {4, "F_SETFL"}, {5, "F_GETLK"}, {6, "F_SETLK"},
    {7, "F_SETLKW"}, {8, "F_SETOWN"}, {9, "F_GETOWN"}, {0xa, "F_SETSIG"}, {0xb, "F_GETSIG"}, {0xc, "F_GETLK64"},
    {0xd, "F_SETLK64"}, {0xe, "F_SETLKW64"}, {0xf, "F_SETOWN_EX"}, {0x10, "F_GETOWN_EX"}, {0x11, "F_GETOWNER_UIDS"},
    {0x24, "F_OFD_GETLK"}, {0x25, "F_OFD_SETLK"}, {0x26, "F_OFD_SETLKW"}, {0x400, "F_SETLEASE"}, {0x401, "F_GETLEASE"},
    {0x402, "F_NOTIFY"}, {0x405, "F_CANCELLK"}, {0x406, "F_DUPFD_CLOEXEC"}, {0x407, "F_SETPIPE_SZ"},
    {0x408, "F_GETPIPE_SZ"}, {0x409, "F_ADD_SEALS"}, {0x40a, "F_GET_SEALS"}, {0x40b, "F_GET_RW_HINT"},
    {0x40c, "F_SET_RW_HINT"}, {0x40d, "F_GET_FILE_RW_HINT"}, {0x40e, "F_SET_FILE_RW_HINT"},
};

static const xt_named values_seal[] = {
    {1, "F_SEAL_SEAL"}, {2, "F_SEAL_SHRINK"}, {4, "F_SEAL_GROW"}, {8, "F_SEAL_WRITE"}, {0x10, "F_SEAL_FUTURE_WRITE"},
    {0x20, "F_SEAL_EXEC"},
};

static const xt_named values_lease[] = {
    {0, "F_RDLCK"}, {1, "F_WRLCK"}, {2, "F_UNLCK"},
};

static const xt_named values_dnotify[] = {
    {1, "DN_ACCESS"}, {2, "DN_MODIFY"}, {4, "DN_CREATE"}, {8, "DN_DELETE"}, {0x10, "DN_RENAME"}, {0x20, "DN_ATTRIB"},
    {0x80000000, "DN_MULTISHOT"},
};

static const xt_named values_at[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x400, "AT_SYMLINK_FOLLOW"}, {0x800, "AT_NO_AUTOMOUNT"}, {0x1000, "AT_EMPTY_PATH"},
    {0x2000, "AT_STATX_FORCE_SYNC"}, {0x4000, "AT_STATX_DONT_SYNC"}, {0x8000, "AT_RECURSIVE"},
};

static const xt_named values_unlink[] = {
    {0x200, "AT_REMOVEDIR"},
};

static const xt_named values_access_flag[] = {
    {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x200, "AT_EACCESS"}, {0x1000, "AT_EMPTY_PATH"},
};

static const xt_named values_access[] = {
    {0, "F_OK"}, {1, "X_OK"}, {2, "W_OK"}, {4, "R_OK"},
};

static const xt_named values_seek[] = {
    {0, "SEEK_SET"}, {1, "SEEK_CUR"}, {2, "SEEK_END"}, {3, "SEEK_DATA"}, {4, "SEEK_HOLE"},
};

static const xt_named values_flock[] = {
    {1, "LOCK_SH"}, {2, "LOCK_EX"}, {4, "LOCK_NB"}, {8, "LOCK_UN"}, {0x20, "LOCK_MAND"}, {0x40, "LOCK_READ"},
    {0x80, "LOCK_WRITE"}, {0xc0, "LOCK_RW"},
};

static const xt_named values_rename[] = {
    {1, "RENAME_NOREPLACE"}, {2, "RENAME_EXCHANGE"}, {4, "RENAME_WHITEOUT"},
};

static const xt_named values_resolve[] = {
    {1, "RESOLVE_NO_XDEV"}, {2, "RESOLVE_NO_MAGICLINKS"}, {4, "RESOLVE_NO_SYMLINKS"}, {8, "RESOLVE_BENEATH"},
    {0x10, "RESOLVE_IN_ROOT"}, {0x20, "RESOLVE_CACHED"},
};

static const xt_named values_fallocate[] = {
    {1, "FALLOC_FL_KEEP_SIZE"}, {2, "FALLOC_FL_PUNCH_HOLE"}, {4, "FALLOC_FL_NO_HIDE_STALE"},
    {8, "FALLOC_FL_COLLAPSE_RANGE"}, {0x10, "FALLOC_FL_ZERO_RANGE"}, {0x20, "FALLOC_FL_INSERT_RANGE"},
    {0x40, "FALLOC_FL_UNSHARE_RANGE"},
};

static const xt_named values_fadvise[] = {
    {0, "POSIX_FADV_NORMAL"}, {1, "POSIX_FADV_RANDOM"}, {2, "POSIX_FADV_SEQUENTIAL"}, {3, "POSIX_FADV_WILLNEED"},
    {4, "POSIX_FADV_DONTNEED"}, {5, "POSIX_FADV_NOREUSE"},
};

static const xt_named values_statx_mask[] = {
    {1, "STATX_TYPE"}, {2, "STATX_MODE"}, {4, "STATX_NLINK"}, {8, "STATX_UID"}, {0x10, "STATX_GID"},
    {0x20, "STATX_ATIME"}, {0x40, "STATX_MTIME"}, {0x80, "STATX_CTIME"}, {0x100, "STATX_INO"}, {0x200, "STATX_SIZE"},
    {0x400, "STATX_BLOCKS"}, {0x7ff, "STATX_BASIC_STATS"}, {0x800, "STATX_BTIME"}, {0xfff, "STATX_ALL"},
    {0x1000, "STATX_MNT_ID"}, {0x2000, "STATX_DIOALIGN"},
};

static const xt_named values_mount[] = {
    {1, "MS_RDONLY"}, {2, "MS_NOSUID"}, {4, "MS_NODEV"}, {8, "MS_NOEXEC"}, {0x10, "MS_SYNCHRONOUS"},
    {0x20, "MS_REMOUNT"}, {0x40, "MS_MANDLOCK"}, {0x80, "MS_DIRSYNC"}, {0x100, "MS_NOSYMFOLLOW"}, {0x400, "MS_NOATIME"},
    {0x800, "MS_NODIRATIME"}, {0x1000, "MS_BIND"}, {0x2000, "MS_MOVE"}, {0x4000, "MS_REC"}, {0x8000, "MS_SILENT"},
    {0x10000, "MS_POSIXACL"}, {0x20000, "MS_UNBINDABLE"}, {0x40000, "MS_PRIVATE"}, {0x80000, "MS_SLAVE"},
    {0x100000, "MS_SHARED"}, {0x200000, "MS_RELATIME"}, {0x400000, "MS_KERNMOUNT"}, {0x800000, "MS_I_VERSION"},
    {0x1000000, "MS_STRICTATIME"}, {0x2000000, "MS_LAZYTIME"}, {0x4000000, "MS_SUBMOUNT"},
    {0x8000000, "MS_NOREMOTELOCK"}, {0x10000000, "MS_NOSEC"}, {0x20000000, "MS_BORN"}, {0x40000000, "MS_ACTIVE"},
    {0x80000000, "MS_NOUSER"},
};

static const xt_named values_umount[] = {
    {1, "MNT_FORCE"}, {2, "MNT_DETACH"}, {4, "MNT_EXPIRE"}, {8, "UMOUNT_NOFOLLOW"},
};

static const xt_named values_mount_attr[] = {
    {1, "MOUNT_ATTR_RDONLY"}, {2, "MOUNT_ATTR_NOSUID"}, {4, "MOUNT_ATTR_NODEV"}, {8, "MOUNT_ATTR_NOEXEC"},
    {0x10, "MOUNT_ATTR_NOATIME"}, {0x20, "MOUNT_ATTR_STRICTATIME"}, {0x80, "MOUNT_ATTR_NODIRATIME"},
    {0x100000, "MOUNT_ATTR_IDMAP"}, {0x200000, "MOUNT_ATTR_NOSYMFOLLOW"},
};

static const xt_named values_fsopen[] = {
    {1, "FSOPEN_CLOEXEC"},
};

static const xt_named values_fsmount[] = {
    {1, "FSMOUNT_CLOEXEC"},
};

static const xt_named values_fspick[] = {
    {1, "FSPICK_CLOEXEC"}, {2, "FSPICK_SYMLINK_NOFOLLOW"}, {4, "FSPICK_NO_AUTOMOUNT"}, {8, "FSPICK_EMPTY_PATH"},
};

static const xt_named values_fsconfig[] = {
    {0, "FSCONFIG_SET_FLAG"}, {1, "FSCONFIG_SET_STRING"}, {2, "FSCONFIG_SET_BINARY"}, {3, "FSCONFIG_SET_PATH"},
    {4, "FSCONFIG_SET_PATH_EMPTY"}, {5, "FSCONFIG_SET_FD"}, {6, "FSCONFIG_CMD_CREATE"}, {7, "FSCONFIG_CMD_RECONFIGURE"},
};

static const xt_named values_open_tree[] = {
    {1, "OPEN_TREE_CLONE"}, {0x100, "AT_SYMLINK_NOFOLLOW"}, {0x800, "AT_NO_AUTOMOUNT"}, {0x1000, "AT_EMPTY_PATH"},
    {0x8000, "AT_RECURSIVE"}, {0x80000, "OPEN_TREE_CLOEXEC"},
};

static const xt_named values_epoll[] = {
    {1, "EPOLL_CTL_ADD"}, {2, "EPOLL_CTL_DEL"}, {3, "EPOLL_CTL_MOD"},
};

static const xt_named values_rlimit[] = {
    {0, "RLIMIT_CPU"}, {1, "RLIMIT_FSIZE"}, {2, "RLIMIT_DATA"}, {3, "RLIMIT_STACK"}, {4, "RLIMIT_CORE"},
    {5, "RLIMIT_RSS"}, {6, "RLIMIT_NPROC"}, {7, "RLIMIT_NOFILE"}, {8, "RLIMIT_MEMLOCK"}, {9, "RLIMIT_AS"},
    {0xa, "RLIMIT_LOCKS"}, {0xb, "RLIMIT_SIGPENDING"}, {0xc, "RLIMIT_MSGQUEUE"}, {0xd, "RLIMIT_NICE"},
    {0xe, "RLIMIT_RTPRIO"}, {0xf, "RLIMIT_RTTIME"},
};

static const xt_named values_priority[] = {
    {0, "PRIO_PROCESS"}, {1, "PRIO_PGRP"}, {2, "PRIO_USER"},
};

static const xt_named values_rusage[] = {
    {0, "RUSAGE_SELF"}, {1, "RUSAGE_THREAD"},
};

static const xt_named values_itimer[] = {
    {0, "ITIMER_REAL"}, {1, "ITIMER_VIRTUAL"}, {2, "ITIMER_PROF"},
};

static const xt_named values_clock[] = {
    {0, "CLOCK_REALTIME"}, {1, "CLOCK_MONOTONIC"}, {2, "CLOCK_PROCESS_CPUTIME_ID"}, {3, "CLOCK_THREAD_CPUTIME_ID"},
    {4, "CLOCK_MONOTONIC_RAW"}, {5, "CLOCK_REALTIME_COARSE"}, {6, "CLOCK_MONOTONIC_COARSE"}, {7, "CLOCK_BOOTTIME"},
    {8, "CLOCK_REALTIME_ALARM"}, {9, "CLOCK_BOOTTIME_ALARM"}, {0xa, "CLOCK_SGI_CYCLE"}, {0xb, "CLOCK_TAI"},
};

static const xt_named values_timerfd[] = {
    {0x800, "TFD_NONBLOCK"}, {0x80000, "TFD_CLOEXEC"},
};

static const xt_named values_wait[] = {
    {1, "WNOHANG"}, {2, "WUNTRACED"}, {4, "WEXITED"}, {8, "WCONTINUED"}, {0x1000000, "WNOWAIT"},
    {0x20000000, "__WNOTHREAD"}, {0x40000000, "__WALL"}, {0x80000000, "__WCLONE"},
};

static const xt_named values_waitid[] = {
    {0, "P_ALL"}, {1, "P_PID"}, {2, "P_PGID"}, {3, "P_PIDFD"},
};

static const xt_named values_futex[] = {
    {0, "FUTEX_WAIT"}, {1, "FUTEX_WAKE"}, {2, "FUTEX_FD"}, {3, "FUTEX_REQUEUE"}, {4, "FUTEX_CMP_REQUEUE"},
    {5, "FUTEX_WAKE_OP"}, {6, "FUTEX_LOCK_PI"}, {7, "FUTEX_UNLOCK_PI"}, {8, "FUTEX_TRYLOCK_PI"},
    {9, "FUTEX_WAIT_BITSET"}, {0xa, "FUTEX_WAKE_BITSET"}, {0xb, "FUTEX_WAIT_REQUEUE_PI"}, {0xc, "FUTEX_CMP_REQUEUE_PI"},
    {0xd, "FUTEX_LOCK_PI2"},
};

static const xt_named values_futex_flag[] = {
    {0x80, "FUTEX_PRIVATE_FLAG"}, {0x100, "FUTEX_CLOCK_REALTIME"},
};

static const xt_named values_keyctl[] = {
    {0, "KEYCTL_GET_KEYRING_ID"}, {1, "KEYCTL_JOIN_SESSION_KEYRING"}, {2, "KEYCTL_UPDATE"}, {3, "KEYCTL_REVOKE"},
    {4, "KEYCTL_CHOWN"}, {5, "KEYCTL_SETPERM"}, {6, "KEYCTL_DESCRIBE"}, {7, "KEYCTL_CLEAR"}, {8, "KEYCTL_LINK"},
    {9, "KEYCTL_UNLINK"}, {0xa, "KEYCTL_SEARCH"}, {0xb, "KEYCTL_READ"}, {0xc, "KEYCTL_INSTANTIATE"},
    {0xd, "KEYCTL_NEGATE"}, {0xe, "KEYCTL_SET_REQKEY_KEYRING"}, {0xf, "KEYCTL_SET_TIMEOUT"},
    {0x10, "KEYCTL_ASSUME_AUTHORITY"}, {0x11, "KEYCTL_GET_SECURITY"}, {0x12, "KEYCTL_SESSION_TO_PARENT"},
    {0x13, "KEYCTL_REJECT"}, {0x14, "KEYCTL_INSTANTIATE_IOV"}, {0x15, "KEYCTL_INVALIDATE"},
    {0x16, "KEYCTL_GET_PERSISTENT"}, {0x17, "KEYCTL_DH_COMPUTE"}, {0x18, "KEYCTL_PKEY_QUERY"},
    {0x19, "KEYCTL_PKEY_ENCRYPT"}, {0x1a, "KEYCTL_PKEY_DECRYPT"}, {0x1b, "KEYCTL_PKEY_SIGN"},
    {0x1c, "KEYCTL_PKEY_VERIFY"}, {0x1d, "KEYCTL_RESTRICT_KEYRING"}, {0x1e, "KEYCTL_MOVE"},
    {0x1f, "KEYCTL_CAPABILITIES"}, {0x20, "KEYCTL_WATCH_KEY"},
};

static const xt_named values_reboot[] = {
    {0, "LINUX_REBOOT_CMD_CAD_OFF"}, {0x1234567, "LINUX_REBOOT_CMD_RESTART"},
    {0x4321fedc, "LINUX_REBOOT_CMD_POWER_OFF"}, {0x45584543, "LINUX_REBOOT_CMD_KEXEC"},
    {0x89abcdef, "LINUX_REBOOT_CMD_CAD_ON"}, {0xa1b2c3d4, "LINUX_REBOOT_CMD_RESTART2"},
    {0xcdef0123, "LINUX_REBOOT_CMD_HALT"}, {0xd000fce2, "LINUX_REBOOT_CMD_SW_SUSPEND"},
};

static const xt_named values_quota[] = {
    {0x5801, "Q_XQUOTAON"}, {0x5802, "Q_XQUOTAOFF"}, {0x5803, "Q_XGETQUOTA"}, {0x5804, "Q_XSETQLIM"},
    {0x5805, "Q_XGETQSTAT"}, {0x5806, "Q_XQUOTARM"}, {0x5807, "Q_XQUOTASYNC"}, {0x5808, "Q_XGETQSTATV"},
    {0x5809, "Q_XGETNEXTQUOTA"}, {0x800001, "Q_SYNC"}, {0x800002, "Q_QUOTAON"}, {0x800003, "Q_QUOTAOFF"},
    {0x800004, "Q_GETFMT"}, {0x800005, "Q_GETINFO"}, {0x800006, "Q_SETINFO"}, {0x800007, "Q_GETQUOTA"},
    {0x800008, "Q_SETQUOTA"}, {0x800009, "Q_GETNEXTQUOTA"},
};

static const xt_named values_membarrier[] = {
    {0, "MEMBARRIER_CMD_QUERY"}, {1, "MEMBARRIER_CMD_GLOBAL"}, {2, "MEMBARRIER_CMD_GLOBAL_EXPEDITED"},
    {4, "MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED"}, {8, "MEMBARRIER_CMD_PRIVATE_EXPEDITED"},
    {0x10, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED"}, {0x20, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE"},
    {0x40, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE"}, {0x80, "MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ"},
    {0x100, "MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ"},
};

static const xt_named values_inotify[] = {
    {1, "IN_ACCESS"}, {2, "IN_MODIFY"}, {4, "IN_ATTRIB"}, {8, "IN_CLOSE_WRITE"}, {0x10, "IN_CLOSE_NOWRITE"},
    {0x20, "IN_OPEN"}, {0x40, "IN_MOVED_FROM"}, {0x80, "IN_MOVED_TO"}, {0x100, "IN_CREATE"}, {0x200, "IN_DELETE"},
    {0x400, "IN_DELETE_SELF"}, {0x800, "IN_MOVE_SELF"}, {0x2000, "IN_UNMOUNT"}, {0x4000, "IN_Q_OVERFLOW"},
    {0x8000, "IN_IGNORED"}, {0x1000000, "IN_ONLYDIR"}, {0x2000000, "IN_DONT_FOLLOW"}, {0x4000000, "IN_EXCL_UNLINK"},
    {0x10000000, "IN_MASK_CREATE"}, {0x20000000, "IN_MASK_ADD"}, {0x40000000, "IN_ISDIR"}, {0x80000000, "IN_ONESHOT"},
};

static const xt_named values_inotify_init[] = {
    {0x800, "IN_NONBLOCK"}, {0x80000, "IN_CLOEXEC"},
};

static const xt_named values_fanotify_init[] = {
    {0, "FAN_CLASS_NOTIF"}, {1, "FAN_CLOEXEC"}, {2, "FAN_NONBLOCK"}, {4, "FAN_CLASS_CONTENT"},
    {8, "FAN_CLASS_PRE_CONTENT"}, {0x10, "FAN_UNLIMITED_QUEUE"}, {0x20, "FAN_UNLIMITED_MARKS"},
    {0x40, "FAN_ENABLE_AUDIT"}, {0x80, "FAN_REPORT_PIDFD"}, {0x100, "FAN_REPORT_TID"}, {0x200, "FAN_REPORT_FID"},
    {0x400, "FAN_REPORT_DIR_FID"}, {0x800, "FAN_REPORT_NAME"}, {0x1000, "FAN_REPORT_TARGET_FID"},
};

static const xt_named values_fanotify_mark[] = {
    {0, "FAN_MARK_INODE"}, {1, "FAN_MARK_ADD"}, {2, "FAN_MARK_REMOVE"}, {4, "FAN_MARK_DONT_FOLLOW"},
    {8, "FAN_MARK_ONLYDIR"}, {0x10, "FAN_MARK_MOUNT"}, {0x20, "FAN_MARK_IGNORED_MASK"},
    {0x40, "FAN_MARK_IGNORED_SURV_MODIFY"}, {0x80, "FAN_MARK_FLUSH"}, {0x100, "FAN_MARK_FILESYSTEM"},
    {0x200, "FAN_MARK_EVICTABLE"}, {0x400, "FAN_MARK_IGNORE"},
};

static const xt_named values_fanotify[] = {
    {1, "FAN_ALLOW"}, {2, "FAN_DENY"},
};

static const xt_named values_memfd[] = {
    {1, "MFD_CLOEXEC"}, {2, "MFD_ALLOW_SEALING"}, {4, "MFD_HUGETLB"}, {8, "MFD_NOEXEC_SEAL"}, {0x10, "MFD_EXEC"},
};

static const xt_named values_getrandom[] = {
    {1, "GRND_NONBLOCK"}, {2, "GRND_RANDOM"}, {4, "GRND_INSECURE"},
};

static const xt_named values_module_init[] = {
    {1, "MODULE_INIT_IGNORE_MODVERSIONS"}, {2, "MODULE_INIT_IGNORE_VERMAGIC"}, {4, "MODULE_INIT_COMPRESSED_FILE"},
};

static const xt_named values_socketcall[] = {
    {1, "SYS_SOCKET"}, {2, "SYS_BIND"}, {3, "SYS_CONNECT"}, {4, "SYS_LISTEN"}, {5, "SYS_ACCEPT"},
    {6, "SYS_GETSOCKNAME"}, {7, "SYS_GETPEERNAME"}, {8, "SYS_SOCKETPAIR"}, {9, "SYS_SEND"}, {0xa, "SYS_RECV"},
    {0xb, "SYS_SENDTO"}, {0xc, "SYS_RECVFROM"}, {0xd, "SYS_SHUTDOWN"}, {0xe, "SYS_SETSOCKOPT"}, {0xf, "SYS_GETSOCKOPT"},
    {0x10, "SYS_SENDMSG"}, {0x11, "SYS_RECVMSG"}, {0x12, "SYS_ACCEPT4"}, {0x13, "SYS_RECVMMSG"}, {0x14, "SYS_SENDMMSG"},
};

static const xt_named values_ipc_call[] = {
    {1, "SEMOP"}, {2, "SEMGET"}, {3, "SEMCTL"}, {4, "SEMTIMEDOP"}, {0xb, "MSGSND"}, {0xc, "MSGRCV"}, {0xd, "MSGGET"},
    {0xe, "MSGCTL"}, {0x15, "SHMAT"}, {0x16, "SHMDT"}, {0x17, "SHMGET"}, {0x18, "SHMCTL"},
};

static const xt_named values_ipc_flag[] = {
    {0x200, "IPC_CREAT"}, {0x400, "IPC_EXCL"}, {0x800, "IPC_NOWAIT"},
};

static const xt_named values_ipc_command[] = {
    {0, "IPC_RMID"}, {1, "IPC_SET"}, {2, "IPC_STAT"}, {3, "IPC_INFO"}, {0xb, "MSG_STAT"}, {0xc, "GETVAL"},
    {0xd, "MSG_STAT_ANY"}, {0xe, "SHM_INFO"}, {0xf, "SHM_STAT_ANY"}, {0x10, "SETVAL"}, {0x11, "SETALL"},
    {0x12, "SEM_STAT"}, {0x13, "SEM_INFO"}, {0x14, "SEM_STAT_ANY"},
};

static const xt_named values_shm_get[] = {
    {0x200, "IPC_CREAT"}, {0x400, "IPC_EXCL"}, {0x800, "SHM_HUGETLB"}, {0x1000, "SHM_NORESERVE"},
};

static const xt_named values_shm_at[] = {
    {0x1000, "SHM_RDONLY"}, {0x2000, "SHM_RND"}, {0x4000, "SHM_REMAP"}, {0x8000, "SHM_EXEC"},
};

static const xt_named values_bpf[] = {
    {0, "BPF_MAP_CREATE"}, {1, "BPF_MAP_LOOKUP_ELEM"}, {2, "BPF_MAP_UPDATE_ELEM"}, {3, "BPF_MAP_DELETE_ELEM"},
    {4, "BPF_MAP_GET_NEXT_KEY"}, {5, "BPF_PROG_LOAD"}, {6, "BPF_OBJ_PIN"}, {7, "BPF_OBJ_GET"}, {8, "BPF_PROG_ATTACH"},
    {9, "BPF_PROG_DETACH"}, {0xa, "BPF_PROG_TEST_RUN"}, {0xb, "BPF_PROG_GET_NEXT_ID"}, {0xc, "BPF_MAP_GET_NEXT_ID"},
    {0xd, "BPF_PROG_GET_FD_BY_ID"}, {0xe, "BPF_MAP_GET_FD_BY_ID"}, {0xf, "BPF_OBJ_GET_INFO_BY_FD"},
    {0x10, "BPF_PROG_QUERY"}, {0x11, "BPF_RAW_TRACEPOINT_OPEN"}, {0x12, "BPF_BTF_LOAD"}, {0x13, "BPF_BTF_GET_FD_BY_ID"},
    {0x14, "BPF_TASK_FD_QUERY"}, {0x15, "BPF_MAP_LOOKUP_AND_DELETE_ELEM"}, {0x16, "BPF_MAP_FREEZE"},
    {0x17, "BPF_BTF_GET_NEXT_ID"}, {0x18, "BPF_MAP_LOOKUP_BATCH"}, {0x19, "BPF_MAP_LOOKUP_AND_DELETE_BATCH"},
    {0x1a, "BPF_MAP_UPDATE_BATCH"}, {0x1b, "BPF_MAP_DELETE_BATCH"}, {0x1c, "BPF_LINK_CREATE"},
    {0x1d, "BPF_LINK_UPDATE"}, {0x1e, "BPF_LINK_GET_FD_BY_ID"}, {0x1f, "BPF_LINK_GET_NEXT_ID"},
    {0x20, "BPF_ENABLE_STATS"}, {0x21, "BPF_ITER_CREATE"}, {0x22, "BPF_LINK_DETACH"}, {0x23, "BPF_PROG_BIND_MAP"},
    {0x24, "BPF_TOKEN_CREATE"}, {0x25, "BPF_PROG_STREAM_READ_BY_FD"},
};

static const xt_named values_seccomp_op[] = {
    {0, "SECCOMP_SET_MODE_STRICT"}, {1, "SECCOMP_SET_MODE_FILTER"}, {2, "SECCOMP_GET_ACTION_AVAIL"},
    {3, "SECCOMP_GET_NOTIF_SIZES"},
};

static const xt_named values_seccomp_flag[] = {
    {1, "SECCOMP_FILTER_FLAG_TSYNC"}, {2, "SECCOMP_FILTER_FLAG_LOG"}, {4, "SECCOMP_FILTER_FLAG_SPEC_ALLOW"},
    {8, "SECCOMP_FILTER_FLAG_NEW_LISTENER"}, {0x10, "SECCOMP_FILTER_FLAG_TSYNC_ESRCH"},
    {0x20, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"},
};

static const xt_named values_seccomp_mode[] = {
    {0, "SECCOMP_MODE_DISABLED"}, {1, "SECCOMP_MODE_STRICT"}, {2, "SECCOMP_MODE_FILTER"},
};

static const xt_named values_seccomp_return[] = {
    {0, "SECCOMP_RET_KILL_THREAD"}, {0x30000, "SECCOMP_RET_TRAP"}, {0x50000, "SECCOMP_RET_ERRNO"},
    {0x7fc00000, "SECCOMP_RET_USER_NOTIF"}, {0x7ff00000, "SECCOMP_RET_TRACE"}, {0x7ffc0000, "SECCOMP_RET_LOG"},
    {0x7fff0000, "SECCOMP_RET_ALLOW"}, {0x80000000, "SECCOMP_RET_KILL_PROCESS"},
};

static const xt_named values_personality[] = {
    {0, "PER_LINUX"}, {6, "PER_BSD"}, {8, "PER_LINUX32"}, {0xc, "PER_RISCOS"}, {0xf, "PER_OSF4"}, {0x10, "PER_HPUX"},
    {0x80000, "PER_LINUX_FDPIC"}, {0x740000, "PER_CLEAR_ON_SETID"}, {0x800000, "PER_LINUX_32BIT"},
    {0x4000005, "PER_ISCR4"}, {0x4000006, "PER_SUNOS"}, {0x4000009, "PER_IRIX32"}, {0x400000a, "PER_IRIXN32"},
    {0x400000b, "PER_IRIX64"}, {0x400000d, "PER_SOLARIS"}, {0x4100001, "PER_SVR4"}, {0x410000e, "PER_UW7"},
    {0x5000002, "PER_SVR3"}, {0x5000004, "PER_WYSEV386"}, {0x5000007, "PER_XENIX"}, {0x6000003, "PER_OSR5"},
    {0x7000003, "PER_SCOSVR3"}, {0x8000008, "PER_LINUX32_3GB"},
};

static const xt_named values_personality_flag[] = {
    {0x20000, "UNAME26"}, {0x40000, "ADDR_NO_RANDOMIZE"}, {0x80000, "FDPIC_FUNCPTRS"}, {0x100000, "MMAP_PAGE_ZERO"},
    {0x200000, "ADDR_COMPAT_LAYOUT"}, {0x400000, "READ_IMPLIES_EXEC"}, {0x800000, "ADDR_LIMIT_32BIT"},
    {0x1000000, "SHORT_INODE"}, {0x2000000, "WHOLE_SECONDS"}, {0x4000000, "STICKY_TIMEOUTS"},
    {0x8000000, "ADDR_LIMIT_3GB"},
};

static const xt_named values_capability[] = {
    {0, "CAP_CHOWN"}, {1, "CAP_DAC_OVERRIDE"}, {2, "CAP_DAC_READ_SEARCH"}, {3, "CAP_FOWNER"}, {4, "CAP_FSETID"},
    {5, "CAP_KILL"}, {6, "CAP_SETGID"}, {7, "CAP_SETUID"}, {8, "CAP_SETPCAP"}, {9, "CAP_LINUX_IMMUTABLE"},
    {0xa, "CAP_NET_BIND_SERVICE"}, {0xb, "CAP_NET_BROADCAST"}, {0xc, "CAP_NET_ADMIN"}, {0xd, "CAP_NET_RAW"},
    {0xe, "CAP_IPC_LOCK"}, {0xf, "CAP_IPC_OWNER"}, {0x10, "CAP_SYS_MODULE"}, {0x11, "CAP_SYS_RAWIO"},
    {0x12, "CAP_SYS_CHROOT"}, {0x13, "CAP_SYS_PTRACE"}, {0x14, "CAP_SYS_PACCT"}, {0x15, "CAP_SYS_ADMIN"},
    {0x16, "CAP_SYS_BOOT"}, {0x17, "CAP_SYS_NICE"}, {0x18, "CAP_SYS_RESOURCE"}, {0x19, "CAP_SYS_TIME"},
    {0x1a, "CAP_SYS_TTY_CONFIG"}, {0x1b, "CAP_MKNOD"}, {0x1c, "CAP_LEASE"}, {0x1d, "CAP_AUDIT_WRITE"},
    {0x1e, "CAP_AUDIT_CONTROL"}, {0x1f, "CAP_SETFCAP"}, {0x20, "CAP_MAC_OVERRIDE"}, {0x21, "CAP_MAC_ADMIN"},
    {0x22, "CAP_SYSLOG"}, {0x23, "CAP_WAKE_ALARM"}, {0x24, "CAP_BLOCK_SUSPEND"}, {0x25, "CAP_AUDIT_READ"},
    {0x26, "CAP_PERFMON"}, {0x27, "CAP_BPF"}, {0x28, "CAP_CHECKPOINT_RESTORE"},
};

static const xt_named values_securebits[] = {
    {1, "SECBIT_NOROOT"}, {2, "SECBIT_NOROOT_LOCKED"}, {4, "SECBIT_NO_SETUID_FIXUP"},
    {8, "SECBIT_NO_SETUID_FIXUP_LOCKED"}, {0x10, "SECBIT_KEEP_CAPS"}, {0x20, "SECBIT_KEEP_CAPS_LOCKED"},
    {0x40, "SECBIT_NO_CAP_AMBIENT_RAISE"}, {0x80, "SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED"},
};

static const xt_named values_uring_op[] = {
    {0, "IORING_OP_NOP"}, {1, "IORING_OP_READV"}, {2, "IORING_OP_WRITEV"}, {3, "IORING_OP_FSYNC"},
    {4, "IORING_OP_READ_FIXED"}, {5, "IORING_OP_WRITE_FIXED"}, {6, "IORING_OP_POLL_ADD"}, {7, "IORING_OP_POLL_REMOVE"},
    {8, "IORING_OP_SYNC_FILE_RANGE"}, {9, "IORING_OP_SENDMSG"}, {0xa, "IORING_OP_RECVMSG"}, {0xb, "IORING_OP_TIMEOUT"},
    {0xc, "IORING_OP_TIMEOUT_REMOVE"}, {0xd, "IORING_OP_ACCEPT"}, {0xe, "IORING_OP_ASYNC_CANCEL"},
    {0xf, "IORING_OP_LINK_TIMEOUT"}, {0x10, "IORING_OP_CONNECT"}, {0x11, "IORING_OP_FALLOCATE"},
    {0x12, "IORING_OP_OPENAT"}, {0x13, "IORING_OP_CLOSE"}, {0x14, "IORING_OP_FILES_UPDATE"}, {0x15, "IORING_OP_STATX"},
    {0x16, "IORING_OP_READ"}, {0x17, "IORING_OP_WRITE"}, {0x18, "IORING_OP_FADVISE"}, {0x19, "IORING_OP_MADVISE"},
    {0x1a, "IORING_OP_SEND"}, {0x1b, "IORING_OP_RECV"}, {0x1c, "IORING_OP_OPENAT2"}, {0x1d, "IORING_OP_EPOLL_CTL"},
    {0x1e, "IORING_OP_SPLICE"}, {0x1f, "IORING_OP_PROVIDE_BUFFERS"}, {0x20, "IORING_OP_REMOVE_BUFFERS"},
    {0x21, "IORING_OP_TEE"}, {0x22, "IORING_OP_SHUTDOWN"}, {0x23, "IORING_OP_RENAMEAT"}, {0x24, "IORING_OP_UNLINKAT"},
    {0x25, "IORING_OP_MKDIRAT"}, {0x26, "IORING_OP_SYMLINKAT"}, {0x27, "IORING_OP_LINKAT"},
    {0x28, "IORING_OP_MSG_RING"}, {0x29, "IORING_OP_FSETXATTR"}, {0x2a, "IORING_OP_SETXATTR"},
    {0x2b, "IORING_OP_FGETXATTR"}, {0x2c, "IORING_OP_GETXATTR"}, {0x2d, "IORING_OP_SOCKET"},
    {0x2e, "IORING_OP_URING_CMD"}, {0x2f, "IORING_OP_SEND_ZC"}, {0x30, "IORING_OP_SENDMSG_ZC"},
    {0x31, "IORING_OP_READ_MULTISHOT"}, {0x32, "IORING_OP_WAITID"}, {0x33, "IORING_OP_FUTEX_WAIT"},
    {0x34, "IORING_OP_FUTEX_WAKE"}, {0x35, "IORING_OP_FUTEX_WAITV"}, {0x36, "IORING_OP_FIXED_FD_INSTALL"},
    {0x37, "IORING_OP_FTRUNCATE"}, {0x38, "IORING_OP_BIND"}, {0x39, "IORING_OP_LISTEN"},
};

static const xt_named values_uring_register[] = {
    {0, "IORING_REGISTER_BUFFERS"}, {1, "IORING_UNREGISTER_BUFFERS"}, {2, "IORING_REGISTER_FILES"},
    {3, "IORING_UNREGISTER_FILES"}, {4, "IORING_REGISTER_EVENTFD"}, {5, "IORING_UNREGISTER_EVENTFD"},
    {6, "IORING_REGISTER_FILES_UPDATE"}, {7, "IORING_REGISTER_EVENTFD_ASYNC"}, {8, "IORING_REGISTER_PROBE"},
    {9, "IORING_REGISTER_PERSONALITY"}, {0xa, "IORING_UNREGISTER_PERSONALITY"}, {0xb, "IORING_REGISTER_RESTRICTIONS"},
    {0xc, "IORING_REGISTER_ENABLE_RINGS"}, {0xd, "IORING_REGISTER_FILES2"}, {0xe, "IORING_REGISTER_FILES_UPDATE2"},
    {0xf, "IORING_REGISTER_BUFFERS2"}, {0x10, "IORING_REGISTER_BUFFERS_UPDATE"}, {0x11, "IORING_REGISTER_IOWQ_AFF"},
    {0x12, "IORING_UNREGISTER_IOWQ_AFF"}, {0x13, "IORING_REGISTER_IOWQ_MAX_WORKERS"},
    {0x14, "IORING_REGISTER_RING_FDS"}, {0x15, "IORING_UNREGISTER_RING_FDS"}, {0x16, "IORING_REGISTER_PBUF_RING"},
    {0x17, "IORING_UNREGISTER_PBUF_RING"}, {0x18, "IORING_REGISTER_SYNC_CANCEL"},
    {0x19, "IORING_REGISTER_FILE_ALLOC_RANGE"},
};

static const xt_named values_landlock_rule[] = {
    {1, "LANDLOCK_RULE_PATH_BENEATH"},
};

static const xt_named values_nf_family[] = {
    {0, "NFPROTO_UNSPEC"}, {1, "NFPROTO_INET"}, {2, "NFPROTO_IPV4"}, {3, "NFPROTO_ARP"}, {5, "NFPROTO_NETDEV"},
    {7, "NFPROTO_BRIDGE"}, {0xa, "NFPROTO_IPV6"}, {0xc, "NFPROTO_DECNET"},
};

static const xt_named values_nf_hook[] = {
    {0, "NF_INET_PRE_ROUTING"}, {1, "NF_INET_LOCAL_IN"}, {2, "NF_INET_FORWARD"}, {3, "NF_INET_LOCAL_OUT"},
    {4, "NF_INET_POST_ROUTING"}, {5, "NF_INET_INGRESS"},
};

static const xt_named values_icmp[] = {
    {0, "ICMP_ECHOREPLY"}, {3, "ICMP_DEST_UNREACH"}, {4, "ICMP_SOURCE_QUENCH"}, {5, "ICMP_REDIRECT"}, {8, "ICMP_ECHO"},
    {0xb, "ICMP_TIME_EXCEEDED"}, {0xc, "ICMP_PARAMETERPROB"}, {0xd, "ICMP_TIMESTAMP"}, {0xe, "ICMP_TIMESTAMPREPLY"},
    {0xf, "ICMP_INFO_REQUEST"}, {0x10, "ICMP_INFO_REPLY"}, {0x11, "ICMP_ADDRESS"}, {0x12, "ICMP_ADDRESSREPLY"},
};

static const xt_named values_audit_filter[] = {
    {0, "AUDIT_FILTER_USER"}, {1, "AUDIT_FILTER_TASK"}, {2, "AUDIT_FILTER_ENTRY"}, {3, "AUDIT_FILTER_WATCH"},
    {4, "AUDIT_FILTER_EXIT"}, {5, "AUDIT_FILTER_EXCLUDE"}, {6, "AUDIT_FILTER_FS"}, {7, "AUDIT_FILTER_URING_EXIT"},
};

static const xt_named values_audit_group[] = {
    {0, "AUDIT_NLGRP_NONE"}, {1, "AUDIT_NLGRP_READLOG"},
};

static const xt_named values_ioctl[] = {
    {0x125d, "BLKROSET"}, {0x125e, "BLKROGET"}, {0x125f, "BLKRRPART"}, {0x1260, "BLKGETSIZE"}, {0x1261, "BLKFLSBUF"},
    {0x1262, "BLKRASET"}, {0x1263, "BLKRAGET"}, {0x1264, "BLKFRASET"}, {0x1265, "BLKFRAGET"}, {0x1266, "BLKSECTSET"},
    {0x1267, "BLKSECTGET"}, {0x1268, "BLKSSZGET"}, {0x1274, "BLKTRACESTART"}, {0x1275, "BLKTRACESTOP"},
    {0x1276, "BLKTRACETEARDOWN"}, {0x1277, "BLKDISCARD"}, {0x1278, "BLKIOMIN"}, {0x1279, "BLKIOOPT"},
    {0x127a, "BLKALIGNOFF"}, {0x127b, "BLKPBSZGET"}, {0x127c, "BLKDISCARDZEROES"}, {0x127d, "BLKSECDISCARD"},
    {0x127e, "BLKROTATIONAL"}, {0x127f, "BLKZEROOUT"}, {0x2000, "DM_UEVENT_GENERATED_FLAG"},
    {0x2400, "PERF_EVENT_IOC_ENABLE"}, {0x2401, "PERF_EVENT_IOC_DISABLE"}, {0x2402, "PERF_EVENT_IOC_REFRESH"},
    {0x2403, "PERF_EVENT_IOC_RESET"}, {0x2405, "PERF_EVENT_IOC_SET_OUTPUT"}, {0x4000, "DM_UUID_FLAG"},
    {0x4b2f, "KIOCSOUND"}, {0x4b30, "KDMKTONE"}, {0x4b31, "KDGETLED"}, {0x4b32, "KDSETLED"}, {0x4b33, "KDGKBTYPE"},
    {0x4b3a, "KDSETMODE"}, {0x4b3b, "KDGETMODE"}, {0x4b3c, "KDMAPDISP"}, {0x4b40, "GIO_SCRNMAP"},
    {0x4b41, "PIO_SCRNMAP"}, {0x4b44, "KDGKBMODE"}, {0x4b45, "KDSKBMODE"}, {0x4b46, "KDGKBENT"}, {0x4b47, "KDSKBENT"},
    {0x4b48, "KDGKBSENT"}, {0x4b49, "KDSKBSENT"}, {0x4b4a, "KDGKBDIACR"}, {0x4b4b, "KDSKBDIACR"},
    {0x4b4c, "KDGETKEYCODE"}, {0x4b4d, "KDSETKEYCODE"}, {0x4b4e, "KDSIGACCEPT"}, {0x4b60, "GIO_FONT"},
    {0x4b61, "PIO_FONT"}, {0x4b62, "KDGKBMETA"}, {0x4b63, "KDSKBMETA"}, {0x4b64, "KDGKBLED"}, {0x4b65, "KDSKBLED"},
    {0x4b66, "GIO_UNIMAP"}, {0x4b67, "PIO_UNIMAP"}, {0x4b68, "PIO_UNIMAPCLR"}, {0x4b69, "GIO_UNISCRNMAP"},
    {0x4b6a, "PIO_UNISCRNMAP"}, {0x4b6b, "GIO_FONTX"}, {0x4b6c, "PIO_FONTX"}, {0x4b6d, "PIO_FONTRESET"},
    {0x4b70, "GIO_CMAP"}, {0x4b71, "PIO_CMAP"}, {0x4bfa, "KDGKBDIACRUC"}, {0x4bfb, "KDSKBDIACRUC"},
    {0x4c00, "LOOP_SET_FD"}, {0x4c01, "LOOP_CLR_FD"}, {0x4c02, "LOOP_SET_STATUS"}, {0x4c03, "LOOP_GET_STATUS"},
    {0x4c04, "LOOP_SET_STATUS64"}, {0x4c05, "LOOP_GET_STATUS64"}, {0x4c06, "LOOP_CHANGE_FD"},
    {0x4c07, "LOOP_SET_CAPACITY"}, {0x4c08, "LOOP_SET_DIRECT_IO"}, {0x4c09, "LOOP_SET_BLOCK_SIZE"},
    {0x4c0a, "LOOP_CONFIGURE"}, {0x4c80, "LOOP_CTL_ADD"}, {0x4c81, "LOOP_CTL_REMOVE"}, {0x4c82, "LOOP_CTL_GET_FREE"},
    {0x5204, "RNDZAPENTCNT"}, {0x5206, "RNDCLEARPOOL"}, {0x5207, "RNDRESEEDCRNG"}, {0x5301, "CDROMPAUSE"},
    {0x5302, "CDROMRESUME"}, {0x5303, "CDROMPLAYMSF"}, {0x5304, "CDROMPLAYTRKIND"}, {0x5305, "CDROMREADTOCHDR"},
    {0x5306, "CDROMREADTOCENTRY"}, {0x5307, "CDROMSTOP"}, {0x5308, "CDROMSTART"}, {0x5309, "CDROMEJECT"},
    {0x530a, "CDROMVOLCTRL"}, {0x530b, "CDROMSUBCHNL"}, {0x530c, "CDROMREADMODE2"}, {0x530d, "CDROMREADMODE1"},
    {0x530e, "CDROMREADAUDIO"}, {0x530f, "CDROMEJECT_SW"}, {0x5310, "CDROMMULTISESSION"}, {0x5311, "CDROM_GET_UPC"},
    {0x5312, "CDROMRESET"}, {0x5313, "CDROMVOLREAD"}, {0x5314, "CDROMREADRAW"}, {0x5315, "CDROMREADCOOKED"},
    {0x5316, "CDROMSEEK"}, {0x5317, "CDROMPLAYBLK"}, {0x5318, "CDROMREADALL"}, {0x5319, "CDROMCLOSETRAY"},
    {0x531d, "CDROMGETSPINDOWN"}, {0x531e, "CDROMSETSPINDOWN"}, {0x5320, "CDROM_SET_OPTIONS"},
    {0x5321, "CDROM_CLEAR_OPTIONS"}, {0x5322, "CDROM_SELECT_SPEED"}, {0x5323, "CDROM_SELECT_DISC"},
    {0x5325, "CDROM_MEDIA_CHANGED"}, {0x5326, "CDROM_DRIVE_STATUS"}, {0x5327, "CDROM_DISC_STATUS"},
    {0x5328, "CDROM_CHANGER_NSLOTS"}, {0x5329, "CDROM_LOCKDOOR"}, {0x5330, "CDROM_DEBUG"},
    {0x5331, "CDROM_GET_CAPABILITY"}, {0x5382, "CDROMAUDIOBUFSIZ"}, {0x5393, "CDROM_SEND_PACKET"},
    {0x5394, "CDROM_NEXT_WRITABLE"}, {0x5395, "CDROM_LAST_WRITTEN"}, {0x5396, "CDROM_TIMED_MEDIA_CHANGE"},
    {0x5401, "TCGETS"}, {0x5402, "TCSETS"}, {0x5403, "TCSETSW"}, {0x5404, "TCSETSF"}, {0x5405, "TCGETA"},
    {0x5406, "TCSETA"}, {0x5407, "TCSETAW"}, {0x5408, "TCSETAF"}, {0x5409, "TCSBRK"}, {0x540a, "TCXONC"},
    {0x540b, "TCFLSH"}, {0x540c, "TIOCEXCL"}, {0x540d, "TIOCNXCL"}, {0x540e, "TIOCSCTTY"}, {0x540f, "TIOCGPGRP"},
    {0x5410, "TIOCSPGRP"}, {0x5411, "TIOCOUTQ"}, {0x5412, "TIOCSTI"}, {0x5413, "TIOCGWINSZ"}, {0x5414, "TIOCSWINSZ"},
    {0x5415, "TIOCMGET"}, {0x5416, "TIOCMBIS"}, {0x5417, "TIOCMBIC"}, {0x5418, "TIOCMSET"}, {0x5419, "TIOCGSOFTCAR"},
    {0x541a, "TIOCSSOFTCAR"}, {0x541b, "FIONREAD"}, {0x541c, "TIOCLINUX"}, {0x541d, "TIOCCONS"},
    {0x541e, "TIOCGSERIAL"}, {0x541f, "TIOCSSERIAL"}, {0x5420, "TIOCPKT"}, {0x5421, "FIONBIO"}, {0x5422, "TIOCNOTTY"},
    {0x5423, "TIOCSETD"}, {0x5424, "TIOCGETD"}, {0x5425, "TCSBRKP"}, {0x5427, "TIOCSBRK"}, {0x5428, "TIOCCBRK"},
    {0x5429, "TIOCGSID"}, {0x542e, "TIOCGRS485"}, {0x542f, "TIOCSRS485"}, {0x5432, "TCGETX"}, {0x5433, "TCSETX"},
    {0x5434, "TCSETXF"}, {0x5435, "TCSETXW"}, {0x5437, "TIOCVHANGUP"}, {0x5441, "TIOCGPTPEER"}, {0x5450, "FIONCLEX"},
    {0x5451, "FIOCLEX"}, {0x5452, "FIOASYNC"}, {0x5453, "TIOCSERCONFIG"}, {0x5454, "TIOCSERGWILD"},
    {0x5455, "TIOCSERSWILD"}, {0x5456, "TIOCGLCKTRMIOS"}, {0x5457, "TIOCSLCKTRMIOS"}, {0x5458, "TIOCSERGSTRUCT"},
    {0x5459, "TIOCSERGETLSR"}, {0x545a, "TIOCSERGETMULTI"}, {0x545b, "TIOCSERSETMULTI"}, {0x545c, "TIOCMIWAIT"},
    {0x545d, "TIOCGICOUNT"}, {0x5460, "FIOQSIZE"}, {0x54e3, "TUNGETDEVNETNS"}, {0x5600, "VT_OPENQRY"},
    {0x5601, "VT_GETMODE"}, {0x5602, "VT_SETMODE"}, {0x5603, "VT_GETSTATE"}, {0x5604, "VT_SENDSIG"},
    {0x5605, "VT_RELDISP"}, {0x5606, "VT_ACTIVATE"}, {0x5607, "VT_WAITACTIVE"}, {0x5608, "VT_DISALLOCATE"},
    {0x5609, "VT_RESIZE"}, {0x560a, "VT_RESIZEX"}, {0x560b, "VT_LOCKSWITCH"}, {0x560c, "VT_UNLOCKSWITCH"},
    {0x560d, "VT_GETHIFONTMASK"}, {0x560e, "VT_WAITEVENT"}, {0x560f, "VT_SETACTIVATE"}, {0x8000, "DM_SECURE_DATA_FLAG"},
    {0x8901, "FIOSETOWN"}, {0x8902, "SIOCSPGRP"}, {0x8903, "FIOGETOWN"}, {0x8904, "SIOCGPGRP"}, {0x8905, "SIOCATMARK"},
    {0x8906, "SIOCGSTAMP"}, {0x8907, "SIOCGSTAMPNS"}, {0x890b, "SIOCADDRT"}, {0x890c, "SIOCDELRT"},
    {0x890d, "SIOCRTMSG"}, {0x8910, "SIOCGIFNAME"}, {0x8911, "SIOCSIFLINK"}, {0x8912, "SIOCGIFCONF"},
    {0x8913, "SIOCGIFFLAGS"}, {0x8914, "SIOCSIFFLAGS"}, {0x8915, "SIOCGIFADDR"}, {0x8916, "SIOCSIFADDR"},
    {0x8917, "SIOCGIFDSTADDR"}, {0x8918, "SIOCSIFDSTADDR"}, {0x8919, "SIOCGIFBRDADDR"}, {0x891a, "SIOCSIFBRDADDR"},
    {0x891b, "SIOCGIFNETMASK"}, {0x891c, "SIOCSIFNETMASK"}, {0x891d, "SIOCGIFMETRIC"}, {0x891e, "SIOCSIFMETRIC"},
    {0x891f, "SIOCGIFMEM"}, {0x8920, "SIOCSIFMEM"}, {0x8921, "SIOCGIFMTU"}, {0x8922, "SIOCSIFMTU"},
    {0x8923, "SIOCSIFNAME"}, {0x8924, "SIOCSIFHWADDR"}, {0x8925, "SIOCGIFENCAP"}, {0x8926, "SIOCSIFENCAP"},
    {0x8927, "SIOCGIFHWADDR"}, {0x8929, "SIOCGIFSLAVE"}, {0x8930, "SIOCSIFSLAVE"}, {0x8931, "SIOCADDMULTI"},
    {0x8932, "SIOCDELMULTI"}, {0x8933, "SIOCGIFINDEX"}, {0x8934, "SIOCSIFPFLAGS"}, {0x8935, "SIOCGIFPFLAGS"},
    {0x8936, "SIOCDIFADDR"}, {0x8937, "SIOCSIFHWBROADCAST"}, {0x8938, "SIOCGIFCOUNT"}, {0x8940, "SIOCGIFBR"},
    {0x8941, "SIOCSIFBR"}, {0x8942, "SIOCGIFTXQLEN"}, {0x8943, "SIOCSIFTXQLEN"}, {0x8946, "SIOCETHTOOL"},
    {0x8947, "SIOCGMIIPHY"}, {0x8948, "SIOCGMIIREG"}, {0x8949, "SIOCSMIIREG"}, {0x894a, "SIOCWANDEV"},
    {0x894b, "SIOCOUTQNSD"}, {0x894c, "SIOCGSKNS"}, {0x8953, "SIOCDARP"}, {0x8954, "SIOCGARP"}, {0x8955, "SIOCSARP"},
    {0x8960, "SIOCDRARP"}, {0x8961, "SIOCGRARP"}, {0x8962, "SIOCSRARP"}, {0x8970, "SIOCGIFMAP"}, {0x8971, "SIOCSIFMAP"},
    {0x8980, "SIOCADDDLCI"}, {0x8981, "SIOCDELDLCI"}, {0x8982, "SIOCGIFVLAN"}, {0x8983, "SIOCSIFVLAN"},
    {0x8990, "SIOCBONDENSLAVE"}, {0x8991, "SIOCBONDRELEASE"}, {0x8992, "SIOCBONDSETHWADDR"},
    {0x8993, "SIOCBONDSLAVEINFOQUERY"}, {0x8994, "SIOCBONDINFOQUERY"}, {0x8995, "SIOCBONDCHANGEACTIVE"},
    {0x89a0, "SIOCBRADDBR"}, {0x89a1, "SIOCBRDELBR"}, {0x89a2, "SIOCBRADDIF"}, {0x89a3, "SIOCBRDELIF"},
    {0x89b0, "SIOCSHWTSTAMP"}, {0x89b1, "SIOCGHWTSTAMP"}, {0xb701, "NS_GET_USERNS"}, {0xb702, "NS_GET_PARENT"},
    {0xb703, "NS_GET_NSTYPE"}, {0xb704, "NS_GET_OWNER_UID"}, {0x10000, "DM_DATA_OUT_FLAG"},
    {0x20000, "DM_DEFERRED_REMOVE"}, {0x40000, "DM_INTERNAL_SUSPEND_FLAG"}, {0x80000, "DM_IMA_MEASUREMENT_FLAG"},
    {0x40042408, "PERF_EVENT_IOC_SET_BPF"}, {0x40042409, "PERF_EVENT_IOC_PAUSE_OUTPUT"}, {0x40045201, "RNDADDTOENTCNT"},
    {0x40045431, "TIOCSPTLCK"}, {0x40045436, "TIOCSIG"}, {0x400454c8, "TUNSETNOCSUM"}, {0x400454c9, "TUNSETDEBUG"},
    {0x400454ca, "TUNSETIFF"}, {0x400454cb, "TUNSETPERSIST"}, {0x400454cc, "TUNSETOWNER"}, {0x400454cd, "TUNSETLINK"},
    {0x400454ce, "TUNSETGROUP"}, {0x400454d0, "TUNSETOFFLOAD"}, {0x400454d1, "TUNSETTXFILTER"},
    {0x400454d4, "TUNSETSNDBUF"}, {0x400454d8, "TUNSETVNETHDRSZ"}, {0x400454d9, "TUNSETQUEUE"},
    {0x400454da, "TUNSETIFINDEX"}, {0x400454dc, "TUNSETVNETLE"}, {0x400454de, "TUNSETVNETBE"},
    {0x400454e2, "TUNSETCARRIER"}, {0x40046602, "FS_IOC32_SETFLAGS"}, {0x40047602, "FS_IOC32_SETVERSION"},
    {0x40049409, "FICLONE"}, {0x40081271, "BLKBSZSET"}, {0x40082102, "SECCOMP_IOCTL_NOTIF_ID_VALID"},
    {0x40082404, "PERF_EVENT_IOC_PERIOD"}, {0x40082406, "PERF_EVENT_IOC_SET_FILTER"},
    {0x4008240b, "PERF_EVENT_IOC_MODIFY_ATTRIBUTES"}, {0x40085203, "RNDADDENTROPY"}, {0x40086602, "FS_IOC_SETFLAGS"},
    {0x40087602, "FS_IOC_SETVERSION"}, {0x400c6615, "FS_IOC_GET_ENCRYPTION_POLICY"}, {0x401054d5, "TUNATTACHFILTER"},
    {0x401054d6, "TUNDETACHFILTER"}, {0x40106614, "FS_IOC_GET_ENCRYPTION_PWSALT"},
    {0x40182103, "SECCOMP_IOCTL_NOTIF_ADDFD"}, {0x401c5820, "FS_IOC_FSSETXATTR"}, {0x4020940d, "FICLONERANGE"},
    {0x40806685, "FS_IOC_ENABLE_VERITY"}, {0x41009432, "FS_IOC_SETFSLABEL"}, {0x80045200, "RNDGETENTCNT"},
    {0x80045430, "TIOCGPTN"}, {0x80045432, "TIOCGDEV"}, {0x80045438, "TIOCGPKT"}, {0x80045439, "TIOCGPTLCK"},
    {0x80045440, "TIOCGEXCL"}, {0x800454cf, "TUNGETFEATURES"}, {0x800454d2, "TUNGETIFF"}, {0x800454d3, "TUNGETSNDBUF"},
    {0x800454d7, "TUNGETVNETHDRSZ"}, {0x800454dd, "TUNGETVNETLE"}, {0x800454df, "TUNGETVNETBE"},
    {0x800454e0, "TUNSETSTEERINGEBPF"}, {0x800454e1, "TUNSETFILTEREBPF"}, {0x80045701, "WDIOC_GETSTATUS"},
    {0x80045702, "WDIOC_GETBOOTSTATUS"}, {0x80045703, "WDIOC_GETTEMP"}, {0x80045704, "WDIOC_SETOPTIONS"},
    {0x80045705, "WDIOC_KEEPALIVE"}, {0x80045707, "WDIOC_GETTIMEOUT"}, {0x80045709, "WDIOC_GETPRETIMEOUT"},
    {0x8004570a, "WDIOC_GETTIMELEFT"}, {0x80046601, "FS_IOC32_GETFLAGS"}, {0x80047601, "FS_IOC32_GETVERSION"},
    {0x80081270, "BLKBSZGET"}, {0x80081272, "BLKGETSIZE64"}, {0x80081280, "BLKGETDISKSEQ"},
    {0x80082407, "PERF_EVENT_IOC_ID"}, {0x80085202, "RNDGETPOOL"}, {0x80086601, "FS_IOC_GETFLAGS"},
    {0x80087601, "FS_IOC_GETVERSION"}, {0x800c6613, "FS_IOC_SET_ENCRYPTION_POLICY"}, {0x801054db, "TUNGETFILTER"},
    {0x8010661b, "FS_IOC_GET_ENCRYPTION_NONCE"}, {0x80108906, "SIOCGSTAMP_NEW"}, {0x80108907, "SIOCGSTAMPNS_NEW"},
    {0x8010aa01, "UFFDIO_UNREGISTER"}, {0x8010aa02, "UFFDIO_WAKE"}, {0x801c581f, "FS_IOC_FSGETXATTR"},
    {0x80285700, "WDIOC_GETSUPPORT"}, {0x81009431, "FS_IOC_GETFSLABEL"}, {0xc0045706, "WDIOC_SETTIMEOUT"},
    {0xc0045708, "WDIOC_SETPRETIMEOUT"}, {0xc0045877, "FIFREEZE"}, {0xc0045878, "FITHAW"},
    {0xc0046686, "FS_IOC_MEASURE_VERITY"}, {0xc008240a, "PERF_EVENT_IOC_QUERY_BPF"},
    {0xc0096616, "FS_IOC_GET_ENCRYPTION_POLICY_EX"}, {0xc0182101, "SECCOMP_IOCTL_NOTIF_SEND"}, {0xc0185879, "FITRIM"},
    {0xc0189436, "FIDEDUPERANGE"}, {0xc018aa06, "UFFDIO_WRITEPROTECT"}, {0xc018aa3f, "UFFDIO_API"},
    {0xc020660b, "FS_IOC_FIEMAP"}, {0xc020aa00, "UFFDIO_REGISTER"}, {0xc020aa04, "UFFDIO_ZEROPAGE"},
    {0xc020aa07, "UFFDIO_CONTINUE"}, {0xc0286687, "FS_IOC_READ_VERITY_METADATA"}, {0xc028aa03, "UFFDIO_COPY"},
    {0xc0406618, "FS_IOC_REMOVE_ENCRYPTION_KEY"}, {0xc0406619, "FS_IOC_REMOVE_ENCRYPTION_KEY_ALL_USERS"},
    {0xc0502100, "SECCOMP_IOCTL_NOTIF_RECV"}, {0xc0506617, "FS_IOC_ADD_ENCRYPTION_KEY"},
    {0xc080661a, "FS_IOC_GET_ENCRYPTION_KEY_STATUS"}, {0xc138fd00, "DM_VERSION"}, {0xc138fd01, "DM_REMOVE_ALL"},
    {0xc138fd02, "DM_LIST_DEVICES"}, {0xc138fd03, "DM_DEV_CREATE"}, {0xc138fd04, "DM_DEV_REMOVE"},
    {0xc138fd05, "DM_DEV_RENAME"}, {0xc138fd06, "DM_DEV_SUSPEND"}, {0xc138fd07, "DM_DEV_STATUS"},
    {0xc138fd08, "DM_DEV_WAIT"}, {0xc138fd09, "DM_TABLE_LOAD"}, {0xc138fd0a, "DM_TABLE_CLEAR"},
    {0xc138fd0b, "DM_TABLE_DEPS"}, {0xc138fd0c, "DM_TABLE_STATUS"}, {0xc138fd0d, "DM_LIST_VERSIONS"},
    {0xc138fd0e, "DM_TARGET_MSG"}, {0xc138fd0f, "DM_DEV_SET_GEOMETRY"}, {0xc138fd10, "DM_DEV_ARM_POLL"},
    {0xc138fd11, "DM_GET_TARGET_VERSION"},
};

static const xt_named values_open_arm[] = {
    {0x40, "O_CREAT"}, {0x80, "O_EXCL"}, {0x100, "O_NOCTTY"}, {0x200, "O_TRUNC"}, {0x400, "O_APPEND"},
    {0x800, "O_NONBLOCK"}, {0x1000, "O_DSYNC"}, {0x2000, "O_ASYNC"}, {0x4000, "O_DIRECTORY"}, {0x8000, "O_NOFOLLOW"},
    {0x10000, "O_DIRECT"}, {0x20000, "O_LARGEFILE"}, {0x40000, "O_NOATIME"}, {0x80000, "O_CLOEXEC"},
    {0x101000, "O_SYNC"}, {0x200000, "O_PATH"}, {0x404000, "O_TMPFILE"}, {0x404040, "O_TMPFILE_MASK"},
};

static const xt_named values_open_ppc[] = {
    {0x40, "O_CREAT"}, {0x80, "O_EXCL"}, {0x100, "O_NOCTTY"}, {0x200, "O_TRUNC"}, {0x400, "O_APPEND"},
    {0x800, "O_NONBLOCK"}, {0x1000, "O_DSYNC"}, {0x2000, "O_ASYNC"}, {0x4000, "O_DIRECTORY"}, {0x8000, "O_NOFOLLOW"},
    {0x10000, "O_LARGEFILE"}, {0x20000, "O_DIRECT"}, {0x40000, "O_NOATIME"}, {0x80000, "O_CLOEXEC"},
    {0x101000, "O_SYNC"}, {0x200000, "O_PATH"}, {0x404000, "O_TMPFILE"}, {0x404040, "O_TMPFILE_MASK"},
};

