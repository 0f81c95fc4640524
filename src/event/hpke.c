/*
 * OpenSSL 3.0 has the parts (X25519, HMAC, ChaCha20-Poly1305) but not HPKE itself. All keys here have 32 bytes at most, so that
 * HKDF's expansion is one block: one HMAC.
 */
#include "event/hpke.h"

#include <assert.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#define HASH_BYTES  32
#define NONCE_BYTES 12
#define TAG_BYTES   16

#define KEM_SUITE  XT_S("KEM\x00\x20")
#define HPKE_SUITE XT_S("HPKE\x00\x20\x00\x01\x00\x03")

typedef struct labeled {
    char bytes[256]; /* more than any of the inputs below */
    size_t n;
} labeled;

static void put(labeled *input, xt_slice part)
{
    assert(input->n + part.n <= sizeof input->bytes);
    if (part.n > 0)
        memcpy(input->bytes + input->n, part.p, part.n);
    input->n += part.n;
}

static int hmac(xt_slice key, const labeled *input, uint8_t ret[static HASH_BYTES])
{
    const unsigned char *bytes = (const unsigned char *)input->bytes;
    if (!HMAC(EVP_sha256(), key.n ? key.p : "", (int)key.n, bytes, input->n, ret, NULL))
        return xt_error_origin(-EIO);
    return 0;
}

static int extract(xt_slice suite, xt_slice salt, xt_slice label, xt_slice ikm, uint8_t ret[static HASH_BYTES])
{
    labeled input = {.n = 0};
    put(&input, XT_S("HPKE-v1"));
    put(&input, suite);
    put(&input, label);
    put(&input, ikm);
    int r = hmac(salt, &input, ret);
    OPENSSL_cleanse(&input, sizeof input);
    return xt_error_trace(r);
}

static int expand(xt_slice suite, const uint8_t *prk, xt_slice label, xt_slice info, size_t n, uint8_t *ret)
{
    const char head[] = {0, (char)n}, counter = 1;
    labeled input = {.n = 0};
    uint8_t block[HASH_BYTES];
    put(&input, xt_slice_of(head, sizeof head));
    put(&input, XT_S("HPKE-v1"));
    put(&input, suite);
    put(&input, label);
    put(&input, info);
    put(&input, xt_slice_of(&counter, 1));
    int r = hmac(xt_slice_of(prk, HASH_BYTES), &input, block);
    if (r == 0)
        memcpy(ret, block, n);
    OPENSSL_cleanse(block, sizeof block);
    return xt_error_trace(r);
}

static EVP_PKEY *private_of(const xt_hpke_key *key)
{
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, key->b, sizeof key->b);
}

int xt_hpke_key_make(xt_hpke_key *ret_private)
{
    return RAND_bytes(ret_private->b, sizeof ret_private->b) == 1 ? 0 : xt_error_origin(-EIO);
}

int xt_hpke_public_of(const xt_hpke_key *private_key, xt_hpke_key *ret)
{
    EVP_PKEY *key = private_of(private_key);
    size_t n = sizeof ret->b;
    bool done = key && EVP_PKEY_get_raw_public_key(key, ret->b, &n) == 1;
    EVP_PKEY_free(key);
    return done ? 0 : xt_error_origin(-EIO);
}

/* A public key of low order gives zeros, which OpenSSL refuses. */
static int agree(const xt_hpke_key *private_key, const xt_hpke_key *public_key, uint8_t ret[static HASH_BYTES])
{
    EVP_PKEY *own = private_of(private_key);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, public_key->b, sizeof public_key->b);
    EVP_PKEY_CTX *context = own && peer ? EVP_PKEY_CTX_new(own, NULL) : NULL;
    size_t n = HASH_BYTES;
    bool ready = context && EVP_PKEY_derive_init(context) == 1 && EVP_PKEY_derive_set_peer(context, peer) == 1;
    bool done = ready && EVP_PKEY_derive(context, ret, &n) == 1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(own);
    return done ? 0 : ready ? XT_HPKE_E_REFUSED : xt_error_origin(-ENOMEM);
}

typedef struct schedule {
    uint8_t key[32], nonce[NONCE_BYTES];
} schedule;

static int make_schedule(const uint8_t *shared, xt_slice info, schedule *ret)
{
    uint8_t context[1 + 2 * HASH_BYTES] = {0}; /* begins with the mode: base */
    uint8_t secret[HASH_BYTES];
    xt_slice all = xt_slice_of(context, sizeof context);
    int r = extract(HPKE_SUITE, XT_S_NULL, XT_S("psk_id_hash"), XT_S_NULL, context + 1);
    if (r == 0)
        r = extract(HPKE_SUITE, XT_S_NULL, XT_S("info_hash"), info, context + 1 + HASH_BYTES);
    if (r == 0)
        r = extract(HPKE_SUITE, xt_slice_of(shared, HASH_BYTES), XT_S("secret"), XT_S_NULL, secret);
    if (r == 0)
        r = expand(HPKE_SUITE, secret, XT_S("key"), all, sizeof ret->key, ret->key);
    if (r == 0)
        r = expand(HPKE_SUITE, secret, XT_S("base_nonce"), all, sizeof ret->nonce, ret->nonce);
    OPENSSL_cleanse(secret, sizeof secret);
    return xt_error_trace(r);
}

/* Key and nonce from one side's private key; encapsulated: the ephemeral public key, receiver: the other one. */
static int derive(const xt_hpke_key *own, const xt_hpke_key *peer, const xt_hpke_key *encapsulated,
                  const xt_hpke_key *receiver, xt_slice info, schedule *ret)
{
    uint8_t dh[HASH_BYTES], prk[HASH_BYTES], shared[HASH_BYTES], context[2 * XT_HPKE_KEY_BYTES];
    memcpy(context, encapsulated->b, XT_HPKE_KEY_BYTES);
    memcpy(context + XT_HPKE_KEY_BYTES, receiver->b, XT_HPKE_KEY_BYTES);
    int r = agree(own, peer, dh);
    if (r == 0)
        r = extract(KEM_SUITE, XT_S_NULL, XT_S("eae_prk"), xt_slice_of(dh, sizeof dh), prk);
    if (r == 0)
        r = expand(KEM_SUITE, prk, XT_S("shared_secret"), xt_slice_of(context, sizeof context), HASH_BYTES, shared);
    if (r == 0)
        r = make_schedule(shared, info, ret);
    OPENSSL_cleanse(dh, sizeof dh);
    OPENSSL_cleanse(prk, sizeof prk);
    OPENSSL_cleanse(shared, sizeof shared);
    return r < 0 ? xt_error_trace(r) : r;
}

/* The cipher over in; false when OpenSSL fails, or when the tag to be opened is not right. */
static bool run(const schedule *s, bool seals, xt_slice aad, xt_slice in, uint8_t *out, uint8_t *tag)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;
    bool ok = c && EVP_CipherInit_ex(c, EVP_chacha20_poly1305(), NULL, s->key, s->nonce, seals) == 1;
    ok = ok && (aad.n == 0 || EVP_CipherUpdate(c, NULL, &n, (const uint8_t *)aad.p, (int)aad.n) == 1);
    ok = ok && (in.n == 0 || EVP_CipherUpdate(c, out, &n, (const uint8_t *)in.p, (int)in.n) == 1);
    ok = ok && (seals || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1);
    ok = ok && EVP_CipherFinal_ex(c, out + in.n, &n) == 1;
    ok = ok && (!seals || EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1);
    EVP_CIPHER_CTX_free(c);
    return ok;
}

int xt_hpke_seal(const xt_hpke_key *public_key, const xt_hpke_key *ephemeral, xt_slice info, xt_slice aad,
                 xt_slice message, xt_buf *out)
{
    xt_hpke_key own = {.b = {0}}, encapsulated;
    schedule s;
    int r = 0;
    assert(info.n <= XT_HPKE_MAX_INFO_BYTES);
    if (ephemeral)
        own = *ephemeral;
    else
        r = xt_hpke_key_make(&own);
    if (r == 0)
        r = xt_hpke_public_of(&own, &encapsulated);
    if (r == 0)
        r = derive(&own, public_key, &encapsulated, public_key, info, &s);
    if (r == 0) {
        uint8_t *p = (uint8_t *)xt_buf_reserve(out, XT_HPKE_OVERHEAD_BYTES + message.n);
        uint8_t *to = p ? p + XT_HPKE_KEY_BYTES : NULL;
        r = p && run(&s, true, aad, message, to, to + message.n) ? 0 : xt_error_origin(p ? -EIO : -ENOMEM);
        if (r == 0)
            memcpy(p, encapsulated.b, XT_HPKE_KEY_BYTES);
        out->n += r == 0 ? XT_HPKE_OVERHEAD_BYTES + message.n : 0;
    }
    OPENSSL_cleanse(&own, sizeof own);
    OPENSSL_cleanse(&s, sizeof s);
    return r < 0 ? xt_error_trace(r) : r;
}

int xt_hpke_open(const xt_hpke_key *private_key, xt_slice info, xt_slice aad, xt_slice sealed, xt_buf *out)
{
    xt_hpke_key own, encapsulated;
    uint8_t tag[TAG_BYTES];
    schedule s;
    assert(info.n <= XT_HPKE_MAX_INFO_BYTES);
    if (sealed.n < XT_HPKE_OVERHEAD_BYTES)
        return XT_HPKE_E_REFUSED;
    size_t n = sealed.n - XT_HPKE_OVERHEAD_BYTES;
    memcpy(encapsulated.b, sealed.p, sizeof encapsulated.b);
    memcpy(tag, sealed.p + sealed.n - TAG_BYTES, TAG_BYTES);
    int r = xt_hpke_public_of(private_key, &own);
    if (r == 0)
        r = derive(private_key, &encapsulated, &encapsulated, &own, info, &s);
    if (r == 0) {
        uint8_t *p = (uint8_t *)xt_buf_reserve(out, n + 1);
        r = !p                                                                          ? xt_error_origin(-ENOMEM)
            : run(&s, false, aad, xt_slice_of(sealed.p + XT_HPKE_KEY_BYTES, n), p, tag) ? 0
                                                                                        : XT_HPKE_E_REFUSED;
        out->n += r == 0 ? n : 0;
    }
    OPENSSL_cleanse(&s, sizeof s);
    return r < 0 ? xt_error_trace(r) : r;
}
