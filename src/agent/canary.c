/*
 * How it works: the helper executes this program with a random word. The event is known by the word among its arguments,
 * or, where these are missing, by the pid that the helper told. A helper that does not answer (a name service hangs) is
 * no loss: its canary is given up after a longer bound.
 */
#include "agent/canary.h"

#include <linux/audit.h>
#include <stdio.h>
#include <sys/random.h>

#include "agent/own_event.h"
#include "audit/names.h"

#define FIRST_MS  500
#define SOON_MS   200
#define APART_MS  2000  /* of two that are asked for in a hurry */
#define SILENT_MS 30000 /* of the helper */

bool xt_canary_is(int argc, char **argv)
{
    return argc == 3 && strcmp(argv[1], XT_CANARY_VERB) == 0;
}

void xt_canary_init(xt_canary *c, uint64_t interval_ms, uint32_t parent, bool expects_eoe, int64_t now_ms)
{
    *c = (xt_canary){
        .interval_ms = interval_ms, .parent = parent, .expects_eoe = expects_eoe, .due_ms = now_ms + FIRST_MS};
    c->last_ms = now_ms - APART_MS;
}

void xt_canary_hurry(xt_canary *c, int64_t now_ms)
{
    int64_t soon_ms = now_ms + SOON_MS;
    if (soon_ms < c->last_ms + APART_MS)
        soon_ms = c->last_ms + APART_MS;
    if (soon_ms < c->due_ms)
        c->due_ms = soon_ms;
}

bool xt_canary_next(xt_canary *c, int64_t now_ms)
{
    uint64_t word;
    if (c->interval_ms == 0 || now_ms < c->due_ms)
        return false;
    c->due_ms = now_ms + (int64_t)c->interval_ms;
    if (c->is_asked && now_ms - c->asked_ms < SILENT_MS)
        return false;
    if (getrandom(&word, sizeof word, 0) != sizeof word)
        return false;
    snprintf(c->word, sizeof c->word, "%016llx", (unsigned long long)word);
    c->asked_ms = c->last_ms = now_ms;
    c->is_asked = true;
    c->is_executed = false;
    c->pid = 0;
    return true;
}

void xt_canary_executed(xt_canary *c, uint32_t pid, int64_t now_ms)
{
    if (!c->is_asked)
        return; /* its event was faster than the answer */
    if (pid == 0) {
        c->is_asked = false;
        return;
    }
    c->n_sent++;
    c->is_executed = true;
    c->pid = pid;
    c->asked_ms = now_ms;
}

static bool has_word(const xt_canary *c, const xt_event *event)
{
    xt_list_iter iter = xt_list_iterate(xt_event_bytes(event, XT_F_ARGS));
    xt_slice arg, word = xt_slice_of(c->word, 16);
    for (unsigned i = 0; i < 4 && xt_list_next(&iter, &arg); i++)
        if (xt_slice_eq(arg, word))
            return true;
    return false;
}

/* Where the arguments are hidden: it comes from the helper, which may not have answered yet. */
static bool is_bare(const xt_canary *c, const xt_event *event)
{
    return !xt_event_has(event, XT_F_ARGS) && xt_event_is_own_entity(event) &&
           (xt_event_num(event, XT_F_PPID, 0) == c->parent || (c->pid && xt_event_num(event, XT_F_PID, 0) == c->pid));
}

static void put_missing(xt_buf *out, const char *name)
{
    if (out->n > 0)
        xt_buf_putc(out, ' ');
    xt_buf_puts(out, name);
}

static void find_missing(const xt_canary *c, const xt_event *event, xt_buf *missing)
{
    static const uint16_t types[] = {AUDIT_SYSCALL, AUDIT_EXECVE, AUDIT_CWD, AUDIT_PATH, AUDIT_PROCTITLE};
    bool found[XT_COUNT_OF(types)] = {false};
    xt_rec_iter iter = xt_recs_iterate(xt_event_bytes(event, XT_F_RECORDS));
    for (uint16_t type; xt_recs_next(&iter, &type);)
        for (size_t i = 0; i < XT_COUNT_OF(types); i++)
            found[i] |= types[i] == type;
    for (size_t i = 0; i < XT_COUNT_OF(types); i++)
        if (!found[i])
            put_missing(missing, xt_record_type_name(types[i]));
    if (c->expects_eoe && xt_own_event_has_flag(event, XT_S("timeout")))
        put_missing(missing, "EOE");
}

int xt_canary_take(xt_canary *c, const xt_event *event, int64_t wall_ms, int64_t now_ms, xt_buf *missing)
{
    if (!c->is_asked || (!has_word(c, event) && !is_bare(c, event)))
        return XT_CANARY_E_OTHER;
    c->n_sent += !c->is_executed;
    c->is_asked = c->is_executed = false;
    find_missing(c, event, missing);
    if (missing->n > 0) {
        c->n_lost++;
        c->is_lost = true;
        return XT_CANARY_E_INCOMPLETE;
    }
    c->took_ms = now_ms - c->last_ms;
    c->back_ms = wall_ms;
    return 0;
}

bool xt_canary_expired(xt_canary *c, int64_t now_ms)
{
    if (!c->is_asked || !c->is_executed || now_ms - c->asked_ms < XT_CANARY_BOUND_MS)
        return false;
    c->is_asked = c->is_executed = false;
    c->n_lost++;
    c->is_lost = true;
    return true;
}

int64_t xt_canary_wait_ms(const xt_canary *c, int64_t now_ms)
{
    if (c->interval_ms == 0)
        return -1;
    int64_t wait_ms = c->due_ms - now_ms;
    if (c->is_asked && c->is_executed && c->asked_ms + XT_CANARY_BOUND_MS - now_ms < wait_ms)
        wait_ms = c->asked_ms + XT_CANARY_BOUND_MS - now_ms;
    return wait_ms > 0 ? wait_ms : 0;
}
