/*
 * event/event_action - what a record or a system call is called in event.action, and its ECS category and type
 *
 * Shape:     constant tables. category and type are encoded lists (xt_list), ready to stand in an event.
 * Errors:    name.p is NULL when the arena is full.
 * Source:    linux/audit.h and libaudit's types; the values that ECS 8 allows for category and type.
 * Threads:   constant.
 */
#pragma once
#include "event/event.h"

typedef struct xt_action {
    xt_slice name;
    xt_slice category, type;
} xt_action;

extern const xt_action xt_action_executed;
extern const xt_action xt_action_amended;
extern const xt_action xt_action_unparsed;

/* A record that only says more about a system call (PATH, CWD, SOCKADDR, ...), and SYSCALL and URINGOP themselves. */
bool xt_action_is_about_a_syscall(uint16_t type);
/* A type without a row of its own is called after its name: CRYPTO_TEST_USER is crypto-test-user, in the arena. */
xt_action xt_action_of_record(uint16_t type, xt_arena *arena);
/* Of a system call by name: opened-file, connected-to, ...; else called-NAME, in the arena. */
xt_action xt_action_of_syscall(xt_slice name, xt_arena *arena);
