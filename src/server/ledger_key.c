/* The key is read anew each time: it is used once an hour, and by who erases. */
#include "server/ledger_key.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/vfs.h"
#include "server/app_parts.h"

enum { PUBLIC_BYTES = 32, SIGNATURE_BYTES = 64 };

struct xt_ledger_key {
    EVP_PKEY *key;
    char public[XT_LEDGER_KEY_HEX];
};

void xt_hex_format(char *to, const unsigned char *bytes, size_t n)
{
    xt_buf out = {.p = to, .cap = 2 * n + 1, .max_bytes = 2 * n};

    xt_buf_put_hex(&out, xt_slice_of((const char *)bytes, n));
    to[2 * n] = '\0';
}

bool xt_hex_parse(xt_slice text, unsigned char *to, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint64_t byte;
        if (text.n != 2 * n || !xt_slice_parse_hex(xt_slice_of(text.p + 2 * i, 2), &byte))
            return false;
        to[i] = (unsigned char)byte;
    }
    return true;
}

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

/* Takes the key. */
static int key_wrap(EVP_PKEY *pkey, xt_ledger_key **ret)
{
    unsigned char public[PUBLIC_BYTES];
    size_t n = sizeof public;
    xt_ledger_key *key = calloc(1, sizeof *key);

    if (!key || EVP_PKEY_get_raw_public_key(pkey, public, &n) != 1 || n != sizeof public) {
        EVP_PKEY_free(pkey);
        free(key);
        return xt_error_origin(-ENOMEM);
    }
    key->key = pkey;
    xt_hex_format(key->public, public, n);
    *ret = key;
    return 0;
}

int xt_ledger_key_get(const char *data, xt_ledger_key **ret, xt_problem *reterr_problem)
{
    char *path;

    if (asprintf(&path, "%s/ledger.key", data) < 0)
        return xt_error_origin(-ENOMEM);
    EVP_PKEY *key = key_read(path);
    if (!key && access(path, F_OK) < 0)
        key = key_make(path);
    if (!key) {
        xt_problem_set(reterr_problem, "the key that signs the ledger cannot be read or made");
        xt_problem_source(reterr_problem, path);
    }
    free(path);
    return key ? key_wrap(key, ret) : xt_error_origin(-EIO);
}

xt_ledger_key *xt_ledger_key_free(xt_ledger_key *key)
{
    if (key)
        EVP_PKEY_free(key->key);
    free(key);
    return NULL;
}

const char *xt_ledger_key_public(const xt_ledger_key *key)
{
    return key->public;
}

int xt_ledger_key_sign(const xt_ledger_key *key, xt_slice text, char ret[static XT_LEDGER_SIGNATURE_HEX])
{
    unsigned char signature[SIGNATURE_BYTES];
    size_t n = sizeof signature;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = context && EVP_DigestSignInit(context, NULL, NULL, NULL, key->key) == 1 &&
                EVP_DigestSign(context, signature, &n, (const unsigned char *)text.p, text.n) == 1 &&
                n == sizeof signature;

    EVP_MD_CTX_free(context);
    if (!done)
        return xt_error_origin(-ENOMEM);
    xt_hex_format(ret, signature, n);
    return 0;
}

bool xt_ledger_signature_holds(xt_slice key_text, xt_slice text, xt_slice signature_text)
{
    unsigned char public[PUBLIC_BYTES], signature[SIGNATURE_BYTES];

    if (!xt_hex_parse(key_text, public, sizeof public) || !xt_hex_parse(signature_text, signature, sizeof signature))
        return false;
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, sizeof public);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool holds = key && context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) == 1 &&
                 EVP_DigestVerify(context, signature, sizeof signature, (const unsigned char *)text.p, text.n) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    return holds;
}
