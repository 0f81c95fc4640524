#include "input/networks.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static int invalid(xt_slice item, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "%.*s is no address or network", XT_S_ARGS(xt_slice_head(item, 80)));
    xt_problem_hint(reterr_problem, "for example 10.0.0.0/8,192.168.7.9,2001:db8::/32");
    return XT_NETWORKS_E_INVALID;
}

static bool parse_one(xt_slice item, xt_network *ret)
{
    char text[INET6_ADDRSTRLEN];
    xt_slice bits = item, address = XT_S_NULL;
    uint64_t n = 128;
    bool has_bits = xt_slice_find_byte(item, '/') >= 0;
    if (has_bits)
        (void)xt_slice_cut(&bits, '/', &address);
    else
        address = item;
    if (address.n >= sizeof text || address.n == 0)
        return false;
    memcpy(text, address.p, address.n);
    text[address.n] = '\0';
    bool is_v4 = xt_slice_find_byte(address, ':') < 0;
    memcpy(ret->bytes, v4_prefix, sizeof v4_prefix);
    if (inet_pton(is_v4 ? AF_INET : AF_INET6, text, is_v4 ? ret->bytes + 12 : ret->bytes) != 1)
        return false;
    if (has_bits && (!xt_slice_parse_u64(bits, &n) || n > (is_v4 ? 32 : 128)))
        return false;
    ret->n_bits = (unsigned)n + (has_bits && is_v4 ? 96 : 0);
    return true;
}

int xt_networks_parse(xt_slice text, xt_networks *ret, xt_problem *reterr_problem)
{
    xt_slice rest = text, item;
    xt_networks networks = {.n = 0};
    while (xt_slice_cut(&rest, ',', &item)) {
        if (networks.n == XT_NETWORKS_MAX || !parse_one(xt_slice_trim(item), &networks.items[networks.n]))
            return invalid(item, reterr_problem);
        networks.n++;
    }
    if (networks.n == 0)
        return invalid(text, reterr_problem);
    *ret = networks;
    return 0;
}

static bool is_in(const xt_network *network, const uint8_t bytes[static 16])
{
    unsigned whole = network->n_bits / 8, left = network->n_bits % 8;
    if (memcmp(network->bytes, bytes, whole) != 0)
        return false;
    return left == 0 || ((network->bytes[whole] ^ bytes[whole]) >> (8 - left)) == 0;
}

bool xt_networks_has(const xt_networks *networks, const struct sockaddr *address)
{
    uint8_t bytes[16];
    memcpy(bytes, v4_prefix, sizeof v4_prefix);
    if (address->sa_family == AF_INET)
        memcpy(bytes + 12, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
    else if (address->sa_family == AF_INET6)
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    else
        return false;
    for (size_t i = 0; i < networks->n; i++)
        if (is_in(&networks->items[i], bytes))
            return true;
    return false;
}
