/*
 * server/forward_form - events and alerts as the messages that a forward sends
 *
 * Shape:     a batch is the bytes of many messages and where each ends. ECS: the document that search and export give, on one line; an
 *            alert as the webhook has it. RAW: audit.log text, a message a record over syslog, else a message an event. CEF: version 0.
 *            LINES: a newline behind each. OCTETS and DATAGRAM: RFC 5424 in front; OCTETS counts the bytes as RFC 6587 3.4.1 says, of a DATAGRAM
 *            what is beyond XT_FORWARD_DATAGRAM_BYTES is cut off, with cut="BYTES" in its structured data. BULK: the
 *            two lines that Elasticsearch's _bulk wants, with event.id as _id, so that what is sent twice is stored once.
 * Syslog:    facility 13 (log audit); severity after the level of the rules that matched; the host is that of the event, the message id
 *            its action, and [exectrail@32473 id="EVENT.ID"] its structured data (32473: RFC 5612, for those who have no number).
 * Errors:    <0 memory.
 * Source:    RFC 5424, RFC 6587, RFC 5426; "ArcSight Common Event Format" version 0 for the names of its keys.
 */
#pragma once
#include "event/event.h"
#include "server/app.h"

#define XT_FORWARD_DATAGRAM_BYTES 65000u

typedef enum xt_forward_format { XT_FORWARD_ECS, XT_FORWARD_RAW, XT_FORWARD_CEF } xt_forward_format;
typedef enum xt_forward_frame {
    XT_FORWARD_LINES,
    XT_FORWARD_OCTETS,
    XT_FORWARD_DATAGRAM,
    XT_FORWARD_BULK,
} xt_forward_frame;

typedef struct xt_forward_form {
    xt_forward_format format;
    xt_forward_frame frame;
} xt_forward_form;

typedef struct xt_forward_batch {
    xt_buf bytes;
    xt_buf ends;                         /* uint64_t: where each message ends */
    uint64_t n_items, n_cut, n_textless; /* events or alerts; messages cut; events that RAW has no text for */
    xt_buf scratch, head;
} xt_forward_batch;

void xt_forward_batch_reset(xt_forward_batch *batch);
void xt_forward_batch_fini(xt_forward_batch *batch);
size_t xt_forward_batch_count(const xt_forward_batch *batch);
/* The bytes of messages from .. to. */
xt_slice xt_forward_batch_part(const xt_forward_batch *batch, size_t from, size_t to);

/* Stored fields that events must carry for it. */
xt_field_set xt_forward_form_fields(const xt_forward_form *form);
XT_MUST_USE int xt_forward_put_event(const xt_forward_form *form, xt_event *event, xt_arena *arena,
                                     xt_forward_batch *batch);
XT_MUST_USE int xt_forward_put_alert(const xt_forward_form *form, const xt_alert *alert, xt_forward_batch *batch);

/* What stands in front of a message of syslog. */
typedef struct xt_syslog_head {
    int64_t t_ms;
    xt_slice host, action, id, level;
    xt_slice rule; /* empty: none */
    uint64_t cut;  /* 0: nothing was */
} xt_syslog_head;
/* "<PRI>1 TIME HOST exectrail - ACTION [...] ", up to where the message begins. */
void xt_syslog_head_put(xt_buf *out, const xt_syslog_head *head);
/* ` name="value"` with RFC 5424 6.3.3's three characters escaped; what is no text made visible. */
void xt_syslog_param_put(xt_buf *out, const char *name, xt_slice value);
