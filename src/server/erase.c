/*
 * For each segment, in this order: what alerts say of its rows goes (state.db), then the rows (one transaction of the
 * store). A kill between the two leaves rows without alerts, which the next run of the same erasure finds; the other way
 * round it would find nothing. At the end both databases are written anew, also where nothing matched: an erasure that was
 * killed before that is completed so.
 *
 * Alerts are written after their events are durable. So nothing is begun before those of all that is looked at are there;
 * and while they go, nobody makes them again from the rows, and no hold comes (erase_lock).
 */
#include "server/erase.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "query/choose.h"
#include "server/alert_erase.h"
#include "server/app_parts.h"
#include "server/backup_table.h"
#include "server/secret.h"
#include "server/tombstone.h"
#include "store/digest.h"

#define MAX_REASON   500
#define WAIT_NS      50000000
#define ALERT_TRIES  600
#define SCRUB_TRIES  100
#define MAX_PROBLEMS 1000

/* The filter of one hold. */
typedef struct hold_filter {
    uint64_t id;
    xt_filter *filter;
} hold_filter;

typedef struct erase_run {
    xt_app *app;
    const xt_erase_args *args;
    xt_erase_answer *answer;
    xt_ledger_key *key;
    xt_tombstone_text text;
    xt_filter *filter;
    hold_filter *holds;
    size_t n_holds;
    xt_store_choice *choices; /* of the holds */
    uint64_t *n_held;         /* by hold, of the segment at hand */
    uint64_t *n_held_all;
    unsigned n_hold_changes;
    bool has_lock; /* erase_lock */
    uint64_t n_done;
    xt_problem *problem;
} erase_run;

static bool stops(void *context)
{
    const erase_run *run = context;

    return run->args->cancelled && atomic_load(run->args->cancelled);
}

/* ------------------------------------------------------------------------------------------------ what is asked for */

static int invalid(xt_problem *reterr_problem, const char *source, const char *sentence, const char *hint)
{
    xt_problem_source(reterr_problem, source);
    xt_problem_set(reterr_problem, "%s", sentence);
    xt_problem_hint(reterr_problem, "%s", hint);
    return XT_APP_E_INVALID;
}

/* What stands for the query where it must not be kept. The salt is not kept: so it cannot be guessed at either. */
static int query_hide(erase_run *run)
{
    XT_CLEANUP(xt_buf_fini) xt_buf salted = XT_BUF_INIT;
    unsigned char salt[16];
    xt_digest digest;
    int r = xt_secret_random(salt, sizeof salt);

    if (r < 0)
        return xt_error_trace(r);
    xt_hex_format(run->answer->salt, salt, sizeof salt);
    xt_buf_puts(&salted, run->answer->salt);
    xt_buf_put(&salted, run->args->query);
    r = xt_buf_done(&salted);
    if (r == 0)
        r = xt_digest_of(xt_buf_slice(&salted), &digest);
    if (r < 0)
        return xt_error_trace(r);
    xt_hex_format(run->answer->sha256, digest.b, sizeof digest.b);
    run->text.query = XT_S("");
    run->text.sha256 = xt_slice_str(run->answer->sha256);
    return 0;
}

static int run_init(erase_run *run)
{
    const xt_erase_args *args = run->args;
    xt_slice reason = xt_slice_trim(args->reason);

    if (!args->is_dry && (reason.n == 0 || reason.n > MAX_REASON))
        return invalid(run->problem, "reason", "to erase events a reason is needed, of at most 500 bytes",
                       "--reason TEXT; it is kept in the ledger, so without what is to be forgotten");
    if (xt_slice_trim(args->query).n == 0)
        return invalid(run->problem, "q", "what is to be erased is not said", "everything is *");
    int r = xt_filter_compile(args->query, xt_clock_wall_ms(run->app->clock), &run->filter, run->problem);
    if (r > 0)
        return XT_APP_E_INVALID;
    run->text = (xt_tombstone_text){.who = args->who, .reason = reason, .query = args->query, .sha256 = XT_S("")};
    if (r == 0 && args->is_private && !args->is_dry)
        r = query_hide(run);
    if (r == 0 && !args->is_dry)
        r = xt_ledger_key_get(run->app->data, &run->key, run->problem);
    return r;
}

/* ------------------------------------------------------------------------------------------------ holds */

static void holds_fini(erase_run *run)
{
    for (size_t i = 0; i < run->n_holds; i++)
        xt_filter_free(run->holds[i].filter);
    free(run->holds);
    free(run->choices);
    free(run->n_held);
    free(run->n_held_all);
    run->holds = NULL;
    run->choices = NULL;
    run->n_held = run->n_held_all = NULL;
    run->n_holds = 0;
}

static int on_hold(void *context, const xt_store_hold *hold)
{
    erase_run *run = context;
    hold_filter *holds = reallocarray(run->holds, run->n_holds + 1, sizeof *holds);

    if (!holds)
        return xt_error_origin(-ENOMEM);
    run->holds = holds;
    int r = xt_filter_compile(hold->query, hold->at_ms, &holds[run->n_holds].filter, run->problem);
    if (r == 0)
        holds[run->n_holds++].id = hold->id;
    return r;
}

static int choose_one(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    xt_filter *filter = context;

    return xt_filters_choose(&filter, 1, scan, masks, reterr_problem);
}

/* What was counted by a hold so far goes to the answer when holds change. */
static int held_note(erase_run *run)
{
    for (size_t i = 0; i < run->n_holds; i++) {
        if (run->n_held_all[i] == 0)
            continue;
        xt_erase_hold *holds = reallocarray(run->answer->holds, run->answer->n_holds + 1, sizeof *holds);
        if (!holds)
            return xt_error_origin(-ENOMEM);
        run->answer->holds = holds;
        holds[run->answer->n_holds++] = (xt_erase_hold){run->holds[i].id, run->n_held_all[i]};
    }
    return 0;
}

static int holds_load(erase_run *run)
{
    int r = held_note(run);

    holds_fini(run);
    run->n_hold_changes = xt_store_hold_changes(run->app->store);
    if (r == 0)
        r = xt_store_each_hold(run->app->store, on_hold, run, run->problem);
    if (r > 0) /* a later version's language, perhaps: nobody can tell what it holds */
        return XT_APP_E_INVALID;
    run->choices = calloc(run->n_holds + 1, sizeof *run->choices);
    run->n_held = calloc(run->n_holds + 1, sizeof *run->n_held);
    run->n_held_all = calloc(run->n_holds + 1, sizeof *run->n_held_all);
    if (r == 0 && (!run->choices || !run->n_held || !run->n_held_all))
        r = xt_error_origin(-ENOMEM);
    for (size_t i = 0; i < run->n_holds && r == 0; i++)
        run->choices[i] = (xt_store_choice){choose_one, run->holds[i].filter};
    return r;
}

/* ------------------------------------------------------------------------------------------------ segments */

static void problem_add(void *context, const xt_problem *problem)
{
    xt_erase_answer *answer = context;
    xt_problem *problems = NULL;

    if (answer->n_problems < MAX_PROBLEMS)
        problems = reallocarray(answer->problems, answer->n_problems + 1, sizeof *problems);
    if (!problems)
        return;
    answer->problems = problems;
    problems[answer->n_problems++] = *problem;
}

static void segment_problem(erase_run *run, uint64_t segment, xt_problem *problem)
{
    char name[24];

    snprintf(name, sizeof name, "%016llx.xts", (unsigned long long)segment);
    if (!problem->source[0])
        xt_problem_source(problem, name);
    problem_add(run->answer, problem);
}

static int before(void *context, xt_scan *scan, uint64_t *const *masks, xt_problem *reterr_problem)
{
    erase_run *run = context;

    pthread_mutex_lock(&run->app->erase_lock);
    run->has_lock = true;
    if (xt_store_hold_changes(run->app->store) != run->n_hold_changes)
        return -ECANCELED;
    return xt_alerts_erase(run->app, scan, masks, &run->answer->n_alerts, reterr_problem);
}

static int note(void *context, const xt_tombstone *tombstone, xt_buf *out, xt_problem *reterr_problem)
{
    const erase_run *run = context;

    (void)reterr_problem;
    return xt_tombstone_put(out, tombstone, &run->text, run->key);
}

/* Alerts of what is looked at have to be there before they can go. */
static int alerts_wait(erase_run *run, uint64_t upto)
{
    static const struct timespec pause = {0, WAIT_NS};
    xt_store_stats stats;
    int r = xt_store_stats_get(run->app->store, &stats);

    if (r < 0 || stats.n_events == 0)
        return r;
    for (unsigned i = 0; atomic_load(&run->app->alerts_arrival) < upto; i++) {
        if (stops(run))
            return -ECANCELED;
        if (i == ALERT_TRIES) {
            xt_problem_set(run->problem,
                           "the alerts of what came last cannot be written, so they cannot be erased yet");
            return xt_error_origin(-EBUSY);
        }
        nanosleep(&pause, NULL);
    }
    return 0;
}

static int step_note(erase_run *run, const xt_erase_step *step)
{
    run->n_done++;
    run->answer->n_rows += step->n_rows;
    run->answer->n_segments += step->n_rows > 0;
    for (size_t i = 0; i < run->n_holds; i++)
        run->n_held_all[i] += run->n_held[i];
    if (!run->args->progress)
        return 0;
    return run->args->progress(run->args->context, run->n_done, run->n_done + step->n_left, run->answer->n_rows);
}

/* One segment; XT_ERASE_E_END. */
static int segment_run(erase_run *run, xt_erasing *erasing)
{
    xt_problem problem = XT_PROBLEM_INIT;
    xt_store_choice what = {choose_one, run->filter};
    xt_erase_orders orders = {.what = &what,
                              .holds = run->choices,
                              .n_holds = run->n_holds,
                              .n_held = run->n_held,
                              .n_hold_changes = run->n_hold_changes,
                              .is_dry = run->args->is_dry,
                              .before = before,
                              .note = note,
                              .stops = stops,
                              .context = run};
    xt_erase_step step = {0};
    int r = xt_store_erase_next(erasing, &orders, &step, &problem);

    if (run->has_lock)
        pthread_mutex_unlock(&run->app->erase_lock);
    run->has_lock = false;
    if (r == -ECANCELED && xt_store_hold_changes(run->app->store) != run->n_hold_changes)
        return holds_load(run);
    if (r == XT_ERASE_E_DAMAGED) {
        segment_problem(run, step.segment, &problem);
        step.n_rows = 0;
        memset(run->n_held, 0, run->n_holds * sizeof *run->n_held);
        r = 0;
    }
    if (r < 0)
        *run->problem = problem;
    return r == 0 ? step_note(run, &step) : r;
}

static int segments_run(erase_run *run)
{
    xt_erasing *erasing = NULL;
    int r = xt_store_erase_open(run->app->store, &erasing, run->problem);

    if (r == 0 && !run->args->is_dry)
        r = alerts_wait(run, xt_store_erase_upto(erasing));
    if (r == 0)
        r = holds_load(run);
    while (r == 0)
        r = segment_run(run, erasing);
    if (erasing && run->answer->n_rows > 0 && !run->args->is_dry)
        run->answer->number = xt_store_erase_number(erasing);
    xt_store_erase_close(erasing);
    int noted = held_note(run);
    return r == XT_ERASE_E_END ? noted : r;
}

/* ------------------------------------------------------------------------------------------------ what is left */

static int state_scrub(erase_run *run)
{
    static const struct timespec pause = {0, WAIT_NS};
    int r = -EBUSY;

    for (unsigned i = 0; i < SCRUB_TRIES && r == -EBUSY; i++) {
        if (i > 0)
            nanosleep(&pause, NULL);
        r = xt_state_scrub(run->app->state, run->problem);
    }
    if (r == -EBUSY)
        xt_problem_set(run->problem, "state.db is read by another process all the time: what was erased may be left in "
                                     "its write-ahead log");
    return r;
}

static int scrub(erase_run *run)
{
    int r = xt_store_scrub(run->app->store, problem_add, run->answer, run->problem);

    if (r == 0)
        r = state_scrub(run);
    if (r < 0)
        xt_problem_hint(run->problem, "run the same erasure again");
    return r;
}

static int last_note(void *context, const xt_tombstone *tombstone)
{
    xt_erase_answer *answer = context;

    if (tombstone->erasure == answer->number)
        answer->last_ledger_id = tombstone->ledger_id;
    return 0;
}

static int erase(erase_run *run)
{
    int r = run_init(run);

    if (r == 0)
        r = segments_run(run);
    if (r == 0 && !run->args->is_dry)
        r = scrub(run);
    if (run->answer->number) {
        int found = xt_store_each_tombstone(run->app->store, last_note, run->answer, r == 0 ? run->problem : NULL);
        r = r == 0 ? found : r;
    }
    xt_filter_free(run->filter);
    xt_ledger_key_free(run->key);
    holds_fini(run);
    return r;
}

int xt_app_erase(xt_app *app, const xt_erase_args *args, xt_erase_answer *ret, xt_problem *reterr_problem)
{
    erase_run run = {.app = app, .args = args, .answer = ret, .problem = reterr_problem};

    *ret = (xt_erase_answer){0};
    if (pthread_mutex_trylock(&app->erase_one) != 0) {
        xt_problem_set(reterr_problem, "another erasure is under way");
        return XT_APP_E_LOCKED;
    }
    int r = erase(&run);
    pthread_mutex_unlock(&app->erase_one);
    return r;
}

void xt_erase_answer_fini(xt_erase_answer *answer)
{
    free(answer->holds);
    free(answer->problems);
}

/* ------------------------------------------------------------------------------------------------ backups */

typedef struct backups {
    uint64_t ledger_id;
    int (*each)(void *context, int64_t at_ms, xt_slice place, xt_slice generation);
    void *context;
} backups;

static int on_backup(void *context, const xt_backup_row *row)
{
    const backups *b = context;

    return row->ledger_id < b->ledger_id ? b->each(b->context, row->at_us / 1000, row->place, row->generation) : 0;
}

int xt_app_backups_before(xt_app *app, uint64_t ledger_id,
                          int (*each)(void *context, int64_t at_ms, xt_slice place, xt_slice generation), void *context,
                          xt_problem *reterr_problem)
{
    backups b = {ledger_id, each, context};

    return xt_backup_table_each(app->state, on_backup, &b, reterr_problem);
}
