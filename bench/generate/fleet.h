/*
 * bench/generate/fleet - 200 hosts for a week: who runs what, where and when
 *
 * Shape:     trees of a capture are played on hosts that differ in name, role, people, ids, inodes, pids, serials and
 *            boots. What a person began keeps office hours, what began by itself comes at the full minute; on working days
 *            deploys run through the hosts of a role within a quarter of an hour. Night and weekend are quieter.
 * Varied:    every twentieth command line gets an argument that was never there before. Every 100,000th event or so
 *            begins an nmap scan by hand; XT_FLEET_NEEDLES events carry XT_FLEET_NEEDLE. The person alice works on
 *            every tenth host, on the second, third and fifth day.
 * Order:     of a host by time; of all hosts to within a step (a minute at least), as a fleet's events arrive.
 * Facts:     ppid is the pid of the parent's exec and parent.* say what it was; serials of a host are consecutive and start
 *            anew at a boot. The same seed gives the same events.
 * Threads:   one at a time.
 */
#pragma once
#include "capture.h"

#define XT_FLEET_HOSTS     200
#define XT_FLEET_DAYS      7
#define XT_FLEET_START_MS  INT64_C(1793577600000) /* 2026-11-02T00:00:00Z, a Monday */
#define XT_FLEET_NEEDLE    "--ticket=needle-5e1f77c0d2"
#define XT_FLEET_NEEDLES   3
#define XT_FLEET_DAY_MS    INT64_C(86400000)
#define XT_FLEET_FIXED_DAY 2 /* from 0; the day that queries on a fixed day ask for */

typedef struct xt_fleet_settings {
    uint64_t n_events, seed;
    /* name and id of each host, XT_FLEET_HOSTS lines "NAME ID"; NULL: ids as of an import */
    const char *hosts;
    /* non-zero ends the run and is returned; the event's bytes are borrowed */
    int (*on_event)(void *context, unsigned host, const xt_event *event);
    void *context;
} xt_fleet_settings;

typedef struct xt_fleet xt_fleet;
XT_MUST_USE int xt_fleet_new(const xt_fleet_settings *settings, xt_capture *capture, xt_fleet **ret,
                             xt_problem *reterr_problem);
xt_fleet *xt_fleet_free(xt_fleet *fleet);
XT_MUST_USE int xt_fleet_run(xt_fleet *fleet);
const char *xt_fleet_host_name(const xt_fleet *fleet, unsigned host);
const char *xt_fleet_host_id(const xt_fleet *fleet, unsigned host);
/* The name of a host before there is a fleet. */
void xt_fleet_name_of(unsigned host, char ret[static 32]);
/* What was made, as a JSON object: counts that any store of these events has to find again. */
void xt_fleet_truth_put(const xt_fleet *fleet, xt_buf *out);
