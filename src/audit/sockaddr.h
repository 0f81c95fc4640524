/*
 * audit/sockaddr - a socket address of a SOCKADDR record in words
 *
 * Format:    the family, then what names a peer in it:
 *                inet 192.0.2.1:53           inet6 [2001:db8::1]:53     inet6 [fe80::1%2]:53 (scope id)
 *                unix /run/x                 unix @name (abstract)      unix (unnamed)
 *                netlink pid=0 groups=0x0    packet ETH_P_IP if=2       vsock cid=2 port=1024     ...
 *            A family without a form of its own, or an unknown one, by name or number alone. What is shorter than its
 *            form is followed by "(N of M bytes)". Bytes that are no text are written as by xt_text_visible.
 * Source:    the structures of linux/un.h, in.h, in6.h, netlink.h, if_packet.h, vm_sockets.h, if_alg.h, can.h, x25.h,
 *            ax25.h, atalk.h, ipx.h, if_xdp.h, tipc.h, qrtr.h, if_pppox.h, phonet.h, mctp.h; Bluetooth's by their sizes.
 *            Family and what a program does not convert are in the byte order of the machine that wrote the log.
 */
#pragma once
#include "base/buf.h"

/*
 * arch: that of the machine (audit/names.h), 0 when not known: the order in which the family is one that exists is
 * then taken, the little-endian one first. False when there are not even two bytes; nothing is appended then.
 */
bool xt_sockaddr_put(xt_slice bytes, uint32_t arch, xt_buf *out);
