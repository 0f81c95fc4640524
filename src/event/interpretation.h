/*
 * event/interpretation - what the values of an event's records mean (audit/interpret with the event around them)
 *
 * Names:     of ids are those that the log brought (user.name and its like, auditd's OUID="..." beside the record);
 *            0 is root. No name is asked of the machine that decodes: it need not be the one that wrote.
 * Ownership: borrows from the event.
 * Threads:   a value; one at a time.
 */
#pragma once
#include "audit/interpret.h"
#include "event/event.h"
#include "event/json_group.h"

typedef struct xt_interpretation {
    const xt_event *event;
    xt_interpret_context context;
    xt_name_source names;
    uint64_t first_arg; /* a0 of the system call */
    xt_rec_iter words;  /* of the record: at the first that auditd appended, or at the end */
    xt_slice field;     /* being interpreted */
} xt_interpretation;

/* Stays where it is: it points into itself. */
void xt_interpretation_init(xt_interpretation *of, const xt_event *event);
/* The record whose fields are next; own: at its first field. */
void xt_interpretation_open(xt_interpretation *of, uint16_t type, xt_rec_iter own);
/* Appends what the value means, or gives false. */
bool xt_interpretation_put(xt_interpretation *of, xt_slice name, xt_slice value, xt_buf *out);
/*
 * What the record held where the event has a name: ARCH and SYSCALL in numbers as the kernel writes them. False when
 * the event has no such field, or holds it as it was.
 */
bool xt_interpretation_raw(const xt_event *event, xt_field field, xt_buf *out);

/* Fields by name, with what each means or, where one of the same name means something, the value itself. */
typedef struct xt_meanings {
    xt_json_group group;
    bool *says; /* by number of the item: not the value itself */
} xt_meanings;
/* Room for n. -ENOMEM. */
XT_MUST_USE int xt_meanings_init(xt_meanings *meanings, size_t n, xt_arena *arena);
/* False: no memory. */
XT_MUST_USE bool xt_meanings_add(xt_meanings *meanings, xt_interpretation *of, xt_slice name, xt_slice value,
                                 xt_arena *arena);
/* Whether one of the values of the name that begins with this item means something. */
bool xt_meanings_say(const xt_meanings *meanings, uint32_t first);
/* Of all that stands in auditd.data. -ENOMEM. */
XT_MUST_USE int xt_meanings_of_event(xt_meanings *meanings, const xt_event *event, xt_arena *arena);
