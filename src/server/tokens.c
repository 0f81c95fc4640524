/* A use is counted in the transaction that adds the host, so a token for one host never makes two. */
#include "server/tokens.h"

#include "server/app_parts.h"
#include "server/secret.h"
#include "wire/token.h"

int xt_app_token_new(xt_app *app, int64_t valid_ms, uint64_t uses, xt_slice group, xt_buf *out,
                     xt_problem *reterr_problem)
{
    xt_token token;
    uint8_t hash[32];
    int64_t now = xt_clock_wall_ms(app->clock);
    int r = group.n ? xt_host_group_check(group, reterr_problem) : 0;

    if (r)
        return r;
    r = xt_secret_random(token.id, sizeof token.id);

    if (r == 0)
        r = xt_secret_random(token.secret, sizeof token.secret);
    if (r == 0)
        r = xt_secret_hash(xt_slice_of(token.secret, sizeof token.secret), hash);
    if (r == 0)
        r = xt_state_run(
            app->state, reterr_problem, NULL,
            "INSERT INTO tokens(id, secret, made_ms, expires_ms, max_uses, host_group) VALUES(?,?,?,?,?,?)", "bbiiis",
            xt_slice_of(token.id, sizeof token.id), xt_slice_of(hash, sizeof hash), now, now + valid_ms, (int64_t)uses,
            group.n ? group : XT_S(""));
    if (r)
        return xt_error_trace(r);
    memcpy(token.ca_sha256, app->pki.ca_sha256, sizeof token.ca_sha256);
    xt_token_format(&token, out);
    return xt_error_trace(xt_buf_done(out));
}

static int unknown(xt_problem *reterr_problem)
{
    xt_problem_set(reterr_problem, "this server does not know the enrolment token");
    xt_problem_hint(reterr_problem, "make one with: exectrail token new --data DIR");
    return XT_APP_E_NOT_FOUND;
}

static int judge(xt_app *app, sqlite3_stmt *stmt, xt_slice secret, xt_problem *reterr_problem)
{
    uint8_t hash[32];
    xt_slice kept = xt_sqlite_slice(stmt, 0);
    int64_t max_uses = sqlite3_column_int64(stmt, 2);
    int r = xt_secret_hash(secret, hash);

    if (r)
        return xt_error_trace(r);
    if (kept.n != sizeof hash || !xt_secret_eq(kept.p, hash, sizeof hash))
        return unknown(reterr_problem);
    if (max_uses && sqlite3_column_int64(stmt, 3) >= max_uses) {
        xt_problem_set(reterr_problem, "the enrolment token has been used up");
        r = XT_APP_E_USED;
    } else if (sqlite3_column_int64(stmt, 1) <= xt_clock_wall_ms(app->clock)) {
        xt_problem_set(reterr_problem, "the enrolment token has expired");
        r = XT_APP_E_EXPIRED;
    }
    if (r)
        xt_problem_hint(reterr_problem, "make a new one with: exectrail token new --data DIR");
    return r;
}

/* The token of ENROLL.secret (id and secret, 16 bytes each): is it good, and one use less; and the group it is for. */
static int redeem(xt_app *app, xt_slice secret, char ret_group[static XT_HOST_GROUP_BYTES], xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;
    xt_slice id = xt_slice_head(secret, 16);
    int r;

    if (secret.n != 32)
        return unknown(reterr_problem);
    r = xt_state_select(app->state, reterr_problem, &stmt,
                        "SELECT secret, expires_ms, max_uses, n_used, host_group FROM tokens WHERE id = ?", "b", id);
    if (r == 0)
        r = xt_state_next(app->state, stmt, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    if (r == 0)
        return unknown(reterr_problem);
    r = judge(app, stmt, xt_slice_skip(secret, 16), reterr_problem);
    if (r)
        return r < 0 ? xt_error_trace(r) : r;
    xt_state_text(stmt, 4, ret_group, XT_HOST_GROUP_BYTES);
    return xt_error_trace(
        xt_state_run(app->state, reterr_problem, NULL, "UPDATE tokens SET n_used = n_used + 1 WHERE id = ?", "b", id));
}

static int enroll_in(xt_app *app, const xt_enroll *enroll, const char *address, char group[static XT_HOST_GROUP_BYTES],
                     char ret_id[static 33], xt_buf *ret_pem, xt_problem *reterr_problem)
{
    int r = redeem(app, enroll->secret, group, reterr_problem);

    if (r)
        return r < 0 ? xt_error_trace(r) : r;
    r = xt_hosts_enroll(app->hosts, enroll, address, group, ret_id, reterr_problem);
    if (r)
        return xt_error_trace(r);
    r = xt_pki_sign(&app->pki, enroll->csr_der, xt_slice_str(ret_id), ret_pem, reterr_problem);
    if (r)
        r = XT_APP_E_INVALID; /* the request is foreign bytes; a full disk would have shown above */
    return r;
}

int xt_tokens_enroll(xt_app *app, const xt_enroll *enroll, const char *address, char ret_id[static 33], xt_buf *ret_pem,
                     xt_problem *reterr_problem)
{
    char group[XT_HOST_GROUP_BYTES] = "";
    int r = xt_state_begin(app->state, reterr_problem);

    if (r)
        return xt_error_trace(r);
    r = enroll_in(app, enroll, address, group, ret_id, ret_pem, reterr_problem);
    r = xt_state_end(app->state, r, reterr_problem);
    if (r)
        return r;
    return xt_error_trace(xt_hosts_admit(app->hosts, enroll, address, group, ret_id));
}
