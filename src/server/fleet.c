/*
 * What is done to the fleet: hosts revoked and released, CAs rotated, the inventory. Each ends with xt_app_fleet_changed, for
 * connections that are open have to follow at once, and is an event (server/note.h).
 */
#include <errno.h>
#include <unistd.h>

#include "base/map.h"
#include "server/app_parts.h"
#include "server/secret.h"

enum { MAX_INVENTORY_NAMES = 200000 };

void xt_app_on_fleet(xt_app *app, void (*fn)(void *context), void *context)
{
    pthread_mutex_lock(&app->fleet_lock);
    app->fleet_changed = fn;
    app->fleet_context = context;
    pthread_mutex_unlock(&app->fleet_lock);
}

void xt_app_fleet_changed(xt_app *app)
{
    pthread_mutex_lock(&app->fleet_lock);
    if (app->fleet_changed)
        app->fleet_changed(app->fleet_context);
    pthread_mutex_unlock(&app->fleet_lock);
}

/* --------------------------------------------------------------------------------------------------- hosts */

int xt_app_hosts_list(xt_app *app, int (*each)(void *context, const xt_host *host), void *context,
                      xt_problem *reterr_problem)
{
    return xt_hosts_list(app->hosts, each, context);
}

int xt_app_host_revoke(xt_app *app, xt_slice host, bool revoked, xt_slice who, xt_problem *reterr_problem)
{
    int r = xt_hosts_revoke(app->hosts, host, revoked, who, reterr_problem);

    xt_app_fleet_changed(app);
    return r;
}

int xt_app_host_quarantine(xt_app *app, xt_slice host, xt_slice who, xt_problem *reterr_problem)
{
    int r = xt_hosts_quarantine(app->hosts, host, who, reterr_problem);

    xt_app_fleet_changed(app);
    return r;
}

int xt_app_host_release(xt_app *app, xt_slice host, xt_slice who, xt_problem *reterr_problem)
{
    int r = xt_hosts_release(app->hosts, host, who, reterr_problem);

    xt_app_fleet_changed(app);
    return r;
}

/* ----------------------------------------------------------------------------------------------------- CAs */

static void note_ca(xt_app *app, const char *action, xt_slice who, const char *message)
{
    char name[256] = "";

    if (gethostname(name, sizeof name - 1))
        xt_text_copy(name, sizeof name, XT_S("server"));
    const xt_note note = {
        .host_name = xt_slice_str(name), .action = xt_slice_str(action), .user = who, .message = xt_slice_str(message)};
    xt_notes_add(app->notes, &note);
}

int xt_app_ca_rotate(xt_app *app, xt_slice who, xt_problem *reterr_problem)
{
    int r = xt_pki_rotate(&app->pki, reterr_problem);

    if (r > 0)
        return XT_APP_E_INVALID;
    if (r == 0)
        note_ca(app, "rotated-ca", who, "a new CA signs hosts from now on; the old one is still trusted");
    xt_app_fleet_changed(app);
    return xt_error_trace(r);
}

struct census {
    xt_pki_entry cas[XT_PKI_MAX_CAS];
    unsigned n_cas;
    uint64_t n[XT_PKI_MAX_CAS], n_others; /* others: never came, or with a certificate of a CA that went */
    char first[256];                      /* a host that is not of the last CA */
};

static int count_host(void *context, const xt_host *host)
{
    struct census *c = context;
    bool found = false;

    if (host->revoked || host->imported)
        return 0;
    for (unsigned i = 0; i < c->n_cas; i++) {
        bool is = strcmp(c->cas[i].id, host->ca) == 0;
        c->n[i] += is;
        found |= is;
    }
    c->n_others += !found;
    if (!c->first[0] && strcmp(c->cas[c->n_cas - 1].id, host->ca) != 0)
        xt_text_copy(c->first, sizeof c->first, xt_slice_str(host->name));
    return 0;
}

static int take_census(xt_app *app, struct census *ret)
{
    *ret = (struct census){.n_cas = 0};
    ret->n_cas = xt_pki_list(&app->pki, ret->cas);
    return xt_hosts_list(app->hosts, count_host, ret);
}

int xt_app_ca_retire(xt_app *app, bool force, xt_slice who, xt_problem *reterr_problem)
{
    struct census census;
    int r = take_census(app, &census);
    uint64_t n_out = census.n[0] + census.n_others;

    if (r == 0 && census.n_cas == XT_PKI_MAX_CAS && census.first[0] && !force) {
        xt_problem_set(reterr_problem,
                       "%llu hosts have no certificate of the new CA yet and would be locked out, %s among them",
                       (unsigned long long)n_out, census.first);
        xt_problem_hint(reterr_problem,
                        "wait until they have been connected; revoke those that are gone; or --force, and "
                        "enrol them again with new tokens");
        return XT_APP_E_INVALID;
    }
    if (r == 0)
        r = xt_pki_retire(&app->pki, reterr_problem);
    if (r > 0)
        return XT_APP_E_INVALID;
    if (r == 0)
        note_ca(app, "retired-ca", who, "the old CA is not trusted any more");
    xt_app_fleet_changed(app);
    return xt_error_trace(r);
}

int xt_app_cas_list(xt_app *app, int (*each)(void *context, const xt_ca *ca), void *context)
{
    struct census census;
    int r = take_census(app, &census);

    for (unsigned i = 0; r == 0 && i < census.n_cas; i++) {
        xt_ca ca = {.from_ms = census.cas[i].from_ms,
                    .to_ms = census.cas[i].to_ms,
                    .is_servers = census.cas[i].is_servers,
                    .signs_hosts = census.cas[i].signs_hosts,
                    .n_hosts = census.n[i]};
        xt_text_copy(ca.id, sizeof ca.id, xt_slice_str(census.cas[i].id));
        r = each(context, &ca);
    }
    return r;
}

/* ----------------------------------------------------------------------------------------------- inventory */

static int bad_line(xt_problem *reterr_problem, uint64_t line, xt_slice text, const char *sentence)
{
    xt_problem_source(reterr_problem, "inventory");
    xt_problem_set(reterr_problem, "%s", sentence);
    xt_problem_at(reterr_problem, line, 0);
    xt_problem_excerpt(reterr_problem, text);
    xt_problem_hint(reterr_problem, "one name a line; # begins a comment");
    return XT_APP_E_INVALID;
}

static int store_names(xt_app *app, xt_slice text, xt_problem *reterr_problem)
{
    xt_slice line, name;
    uint64_t number = 0;
    int r = xt_state_run(app->state, reterr_problem, NULL, "DELETE FROM inventory", "");

    while (r == 0 && xt_slice_cut(&text, '\n', &line)) {
        number++;
        (void)xt_slice_cut(&line, '#', &name);
        name = xt_slice_trim(name);
        if (name.n == 0)
            continue;
        if (number > MAX_INVENTORY_NAMES)
            return bad_line(reterr_problem, number, name, "an inventory has at most 200,000 lines");
        if (name.n > 255 || xt_slice_find_byte(name, ' ') >= 0 || xt_slice_find_byte(name, '\t') >= 0 ||
            xt_slice_find_byte(name, '\0') >= 0)
            return bad_line(reterr_problem, number, name, "this is no name of a host");
        r = xt_state_run(app->state, reterr_problem, NULL, "INSERT OR IGNORE INTO inventory(name) VALUES(lower(?))",
                         "s", name);
    }
    return xt_error_trace(r);
}

int xt_app_inventory_set(xt_app *app, xt_slice text, xt_problem *reterr_problem)
{
    int r = xt_state_begin(app->state, reterr_problem);

    if (r)
        return xt_error_trace(r);
    return xt_state_end(app->state, store_names(app, text, reterr_problem), reterr_problem);
}

/* Names in lower case; a value is what is known of the host: 1 revoked, 2 enrolled, 3 reported. */
struct fleet_names {
    xt_arena arena;
    xt_map known, expected;
};

static const char standing[4];

static xt_slice lower(xt_arena *arena, xt_slice name)
{
    char *p = xt_arena_alloc(arena, name.n + 1);

    for (size_t i = 0; p && i < name.n; i++)
        p[i] = name.p[i] >= 'A' && name.p[i] <= 'Z' ? (char)(name.p[i] + 32) : name.p[i];
    return p ? xt_slice_of(p, name.n) : XT_S_NULL;
}

static int know_host(void *context, const xt_host *host)
{
    struct fleet_names *names = context;
    xt_slice name = lower(&names->arena, xt_slice_str(host->name));
    const char *is = standing + (host->revoked ? 1 : host->boot_id[0] ? 3 : 2), *was;

    if (host->imported || host->name[0] == '\0')
        return 0;
    if (!name.p)
        return -ENOMEM;
    was = xt_map_find(&names->known, name);
    return was && was >= is ? 0 : xt_map_put(&names->known, name, (void *)(uintptr_t)is, NULL);
}

static int tell(struct fleet_names *names, int (*each)(void *context, const xt_inventory_gap *gap), void *context,
                xt_slice name)
{
    xt_inventory_gap gap = {.kind = XT_HOST_NEVER_ENROLLED};
    const char *is = xt_map_find(&names->known, name);

    if (is == standing + 3)
        return 0;
    if (is)
        gap.kind = is == standing + 2 ? XT_HOST_NEVER_REPORTED : XT_HOST_REVOKED;
    xt_text_copy(gap.name, sizeof gap.name, name);
    return each(context, &gap);
}

static int tell_expected(xt_app *app, struct fleet_names *names,
                         int (*each)(void *context, const xt_inventory_gap *gap), void *context, uint64_t *ret_n,
                         xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    uint64_t n = 0;

    xt_state_lock(app->state);
    int r = xt_state_select(app->state, reterr_problem, &stmt, "SELECT name FROM inventory ORDER BY name", "");
    for (; r == 0 && (r = xt_state_next(app->state, stmt, reterr_problem)) == 1; n++) {
        xt_slice name = lower(&names->arena, xt_sqlite_slice(stmt, 0));
        r = name.p ? xt_map_put(&names->expected, name, (void *)(uintptr_t)standing, NULL) : -ENOMEM;
        if (r == 0)
            r = tell(names, each, context, name);
    }
    xt_state_unlock(app->state);
    *ret_n = n;
    return r;
}

static int tell_unexpected(struct fleet_names *names, int (*each)(void *context, const xt_inventory_gap *gap),
                           void *context)
{
    size_t i = 0;
    int r = 0;

    for (xt_map_entry *e; r == 0 && (e = xt_map_next(&names->known, &i)) != NULL;) {
        if ((const char *)e->value == standing + 1 || xt_map_find(&names->expected, e->key))
            continue;
        xt_inventory_gap gap = {.kind = XT_HOST_UNEXPECTED};
        xt_text_copy(gap.name, sizeof gap.name, e->key);
        r = each(context, &gap);
    }
    return r;
}

int xt_app_inventory_gaps(xt_app *app, int (*each)(void *context, const xt_inventory_gap *gap), void *context,
                          uint64_t *ret_n_expected, xt_problem *reterr_problem)
{
    struct fleet_names names = {.known = XT_MAP_INIT, .expected = XT_MAP_INIT};

    xt_arena_init(&names.arena, 256 << 20);
    int r = xt_hosts_list(app->hosts, know_host, &names);
    if (r == 0)
        r = tell_expected(app, &names, each, context, ret_n_expected, reterr_problem);
    if (r == 0)
        r = tell_unexpected(&names, each, context);
    xt_map_fini(&names.known);
    xt_map_fini(&names.expected);
    xt_arena_fini(&names.arena);
    return r;
}
