/*
 * agent/collector_private - what the collector's parts share
 */
#pragma once
#include "agent/audit_guard.h"
#include "agent/canary.h"
#include "agent/channel.h"
#include "agent/collector.h"
#include "agent/collector_input.h"
#include "agent/container_info.h"
#include "agent/cpu_brake.h"
#include "agent/digest_desk.h"
#include "agent/log_writer.h"
#include "agent/name_cache.h"
#include "agent/own_files.h"
#include "agent/policy_gate.h"
#include "agent/policy_store.h"
#include "agent/proc_read.h"
#include "agent/receiver.h"
#include "agent/serial_count.h"
#include "agent/session_source.h"
#include "agent/state_file.h"
#include "agent/witness.h"
#include "event/decoder.h"

#define XT_BEAT_MS      5000
#define XT_LEAVE_REASON "it is started anew" /* of an orderly end */

/* What the last heartbeat saw, to tell what is new. */
typedef struct xt_beat_seen {
    uint64_t lost, ring_dropped, n_truncated, n_overruns;
    uint32_t enabled, audit_pid, backlog_limit, backlog_wait_time, rate_limit, failure;
    char rules_hash[33];
    xt_hash128 blind; /* of the rules that hide execs */
} xt_beat_seen;

/* Who told the agent to end, by the signal. */
typedef struct xt_stop {
    bool is_told;
    uint32_t pid, uid, auid; /* pid 0: the kernel, for a terminal; UINT32_MAX: not known, or no login */
    char comm[64];           /* of that process; empty: it was gone */
} xt_stop;

/* How the agent's own processes are. Times: monotonic. */
typedef struct xt_collector_care {
    int64_t looked_ms, fed_ms;        /* at the other processes; the service manager */
    int64_t reported_ms, received_ms; /* the shipper spoke, the receiver moved */
    unsigned n_turns;                 /* of the receiver, then */
    bool is_stopped[3];               /* shipper, helper, digester: it was said */
    uint64_t n_stopped;               /* the collector, which the shipper saw */
    xt_own_files own_files;
    char files[160];    /* what the collector may write to, in words */
    char filter[160];   /* and ask of the kernel */
    char alarm[160];    /* what was done to the agent or to audit last, */
    int64_t alarmed_ms; /* and when, wall time; 0: nothing */
} xt_collector_care;

/* collector_policy.c */
typedef struct xt_collector_policy {
    xt_policy_store store;
    uint64_t serial, outcome; /* of the order that was judged last (xt_policy_outcome); 0: none was */
    int64_t noted_ms;         /* CLOCK_BOOTTIME; when it was written down what is left of a pause */
    unsigned pinned;          /* what of it the host's own settings keep away */
    xt_policy_gate gate;
    char sentence[400]; /* why it was refused */
} xt_collector_policy;

struct xt_collector {
    const xt_agent_settings *settings;      /* what is in force: `effective` */
    const xt_agent_settings *base_settings; /* the host's own */
    xt_agent_settings effective;
    xt_collector_policy policy;
    xt_collector_family family;
    xt_watch watch;
    bool watching;
    xt_ring *ring;
    xt_receiver *receiver;
    xt_decoder *decoder;
    xt_proc_table *procs;
    xt_proc_reader reader;
    xt_name_cache *names;
    xt_proc_connector *connector; /* both NULL: witness_off says why */
    xt_witness *witness;
    xt_arena witness_arena;
    xt_buf witness_off;
    xt_canary canary;
    uint64_t n_gaps;                            /* messages of the connector that are missing, or had no room */
    uint64_t n_refused;                         /* of those, no room */
    int64_t hurried_ms, relistened_ms, lost_ms; /* when that was last, monotonic; lost_ms 0: never */
    char completeness[240];                     /* of the last heartbeat, where it is not the mode's */
    char host_id[33];
    xt_buf in;               /* from the shipper */
    xt_buf report;           /* what was taken of its last one */
    xt_buf out;              /* events to the shipper, or to be written as JSON */
    xt_digest_desk *digests; /* NULL: none are taken */
    xt_channel_queue to_shipper;
    struct {
        bool is; /* the shipper takes nothing, and records are not read */
        int64_t since_ms;
        uint64_t n_beats; /* heartbeats that had no room */
    } held;
    uint64_t n_out, n_events;
    int64_t out_ms; /* since when something stands in out */
    int out_fd;     /* --output, or -1 */
    int64_t started_ms, last_input_ms, last_beat_ms;
    int64_t turn_ms, decoder_ms; /* when the last turn was; the decoder's clock, see collector.c */
    unsigned n_beats;
    xt_beat_seen seen;
    xt_guard guard;
    xt_brake brake;
    bool is_beat_due; /* before its time, with the rules */
    uint64_t lost_at_start;
    xt_collector_care care;
    xt_serial_count serials; /* of the kernel's events; not counted where they come as text */
    xt_collector_input input;
    xt_log_writer *log; /* NULL: none is written */
    xt_log_writer_stats log_told;
    bool log_is_bad; /* and that was said */
    xt_container_set containers;
    xt_session_table *sessions;
    uint64_t n_saved; /* of its changes, in STATE/sessions */
    bool end, failed;
    bool leaves;      /* at the end the next agent goes on: nothing is given back */
    bool is_whole;    /* and nothing was lost on the way */
    pid_t kept_owner; /* under which the service manager keeps the audit socket; 0: it does not */
    bool keeps_connector;
    bool owes_ready;  /* the service manager has not taken READY=1 */
    char reason[160]; /* why it ends */
    xt_stop stop;
};

/* collector_out.c: events on their way out; emit: one more of them; flush: hands on what stands in out. */
xt_event_origin xt_collector_origin(const xt_collector *c);
XT_MUST_USE int xt_collector_emit(xt_collector *c, xt_event *event, xt_arena *arena);
/* An event of the agent's own making. */
void xt_collector_say(xt_collector *c, const char *action, const char *format, ...) XT_PRINTF(3, 4);
XT_MUST_USE int xt_collector_flush(xt_collector *c);
/* An event was put behind the others in `out`: when they are many they are handed on. */
XT_MUST_USE int xt_collector_count(xt_collector *c);
/* A message to the shipper; nothing where there is none. Never waits. */
XT_MUST_USE int xt_collector_send(xt_collector *c, xt_channel_type type, xt_slice payload);

/*
 * collector_witness.c: open after the watch; batch: what the ring gave, of which the connector's messages are taken;
 * before wait_ms (-1: whenever) is over a turn is due.
 */
XT_MUST_USE int xt_collector_witness_open(xt_collector *c);
void xt_collector_witness_close(xt_collector *c);
XT_MUST_USE int xt_collector_witness_take(xt_collector *c, xt_slice batch);
XT_MUST_USE int xt_collector_witness_turn(xt_collector *c);
/* Tells of ends that wait to be sure. */
XT_MUST_USE int xt_collector_witness_finish(xt_collector *c);
int64_t xt_collector_witness_wait_ms(const xt_collector *c);
XT_MUST_USE int xt_collector_canary_see(xt_collector *c, xt_event *event, xt_arena *arena);
void xt_collector_canary_answer(xt_collector *c);

/* collector_stop.c: who sent the signal that ends the agent; the event of the end, and its last heartbeat. */
void xt_collector_stop_take(xt_collector *c, uint32_t pid, uint32_t uid);
void xt_collector_stop_say(xt_collector *c);

/* collector_log.c: audit.log beside; turn says what could not be written. */
XT_MUST_USE int xt_collector_log_open(xt_collector *c, xt_problem *reterr_problem);
void xt_collector_log_turn(xt_collector *c);

/* collector_context.c: what events say of their host and session; save writes down what has changed. */
XT_MUST_USE int xt_collector_context_open(xt_collector *c);
XT_MUST_USE int xt_collector_context_put(xt_collector *c, xt_event *event, xt_arena *arena);
void xt_collector_context_save(xt_collector *c);
void xt_collector_context_close(xt_collector *c);
/*
 * collector_policy.c: what the server wants of this host. open: before the watch, no path of a rule is looked at; begin: after it;
 * groups: the optional rules, when all else goes (their paths may be on a file system that hangs); policy_take, trust_take: a message
 * from the shipper; turn: a pause may be over.
 */
XT_MUST_USE int xt_collector_policy_open(xt_collector *c, xt_problem *problem);
XT_MUST_USE int xt_collector_policy_groups(xt_collector *c, xt_problem *problem);
void xt_collector_policy_begin(xt_collector *c);
void xt_collector_policy_take(xt_collector *c, xt_slice payload);
void xt_collector_trust_take(xt_collector *c, xt_slice payload);
void xt_collector_policy_turn(xt_collector *c);
void xt_collector_policy_tell(xt_collector *c);
void xt_collector_policy_status(const xt_collector *c, xt_buf *out);
void xt_collector_policy_close(xt_collector *c);

/*
 * collector_handover.c: adopt: after the decoder is made, takes what the agent before left; keep: the sockets are
 * stored with the service manager, and that of before which nobody took is given up; leave: hands over instead of giving back; drop: gives back, and the manager forgets.
 */
int xt_collector_adopt_connector(xt_collector *c);
XT_MUST_USE int xt_collector_adopt(xt_collector *c);
void xt_collector_keep(xt_collector *c);
bool xt_collector_can_leave(const xt_collector *c);
void xt_collector_leave(xt_collector *c);
void xt_collector_drop(xt_collector *c);
/* What stands for "not watching from, to" where the agent before left its sockets; false: it did not. */
bool xt_collector_adopted_put(const xt_collector *c, xt_buf *out);
/* It ended otherwise than by being started anew. */
bool xt_collector_adopted_broken(const xt_collector *c);

/* collector_beat.c: what is said at the start (not watching from, to), and at each heartbeat. */
void xt_collector_begin(xt_collector *c);
void xt_collector_beat(xt_collector *c);
/* The last one: the agent was told to end. */
void xt_collector_beat_last(xt_collector *c);
/* The next turn brings one, with the rules read anew; twice a second at most. */
void xt_collector_beat_soon(xt_collector *c);
/* collector_guard.c: what is there at the start; what changed since; what is set back. */
void xt_collector_guard_see(xt_collector *c);
void xt_collector_guard_compare(xt_collector *c);
void xt_collector_guard_repair(xt_collector *c);
/* cpu_us: of all processes, since their start. */
void xt_collector_brake(xt_collector *c, uint64_t cpu_us);
void xt_collector_status_write(xt_collector *c, bool ended);

/*
 * collector_care.c: contain: before the first record, gives up what watching does not take; look: whether the other processes and
 * the receiver are alive, which the service manager is told; before look_ms is over it is due again.
 */
XT_MUST_USE int xt_collector_contain(xt_collector *c);
void xt_collector_look(xt_collector *c, int64_t now_ms);
int64_t xt_collector_look_ms(const xt_collector *c, int64_t now_ms);
/* An event of our own is made: what was done to audit or to the agent stands in the heartbeats for ten minutes; empty: nothing. */
void xt_collector_note(xt_collector *c, const char *action, xt_slice message);
xt_slice xt_collector_alarm(const xt_collector *c);
/* The shipper's report has come. */
void xt_collector_reported(xt_collector *c);
void xt_collector_care_close(xt_collector *c);
void xt_collector_care_put(const xt_collector *c, xt_buf *status);
