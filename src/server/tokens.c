/* A use is counted in the transaction that adds the host, so a token for one host never makes two. */
#include "server/tokens.h"

#include "io/tls.h"
#include "server/app_parts.h"
#include "server/secret.h"
#include "wire/token.h"

int xt_app_token_new(xt_app *app, int64_t valid_ms, uint64_t uses, xt_slice group, xt_buf *out,
                     xt_problem *reterr_problem)
{
    xt_token token;
    uint8_t hash[32];
    char ca[XT_PKI_ID_DIGITS + 1];
    int64_t now = xt_clock_wall_ms(app->clock);
    int r = group.n ? xt_host_group_check(group, reterr_problem) : 0;

    if (r)
        return r;
    r = xt_secret_random(token.id, sizeof token.id);

    xt_pki_pin(&app->pki, token.ca_sha256);
    xt_pki_id(token.ca_sha256, ca);

    if (r == 0)
        r = xt_secret_random(token.secret, sizeof token.secret);
    if (r == 0)
        r = xt_secret_hash(xt_slice_of(token.secret, sizeof token.secret), hash);
    if (r == 0)
        r = xt_state_run(
            app->state, reterr_problem, NULL,
            "INSERT INTO tokens(id, secret, made_ms, expires_ms, max_uses, ca, host_group) VALUES(?,?,?,?,?,?,?)",
            "bbiiizs", xt_slice_of(token.id, sizeof token.id), xt_slice_of(hash, sizeof hash), now, now + valid_ms,
            (int64_t)uses, ca, group.n ? group : XT_S(""));
    if (r)
        return xt_error_trace(r);
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

static int enroll_in(xt_app *app, const xt_enroll *enroll, const char *key, const char *address,
                     char group[static XT_HOST_GROUP_BYTES], char ret_id[static 33], xt_buf *ret_pem,
                     xt_problem *reterr_problem)
{
    int r = redeem(app, enroll->secret, group, reterr_problem);

    if (r)
        return r < 0 ? xt_error_trace(r) : r;
    r = xt_hosts_enroll(app->hosts, enroll, key, address, group, ret_id, reterr_problem);
    if (r > 0)
        return r == XT_APP_E_DENIED ? XT_TOKENS_E_REVOKED : XT_TOKENS_E_OTHER_HOST;
    if (r < 0)
        return xt_error_trace(r);
    r = xt_pki_sign(&app->pki, enroll->csr_der, xt_slice_str(ret_id), ret_pem, reterr_problem);
    if (r)
        r = XT_APP_E_INVALID; /* the request is foreign bytes; a full disk would have shown above */
    return r;
}

int xt_tokens_key(xt_slice csr_der, char ret[static 65], xt_problem *reterr_problem)
{
    uint8_t digest[32];
    xt_buf out = {.p = ret, .cap = 65, .max_bytes = 64};

    if (xt_tls_csr_key(csr_der, digest, reterr_problem))
        return XT_APP_E_INVALID;
    xt_buf_put_hex(&out, xt_slice_of(digest, sizeof digest));
    ret[out.n] = '\0';
    return 0;
}

int xt_tokens_enroll(xt_app *app, const xt_enroll *enroll, const char *address, char ret_id[static 33], xt_buf *ret_pem,
                     xt_problem *reterr_problem)
{
    char group[XT_HOST_GROUP_BYTES] = "";
    xt_problem of_key = XT_PROBLEM_INIT;
    char key[65] = "";
    int bad_key = xt_tokens_key(enroll->csr_der, key, &of_key); /* which the token's fault goes before */
    int r = xt_state_begin(app->state, reterr_problem);

    if (r)
        return xt_error_trace(r);
    r = enroll_in(app, enroll, key, address, group, ret_id, ret_pem, reterr_problem);
    if (r == 0 && bad_key)
        r = bad_key;
    r = xt_state_end(app->state, r, reterr_problem);
    if (r)
        return r;
    return xt_error_trace(xt_hosts_admit(app->hosts, enroll, key, address, group, ret_id));
}

/* ------------------------------------------------------------------------------------------- administration */

static const char *state_of(xt_app *app, const xt_token_info *token, const char *ca)
{
    xt_pki_entry cas[XT_PKI_MAX_CAS];

    (void)xt_pki_list(&app->pki, cas);
    if (token->max_uses && token->n_used >= token->max_uses)
        return "used";
    if (token->expires_ms <= xt_clock_wall_ms(app->clock))
        return "expired";
    return ca[0] && strcmp(ca, cas[0].id) != 0 ? "of a retired CA" : "valid";
}

int xt_app_tokens_list(xt_app *app, int (*each)(void *context, const xt_token_info *token), void *context,
                       xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_state_finish) sqlite3_stmt *stmt = NULL;

    xt_state_lock(app->state);
    int r = xt_state_select(
        app->state, reterr_problem, &stmt,
        "SELECT lower(hex(id)), made_ms, expires_ms, max_uses, n_used, ca, host_group FROM tokens ORDER BY "
        "made_ms DESC, id",
        "");
    while (r == 0 && (r = xt_state_next(app->state, stmt, reterr_problem)) == 1) {
        xt_token_info token = {.made_ms = sqlite3_column_int64(stmt, 1),
                               .expires_ms = sqlite3_column_int64(stmt, 2),
                               .max_uses = (uint64_t)sqlite3_column_int64(stmt, 3),
                               .n_used = (uint64_t)sqlite3_column_int64(stmt, 4)};
        char ca[XT_PKI_ID_DIGITS + 1];
        xt_state_text(stmt, 0, token.id, sizeof token.id);
        xt_state_text(stmt, 5, ca, sizeof ca);
        xt_state_text(stmt, 6, token.group, sizeof token.group);
        token.state = state_of(app, &token, ca);
        r = each(context, &token);
    }
    xt_state_unlock(app->state);
    return r;
}

int xt_app_token_revoke(xt_app *app, xt_slice id, xt_problem *reterr_problem)
{
    int64_t n = 0;
    static const char match[] = "SELECT count(*) FROM tokens WHERE substr(lower(hex(id)), 1, length(?1)) = ?1";
    int r = id.n ? xt_state_number(app->state, reterr_problem, &n, match, "s", id) : 0;

    if (r == 0 && n == 1)
        r = xt_state_run(app->state, reterr_problem, &n,
                         "DELETE FROM tokens WHERE substr(lower(hex(id)), 1, length(?1)) = ?1", "s", id);
    if (r < 0)
        return xt_error_trace(r);
    if (n == 1)
        return 0;
    xt_problem_set(reterr_problem, n ? "several tokens begin with these digits" : "there is no such token");
    xt_problem_excerpt(reterr_problem, id);
    xt_problem_hint(reterr_problem, "exectrail token list shows them");
    return XT_APP_E_NOT_FOUND;
}
