/*
 * event/session_table - where login sessions were opened from, for their events
 *
 * Shape:     the event that opens a session (USER_START, USER_LOGIN) tells the address; events of that session that have
 *            none get it as FROM.
 * Method:    by host and audit session. The first address counts: what a program writes later into an own record changes
 *            nothing. Numbers are used again after a boot: a SYSTEM_BOOT ends all of the host's, a LOGIN begins its own anew.
 * Limits:    XT_SESSION_MAX sessions; of those that meet in one place the one unused longest goes, and its events have no FROM.
 * Threads:   one at a time.
 */
#pragma once
#include "event/event.h"

#define XT_SESSION_MAX          4096
#define XT_SESSION_ADDRESS_SIZE 46

enum {
    XT_SESSION_E_INFERRED = 1, /* set, by what was put as inferred */
};

typedef struct xt_session_entry {
    uint64_t host; /* xt_slice_hash of the host id */
    uint64_t used; /* 0: a free place */
    uint32_t ses;
    int64_t time_ms;  /* of the event that told; 0: none did */
    bool is_inferred; /* nobody saw it opened: found otherwise */
    char address[XT_SESSION_ADDRESS_SIZE];
} xt_session_entry;

typedef struct xt_session_table xt_session_table;
XT_MUST_USE int xt_session_table_new(xt_session_table **ret);
xt_session_table *xt_session_table_free(xt_session_table *table);
/* Learns from the event and sets its FROM, bytes in the arena. 0, XT_SESSION_E_INFERRED or -ENOMEM. */
XT_MUST_USE int xt_session_table_apply(xt_session_table *table, xt_event *event, xt_arena *arena);
/* What is known from elsewhere; what was seen counts more, and of the same kind what came first. Text that is no address is passed over. */
void xt_session_table_put(xt_session_table *table, uint64_t host, uint32_t ses, xt_slice address, bool is_inferred);
/* Starts with *i = 0; NULL at the end. */
const xt_session_entry *xt_session_table_next(const xt_session_table *table, size_t *i);
/* Grows with each change. */
uint64_t xt_session_table_changes(const xt_session_table *table);
