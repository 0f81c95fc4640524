/*
 * event/event_json - an event as an ECS 8 document
 *
 * Shape:     nested objects, keys in the order of the schema table; ids as strings; auditd.data.NAME for the fields
 *            that only RECORDS holds (a repeated name becomes a list; words without a name are `text`); tags = keys. The
 *            PROCTITLE of a failed exec is the caller's: it stands in auditd.records[] alone.
 * Format:    when any text of the event is not clean (base/utf8) every string of the event is escaped (`\xHH`, doubled
 *            backslash) and exectrail.flags gains "escaped": the exact bytes can be had back.
 * Errors:    -ENOMEM. Output is one line, valid JSON, without a newline.
 */
#pragma once
#include "base/json_out.h"
#include "event/event.h"

enum {
    /*
     * Add auditd.records[]: type and fields of each record apart; `untrusted` names those that a program wrote inside
     * of msg='...', whatever they claim (of a name that the kernel wrote too, its value comes first).
     */
    XT_EVENT_JSON_RECORDS = 1 << 0,
    /*
     * Add what values mean (event/interpretation), by name, where that says more than the value: auditd.interpreted,
     * auditd.paths[].interpreted, auditd.records[].interpreted; and auditd.raw, auditd.records[].raw for arch and
     * syscall, of which the document holds the names.
     */
    XT_EVENT_JSON_INTERPRET = 1 << 1,
};

XT_MUST_USE int xt_event_json(const xt_event *event, unsigned options, xt_arena *arena, xt_buf *out);
/* Only the fields named, as a flat object keyed by ECS name (projections of `search --fields`). */
XT_MUST_USE int xt_event_json_fields(const xt_event *event, const xt_field *fields, size_t n, xt_arena *arena,
                                     xt_buf *out);
/* One field as plain text (tables, CSV): numbers in decimal, times RFC 3339, lists joined by a space; raw bytes. */
void xt_event_field_text(const xt_event *event, xt_field field, xt_buf *out);
