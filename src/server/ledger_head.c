/*
 * The signed head of the ledger: a JSON object whose signature (Ed25519) is over one line of text made of its members, so
 * that it can be checked with any tool. The key's public half is in the head: a head that was kept elsewhere says by itself
 * which key made it.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>

#include "base/json_out.h"
#include "base/timestamp.h"
#include "server/app_parts.h"
#include "server/ledger_head.h"
#include "server/ledger_key.h"

#define FORMAT "exectrail-head-1"

typedef struct head_text {
    char chain[65], at[25], key[XT_LEDGER_KEY_HEX], signature[XT_LEDGER_SIGNATURE_HEX];
    uint64_t id, received, sealed, retired, erased;
} head_text;

/* What is signed. */
static void signed_line(const head_text *h, xt_buf *out)
{
    xt_buf_printf(out, FORMAT " %llu %s %s %llu %llu %llu %llu %s\n", (unsigned long long)h->id, h->chain, h->at,
                  (unsigned long long)h->received, (unsigned long long)h->sealed, (unsigned long long)h->retired,
                  (unsigned long long)h->erased, h->key);
}

static int head_sign(const xt_ledger_key *key, head_text *h)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;

    snprintf(h->key, sizeof h->key, "%s", xt_ledger_key_public(key));
    signed_line(h, &line);
    int r = xt_buf_done(&line);
    return r == 0 ? xt_ledger_key_sign(key, xt_buf_slice(&line), h->signature) : r;
}

static bool signature_holds(const head_text *h)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;

    signed_line(h, &line);
    return xt_buf_done(&line) == 0 &&
           xt_ledger_signature_holds(xt_slice_str(h->key), xt_buf_slice(&line), xt_slice_str(h->signature));
}

/* ------------------------------------------------------------------------------------------------ out and in */

static void head_put(const head_text *h, xt_buf *out)
{
    xt_json json = xt_json_to(out);

    xt_json_object_begin(&json);
    xt_json_field_string(&json, "format", XT_S(FORMAT));
    xt_json_field_u64(&json, "id", h->id);
    xt_json_field_string(&json, "chain", xt_slice_str(h->chain));
    xt_json_field_string(&json, "at", xt_slice_str(h->at));
    xt_json_field_u64(&json, "received", h->received);
    xt_json_field_u64(&json, "sealed", h->sealed);
    xt_json_field_u64(&json, "retired", h->retired);
    xt_json_field_u64(&json, "erased", h->erased);
    xt_json_field_string(&json, "key", xt_slice_str(h->key));
    xt_json_field_string(&json, "signature", xt_slice_str(h->signature));
    xt_json_object_end(&json);
}

int xt_ledger_head_sign(const char *data, int64_t at_ms, const xt_ledger_check *check, xt_buf *out,
                        xt_problem *reterr_problem)
{
    head_text h = {.id = check->head_id,
                   .received = check->n_received,
                   .sealed = check->n_sealed,
                   .retired = check->n_retired,
                   .erased = check->n_erased};
    xt_ledger_key *key = NULL;
    int r = xt_ledger_key_get(data, &key, reterr_problem);

    if (r < 0)
        return xt_error_trace(r);
    xt_hex_format(h.chain, check->chain, sizeof check->chain);
    xt_timestamp_format(at_ms, h.at);
    r = head_sign(key, &h);
    xt_ledger_key_free(key);
    if (r == 0)
        head_put(&h, out);
    return r == 0 ? xt_buf_done(out) : r;
}

int xt_app_ledger_head(xt_app *app, xt_buf *out, xt_problem *reterr_problem)
{
    xt_ledger_check check;
    int r = xt_store_head(app->store, &check, reterr_problem);

    if (r == 0 && !check.chain_ok) {
        xt_problem_set(reterr_problem, "the ledger's chain is broken: it is not signed; exectrail verify says more");
        r = xt_error_origin(-EBADMSG);
    }
    if (r < 0)
        return xt_error_trace(r);
    return xt_ledger_head_sign(app->data, xt_clock_wall_ms(app->clock), &check, out, reterr_problem);
}

static void text_get(const json_t *d, const char *name, char *to, size_t room)
{
    const char *text = json_string_value(json_object_get(d, name));

    snprintf(to, room, "%s", text ? text : "");
}

static uint64_t number_get(const json_t *d, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(d, name));
}

int xt_app_ledger_head_read(xt_slice text, uint64_t *ret_id, unsigned char ret_chain[static 32],
                            xt_problem *reterr_problem)
{
    json_t *d = json_loadb(text.p, text.n, 0, NULL);
    head_text h = {.id = number_get(d, "id"),
                   .received = number_get(d, "received"),
                   .sealed = number_get(d, "sealed"),
                   .retired = number_get(d, "retired"),
                   .erased = number_get(d, "erased")};
    char format[sizeof FORMAT + 1];

    text_get(d, "format", format, sizeof format);
    text_get(d, "chain", h.chain, sizeof h.chain);
    text_get(d, "at", h.at, sizeof h.at);
    text_get(d, "key", h.key, sizeof h.key);
    text_get(d, "signature", h.signature, sizeof h.signature);
    json_decref(d);
    unsigned char chain[32];
    if (strcmp(format, FORMAT) != 0 || !xt_hex_parse(xt_slice_str(h.chain), chain, sizeof chain))
        xt_problem_set(reterr_problem, "this is no head of a ledger, as exectrail verify --head prints it");
    else if (!signature_holds(&h))
        xt_problem_set(reterr_problem, "the head's signature does not hold: it was changed after it was signed");
    else {
        *ret_id = h.id;
        memcpy(ret_chain, chain, sizeof chain);
        return 0;
    }
    return XT_APP_E_INVALID;
}
