/*
 * Each family has one reader, which asks for numbers by offset and size; what lies behind the end reads as 0, and that
 * it was missing is said behind it.
 */
#include "audit/sockaddr.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include "audit/value_sets.h"
#include "base/utf8.h"

typedef struct reading {
    xt_slice bytes;
    bool is_big; /* the machine's byte order */
    xt_buf *out;
} reading;

static uint64_t byte_at(const reading *r, size_t at)
{
    return at < r->bytes.n ? (unsigned char)r->bytes.p[at] : 0;
}

static uint64_t number_at(const reading *r, size_t at, size_t size, bool is_big)
{
    uint64_t v = 0;
    for (size_t i = 0; i < size; i++)
        v = v << 8 | byte_at(r, is_big ? at + i : at + size - 1 - i);
    return v;
}

static unsigned long long host(const reading *r, size_t at, size_t size)
{
    return number_at(r, at, size, r->is_big);
}

static unsigned long long net(const reading *r, size_t at, size_t size)
{
    return number_at(r, at, size, true);
}

static long long host_signed(const reading *r, size_t at)
{
    return (int32_t)host(r, at, 4);
}

/* n bytes with colons between. */
static void put_hardware(const reading *r, size_t at, size_t n)
{
    for (size_t i = 0; i < n; i++)
        xt_buf_printf(r->out, i > 0 ? ":%02llx" : "%02llx", net(r, at + i, 1));
}

/* Text up to a NUL. */
static void put_text(const reading *r, size_t at, size_t max)
{
    xt_slice text = xt_slice_head(xt_slice_skip(r->bytes, at), max);
    ptrdiff_t end = xt_slice_find_byte(text, '\0');
    xt_text_visible(r->out, end >= 0 ? xt_slice_head(text, (size_t)end) : text);
}

static void put_unix(const reading *r)
{
    xt_slice path = xt_slice_skip(r->bytes, 2);
    if (path.n == 0) {
        xt_buf_puts(r->out, " (unnamed)");
    } else if (path.p[0] == '\0') {
        xt_buf_puts(r->out, " @");
        xt_text_visible(r->out, xt_slice_skip(path, 1));
    } else {
        xt_buf_putc(r->out, ' ');
        put_text(r, 2, path.n);
    }
}

static void put_inet(const reading *r)
{
    xt_buf_printf(r->out, " %llu.%llu.%llu.%llu:%llu", net(r, 4, 1), net(r, 5, 1), net(r, 6, 1), net(r, 7, 1),
                  net(r, 2, 2));
}

static void put_inet6(const reading *r)
{
    struct in6_addr address;
    char text[INET6_ADDRSTRLEN];
    for (size_t i = 0; i < sizeof address; i++)
        address.s6_addr[i] = (uint8_t)byte_at(r, 8 + i);
    xt_buf_printf(r->out, " [%s", inet_ntop(AF_INET6, &address, text, sizeof text));
    if (host(r, 24, 4) > 0)
        xt_buf_printf(r->out, "%%%llu", host(r, 24, 4));
    xt_buf_printf(r->out, "]:%llu", net(r, 2, 2));
}

static void put_netlink(const reading *r)
{
    xt_buf_printf(r->out, " pid=%llu groups=0x%llx", host(r, 4, 4), host(r, 8, 4));
}

static void put_packet(const reading *r)
{
    const char *name = xt_value_set_name(XT_VALUES_ETHER, net(r, 2, 2));
    if (name)
        xt_buf_printf(r->out, " %s", name);
    else
        xt_buf_printf(r->out, " proto=0x%04llx", net(r, 2, 2));
    xt_buf_printf(r->out, " if=%lld", host_signed(r, 4));
    size_t n = (size_t)byte_at(r, 11);
    if (n == 0)
        return;
    xt_buf_puts(r->out, " hw=");
    put_hardware(r, 12, n < 8 ? n : 8);
}

static void put_vsock(const reading *r)
{
    uint32_t cid = (uint32_t)host(r, 8, 4), port = (uint32_t)host(r, 4, 4);
    xt_buf_printf(r->out, cid == UINT32_MAX ? " cid=any" : " cid=%u", cid);
    xt_buf_printf(r->out, port == UINT32_MAX ? " port=any" : " port=%u", port);
}

static void put_alg(const reading *r)
{
    xt_buf_putc(r->out, ' ');
    put_text(r, 2, 14);
    xt_buf_putc(r->out, ' ');
    put_text(r, 24, 64);
}

static void put_can(const reading *r)
{
    xt_buf_printf(r->out, " if=%lld", host_signed(r, 4));
    if (r->bytes.n >= 16 && (host(r, 8, 4) || host(r, 12, 4)))
        xt_buf_printf(r->out, " rx=0x%llx tx=0x%llx", host(r, 8, 4), host(r, 12, 4));
}

/* A Bluetooth address has its last byte first. */
static void put_bluetooth_address(const reading *r, size_t at)
{
    for (size_t i = 6; i > 0; i--)
        xt_buf_printf(r->out, i > 1 ? "%02llx:" : "%02llx", net(r, at + i - 1, 1));
}

/* The protocol is not in the address; the structures differ in their sizes. Their numbers are little-endian. */
static void put_bluetooth(const reading *r)
{
    switch (r->bytes.n) {
    case 6:
        xt_buf_printf(r->out, " hci dev=%llu channel=%llu", host(r, 2, 2), host(r, 4, 2));
        break;
    case 8:
        xt_buf_puts(r->out, " sco ");
        put_bluetooth_address(r, 2);
        break;
    case 9:
    case 10:
        xt_buf_puts(r->out, " rfcomm ");
        put_bluetooth_address(r, 2);
        xt_buf_printf(r->out, " channel=%llu", net(r, 8, 1));
        break;
    case 12:
    case 13:
    case 14:
        xt_buf_puts(r->out, " l2cap ");
        put_bluetooth_address(r, 4);
        xt_buf_printf(r->out, " psm=%llu", (unsigned long long)number_at(r, 2, 2, false));
        break;
    default:
        xt_buf_printf(r->out, " (%zu bytes)", r->bytes.n);
    }
}

/* Six characters, each shifted by one bit, and the station's number. */
static void put_callsign(const reading *r, size_t at)
{
    char text[6];
    size_t n = 0;
    for (; n < sizeof text; n++)
        text[n] = (char)(byte_at(r, at + n) >> 1);
    while (n > 0 && (text[n - 1] == ' ' || text[n - 1] == '\0'))
        n--;
    xt_buf_putc(r->out, ' ');
    xt_text_visible(r->out, xt_slice_of(text, n));
    if (byte_at(r, at + 6) >> 1 & 15)
        xt_buf_printf(r->out, "-%u", (unsigned)(byte_at(r, at + 6) >> 1 & 15));
}

static void put_ax25(const reading *r)
{
    put_callsign(r, 2);
}

static void put_x25(const reading *r)
{
    xt_buf_putc(r->out, ' ');
    put_text(r, 2, 16);
}

static void put_rose(const reading *r)
{
    xt_buf_putc(r->out, ' ');
    for (size_t i = 2; i < 7; i++)
        xt_buf_printf(r->out, "%02llx", net(r, i, 1));
    put_callsign(r, 7);
}

static void put_ipx(const reading *r)
{
    xt_buf_printf(r->out, " %08llx:", net(r, 4, 4));
    put_hardware(r, 8, 6);
    xt_buf_printf(r->out, " port=0x%04llx", net(r, 2, 2));
}

static void put_appletalk(const reading *r)
{
    xt_buf_printf(r->out, " %llu.%llu:%llu", net(r, 4, 2), net(r, 6, 1), net(r, 2, 1));
}

static void put_xdp(const reading *r)
{
    xt_buf_printf(r->out, " if=%llu queue=%llu flags=0x%llx", host(r, 4, 4), host(r, 8, 4), host(r, 2, 2));
}

static void put_tipc(const reading *r)
{
    switch (byte_at(r, 2)) {
    case 1:
        xt_buf_printf(r->out, " service=%llu from=%llu to=%llu", host(r, 4, 4), host(r, 8, 4), host(r, 12, 4));
        break;
    case 2:
        xt_buf_printf(r->out, " service=%llu instance=%llu node=0x%llx", host(r, 4, 4), host(r, 8, 4), host(r, 12, 4));
        break;
    case 3:
        xt_buf_printf(r->out, " port=%llu node=0x%llx", host(r, 4, 4), host(r, 8, 4));
        break;
    default:
        xt_buf_printf(r->out, " kind=%llu", net(r, 2, 1));
    }
}

static void put_qipcrtr(const reading *r)
{
    xt_buf_printf(r->out, " node=%llu port=%llu", host(r, 4, 4), host(r, 8, 4));
}

static void put_phonet(const reading *r)
{
    xt_buf_printf(r->out, " object=%llu device=%llu resource=%llu", net(r, 2, 1), net(r, 3, 1), net(r, 4, 1));
}

static void put_mctp(const reading *r)
{
    xt_buf_printf(r->out, " network=%llu endpoint=%llu type=%llu", host(r, 4, 4), net(r, 8, 1), net(r, 9, 1));
}

static void put_llc(const reading *r)
{
    xt_buf_printf(r->out, " sap=%llu ", net(r, 7, 1));
    put_hardware(r, 8, 6);
}

static void put_pppox(const reading *r)
{
    xt_buf_printf(r->out, " proto=%llu", host(r, 2, 4));
    if (host(r, 2, 4) != 0)
        return;
    xt_buf_printf(r->out, " session=%llu ", net(r, 6, 2));
    put_hardware(r, 8, 6);
    xt_buf_puts(r->out, " dev=");
    put_text(r, 14, 16);
}

#ifndef AF_MCTP
#define AF_MCTP 45
#endif

static const struct {
    uint16_t family;
    uint16_t n_least; /* bytes that the form needs */
    void (*put)(const reading *r);
} forms[] = {
    {AF_UNIX, 2, put_unix},        {AF_INET, 8, put_inet},      {AF_INET6, 24, put_inet6},
    {AF_NETLINK, 12, put_netlink}, {AF_PACKET, 12, put_packet}, {AF_VSOCK, 12, put_vsock},
    {AF_ALG, 24, put_alg},         {AF_CAN, 8, put_can},        {AF_BLUETOOTH, 2, put_bluetooth},
    {AF_AX25, 9, put_ax25},        {AF_NETROM, 9, put_ax25},    {AF_X25, 3, put_x25},
    {AF_ROSE, 14, put_rose},       {AF_IPX, 14, put_ipx},       {AF_APPLETALK, 7, put_appletalk},
    {AF_XDP, 12, put_xdp},         {AF_TIPC, 12, put_tipc},     {AF_QIPCRTR, 12, put_qipcrtr},
    {AF_PHONET, 5, put_phonet},    {AF_MCTP, 10, put_mctp},     {AF_LLC, 14, put_llc},
    {AF_PPPOX, 6, put_pppox},
};

static bool is_known(uint64_t family)
{
    return xt_value_set_name(XT_VALUES_FAMILY, family) != NULL;
}

#define ARCH_LITTLE 0x40000000u /* linux/audit.h __AUDIT_ARCH_LE */

/* The family is what tells; the machine's order counts unless it makes no sense. */
static bool is_big_endian(const reading *r, uint32_t arch)
{
    bool is_big = arch != 0 && !(arch & ARCH_LITTLE);
    bool makes_sense = is_known(number_at(r, 0, 2, is_big));
    return makes_sense || !is_known(number_at(r, 0, 2, !is_big)) ? is_big : !is_big;
}

/* AF_INET6 as inet6. */
static void put_family(const reading *r, uint64_t family)
{
    const char *name = xt_value_set_name(XT_VALUES_FAMILY, family);
    if (!name) {
        xt_buf_printf(r->out, "family %llu", (unsigned long long)family);
        return;
    }
    for (name += strlen("AF_"); *name; name++)
        xt_buf_putc(r->out, *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20) : *name);
}

bool xt_sockaddr_put(xt_slice bytes, uint32_t arch, xt_buf *out)
{
    reading r = {.bytes = bytes, .out = out};
    if (bytes.n < 2)
        return false;
    r.is_big = is_big_endian(&r, arch);
    uint64_t family = host(&r, 0, 2);
    put_family(&r, family);
    for (size_t i = 0; i < XT_COUNT_OF(forms); i++) {
        if (forms[i].family != family)
            continue;
        if (bytes.n > 2 || family == AF_UNIX)
            forms[i].put(&r);
        if (bytes.n < forms[i].n_least)
            xt_buf_printf(out, " (%zu of %u bytes)", bytes.n, (unsigned)forms[i].n_least);
    }
    return true;
}
