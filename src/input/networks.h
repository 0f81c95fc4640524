/*
 * input/networks - a list of networks, and whether an address is in one of them
 *
 * Format:    "10.0.0.0/8,192.168.7.9,2001:db8::/32"; an address alone is itself. IPv4 in IPv6 (::ffff:10.0.0.1) counts as IPv4.
 * Errors:    XT_NETWORKS_E_INVALID with a problem that names the place.
 * Limits:    XT_NETWORKS_MAX.
 */
#pragma once
#include <sys/socket.h>

#include "base/problem.h"

#define XT_NETWORKS_MAX 64

enum {
    XT_NETWORKS_E_INVALID = 1,
};

typedef struct xt_network {
    uint8_t bytes[16]; /* IPv4 as ::ffff:A.B.C.D */
    unsigned n_bits;   /* of these */
} xt_network;

typedef struct xt_networks {
    xt_network items[XT_NETWORKS_MAX];
    size_t n;
} xt_networks;

XT_MUST_USE int xt_networks_parse(xt_slice text, xt_networks *ret, xt_problem *reterr_problem);
bool xt_networks_has(const xt_networks *networks, const struct sockaddr *address);
