/*
 * The list of forwards and the orders given to them. A forward is taken out of the list before it is waited for, so that a target that
 * hangs holds up nobody but who removes it; one order at a time.
 */
#include "server/forward.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "detect/detect.h"
#include "server/alerts.h"
#include "server/app_parts.h"
#include "server/forward_rows.h"
#include "server/forward_run.h"
#include "server/secret.h"

enum {
    PATIENCE_MS = 3000, /* for settling, at the end */
    STEP_US = 10000,
};

struct xt_forwards {
    xt_app *app;
    bool runs;
    pthread_mutex_t order; /* held for one order; before `lock` */
    pthread_mutex_t lock;  /* the list */
    xt_forward_run *all[XT_FORWARDS_MAX];
    size_t n;
};

static const char *const format_names[] = {"ecs", "raw", "cef"};

bool xt_forward_format_by_name(xt_slice name, xt_forward_format *ret)
{
    for (size_t i = 0; i < XT_COUNT_OF(format_names); i++)
        if (xt_slice_eq(name, xt_slice_str(format_names[i]))) {
            *ret = (xt_forward_format)i;
            return true;
        }
    return false;
}

const char *xt_forward_format_name(xt_forward_format format)
{
    return format_names[(size_t)format < XT_COUNT_OF(format_names) ? format : 0];
}

/* ------------------------------------------------------------------------------------------------ the list */

/* Under order. */
static xt_forward_run *find(const xt_forwards *forwards, const char *name, size_t *ret_place)
{
    for (size_t i = 0; i < forwards->n; i++)
        if (strcmp(xt_forward_run_name(forwards->all[i]), name) == 0) {
            *ret_place = i;
            return forwards->all[i];
        }
    return NULL;
}

static int not_found(const char *name, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "there is no forward of that name");
    xt_problem_excerpt(reterr_problem, xt_slice_str(name));
    xt_problem_hint(reterr_problem, "list them with: exectrail forward list");
    return XT_APP_E_NOT_FOUND;
}

/* In the order of names. */
static void enlist(xt_forwards *forwards, xt_forward_run *run)
{
    size_t i = forwards->n;

    pthread_mutex_lock(&forwards->lock);
    for (; i > 0 && strcmp(xt_forward_run_name(forwards->all[i - 1]), xt_forward_run_name(run)) > 0; i--)
        forwards->all[i] = forwards->all[i - 1];
    forwards->all[i] = run;
    forwards->n++;
    pthread_mutex_unlock(&forwards->lock);
}

/* Ends some forwards together, and waits until they have. */
static void end_all(xt_forward_run *const *runs, size_t n)
{
    int64_t until = xt_clock_mono_ms(&xt_clock_system) + PATIENCE_MS;

    for (size_t i = 0; i < n; i++)
        xt_forward_run_ask_to_end(runs[i], false);
    for (size_t i = 0; i < n; i++) {
        while (!xt_forward_run_has_ended(runs[i]) && xt_clock_mono_ms(&xt_clock_system) < until)
            usleep(STEP_US);
        xt_forward_run_ask_to_end(runs[i], true);
        xt_forward_run_join(runs[i]);
    }
}

/* ------------------------------------------------------------------------------------------------ open and close */

typedef struct opening {
    xt_forwards *forwards;
    xt_problem *problem;
} opening;

static int on_row(void *context, const xt_forward_spec *spec, const xt_forward_state *state)
{
    const opening *o = context;
    xt_forwards *forwards = o->forwards;
    xt_forward_run *run = NULL;

    if (forwards->n == XT_FORWARDS_MAX)
        return 0;
    int r = xt_forward_run_new(forwards->app, spec, state, &run, o->problem);
    if (r == 0)
        enlist(forwards, run);
    return r > 0 ? xt_error_origin(-EINVAL) : r;
}

static int start_all(xt_forwards *forwards)
{
    xt_forward_info info;
    int r = 0;

    for (size_t i = 0; forwards->runs && i < forwards->n && r == 0; i++) {
        xt_forward_run_info(forwards->all[i], &info);
        if (!info.state.paused)
            r = xt_forward_run_start(forwards->all[i]);
    }
    return r;
}

int xt_forwards_open(xt_app *app, bool runs, xt_forwards **ret, xt_problem *reterr_problem)
{
    xt_forwards *forwards = calloc(1, sizeof *forwards);
    opening o = {forwards, reterr_problem};

    if (!forwards)
        return xt_error_origin(-ENOMEM);
    forwards->app = app;
    forwards->runs = runs;
    pthread_mutex_init(&forwards->order, NULL);
    pthread_mutex_init(&forwards->lock, NULL);
    int r = xt_forward_rows_each(app->state, on_row, &o, reterr_problem);
    if (r == 0)
        r = start_all(forwards);
    if (r) {
        xt_forwards_close(forwards);
        return xt_error_trace(r);
    }
    *ret = forwards;
    return 0;
}

xt_forwards *xt_forwards_close(xt_forwards *forwards)
{
    if (!forwards)
        return NULL;
    end_all(forwards->all, forwards->n);
    for (size_t i = 0; i < forwards->n; i++)
        xt_forward_run_free(forwards->all[i]);
    pthread_mutex_destroy(&forwards->order);
    pthread_mutex_destroy(&forwards->lock);
    free(forwards);
    return NULL;
}

/* ------------------------------------------------------------------------------------------------ adding */

static bool is_name(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < XT_FORWARD_NAME_BYTES && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == n;
}

static int refuse(xt_problem *reterr_problem, const char *why, const char *hint)
{
    xt_problem_set(reterr_problem, "%s", why);
    xt_problem_hint(reterr_problem, "%s", hint);
    return XT_APP_E_INVALID;
}

static int check(const xt_forwards *forwards, const xt_forward_spec *spec, xt_problem *reterr_problem)
{
    xt_forward_info info;
    xt_level least;
    size_t place;

    if (!is_name(spec->name))
        return refuse(reterr_problem, "that is no name for a forward", "letters, digits, - _ and . up to 63");
    if (find(forwards, spec->name, &place))
        return refuse(reterr_problem, "there is a forward of that name", "remove it first, or take another name");
    if (forwards->n == XT_FORWARDS_MAX)
        return refuse(reterr_problem, "there are as many forwards as there may be", "remove one");
    if (spec->alerts && spec->format == XT_FORWARD_RAW)
        return refuse(reterr_problem, "an alert has no audit text", "use --form ecs or cef");
    if (spec->alerts && spec->query[0] && !xt_level_by_name(xt_slice_str(spec->query), &least))
        return refuse(reterr_problem, "that is no level", "informational, low, medium, high or critical");
    if (spec->bulk && spec->format != XT_FORWARD_ECS)
        return refuse(reterr_problem, "_bulk takes documents", "use --form ecs");
    for (size_t i = 0; i < forwards->n && strncmp(spec->target, "file:", 5) == 0; i++) {
        xt_forward_run_info(forwards->all[i], &info);
        if (strncmp(info.spec.target, "file:", 5) == 0 &&
            strcmp(xt_sink_path(info.spec.target), xt_sink_path(spec->target)) == 0)
            return refuse(reterr_problem, "another forward writes that file", "name another one");
    }
    return 0;
}

static int begin_at(xt_app *app, const xt_forward_spec *spec, xt_forward_state *ret, xt_problem *reterr_problem)
{
    int64_t told = 0;
    int r = spec->alerts ? xt_alerts_last_told(app, &told, reterr_problem) : 0;

    *ret = (xt_forward_state){.paused = false};
    if (r == 0 && !spec->from_start)
        ret->at = spec->alerts ? (xt_follow_position){.arrival = (uint64_t)told} : xt_follow_now(app->store);
    return r;
}

static int add(xt_forwards *forwards, const xt_forward_spec *spec, xt_problem *reterr_problem)
{
    xt_app *app = forwards->app;
    xt_forward_state state;
    xt_forward_run *run = NULL;
    int r = check(forwards, spec, reterr_problem);

    if (r == 0)
        r = begin_at(app, spec, &state, reterr_problem);
    if (r == 0)
        r = xt_forward_run_new(app, spec, &state, &run, reterr_problem);
    if (r)
        return r;
    r = xt_forward_row_put(app->state, spec, xt_clock_wall_ms(app->clock), reterr_problem);
    if (r == 0)
        r = xt_forward_row_save(app->state, spec->name, &state, reterr_problem);
    if (r == 0 && forwards->runs)
        r = xt_forward_run_start(run);
    if (r) {
        xt_forward_run_free(run);
        return xt_error_trace(r);
    }
    enlist(forwards, run);
    return 0;
}

/* Durable when it returns: who sends events elsewhere, or stops that, is on record. */
static int note_order(xt_app *app, const char *action, const char *verb, const char *name, const char *target,
                      xt_slice who)
{
    char message[600], host[256] = "";

    if (gethostname(host, sizeof host - 1))
        xt_text_copy(host, sizeof host, XT_S("server"));
    snprintf(message, sizeof message, "forward %s %s%s%.400s", name, verb, target ? ": to " : "", target ? target : "");
    const xt_note note = {
        .host_name = xt_slice_str(host), .action = xt_slice_str(action), .user = who, .message = xt_slice_str(message)};
    return xt_error_fold(xt_note_enter(app, &note));
}

int xt_app_forward_add(xt_app *app, const xt_forward_spec *spec, xt_slice who, xt_problem *reterr_problem)
{
    xt_forwards *forwards = app->forwards;

    pthread_mutex_lock(&forwards->order);
    int r = add(forwards, spec, reterr_problem);
    if (r == 0)
        r = note_order(app, "added-forward", "was added", spec->name, spec->target, who);
    pthread_mutex_unlock(&forwards->order);
    return r;
}

/* ------------------------------------------------------------------------------------------------ orders */

static int pause_run(xt_forwards *forwards, xt_forward_run *run, bool paused, xt_problem *reterr_problem)
{
    xt_forward_info info;

    if (paused)
        end_all(&run, 1);
    xt_forward_run_set_paused(run, paused);
    xt_forward_run_info(run, &info);
    int r = xt_forward_row_save(forwards->app->state, info.spec.name, &info.state, reterr_problem);
    if (r == 0 && !paused && forwards->runs && strcmp(info.word, "off") == 0)
        r = xt_forward_run_start(run);
    return r;
}

static int remove_run(xt_forwards *forwards, xt_forward_run *run, size_t place, xt_problem *reterr_problem)
{
    int r = xt_forward_row_remove(forwards->app->state, xt_forward_run_name(run), reterr_problem);

    if (r)
        return r;
    pthread_mutex_lock(&forwards->lock);
    forwards->n--;
    memmove(&forwards->all[place], &forwards->all[place + 1], (forwards->n - place) * sizeof(xt_forward_run *));
    pthread_mutex_unlock(&forwards->lock);
    end_all(&run, 1);
    xt_forward_run_free(run);
    return 0;
}

int xt_app_forward_set(xt_app *app, const char *name, xt_forward_order order, xt_slice who, xt_problem *reterr_problem)
{
    static const char *const actions[] = {"paused-forward", "resumed-forward", "removed-forward"};
    static const char *const verbs[] = {"was paused", "goes on", "was removed"};
    xt_forwards *forwards = app->forwards;
    size_t place = 0;
    int r;

    pthread_mutex_lock(&forwards->order);
    xt_forward_run *run = find(forwards, name, &place);
    if (!run)
        r = not_found(name, reterr_problem);
    else if (order == XT_FORWARD_REMOVE)
        r = remove_run(forwards, run, place, reterr_problem);
    else
        r = pause_run(forwards, run, order == XT_FORWARD_PAUSE, reterr_problem);
    if (r == 0)
        r = note_order(app, actions[order], verbs[order], name, NULL, who);
    pthread_mutex_unlock(&forwards->order);
    return r;
}

int xt_app_forwards_list(xt_app *app, const char *name, int (*each)(void *context, const xt_forward_info *info),
                         void *context, xt_problem *reterr_problem)
{
    xt_forwards *forwards = app->forwards;
    bool found = false;
    int r = 0;

    pthread_mutex_lock(&forwards->lock);
    for (size_t i = 0; i < forwards->n && r == 0; i++) {
        xt_forward_info info;
        if (name && strcmp(name, xt_forward_run_name(forwards->all[i])) != 0)
            continue;
        xt_forward_run_info(forwards->all[i], &info);
        found = true;
        r = each(context, &info);
    }
    pthread_mutex_unlock(&forwards->lock);
    return r == 0 && name && !found ? not_found(name, reterr_problem) : r;
}
