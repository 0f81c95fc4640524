/*
 * The signed head of the ledger: a JSON object whose signature (Ed25519) is over one line of text made of its members, so
 * that it can be checked with any tool. The key is made when it is first needed (DIR/ledger.key, 0600). Its public half is
 * in the head: a head that was kept elsewhere says by itself which key made it.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json_out.h"
#include "base/timestamp.h"
#include "server/app_parts.h"

#define FORMAT "exectrail-head-1"

typedef struct head_text {
    char chain[65], at[25], key[65], signature[129];
    uint64_t id, received, sealed, retired, erased;
} head_text;

static void hex(char *to, const unsigned char *bytes, size_t n)
{
    xt_buf out = {.p = to, .cap = 2 * n + 1, .max_bytes = 2 * n};

    xt_buf_put_hex(&out, xt_slice_of((const char *)bytes, n));
    to[2 * n] = '\0';
}

static bool unhex(const char *text, unsigned char *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t byte;
        if (strnlen(text, 2 * n + 1) != 2 * n || !xt_slice_parse_hex(xt_slice_of(text + 2 * i, 2), &byte))
            return false;
        to[i] = (unsigned char)byte;
    }
    return true;
}

/* What is signed. */
static void signed_line(const head_text *h, xt_buf *out)
{
    xt_buf_printf(out, FORMAT " %llu %s %s %llu %llu %llu %llu %s\n", (unsigned long long)h->id, h->chain, h->at,
                  (unsigned long long)h->received, (unsigned long long)h->sealed, (unsigned long long)h->retired,
                  (unsigned long long)h->erased, h->key);
}

/* ------------------------------------------------------------------------------------------------ key */

static EVP_PKEY *key_read(const char *path)
{
    FILE *f = fopen(path, "re");
    EVP_PKEY *key = f ? PEM_read_PrivateKey(f, NULL, NULL, NULL) : NULL;

    if (f)
        fclose(f);
    return key;
}

static EVP_PKEY *key_make(const char *path)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    BIO *pem = BIO_new(BIO_s_mem());
    char *text;
    bool made = key && pem && PEM_write_bio_PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1;

    if (made) {
        long n = BIO_get_mem_data(pem, &text);
        made = xt_vfs_replace_file(&xt_vfs_system, path, xt_slice_of(text, (size_t)n), 0600) == 0;
    }
    BIO_free(pem);
    if (!made) {
        EVP_PKEY_free(key);
        return NULL;
    }
    return key;
}

static int key_get(const xt_app *app, EVP_PKEY **ret, xt_problem *reterr_problem)
{
    char *path;

    if (asprintf(&path, "%s/ledger.key", app->data) < 0)
        return xt_error_origin(-ENOMEM);
    EVP_PKEY *key = key_read(path);
    if (!key && access(path, F_OK) < 0)
        key = key_make(path);
    if (!key) {
        xt_problem_set(reterr_problem, "the key that signs the ledger's head cannot be read or made");
        xt_problem_source(reterr_problem, path);
    }
    free(path);
    *ret = key;
    return key ? 0 : xt_error_origin(-EIO);
}

static bool head_sign(EVP_PKEY *key, head_text *h)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
    unsigned char public[32], signature[64];
    size_t n_public = sizeof public, n = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    bool done = context && EVP_PKEY_get_raw_public_key(key, public, &n_public) == 1;
    hex(h->key, public, sizeof public);
    signed_line(h, &line);
    done = done && xt_buf_done(&line) == 0 && EVP_DigestSignInit(context, NULL, NULL, NULL, key) == 1 &&
           EVP_DigestSign(context, signature, &n, (const unsigned char *)line.p, line.n) == 1;
    EVP_MD_CTX_free(context);
    hex(h->signature, signature, sizeof signature);
    return done;
}

static bool signature_holds(const head_text *h)
{
    XT_CLEANUP(xt_buf_fini) xt_buf line = XT_BUF_INIT;
    unsigned char public[32], signature[64];

    if (!unhex(h->key, public, sizeof public) || !unhex(h->signature, signature, sizeof signature))
        return false;
    signed_line(h, &line);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, sizeof public);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds = key && context && xt_buf_done(&line) == 0 &&
                 EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                 EVP_DigestVerify(context, signature, sizeof signature, (const unsigned char *)line.p, line.n) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return holds;
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

int xt_app_ledger_head(xt_app *app, xt_buf *out, xt_problem *reterr_problem)
{
    xt_ledger_check check;
    head_text h = {{0}};
    EVP_PKEY *key = NULL;
    int r = xt_store_head(app->store, &check, reterr_problem);

    if (r == 0 && !check.chain_ok) {
        xt_problem_set(reterr_problem, "the ledger's chain is broken: it is not signed; exectrail verify says more");
        r = xt_error_origin(-EBADMSG);
    }
    if (r == 0)
        r = key_get(app, &key, reterr_problem);
    if (r < 0)
        return xt_error_trace(r);
    h.id = check.head_id;
    h.received = check.n_received;
    h.sealed = check.n_sealed;
    h.retired = check.n_retired;
    h.erased = check.n_erased;
    hex(h.chain, check.chain, sizeof check.chain);
    xt_timestamp_format(xt_clock_wall_ms(app->clock), h.at);
    r = head_sign(key, &h) ? 0 : xt_error_origin(-ENOMEM);
    EVP_PKEY_free(key);
    if (r == 0)
        head_put(&h, out);
    return r == 0 ? xt_buf_done(out) : r;
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
    if (strcmp(format, FORMAT) != 0 || !unhex(h.chain, chain, sizeof chain))
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
