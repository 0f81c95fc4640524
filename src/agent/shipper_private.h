/*
 * agent/shipper_private - what the shipper's parts share
 */
#pragma once
#include <sys/types.h>

#include "agent/beat_book.h"
#include "agent/disk_room.h"
#include "agent/flood.h"
#include "agent/identity.h"
#include "agent/link.h"
#include "agent/mark_file.h"
#include "agent/policy_relay.h"
#include "agent/serial_count.h"
#include "agent/shipper.h"
#include "event/from_audit.h"
#include "wire/short_form.h"
#include "wire/spool.h"

typedef struct xt_shipper xt_shipper;

struct xt_shipper {
    const xt_agent_settings *settings;
    struct event_base *base;
    int collector_fd;
    struct event *collector_event, *end_timer, *report_timer, *gather_timer;
    xt_buf in, pack, payload, brief, hello;
    xt_policy_relay policy;
    uint64_t n_packed, n_batches;
    xt_beat_book beats;
    xt_mark_file mark_file;
    xt_buf next_mark, mark; /* of the events that come next, and of what is packed (collector_input.c); empty: none */
    uint64_t n_put;         /* batches that ever waited here */
    struct {
        uint64_t n_put;
        int64_t at_ms;    /* of this mark, as the beats' times; 0: none */
        int64_t until_ms; /* what was made before is acknowledged; 0: not known */
    } settled;
    xt_identity identity;
    xt_token token;
    xt_link *link;
    xt_spool *spool;
    xt_hello ready; /* its slices point into hello */
    uint64_t sent, window;
    uint64_t gather_ms; /* as the server asked last, also while there is no connection */
    bool is_brief;      /* the server knows short forms */
    xt_short_form form;
    int64_t acked_ms;    /* wall; 0: never */
    int64_t progress_ms; /* mono: an acknowledgement, or nothing was waited for, and nothing to be read there */
    xt_serial_file *serials;
    xt_serial_count told; /* by the collector, of what stands in pack; max 0: nothing */
    xt_flood *flood;
    bool is_flooding;        /* the spool was over half, and summaries may be due */
    xt_spool_loss unspooled; /* what found no place on the disk, and is not told of yet */
    uint64_t n_unspooled;    /* all such since the start */
    ino_t spool_inode;       /* of its folder */
    bool disk_refuses;       /* it was said */
    bool says_hello_again;   /* when the disk may have come right */
    uint64_t n_last_waiting; /* batches, when it was last looked at */
    xt_disk_room_kept room;
    bool ending, failed, is_collector_stopped; /* and that was said */
    unsigned n_collector_stopped;
};

/* shipper.c: who speaks in the shipper's own events. */
xt_event_origin xt_shipper_origin(const xt_shipper *s);
/* Ends the loop; failed: with status 1. */
void xt_shipper_stop(xt_shipper *s, bool failed);
/* Ends the loop where the end was asked for and nothing waits any more. */
void xt_shipper_check_end(xt_shipper *s);

/* shipper_pack.c: messages of the collector. */
void xt_shipper_on_events(xt_shipper *s, xt_slice payload);
void xt_shipper_on_mark(xt_shipper *s, xt_slice payload);
void xt_shipper_on_serials(xt_shipper *s, xt_slice payload);
/* What is packed becomes a batch in the spool, and is sent; it stays packed where the disk does not take it. */
void xt_shipper_pack_flush(xt_shipper *s);
/* Packs the summaries of storms that are due; all: of every storm, and counting ends. */
void xt_shipper_flood_put(xt_shipper *s, bool all);
/* Whether the spool is so full that storms are counted. */
bool xt_shipper_is_over_half(const xt_shipper *s);
/* An event of the shipper's own, which is logged too. */
void xt_shipper_say(xt_shipper *s, const char *action, const char *format, ...) XT_PRINTF(3, 4);
/* problem: what the disk, or memory, refused; NULL: it takes again. Said in the log when that changes. */
void xt_shipper_disk_note(xt_shipper *s, const xt_problem *problem);
/* Opens the folder of the spool that is there now; s->spool stays as it is. */
XT_MUST_USE int xt_shipper_spool_open(xt_shipper *s, xt_spool **ret, xt_problem *reterr_problem);
/* Begins anew where the spool's folder was taken away. */
void xt_shipper_spool_look(xt_shipper *s);
/* Brings to the disk for good what waited at the last call already. */
void xt_shipper_spool_sync(xt_shipper *s);

/* shipper_send.c: what the link calls; context: s. */
xt_link_calls xt_shipper_link_calls(xt_shipper *s);
/* Sends what the window, the queue and the spool allow. */
void xt_shipper_pump(xt_shipper *s);
/* Messages of the collector. */
void xt_shipper_on_heartbeat(xt_shipper *s, xt_slice payload);
void xt_shipper_on_policy_state(xt_shipper *s, xt_slice payload);
/* Hands the collector the changes of CAs that it has not got. */
void xt_shipper_tell_trust(xt_shipper *s);

/* shipper_report.c: tells the collector how spool and connection are, for STATE/status. */
void xt_shipper_report(xt_shipper *s);
/* What is looked at every other second: collector, spool, connection; reports. */
void xt_shipper_look(xt_shipper *s);
