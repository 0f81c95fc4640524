/*
 * Holds are compiled when there is something to be retired, and again when one came or went. A hold that cannot be
 * compiled (a later version's language, perhaps) holds everything: nothing is retired until somebody looks at it.
 */
#include "server/care.h"

#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "query/choose.h"
#include "server/app_parts.h"

#define RETIRED_A_TURN 8
#define HEAD_EVERY_MS  3600000
#define LOOK_EVERY_MS  10000 /* at the limits, when there was nothing to do */

struct xt_care {
    xt_store *store;
    xt_store_limits limits;
    xt_group_age group_ages[XT_GROUP_AGES_MAX];
    size_t n_group_ages;
    int64_t next_ms; /* monotonic, of the system */
    int64_t next_head_ms;
};

/* ------------------------------------------------------------------------------------------------ holds */

/* What all holds match. */
typedef struct holds {
    xt_filter **filters;
    size_t n;
    xt_problem *problem;
} holds;

static int on_hold(void *context, const xt_store_hold *hold)
{
    holds *h = context;
    xt_filter **filters = reallocarray(h->filters, h->n + 1, sizeof(xt_filter *));

    if (!filters)
        return xt_error_origin(-ENOMEM);
    h->filters = filters;
    int r = xt_filter_compile(hold->query, hold->at_ms, &filters[h->n], h->problem);
    if (r == 0)
        h->n++;
    return r;
}

static int holds_load(holds *h, xt_store *store, xt_problem *problem)
{
    *h = (holds){.problem = problem};
    return xt_store_each_hold(store, on_hold, h, problem);
}

static void holds_fini(holds *h)
{
    for (size_t i = 0; i < h->n; i++)
        xt_filter_free(h->filters[i]);
    free(h->filters);
}

static int choose_held(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    const holds *h = context;

    return xt_filters_choose(h->filters, h->n, scan, masks, reterr_problem);
}

/* ------------------------------------------------------------------------------------------------ retention */

/* How long this host's events are kept: by the group that it is in now. */
static int64_t age_of_host(void *context, xt_slice host_id)
{
    xt_app *app = context;
    const xt_care *care = app->care;
    char group[XT_HOST_GROUP_BYTES];

    xt_hosts_group_of(app->hosts, host_id, group);
    for (size_t i = 0; i < care->n_group_ages && group[0]; i++)
        if (strcmp(care->group_ages[i].group, group) == 0)
            return care->group_ages[i].max_age_ms;
    return care->limits.max_age_ms;
}

static int64_t least_age(const xt_care *care)
{
    int64_t least = care->limits.max_age_ms;

    for (size_t i = 0; i < care->n_group_ages; i++) {
        int64_t age = care->group_ages[i].max_age_ms;
        if (age && (!least || age < least))
            least = age;
    }
    return least;
}

/* With ages by group, age is a matter of rows, and the other limits of segments. */
static int retain_once(xt_app *app, const xt_store_choice *held, xt_retire_why *ret_why, xt_problem *reterr_problem)
{
    const xt_care *care = app->care;
    xt_store_limits limits = care->limits;
    xt_store_ages ages = {.of_host = age_of_host,
                          .context = app,
                          .version = xt_hosts_group_changes(app->hosts),
                          .least_ms = least_age(care)};
    int r = 0;

    *ret_why = XT_RETIRE_NOT;
    if (care->n_group_ages) {
        limits.max_age_ms = 0;
        if (ages.least_ms)
            r = xt_store_retain_ages(care->store, &ages, held, ret_why, reterr_problem);
    }
    return r || *ret_why ? r : xt_store_retain(care->store, &limits, held, ret_why, reterr_problem);
}

static int retain(xt_app *app, bool *ret_done, xt_problem *reterr_problem)
{
    holds h;
    xt_retire_why why = XT_RETIRE_NOT;
    int r = holds_load(&h, app->store, reterr_problem);
    xt_store_choice held = {choose_held, &h};

    for (unsigned i = 0; i < RETIRED_A_TURN && r == 0 && (i == 0 || why); i++) {
        r = retain_once(app, h.n ? &held : NULL, &why, reterr_problem);
        *ret_done |= r == 0 && why != XT_RETIRE_NOT;
    }
    holds_fini(&h);
    return r;
}

int xt_care_keep(xt_app *app, xt_problem *reterr_problem)
{
    xt_care *care = app->care;
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);
    bool done = false;

    if (now_ms < care->next_ms)
        return 0;
    pthread_mutex_lock(&app->erase_lock); /* no hold comes that was not asked for */
    int r = retain(app, &done, reterr_problem);
    pthread_mutex_unlock(&app->erase_lock);
    care->next_ms = done ? 0 : now_ms + LOOK_EVERY_MS;
    return r > 0 ? xt_error_origin(-EINVAL) : r;
}

void xt_care_tell_head(xt_app *app)
{
    XT_CLEANUP(xt_buf_fini) xt_buf head = XT_BUF_INIT;
    xt_problem problem = XT_PROBLEM_INIT;
    int64_t now_ms = xt_clock_mono_ms(&xt_clock_system);

    if (now_ms < app->care->next_head_ms)
        return;
    app->care->next_head_ms = now_ms + HEAD_EVERY_MS;
    if (xt_app_ledger_head(app, &head, &problem) < 0)
        xt_log_problem(XT_LOG_ERROR, &problem);
    else
        xt_log(XT_LOG_INFO, "ledger head %.*s", XT_S_ARGS(xt_buf_slice(&head)));
}

int xt_care_new(xt_store *store, const xt_app_settings *settings, xt_care **ret)
{
    xt_care *care = calloc(1, sizeof *care);

    if (!care)
        return xt_error_origin(-ENOMEM);
    *care = (xt_care){
        .store = store, .limits = settings->limits, .next_head_ms = xt_clock_mono_ms(&xt_clock_system) + HEAD_EVERY_MS};
    care->n_group_ages = settings->n_group_ages < XT_GROUP_AGES_MAX ? settings->n_group_ages : XT_GROUP_AGES_MAX;
    if (care->n_group_ages)
        memcpy(care->group_ages, settings->group_ages, care->n_group_ages * sizeof *care->group_ages);
    *ret = care;
    return 0;
}

xt_care *xt_care_free(xt_care *care)
{
    free(care);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ asked for */

int xt_app_hold_add(xt_app *app, xt_slice query, xt_slice reason, xt_slice who, uint64_t *ret_id,
                    xt_problem *reterr_problem)
{
    xt_filter *filter = NULL;

    reason = xt_slice_trim(reason);
    if (reason.n == 0) {
        xt_problem_set(reterr_problem, "a hold needs a reason");
        xt_problem_hint(reterr_problem, "--reason TEXT; it is kept with the hold and in the ledger");
        return XT_APP_E_INVALID;
    }
    int r = xt_filter_compile(query, xt_clock_wall_ms(app->clock), &filter, reterr_problem);
    if (r)
        return r < 0 ? xt_error_trace(r) : XT_APP_E_INVALID;
    xt_filter_free(filter);
    pthread_mutex_lock(&app->erase_lock);
    r = xt_store_hold_add(app->store, query, reason, who, ret_id, reterr_problem);
    pthread_mutex_unlock(&app->erase_lock);
    return r;
}

int xt_app_hold_remove(xt_app *app, uint64_t id, xt_slice who, xt_problem *reterr_problem)
{
    int r = xt_store_hold_remove(app->store, id, who, reterr_problem);

    return r == XT_STORE_E_UNKNOWN ? XT_APP_E_NOT_FOUND : r;
}

const xt_group_age *xt_app_group_ages(const xt_app *app, size_t *ret_n)
{
    *ret_n = app->care->n_group_ages;
    return app->care->group_ages;
}

const xt_store_limits *xt_app_limits(const xt_app *app)
{
    return &app->care->limits;
}
