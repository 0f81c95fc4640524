/*
 * Nobody has a password: a person comes in by a one-time link that somebody with access to the data folder (or an
 * administrator) makes, and holds a session cookie after that. Roles are read with every request, so a change or a
 * removal works at once.
 */
#include "server/app_parts.h"

#include "server/secret.h"

enum {
    LINK_MS = 10 * 60 * 1000,
    SESSION_MS = 12 * 60 * 60 * 1000,
    KEEP_USED_MS = 24 * 60 * 60 * 1000, /* so long a used link is told from an unknown one */
    MAX_NAME = 63,
};

static const char *const role_names[] = {"none", "viewer", "analyst", "admin"};

const char *xt_role_name(xt_role role)
{
    return role_names[role];
}

bool xt_role_by_name(xt_slice name, xt_role *ret)
{
    for (xt_role role = XT_ROLE_VIEWER; role <= XT_ROLE_ADMIN; role++)
        if (xt_slice_eq(name, xt_slice_str(role_names[role]))) {
            *ret = role;
            return true;
        }
    return false;
}

static bool name_is_good(xt_slice name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= ' ' || name.p[i] == 0x7f)
            return false;
    return name.n > 0 && name.n <= MAX_NAME;
}

int xt_app_user_add(xt_app *app, const char *name, xt_role role, xt_problem *reterr_problem)
{
    if (!name_is_good(xt_slice_str(name)) || role == XT_ROLE_NONE) {
        xt_problem_set(reterr_problem, "a user's name has 1 to %d characters without spaces, and a role", MAX_NAME);
        xt_problem_excerpt(reterr_problem, xt_slice_str(name));
        return XT_APP_E_INVALID;
    }
    if (strcmp(name, XT_LOCAL_USER) == 0) {
        xt_problem_set(reterr_problem, "this name stands for whoever owns the data folder, and can be no user's");
        xt_problem_excerpt(reterr_problem, xt_slice_str(name));
        return XT_APP_E_INVALID;
    }
    return xt_error_trace(xt_state_run(app->state, reterr_problem, NULL,
                                       "INSERT INTO users(name, role, made_ms) VALUES(?,?,?)"
                                       " ON CONFLICT(name) DO UPDATE SET role = excluded.role",
                                       "zzi", name, role_names[role], xt_clock_wall_ms(app->clock)));
}

typedef struct user_row {
    char name[64];
    xt_role role;
    int64_t last_login_ms;
} user_row;

/* The user behind `after` in the order of names; XT_APP_E_NOT_FOUND at the end. */
static int user_after(xt_app *app, const char *after, user_row *ret, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    int r =
        xt_state_select(app->state, reterr_problem, &stmt,
                        "SELECT name, role, last_login_ms FROM users WHERE name > ? ORDER BY name LIMIT 1", "z", after);

    if (r == 0)
        r = xt_state_next(app->state, stmt, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    if (r == 0)
        return XT_APP_E_NOT_FOUND;
    ret->role = XT_ROLE_NONE;
    xt_state_text(stmt, 0, ret->name, sizeof ret->name);
    (void)xt_role_by_name(xt_sqlite_slice(stmt, 1), &ret->role);
    ret->last_login_ms = sqlite3_column_int64(stmt, 2);
    return 0;
}

int xt_app_users_list(xt_app *app, int (*each)(void *context, const char *name, xt_role role, int64_t last_login_ms),
                      void *context, xt_problem *reterr_problem)
{
    user_row row = {.name = ""};

    for (;;) {
        xt_state_lock(app->state);
        int r = user_after(app, row.name, &row, reterr_problem);
        xt_state_unlock(app->state);
        if (r == XT_APP_E_NOT_FOUND)
            return 0;
        if (r == 0)
            r = each(context, row.name, row.role, row.last_login_ms);
        if (r)
            return r;
    }
}

static int user_known(xt_app *app, const char *name, xt_problem *reterr_problem)
{
    int64_t n_all = 0, n_named = 0;
    int r = xt_state_number(app->state, reterr_problem, &n_all, "SELECT count(*) FROM users", "");

    if (r == 0)
        r = xt_state_number(app->state, reterr_problem, &n_named, "SELECT count(*) FROM users WHERE name = ?", "z",
                            name);
    if (r == 0 && n_all == 0)
        return xt_app_user_add(app, name, XT_ROLE_ADMIN, reterr_problem);
    if (r == 0 && n_named == 0) {
        xt_problem_set(reterr_problem, "there is no user of this name");
        xt_problem_excerpt(reterr_problem, xt_slice_str(name));
        xt_problem_hint(reterr_problem, "add one with: exectrail user add NAME --role viewer|analyst|admin");
        return XT_APP_E_NOT_FOUND;
    }
    return xt_error_trace(r);
}

static int link_in(xt_app *app, const char *name, const char *secret, xt_problem *reterr_problem)
{
    uint8_t hash[32];
    int64_t now = xt_clock_wall_ms(app->clock);
    int r = user_known(app, name, reterr_problem);

    if (r)
        return r;
    r = xt_secret_hash(xt_slice_str(secret), hash);
    if (r == 0)
        r = xt_state_run(app->state, reterr_problem, NULL, "DELETE FROM logins WHERE expires_ms < ?", "i",
                         now - KEEP_USED_MS);
    if (r == 0)
        r = xt_state_run(app->state, reterr_problem, NULL, "INSERT INTO logins(secret, user, expires_ms) VALUES(?,?,?)",
                         "bzi", xt_slice_of(hash, sizeof hash), name, now + LINK_MS);
    return xt_error_trace(r);
}

int xt_app_user_link(xt_app *app, const char *name, xt_buf *out, xt_problem *reterr_problem)
{
    char secret[XT_SECRET_DIGITS + 1];
    int r = xt_secret_make(secret);

    if (r == 0)
        r = xt_state_begin(app->state, reterr_problem);
    if (r)
        return xt_error_trace(r);
    r = xt_state_end(app->state, link_in(app, name, secret, reterr_problem), reterr_problem);
    if (r)
        return r;
    xt_buf_puts(out, secret);
    return xt_error_trace(xt_buf_done(out));
}

/* Marks the link as used and names its user. */
static int link_take(xt_app *app, xt_slice hash, char user[static 64])
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    int r = xt_state_select(app->state, NULL, &stmt, "SELECT user, expires_ms, used FROM logins WHERE secret = ?", "b",
                            hash);

    if (r == 0)
        r = xt_state_next(app->state, stmt, NULL);
    if (r < 0)
        return xt_error_trace(r);
    if (r == 0)
        return XT_APP_E_DENIED;
    if (sqlite3_column_int(stmt, 2))
        return XT_APP_E_USED;
    if (sqlite3_column_int64(stmt, 1) <= xt_clock_wall_ms(app->clock))
        return XT_APP_E_EXPIRED;
    xt_state_text(stmt, 0, user, 64);
    return xt_error_trace(
        xt_state_run(app->state, NULL, NULL, "UPDATE logins SET used = 1 WHERE secret = ?", "b", hash));
}

static int login_in(xt_app *app, xt_slice secret, const char *cookie)
{
    uint8_t hash[32], cookie_hash[32];
    char user[64];
    int64_t now = xt_clock_wall_ms(app->clock);
    int r = xt_secret_hash(secret, hash);

    if (r == 0)
        r = xt_secret_hash(xt_slice_str(cookie), cookie_hash);
    if (r == 0)
        r = link_take(app, xt_slice_of(hash, sizeof hash), user);
    if (r)
        return r;
    r = xt_state_run(app->state, NULL, NULL, "DELETE FROM sessions WHERE expires_ms < ?", "i", now);
    if (r == 0)
        r = xt_state_run(app->state, NULL, NULL, "INSERT INTO sessions(cookie, user, expires_ms) VALUES(?,?,?)", "bzi",
                         xt_slice_of(cookie_hash, sizeof cookie_hash), user, now + SESSION_MS);
    if (r == 0)
        r = xt_state_run(app->state, NULL, NULL, "UPDATE users SET last_login_ms = ? WHERE name = ?", "iz", now, user);
    return xt_error_trace(r);
}

static void login_problem(int outcome, xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, outcome == XT_APP_E_USED      ? "this login link has been used"
                                   : outcome == XT_APP_E_EXPIRED ? "this login link has expired"
                                                                 : "this login link is not known here");
    xt_problem_hint(reterr_problem, "make a new one with: exectrail user link NAME");
}

int xt_app_login(xt_app *app, xt_slice secret, xt_buf *out, xt_problem *reterr_problem)
{
    char cookie[XT_SECRET_DIGITS + 1];
    int r = xt_secret_make(cookie);

    if (r == 0)
        r = xt_state_begin(app->state, reterr_problem);
    if (r)
        return xt_error_trace(r);
    r = xt_state_end(app->state, login_in(app, secret, cookie), reterr_problem);
    if (r > 0)
        login_problem(r, reterr_problem);
    if (r)
        return r;
    xt_buf_puts(out, cookie);
    return xt_error_trace(xt_buf_done(out));
}

int xt_app_logout(xt_app *app, xt_slice cookie)
{
    uint8_t hash[32];
    int r = xt_secret_hash(cookie, hash);

    if (r == 0)
        r = xt_state_run(app->state, NULL, NULL, "DELETE FROM sessions WHERE cookie = ?", "b",
                         xt_slice_of(hash, sizeof hash));
    return xt_error_trace(r);
}

static xt_role role_of_session(xt_app *app, xt_slice hash, char name[static 64])
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    xt_role role = XT_ROLE_NONE;
    int r = xt_state_select(app->state, NULL, &stmt,
                            "SELECT users.name, users.role FROM sessions JOIN users ON users.name = sessions.user"
                            " WHERE cookie = ? AND expires_ms > ?",
                            "bi", hash, xt_clock_wall_ms(app->clock));

    if (r == 0 && xt_state_next(app->state, stmt, NULL) == 1 && xt_role_by_name(xt_sqlite_slice(stmt, 1), &role))
        xt_state_text(stmt, 0, name, 64);
    return role;
}

xt_role xt_app_role_of(xt_app *app, xt_slice cookie, xt_slice api_token, char name[static 64])
{
    uint8_t hash[32];
    xt_role role = XT_ROLE_NONE;

    name[0] = '\0';
    if (api_token.n && xt_secret_hash(api_token, hash) == 0 && xt_secret_eq(hash, app->pki.admin_sha256, sizeof hash)) {
        xt_text_copy(name, 64, XT_S("admin.token"));
        return XT_ROLE_ADMIN;
    }
    if (cookie.n && xt_secret_hash(cookie, hash) == 0) {
        xt_state_lock(app->state);
        role = role_of_session(app, xt_slice_of(hash, sizeof hash), name);
        xt_state_unlock(app->state);
    }
    return role;
}
