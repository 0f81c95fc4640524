/*
 * server/app_parts - the inside of xt_app, for the files of this floor alone
 *
 * Locks:     order: agents, writer, erase_lock, state, hosts, rules, outbox. A lock of a part is held during its own calls only, but the
 *            state's, which a transaction keeps. The store is called with none of them but the state's.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "event/secret_rules.h"
#include "server/app.h"
#include "server/care.h"
#include "server/demo.h"
#include "server/forward.h"
#include "server/hosts.h"
#include "server/note.h"
#include "server/outbox.h"
#include "server/pki.h"
#include "server/policies.h"
#include "server/rules_watch.h"
#include "server/state_db.h"
#include "server/writer.h"

struct xt_app {
    char *data;
    const xt_clock *clock;
    bool is_demo;
    bool keeps_secrets, seals_secrets;
    xt_secret_seal_key seal_to;
    xt_secret_rules *secrets;
    xt_store *store;
    xt_state *state;
    xt_pki pki;
    xt_notes *notes;
    xt_hosts *hosts;
    xt_policies *policies;
    xt_rules_watch *rules;
    xt_outbox *outbox;
    xt_forwards *forwards;
    xt_writer *writer;
    xt_demo *demo;
    xt_care *care;
    pthread_mutex_t intake_lock;
    struct xt_intake *intake;      /* NULL: nobody asked for it yet; both under its lock */
    struct xt_syslog_door *syslog; /* NULL: there is none */
    unsigned n_cores;
    uint64_t bulk_rows;
    atomic_uint n_bulks; /* great imports under way, which share their memory */

    pthread_mutex_t erase_one; /* one erasure at a time */
    pthread_mutex_t
        erase_lock; /* from taking what alerts say of rows until these are gone: no hold comes, no alert is made anew */
    atomic_uint_least64_t alerts_arrival; /* alerts of all that arrived up to here are in state.db */
    atomic_uint alerts_failed;            /* times that alerts could not be written */
    atomic_uint alerts_repaired;          /* up to which of these times they were looked for again */

    pthread_mutex_t fleet_lock; /* held while fleet_changed runs */
    void (*fleet_changed)(void *context);
    void *fleet_context;

    pthread_t keeper, merger; /* the maintenance threads: merging takes minutes */
    bool keeper_runs, merger_runs;
    pthread_mutex_t keeper_lock;
    pthread_cond_t keeper_wake;
    bool keeper_stop;
};

/* Calls what xt_app_on_fleet set. */
void xt_app_fleet_changed(xt_app *app);
