/*
 * agent/name_cache - names of users and groups, asked of the helper and kept for a while
 *
 * Shape:     an xt_name_source. A miss is asked with a bound in time; an id without a name is remembered for a shorter one.
 * Ownership: names are valid until the next call of the same kind.
 * Threads:   one at a time.
 */
#pragma once
#include "base/clock.h"
#include "event/from_audit.h"

#define XT_NAME_KEEP_MS    60000
#define XT_NAME_UNKNOWN_MS 5000
#define XT_NAME_WAIT_MS    200

typedef struct xt_name_cache xt_name_cache;
/* helper_fd: a client's socket, or -1: nothing is resolved. */
XT_MUST_USE int xt_name_cache_new(int helper_fd, const xt_clock *clock, xt_name_cache **ret);
xt_name_cache *xt_name_cache_free(xt_name_cache *cache);
const xt_name_source *xt_name_cache_source(const xt_name_cache *cache);
