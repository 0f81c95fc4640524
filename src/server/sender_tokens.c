#include "server/sender_tokens.h"

#include "server/app_parts.h"
#include "server/secret.h"

enum { MAX_NAME = 63, USED_EVERY_MS = 3600000 };

static bool name_is_good(xt_slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] == 0x7f)
            return false;
    return name.n > 0 && name.n <= MAX_NAME;
}

int xt_app_sender_add(xt_app *app, xt_slice name, xt_buf *out, xt_problem *reterr_problem)
{
    char token[XT_SECRET_DIGITS + 1];
    uint8_t hash[32];
    int64_t n_changed = 0;
    if (!name_is_good(name)) {
        xt_problem_set(reterr_problem, "a sender's name has 1 to %d characters without spaces", MAX_NAME);
        return XT_APP_E_INVALID;
    }
    int r = xt_secret_make(token);
    if (r == 0)
        r = xt_secret_hash(xt_slice_str(token), hash);
    if (r == 0)
        r = xt_state_run(app->state, reterr_problem, &n_changed,
                         "INSERT INTO senders(name, token, made_ms) VALUES(?,?,?) ON CONFLICT DO NOTHING", "sbi", name,
                         xt_slice_of(hash, sizeof hash), xt_clock_wall_ms(app->clock));
    if (r)
        return xt_error_trace(r);
    if (n_changed == 0) {
        xt_problem_set(reterr_problem, "there is a sender of this name");
        xt_problem_excerpt(reterr_problem, name);
        xt_problem_hint(reterr_problem, "remove it first: exectrail sender remove NAME");
        return XT_APP_E_INVALID;
    }
    xt_buf_puts(out, token);
    return xt_error_trace(xt_buf_done(out));
}

/* The one behind `after` in the order of names; XT_APP_E_NOT_FOUND at the end. */
static int sender_after(xt_app *app, const char *after, xt_sender_token *ret, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    int r =
        xt_state_select(app->state, reterr_problem, &stmt,
                        "SELECT name, made_ms, used_ms FROM senders WHERE name > ? ORDER BY name LIMIT 1", "z", after);
    if (r == 0)
        r = xt_state_next(app->state, stmt, reterr_problem);
    if (r <= 0)
        return r ? xt_error_trace(r) : XT_APP_E_NOT_FOUND;
    xt_state_text(stmt, 0, ret->name, sizeof ret->name);
    ret->made_ms = sqlite3_column_int64(stmt, 1);
    ret->used_ms = sqlite3_column_int64(stmt, 2);
    return 0;
}

int xt_app_senders_list(xt_app *app, int (*each)(void *context, const xt_sender_token *token), void *context,
                        xt_problem *reterr_problem)
{
    xt_sender_token token = {.name = ""};
    char after[sizeof token.name] = "";
    for (;;) {
        xt_state_lock(app->state);
        int r = sender_after(app, after, &token, reterr_problem);
        xt_state_unlock(app->state);
        if (r == XT_APP_E_NOT_FOUND)
            return 0;
        if (r == 0)
            r = each(context, &token);
        if (r)
            return r;
        memcpy(after, token.name, sizeof after);
    }
}

int xt_app_sender_remove(xt_app *app, xt_slice name, xt_problem *reterr_problem)
{
    int64_t n_changed = 0;
    int r = xt_state_run(app->state, reterr_problem, &n_changed, "DELETE FROM senders WHERE name = ?", "s", name);
    if (r)
        return xt_error_trace(r);
    if (n_changed > 0)
        return 0;
    xt_problem_set(reterr_problem, "there is no sender of this name");
    xt_problem_excerpt(reterr_problem, name);
    return XT_APP_E_NOT_FOUND;
}

bool xt_app_may_send(xt_app *app, xt_slice token)
{
    uint8_t hash[32];
    int64_t used_ms = -1, now_ms = xt_clock_wall_ms(app->clock);
    xt_slice kept = xt_slice_of(hash, sizeof hash);
    if (token.n == 0 || xt_secret_hash(token, hash))
        return false;
    if (xt_secret_eq(hash, app->pki.admin_sha256, sizeof hash))
        return true;
    if (xt_state_number(app->state, NULL, &used_ms, "SELECT used_ms FROM senders WHERE token = ?", "b", kept) ||
        used_ms < 0)
        return false;
    if (now_ms - used_ms > USED_EVERY_MS)
        (void)!xt_state_run(app->state, NULL, NULL, "UPDATE senders SET used_ms = ? WHERE token = ?", "ib", now_ms,
                            kept);
    return true;
}
