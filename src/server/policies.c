/*
 * What a host is to do follows from tables: the roll-out of its group, the version's text, its pauses. Its last order is kept with what it
 * was made of: as long as that is the same the same bytes are sent, so that a host which comes back does nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "server/policies_private.h"
#include "server/secret.h"
#include "wire/policy_order.h"

static void free_values(xt_map *map)
{
    size_t i = 0;
    for (xt_map_entry *e; (e = xt_map_next(map, &i)) != NULL;)
        free(e->value);
    xt_map_fini(map);
}

int xt_policies_new(xt_state *state, const xt_clock *clock, xt_pki *pki, xt_hosts *hosts, xt_notes *notes,
                    xt_policies **ret)
{
    xt_policies *p = calloc(1, sizeof *p);
    if (!p)
        return xt_error_origin(-ENOMEM);
    p->state = state;
    p->clock = clock;
    p->pki = pki;
    p->hosts = hosts;
    p->notes = notes;
    p->samples = XT_MAP_INIT;
    p->stated = XT_MAP_INIT;
    atomic_init(&p->generation, 1);
    pthread_mutex_init(&p->lock, NULL);
    int64_t used = 0;
    int r = xt_state_number(state, NULL, &used,
                            "SELECT EXISTS(SELECT 1 FROM policy_rollouts) OR EXISTS(SELECT 1 FROM policy_pauses) OR "
                            "EXISTS(SELECT 1 FROM policy_orders)",
                            "");
    atomic_init(&p->is_used, used != 0);
    if (r) {
        xt_policies_free(p);
        return xt_error_trace(r);
    }
    *ret = p;
    return 0;
}

xt_policies *xt_policies_free(xt_policies *p)
{
    if (!p)
        return NULL;
    free_values(&p->samples);
    free_values(&p->stated);
    pthread_mutex_destroy(&p->lock);
    free(p);
    return NULL;
}

void xt_policies_changed(xt_policies *p)
{
    atomic_store(&p->is_used, true);
    atomic_fetch_add(&p->generation, 1);
}

uint64_t xt_policies_generation(xt_policies *p)
{
    return atomic_load(&p->generation) + xt_hosts_group_changes(p->hosts) + atomic_load(&p->pki->generation);
}

xt_sample *xt_policies_sample(xt_policies *p, xt_slice host_id)
{
    xt_sample *sample = xt_map_find(&p->samples, host_id);
    if (sample)
        return sample;
    sample = calloc(1, sizeof *sample);
    if (!sample)
        return NULL;
    xt_text_copy(sample->host, sizeof sample->host, host_id); /* host_id may be of a copy that lives for a moment */
    if (xt_map_put(&p->samples, xt_slice_str(sample->host), sample, NULL)) {
        free(sample);
        return NULL;
    }
    return sample;
}

/* ------------------------------------------------------------------------------------------------------ pauses */

typedef struct rest {
    int64_t until_ms; /* 0: none */
    char who[64], why[256];
} rest;

static int load_pause(xt_policies *p, xt_slice scope, int64_t now_ms, rest *ret, xt_problem *problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    int r = xt_state_select(p->state, problem, &stmt,
                            "SELECT until_ms, who, why FROM policy_pauses WHERE scope = ? AND until_ms > ?", "si",
                            scope, now_ms);
    if (r == 0 && (r = xt_state_next(p->state, stmt, problem)) == 1) {
        int64_t until_ms = sqlite3_column_int64(stmt, 0);
        if (until_ms > ret->until_ms) {
            ret->until_ms = until_ms;
            xt_state_text(stmt, 1, ret->who, sizeof ret->who);
            xt_state_text(stmt, 2, ret->why, sizeof ret->why);
        }
        r = 0;
    }
    return r;
}

/* The longest of the host's own and its group's. */
static int find_pause(xt_policies *p, xt_slice host_id, const char *group, int64_t now_ms, rest *ret,
                      xt_problem *problem)
{
    char scope[XT_HOST_GROUP_BYTES + 8];
    xt_buf out = XT_BUF_ON(scope);
    *ret = (rest){0};
    int r = load_pause(p, host_id, now_ms, ret, problem);
    xt_buf_printf(&out, "group:%s", group);
    if (r == 0 && group[0])
        r = load_pause(p, xt_buf_slice(&out), now_ms, ret, problem);
    return r == 0 ? load_pause(p, XT_S("group:" XT_POLICY_ALL_HOSTS), now_ms, ret, problem) : r;
}

/* ------------------------------------------------------------------------------------------------------ orders */

/* What an order is made of. */
typedef struct wish {
    char group[XT_HOST_GROUP_BYTES];
    uint64_t version;
    rest pause;
    xt_buf text;
} wish;

static int load_text(xt_policies *p, wish *w, xt_problem *problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    int r = xt_state_select(p->state, problem, &stmt, "SELECT text FROM policies WHERE grp = ? AND version = ?", "zi",
                            w->group, (int64_t)w->version);
    if (r == 0 && (r = xt_state_next(p->state, stmt, problem)) == 1) {
        xt_buf_put(&w->text, xt_sqlite_slice(stmt, 0));
        r = xt_buf_done(&w->text);
    }
    return r;
}

static int make_wish(xt_policies *p, xt_slice host_id, int64_t now_ms, wish *ret, xt_problem *problem)
{
    char group[XT_HOST_GROUP_BYTES];
    xt_rollout rollout;
    *ret = (wish){.text = XT_BUF_INIT};
    xt_hosts_group_of(p->hosts, host_id, group);
    int r = find_pause(p, host_id, group, now_ms, &ret->pause, problem);
    if (r == 0)
        r = xt_rollout_of(p, xt_slice_str(group), &rollout, problem);
    if (r == XT_APP_E_NOT_FOUND)
        return 0;
    if (r)
        return r;
    ret->version = xt_rollout_version(&rollout, host_id);
    if (ret->version == 0)
        return 0;
    xt_text_copy(ret->group, sizeof ret->group, xt_slice_str(rollout.group));
    return load_text(p, ret, problem);
}

typedef struct sent {
    bool is_there, is_same;
    bool is_signed; /* by the CA that signs now */
    uint64_t serial;
    xt_buf order, signature;
} sent;

static bool signs_now(xt_policies *p, xt_slice ca)
{
    bool signs = false;
    return ca.n == 32 && xt_pki_knows(p->pki, (const uint8_t *)ca.p, &signs) && signs;
}

static int load_sent(xt_policies *p, xt_slice host_id, const wish *w, sent *ret, xt_problem *problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    int r = xt_state_select(p->state, problem, &stmt,
                            "SELECT serial, grp, version, until_ms, body, signature, ca FROM policy_orders WHERE "
                            "host = ?",
                            "s", host_id);
    if (r == 0 && (r = xt_state_next(p->state, stmt, problem)) == 1) {
        ret->is_there = true;
        ret->serial = (uint64_t)sqlite3_column_int64(stmt, 0);
        ret->is_same = xt_slice_eq(xt_sqlite_slice(stmt, 1), xt_slice_str(w->group)) &&
                       (uint64_t)sqlite3_column_int64(stmt, 2) == w->version &&
                       sqlite3_column_int64(stmt, 3) == w->pause.until_ms;
        xt_buf_put(&ret->order, xt_sqlite_slice(stmt, 4));
        xt_buf_put(&ret->signature, xt_sqlite_slice(stmt, 5));
        ret->is_signed = signs_now(p, xt_sqlite_slice(stmt, 6));
        r = xt_buf_done(&ret->order) < 0 || xt_buf_done(&ret->signature) < 0 ? -ENOMEM : 0;
    }
    return r;
}

/* Numbers follow the clock, so that they go on when a backup was restored. */
static int make_order(xt_policies *p, xt_slice host_id, const wish *w, int64_t now_ms, sent *s, xt_problem *problem)
{
    s->serial = s->serial < (uint64_t)now_ms ? (uint64_t)now_ms : s->serial + 1;
    const xt_policy_order order = {
        .host_id = host_id,
        .serial = s->serial,
        .made_ms = (uint64_t)now_ms,
        .name = xt_slice_str(w->group),
        .version = w->version,
        .text = xt_buf_slice(&w->text),
        .pause_ms = w->pause.until_ms ? (uint64_t)(w->pause.until_ms - now_ms) : 0,
        .who = xt_slice_str(w->pause.who),
        .why = xt_slice_str(w->pause.why),
    };
    uint8_t ca[32];
    xt_buf_reset(&s->order);
    xt_buf_reset(&s->signature);
    int r = xt_policy_order_encode(&order, &s->order);
    if (r == 0)
        r = xt_pki_sign_policy(p->pki, xt_buf_slice(&s->order), &s->signature, ca);
    if (r)
        return xt_error_trace(r);
    return xt_state_run(p->state, problem, NULL,
                        "INSERT OR REPLACE INTO policy_orders(host, serial, grp, version, until_ms, body, signature, "
                        "made_ms, outcome, said, stated_ms, ca) VALUES(?, ?, ?, ?, ?, ?, ?, ?, 0, '', 0, ?)",
                        "siziibbib", host_id, (int64_t)s->serial, w->group, (int64_t)w->version, w->pause.until_ms,
                        xt_buf_slice(&s->order), xt_buf_slice(&s->signature), now_ms, xt_slice_of(ca, sizeof ca));
}

/* The same order, by the CA that took the other's place: who trusts the new one alone would refuse it. */
static int sign_anew(xt_policies *p, xt_slice host_id, sent *s, xt_problem *problem)
{
    uint8_t ca[32];
    xt_buf_reset(&s->signature);
    int r = xt_pki_sign_policy(p->pki, xt_buf_slice(&s->order), &s->signature, ca);
    if (r)
        return xt_error_trace(r);
    return xt_state_run(p->state, problem, NULL,
                        "UPDATE policy_orders SET signature = ?, ca = ? WHERE host = ? AND serial = ?", "bbsi",
                        xt_buf_slice(&s->signature), xt_slice_of(ca, sizeof ca), host_id, (int64_t)s->serial);
}

static int put_message(xt_policies *p, const sent *s, xt_buf *out)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bytes = XT_BUF_INIT;
    xt_trust trust;
    xt_pki_trust_put(p->pki, false, 0, &bytes);
    if (xt_buf_done(&bytes) < 0 || xt_trust_decode(xt_buf_slice(&bytes), &trust, NULL) != 0)
        return xt_error_origin(-ENOMEM);
    const xt_policy_message message = {
        .order = xt_buf_slice(&s->order),
        .signature = xt_buf_slice(&s->signature),
        .ca_pem = trust.ca_pem,
        .vouch = trust.signature,
        .vouch2 = trust.signature2,
    };
    xt_policy_message_put(out, &message);
    return xt_buf_done(out);
}

/* What a host says by its number is of that version then. */
static void note_order(xt_policies *p, xt_slice host_id, const wish *w, uint64_t serial)
{
    pthread_mutex_lock(&p->lock);
    xt_sample *sample = xt_policies_sample(p, host_id);
    if (sample) {
        sample->serial = serial;
        sample->group = xt_slice_hash(xt_slice_str(w->group));
        sample->version = w->version;
    }
    pthread_mutex_unlock(&p->lock);
}

static int order(xt_policies *p, xt_slice host_id, uint64_t *serial, wish *w, sent *s, xt_buf *out, xt_problem *problem)
{
    int64_t now_ms = xt_clock_wall_ms(p->clock);
    int r = make_wish(p, host_id, now_ms, w, problem);
    if (r == 0)
        r = load_sent(p, host_id, w, s, problem);
    if (r)
        return xt_error_fold(r);
    if (!s->is_there && w->version == 0 && w->pause.until_ms == 0)
        return 0;
    /* a pause that is over ended on the host by itself */
    bool anew = s->is_same && !s->is_signed;
    if (!s->is_same)
        r = make_order(p, host_id, w, now_ms, s, problem);
    else if (anew)
        r = sign_anew(p, host_id, s, problem);
    if (r == 0)
        note_order(p, host_id, w, s->serial);
    if (r || (s->serial == *serial && !anew))
        return xt_error_fold(r);
    r = put_message(p, s, out);
    *serial = s->serial;
    return r ? xt_error_fold(r) : 1;
}

int xt_policies_order(xt_policies *p, xt_slice host_id, uint64_t *serial, xt_buf *out, xt_problem *reterr_problem)
{
    wish w = {.text = XT_BUF_INIT};
    sent s = {.is_there = false};
    if (!atomic_load(&p->is_used))
        return 0;
    xt_state_lock(p->state);
    int r = order(p, host_id, serial, &w, &s, out, reterr_problem);
    xt_state_unlock(p->state);
    xt_buf_fini(&w.text);
    xt_buf_fini(&s.order);
    xt_buf_fini(&s.signature);
    return r;
}

int xt_policies_stated(xt_policies *p, xt_slice host_id, const xt_policy_state *state)
{
    int r = 0;
    pthread_mutex_lock(&p->lock);
    xt_sample *sample = xt_policies_sample(p, host_id);
    if (sample)
        sample->refused = state->outcome == XT_POLICY_REFUSED ? state->serial : 0;
    xt_stated *s = xt_map_find(&p->stated, host_id), *made = s ? NULL : calloc(1, sizeof *made);
    if (made) {
        xt_text_copy(made->host, sizeof made->host, host_id);
        r = xt_map_put(&p->stated, xt_slice_str(made->host), made, NULL);
        s = r ? NULL : made;
    }
    if (s) {
        s->serial = state->serial;
        s->outcome = state->outcome;
        s->at_ms = xt_clock_wall_ms(p->clock);
        xt_text_copy(s->said, sizeof s->said, state->sentence);
    } else {
        free(made);
        r = -ENOMEM;
    }
    pthread_mutex_unlock(&p->lock);
    return xt_error_trace(r);
}

static int write_stated(xt_policies *p, const xt_map *stated, xt_problem *problem)
{
    size_t i = 0;
    int r = xt_state_begin(p->state, problem);
    if (r)
        return r;
    for (xt_map_entry *e; r == 0 && (e = xt_map_next(stated, &i)) != NULL;) {
        const xt_stated *s = e->value;
        r = xt_state_run(p->state, problem, NULL,
                         "UPDATE policy_orders SET outcome = ?, said = ?, stated_ms = ? WHERE host = ? AND serial = ?",
                         "izisi", (int64_t)s->outcome, s->said, s->at_ms, e->key, (int64_t)s->serial);
    }
    return xt_state_end(p->state, r, problem);
}

/* What was said since is newer. */
static void put_back(xt_policies *p, xt_map *stated)
{
    size_t i = 0;
    pthread_mutex_lock(&p->lock);
    for (xt_map_entry *e; (e = xt_map_next(stated, &i)) != NULL;)
        if (!xt_map_find(&p->stated, e->key) && xt_map_put(&p->stated, e->key, e->value, NULL) == 0)
            e->value = NULL;
    pthread_mutex_unlock(&p->lock);
}

int xt_policies_keep(xt_policies *p, xt_problem *reterr_problem)
{
    pthread_mutex_lock(&p->lock);
    xt_map stated = p->stated;
    p->stated = XT_MAP_INIT;
    pthread_mutex_unlock(&p->lock);
    int r = stated.n > 0 ? write_stated(p, &stated, reterr_problem) : 0;
    if (r)
        put_back(p, &stated);
    free_values(&stated);
    return xt_error_trace(r);
}

void xt_policies_note(xt_policies *p, const char *action, xt_slice who, const char *message)
{
    char name[256] = "";
    if (gethostname(name, sizeof name - 1))
        xt_text_copy(name, sizeof name, XT_S("server"));
    const xt_note note = {
        .host_name = xt_slice_str(name), .action = xt_slice_str(action), .user = who, .message = xt_slice_str(message)};
    xt_notes_add(p->notes, &note);
}
