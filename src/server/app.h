/*
 * server/app - the product without its doors: store, rules, state, and what happens to a batch
 *
 * Shape:     one object per data folder. The server's doors (agents over TLS, HTTP, control.sock) and the command line
 *            without a server (`--data DIR`) all work on this object, so each thing is done in one place.
 * Ingest:    a batch is decoded, tagged (noise), matched (rules), then made durable with what was derived, then
 *            visible, then acknowledged; alerts are rows of state.db keyed by (dedupe key) and (rule, event id), made
 *            again idempotently from pending rows after a crash: none is lost, none is twice.
 * Threads:   one writer thread (ingest, group commit), one maintenance thread (sealing), one outbox thread
 *            (webhook). Everything here may be called from any thread unless it says otherwise.
 * Errors:    <0 errno; >0 XT_APP_E_*.
 * Disk:      DIR/lock, pending.db, segments/ (store); state.db: hosts, tokens, users, sessions, alerts, outbox;
 *            ca.pem, ca.key, server.pem, server.key (0600); admin.token (0600); control.sock (0600).
 */
#pragma once
#include "detect/noise.h"
#include "event/secret_seal.h"
#include "query/query.h"
#include "server/coverage.h"
#include "store/store.h"

enum {
    XT_APP_E_LOCKED = 1, /* another process has DIR: go through control.sock */
    XT_APP_E_NOT_FOUND = 2,
    XT_APP_E_DENIED = 3,
    XT_APP_E_EXPIRED = 4,
    XT_APP_E_USED = 5,
    XT_APP_E_INVALID = 6, /* bad input; the problem says what */
};

typedef struct xt_app xt_app;

/* How long events of the hosts of a group are kept. */
typedef struct xt_group_age {
    char group[64];
    int64_t max_age_ms; /* 0: for ever */
} xt_group_age;
#define XT_GROUP_AGES_MAX 64

typedef struct xt_app_settings {
    const char *data; /* folder, made when absent */
    /* folders and files; besides them the rules built in (rules/ of this project) unless no_own_rules */
    const char *const *rules;
    size_t n_rules;
    bool no_own_rules;
    const char *webhook; /* URL alerts are posted to, NULL: none */
    const char *demo;    /* audit log replayed at its own pace; shows the DEMO banner; NULL: none */
    /* names and addresses for the server's certificate: "localhost,127.0.0.1,::1" is always added */
    const char *server_names;
    bool keeps_secrets;                /* of imports and the demo; else they are taken out (docs/secrets.md) */
    const char *secret_rules;          /* the table to do it by, NULL: the one built in */
    const xt_secret_seal_key *seal_to; /* they are sealed to it; NULL: they are gone; copied */
    xt_store_limits limits;            /* what is older or more than this is retired; all 0: nothing ever is */
    const xt_group_age *group_ages;    /* instead of limits.max_age_ms for hosts of these groups; copied */
    size_t n_group_ages;               /* at most XT_GROUP_AGES_MAX */
    bool runs_forwards;                /* else they stand still, and can be changed (server/forward.h) */
    bool keeps_reserve;                /* of room on disk (store/store.h): for who runs long */
    uint64_t seal_rows;                /* of a segment at first; 0: the store's own */
    int64_t seal_after_ms, merge_after_ms;
    uint64_t max_sent_hosts; /* without an agent, that get a row of their own; 0: the default of server/hosts.h */
    int64_t host_cert_s;     /* how long hosts' certificates last, 0: the default of server/pki.h */
    unsigned n_cores;        /* that an import uses; 0: all */
    const xt_clock *clock;   /* NULL: system */
} xt_app_settings;

XT_MUST_USE int xt_app_open(const xt_app_settings *settings, xt_app **ret, xt_problem *reterr_problem);
xt_app *xt_app_close(xt_app *app); /* accepts NULL, returns NULL; everything acknowledged is durable */

xt_store *xt_app_store(xt_app *app);
const xt_clock *xt_app_clock(const xt_app *app);
const char *xt_app_data(const xt_app *app);
bool xt_app_is_demo(const xt_app *app);
/* The rules in force; unref when done. Reloaded when a file changes (looked at every few seconds) and on request. */
xt_ruleset *xt_app_rules(xt_app *app);
XT_MUST_USE int xt_app_rules_reload(xt_app *app, xt_problem *reterr_problem);
/* Calls each problem that the last load refused. */
void xt_app_rules_refused(xt_app *app, void (*each)(void *context, const xt_problem *problem), void *context);

/* ------------------------------------------------------------------------------------------------- ingest */

/*
 * Hands one BATCH payload (wire/batch.h) of an enrolled host to the writer. done is called on the writer's thread when the
 * outcome is known: 0 durable (acknowledge), XT_STORE_E_DUPLICATE (acknowledge), other >0 or <0: refuse.
 * The payload is copied. -EAGAIN: the writer's queue is full, ask the sender to wait.
 */
typedef void (*xt_app_done_fn)(void *context, int outcome, uint64_t number);
XT_MUST_USE int xt_app_ingest(xt_app *app, xt_slice host_id, xt_slice payload, xt_app_done_fn done, void *context);

/* A legal hold: what the query (KQL) matches is never retired or erased. XT_APP_E_INVALID. */
XT_MUST_USE int xt_app_hold_add(xt_app *app, xt_slice query, xt_slice reason, xt_slice who, uint64_t *ret_id,
                                xt_problem *reterr_problem);
XT_MUST_USE int xt_app_hold_remove(xt_app *app, uint64_t id, xt_slice who, xt_problem *reterr_problem);
const xt_store_limits *xt_app_limits(const xt_app *app);
const xt_group_age *xt_app_group_ages(const xt_app *app, size_t *ret_n);

/* The ledger's head, signed, as one JSON object: to be kept where this machine's owner cannot change it. */
XT_MUST_USE int xt_app_ledger_head(xt_app *app, xt_buf *out, xt_problem *reterr_problem);
/* Reads one and checks its signature. XT_APP_E_INVALID. */
XT_MUST_USE int xt_app_ledger_head_read(xt_slice text, uint64_t *ret_id, unsigned char ret_chain[static 32],
                                        xt_problem *reterr_problem);

/* Audit text of one host (import): bytes in pieces, searchable when finish returns. */
typedef struct xt_import xt_import;
typedef struct xt_import_stats {
    uint64_t n_bytes, n_lines;
    uint64_t n_read;      /* events in what was fed */
    uint64_t n_events;    /* stored by this import */
    uint64_t n_unparsed;  /* lines among them that are no record */
    uint64_t n_duplicate; /* left out: the store had them before this import began */
    xt_problem problem;   /* of the first line that is no record, with its file and line; not set: there was none */
} xt_import_stats;
/* host: name for records without node=; the enrolled host of that name gives the id, else the hash of the name. */
XT_MUST_USE int xt_import_open(xt_app *app, const char *host, const char *source, xt_import **ret,
                               xt_problem *reterr_problem);
/* Before the first feed: whether the secrets of this import stay, or are sealed; else it is as the app's settings say. */
void xt_import_set_secrets(xt_import *import, bool keep, const xt_secret_seal_key *seal_to /* NULL: not sealed */);
/*
 * What is fed from now on is of another file: its lines count from 1; what is open goes on. The same name and number as
 * before (at first 0): nothing. An event that a file before has too is known.
 */
XT_MUST_USE int xt_import_begin(xt_import *import, const char *source, uint64_t number, xt_problem *reterr_problem);
XT_MUST_USE int xt_import_feed(xt_import *import, xt_slice bytes, xt_problem *reterr_problem);
xt_import_stats xt_import_stats_get(xt_import *import); /* so far */
/* Waits until all is durable and searchable; compact: also sealed, write-ahead logs truncated. Frees. */
XT_MUST_USE int xt_import_finish(xt_import *import, bool compact, xt_import_stats *ret, xt_problem *reterr_problem);
xt_import *xt_import_abort(xt_import *import);

/* The key that secrets of imports are sealed to; NULL: none. */
const xt_secret_seal_key *xt_app_seal_key(const xt_app *app);
/*
 * Enters an event that says who unseals the secrets of that one, and why; durable when this returns. XT_APP_E_INVALID: no
 * reason is given, or too long a one.
 */
XT_MUST_USE int xt_app_note_unsealing(xt_app *app, const xt_event *event, xt_slice event_id, xt_slice who,
                                      xt_slice reason, xt_problem *reterr_problem);

/* -------------------------------------------------------------------------------------------------- hosts */

typedef struct xt_host {
    char id[33], name[256], agent_version[32], boot_id[40], os[128], audit_mode[24], address[64], group[64];
    char completeness[240], blind[512];
    int64_t enrolled_ms, last_seen_ms, last_event_ms;
    bool connected, revoked, imported;
    uint64_t n_events, enabled, audit_pid, lost, backlog, spool_batches, spool_dropped, cpu_us, rss_bytes;
    uint64_t spool_bytes, spool_max_bytes, n_flood; /* as its last heartbeat said, since this server began */
    bool clock_known;
    int64_t clock_offset_ms; /* the host's clock less the server's; what the way takes counts as behind */
    char ca[17];             /* id of the CA of the certificate it came with last; empty: not known */
    int64_t cert_to_ms;      /* when that ends */
    char machine_id[64];     /* of the machine that is the host */
    bool quarantined;        /* refused until it is released */
    bool cloned;             /* another machine came with its identity, and is refused */
    char clone_address[64], clone_machine_id[64], clone_boot_id[40];
    int64_t clone_ms; /* when it came last */
    char refused[32]; /* name of the last refusal (wire/refusal.h) since it was let in last */
    int64_t refused_ms;
    xt_coverage coverage;
} xt_host;
/* Refuses a host from now on (or takes that back): its connection is closed, its certificate no longer opens the door. host: id or name. */
XT_MUST_USE int xt_app_host_revoke(xt_app *app, xt_slice host, bool revoked, xt_slice who, xt_problem *reterr_problem);
/* Puts a host (id or name; imported ones too) into a group, or into none (empty). What it sends from now on carries it. */
XT_MUST_USE int xt_app_host_group(xt_app *app, xt_slice host, xt_slice group, xt_problem *reterr_problem);
/* Refuses a host until it is released; its agent goes on recording meanwhile. */
XT_MUST_USE int xt_app_host_quarantine(xt_app *app, xt_slice host, xt_slice who, xt_problem *reterr_problem);
/* Ends that. The machine that was refused as a clone may come again. When none is connected, the next machine that comes is the host. */
XT_MUST_USE int xt_app_host_release(xt_app *app, xt_slice host, xt_slice who, xt_problem *reterr_problem);
XT_MUST_USE int xt_app_hosts_list(xt_app *app, int (*each)(void *context, const xt_host *host), void *context,
                                  xt_problem *reterr_problem);

/* The inventory: names of hosts that ought to report, one a line (# begins a comment). Replaces the one before. XT_APP_E_INVALID. */
XT_MUST_USE int xt_app_inventory_set(xt_app *app, xt_slice text, xt_problem *reterr_problem);
typedef struct xt_inventory_gap {
    char name[256];
    enum { XT_HOST_NEVER_ENROLLED, XT_HOST_NEVER_REPORTED, XT_HOST_REVOKED, XT_HOST_UNEXPECTED } kind;
} xt_inventory_gap;
/* Where the inventory and the fleet disagree: hosts that never reported, then hosts that it does not name. */
XT_MUST_USE int xt_app_inventory_gaps(xt_app *app, int (*each)(void *context, const xt_inventory_gap *gap),
                                      void *context, uint64_t *ret_n_expected, xt_problem *reterr_problem);

/*
 * What a host's heartbeats prove of a time, and what they do not. complete: it was watched all the time, nothing was lost or
 * dropped, and all of it has arrived.
 */
typedef struct xt_completeness {
    char id[33], name[256];
    int64_t from_ms, to_ms; /* as asked for, but for the future */
    int64_t first_ms;       /* of its first heartbeat; 0: there is none */
    int64_t settled_ms;     /* what was made before has arrived; 0: not known */
    bool complete, waiting; /* waiting: not all that was made in the time has arrived */
    uint64_t n[XT_GAP_KINDS];
    int64_t ms[XT_GAP_KINDS]; /* within the time; of kinds that xt_gap_counts 0 */
    unsigned n_gaps[XT_GAP_KINDS];
} xt_completeness;
typedef struct xt_completeness_wish {
    xt_slice host; /* id or name; empty: all that enrolled, not revoked */
    int64_t from_ms, to_ms;
    bool since_first; /* what lies before a host's first heartbeat is not asked for */
} xt_completeness_wish;
typedef struct xt_completeness_calls {
    int (*gap)(void *context, const xt_gap *gap); /* in the order of their ends; may be NULL */
    int (*host)(void *context, const xt_completeness *of);
    void *context;
} xt_completeness_calls;
/* XT_APP_E_NOT_FOUND, XT_APP_E_INVALID: the time is empty. */
XT_MUST_USE int xt_app_completeness(xt_app *app, const xt_completeness_wish *wish, const xt_completeness_calls *calls,
                                    xt_problem *reterr_problem);

/* ---------------------------------------------------------------------------------------------------- CAs */

/* A second CA that signs hosts from now on; those that are connected renew. XT_APP_E_INVALID: one is being replaced already. */
XT_MUST_USE int xt_app_ca_rotate(xt_app *app, xt_slice who, xt_problem *reterr_problem);
/*
 * The old one goes, and who has a certificate of it is refused. XT_APP_E_INVALID: there is none, or (not with force) hosts would
 * be locked out.
 */
XT_MUST_USE int xt_app_ca_retire(xt_app *app, bool force, xt_slice who, xt_problem *reterr_problem);
typedef struct xt_ca {
    char id[17]; /* hex */
    int64_t from_ms, to_ms;
    bool is_servers, signs_hosts;
    uint64_t n_hosts; /* that came last with a certificate of it, not revoked */
} xt_ca;
XT_MUST_USE int xt_app_cas_list(xt_app *app, int (*each)(void *context, const xt_ca *ca), void *context);

/*
 * Calls fn, on any thread, after a host or a CA has changed such that a connection may be no longer welcome; one at a time, NULL:
 * none.
 */
void xt_app_on_fleet(xt_app *app, void (*fn)(void *context), void *context);

/* ---------------------------------------------------------------------------------- tokens, users, logins */

/* An enrolment token as text. uses 0: any number while it lasts. group: of the hosts that enrol with it; empty: none. */
XT_MUST_USE int xt_app_token_new(xt_app *app, int64_t valid_ms, uint64_t uses, xt_slice group, xt_buf *out,
                                 xt_problem *reterr_problem);

typedef struct xt_token_info {
    char id[33];
    int64_t made_ms, expires_ms;
    uint64_t max_uses, n_used; /* max_uses 0: any number */
    const char *state;         /* valid, used, expired, or of a retired CA */
    char group[64];            /* of the hosts that enrol with it; empty: none */
} xt_token_info;
XT_MUST_USE int xt_app_tokens_list(xt_app *app, int (*each)(void *context, const xt_token_info *token), void *context,
                                   xt_problem *reterr_problem);
/* id: as listed, or its first digits if they are of one alone. XT_APP_E_NOT_FOUND. */
XT_MUST_USE int xt_app_token_revoke(xt_app *app, xt_slice id, xt_problem *reterr_problem);

typedef enum xt_role { XT_ROLE_NONE, XT_ROLE_VIEWER, XT_ROLE_ANALYST, XT_ROLE_ADMIN } xt_role;
const char *xt_role_name(xt_role role);
bool xt_role_by_name(xt_slice name, xt_role *ret);
/* What events and lists call who owns the data folder and asks there; no user can have it for a name. */
#define XT_LOCAL_USER "local"
/* XT_APP_E_INVALID: no name. */
XT_MUST_USE int xt_app_user_add(xt_app *app, const char *name, xt_role role, xt_problem *reterr_problem);
XT_MUST_USE int xt_app_users_list(xt_app *app,
                                  int (*each)(void *context, const char *name, xt_role role, int64_t last_login_ms),
                                  void *context, xt_problem *reterr_problem);
/* A one-time login secret (10 minutes); the address is http(s)://HOST:PORT/#login=SECRET. Adds the user (admin) when it is the first. */
XT_MUST_USE int xt_app_user_link(xt_app *app, const char *name, xt_buf *out, xt_problem *reterr_problem);
/* Trades a login secret for a session's cookie value (12 hours). XT_APP_E_DENIED, _EXPIRED, _USED. */
XT_MUST_USE int xt_app_login(xt_app *app, xt_slice secret, xt_buf *out, xt_problem *reterr_problem);
XT_MUST_USE int xt_app_logout(xt_app *app, xt_slice cookie);
/* Who is that: a cookie value, or an API token (admin.token). XT_ROLE_NONE when nobody. name has room for 64. */
xt_role xt_app_role_of(xt_app *app, xt_slice cookie, xt_slice api_token, char name[static 64]);

/* -------------------------------------------------------------------------------------------------- alerts */

typedef struct xt_alert {
    uint64_t id;
    int64_t first_ms, last_ms; /* event times */
    uint64_t count;            /* events folded into it by host, rule and parent */
    char status[16];           /* open, acknowledged, closed */
    char rule_id[128], rule_title[256], host[256], user[64], level[16];
    char event_id[33]; /* the first event */
    xt_slice document; /* JSON: the match document of the first event (detect.h) */
    char acked_by[64];
} xt_alert;
XT_MUST_USE int xt_app_alerts_list(xt_app *app, const char *status /* NULL: all */, uint64_t limit,
                                   int (*each)(void *context, const xt_alert *alert), void *context,
                                   xt_problem *reterr_problem);
/* How many there are of that status. */
XT_MUST_USE int xt_app_alerts_count(xt_app *app, const char *status, uint64_t *ret, xt_problem *reterr_problem);
XT_MUST_USE int xt_app_alert_get(xt_app *app, uint64_t id, int (*each)(void *context, const xt_alert *alert),
                                 void *context, xt_problem *reterr_problem);
/* status: "acknowledged" or "closed" or "open". */
XT_MUST_USE int xt_app_alert_set(xt_app *app, uint64_t id, const char *status, const char *user,
                                 xt_problem *reterr_problem);
