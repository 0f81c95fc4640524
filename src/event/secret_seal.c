/*
 * One box an event, not one a value: one key agreement, 48 bytes over the values instead of that for each, and only the
 * sum of the lengths can be guessed from outside. What the box is bound to is given to HPKE as aad, so moving it, or
 * changing a redaction, is seen when it is opened.
 */
#include "event/secret_seal.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/base64.h"

#define PUBLIC_PREFIX  XT_S("xtpub1.")
#define PRIVATE_PREFIX XT_S("xtkey1.")
#define SUM_BYTES      4
#define DIGEST_BYTES   32

static int digest(xt_slice bytes, uint8_t ret[static DIGEST_BYTES])
{
    return EVP_Digest(bytes.p, bytes.n, ret, NULL, EVP_sha256(), NULL) == 1 ? 0 : xt_error_origin(-EIO);
}

static void put_key(xt_slice prefix, const xt_hpke_key *key, xt_buf *out)
{
    uint8_t bytes[XT_HPKE_KEY_BYTES + DIGEST_BYTES];
    memcpy(bytes, key->b, XT_HPKE_KEY_BYTES);
    if (digest(xt_slice_of(key->b, XT_HPKE_KEY_BYTES), bytes + XT_HPKE_KEY_BYTES) < 0)
        out->failed = true;
    xt_buf_put(out, prefix);
    xt_base64_put(out, xt_slice_of(bytes, XT_HPKE_KEY_BYTES + SUM_BYTES));
    OPENSSL_cleanse(bytes, sizeof bytes);
}

static bool get_key(xt_slice prefix, xt_slice text, xt_hpke_key *ret)
{
    char decoded[64];
    uint8_t sum[DIGEST_BYTES];
    xt_buf bytes = XT_BUF_ON(decoded);
    text = xt_slice_trim(text);
    bool good = xt_slice_starts(text, prefix) && xt_base64_get(&bytes, xt_slice_skip(text, prefix.n)) &&
                !bytes.failed && bytes.n == XT_HPKE_KEY_BYTES + SUM_BYTES &&
                digest(xt_slice_of(decoded, XT_HPKE_KEY_BYTES), sum) == 0 &&
                memcmp(sum, decoded + XT_HPKE_KEY_BYTES, SUM_BYTES) == 0;
    if (good)
        memcpy(ret->b, decoded, XT_HPKE_KEY_BYTES);
    OPENSSL_cleanse(decoded, sizeof decoded);
    return good;
}

static int name_key(const xt_hpke_key *key, xt_secret_seal_key *ret)
{
    uint8_t sum[DIGEST_BYTES];
    xt_buf id = XT_BUF_ON(ret->id);
    int r = digest(xt_slice_of(key->b, sizeof key->b), sum);
    if (r < 0)
        return xt_error_trace(r);
    xt_buf_put_hex(&id, xt_slice_of(sum, 8));
    ret->id[16] = '\0';
    ret->key = *key;
    return 0;
}

bool xt_secret_seal_is_key(xt_slice text)
{
    return xt_slice_starts(text, PUBLIC_PREFIX) || xt_slice_starts(text, PRIVATE_PREFIX);
}

void xt_secret_seal_key_format(const xt_secret_seal_key *key, xt_buf *out)
{
    put_key(PUBLIC_PREFIX, &key->key, out);
}

void xt_secret_seal_private_format(const xt_hpke_key *key, xt_buf *out)
{
    put_key(PRIVATE_PREFIX, key, out);
}

int xt_secret_seal_key_of(const xt_hpke_key *private_key, xt_secret_seal_key *ret)
{
    xt_hpke_key key;
    int r = xt_hpke_public_of(private_key, &key);
    return r < 0 ? xt_error_trace(r) : name_key(&key, ret);
}

/* The text itself is never said: it may be the private key. */
static int no_key(xt_problem *problem, const char *sentence)
{
    xt_problem_set(problem, "%s", sentence);
    xt_problem_hint(problem, "exectrail secret keygen --out FILE makes a private key and prints the public one");
    return XT_SECRET_SEAL_E_INVALID;
}

int xt_secret_seal_key_parse(xt_slice text, xt_secret_seal_key *ret, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf trial = XT_BUF_INIT;
    xt_hpke_key key;
    if (xt_slice_starts(xt_slice_trim(text), PRIVATE_PREFIX))
        return no_key(reterr_problem,
                      "this is a private key where a public one belongs; the private key stays offline");
    if (!get_key(PUBLIC_PREFIX, text, &key))
        return no_key(reterr_problem, "this is no public key to seal secrets to, or it was not copied whole");
    int r = xt_hpke_seal(&key, NULL, XT_S_NULL, XT_S_NULL, XT_S_NULL, &trial);
    if (r > 0)
        return no_key(reterr_problem, "nothing can be sealed to this public key");
    return r < 0 ? xt_error_trace(r) : name_key(&key, ret);
}

int xt_secret_seal_private_parse(xt_slice text, xt_hpke_key *ret, xt_problem *reterr_problem)
{
    if (get_key(PRIVATE_PREFIX, text, ret))
        return 0;
    return no_key(reterr_problem, "this is no private key that opens sealed secrets, or it is not whole");
}

static bool is_kept(const xt_secret_values *values, xt_slice value)
{
    xt_reader reader = xt_reader_of(xt_buf_slice(&values->entries));
    for (size_t i = 0; i < values->n; i++) {
        (void)xt_reader_varint(&reader);
        if (xt_slice_starts(xt_reader_block(&reader), value))
            return true;
    }
    return false;
}

void xt_secret_values_put(xt_secret_values *values, uint64_t index, xt_slice value, bool copy)
{
    if (values->n == XT_SECRET_MAX_KEPT || values->entries.n + value.n > XT_SECRET_MAX_KEPT_SIZE ||
        (copy && is_kept(values, value)))
        return;
    xt_buf_put_varint(&values->entries, index + 1);
    xt_buf_put_block(&values->entries, value);
    values->n++;
}

void xt_secret_values_fini(xt_secret_values *values)
{
    xt_buf_fini(&values->entries);
}

bool xt_secret_seal_binds(xt_slice redaction)
{
    return !xt_slice_starts(redaction, XT_S("parent.cmd:"));
}

static int id_of(const xt_event *event, xt_arena *arena, xt_slice *ret)
{
    xt_event copy = *event;
    xt_field_set wanted = {{0, 0}};
    xt_field_set_add(&wanted, XT_F_EVENT_ID);
    int r = xt_event_derive(&copy, wanted, arena);
    *ret = xt_event_bytes(&copy, XT_F_EVENT_ID);
    return r < 0 ? xt_error_trace(r) : 0;
}

int xt_secret_seal_bound(const xt_event *event, xt_arena *arena, xt_buf *out)
{
    xt_slice redactions = xt_event_bytes(event, XT_F_REDACTIONS), id, item;
    uint64_t n = 1;
    int r = id_of(event, arena, &id);
    if (r < 0)
        return xt_error_trace(r);
    for (xt_list_iter iter = xt_list_iterate(redactions); xt_list_next(&iter, &item);)
        n += xt_secret_seal_binds(item);
    xt_buf_put_varint(out, n);
    xt_buf_put_block(out, id);
    for (xt_list_iter iter = xt_list_iterate(redactions); xt_list_next(&iter, &item);)
        if (xt_secret_seal_binds(item))
            xt_buf_put_block(out, item);
    return xt_buf_done(out);
}

static int set_sealed(const xt_secret_seal_key *key, xt_slice box, xt_event *event, xt_arena *arena)
{
    XT_CLEANUP(xt_buf_fini) xt_buf text = XT_BUF_INIT;
    xt_buf_printf(&text, "1:%s:", key->id);
    xt_base64_put(&text, box);
    xt_slice kept = xt_buf_done(&text) < 0 ? XT_S_NULL : xt_arena_copy(arena, xt_buf_slice(&text));
    if (!kept.p)
        return xt_error_origin(-ENOMEM);
    xt_event_set_bytes(event, XT_F_SEALED, kept);
    return 0;
}

int xt_secret_seal(const xt_secret_seal_key *key, const xt_secret_values *values, xt_event *event, xt_arena *arena)
{
    XT_CLEANUP(xt_buf_fini) xt_buf bound = XT_BUF_INIT, plain = XT_BUF_INIT, box = XT_BUF_INIT;
    if (values->n == 0)
        return 0;
    int r = xt_secret_seal_bound(event, arena, &bound);
    xt_buf_put(&plain, xt_buf_slice(&values->entries));
    while (plain.n % XT_SECRET_SEAL_STEP != 0 && !plain.failed)
        xt_buf_putc(&plain, '\0');
    if (r == 0)
        r = values->entries.failed ? xt_error_origin(-ENOMEM) : xt_buf_done(&plain);
    if (r == 0)
        r = xt_hpke_seal(&key->key, NULL, XT_S(XT_SECRET_SEAL_INFO), xt_buf_slice(&bound), xt_buf_slice(&plain), &box);
    if (r == 0)
        r = set_sealed(key, xt_buf_slice(&box), event, arena);
    return xt_error_fold(r); /* a key that cannot be sealed to was refused when it was read */
}

static int no_box(xt_problem *problem, int outcome, const char *sentence)
{
    xt_problem_set(problem, "%s", sentence);
    return outcome;
}

int xt_secret_unseal(const xt_hpke_key *private_key, xt_slice sealed, xt_slice bound, xt_buf *out,
                     xt_reader *ret_entries, xt_problem *reterr_problem)
{
    XT_CLEANUP(xt_buf_fini) xt_buf box = XT_BUF_INIT;
    xt_secret_seal_key own;
    xt_slice version, id;
    int r = xt_secret_seal_key_of(private_key, &own);
    if (r < 0)
        return xt_error_trace(r);
    if (!xt_slice_cut(&sealed, ':', &version) || !xt_slice_eq(version, XT_S("1")) || !xt_slice_cut(&sealed, ':', &id) ||
        !xt_base64_get(&box, sealed))
        return no_box(reterr_problem, XT_SECRET_SEAL_E_INVALID, "this is nothing that a key of this version opens");
    if (!xt_slice_eq(id, xt_slice_str(own.id))) {
        xt_problem_set(reterr_problem, "the secrets are sealed to the key %.*s, this one is %s", XT_S_ARGS(id), own.id);
        return XT_SECRET_SEAL_E_OTHER_KEY;
    }
    xt_buf_reset(out);
    r = xt_hpke_open(private_key, XT_S(XT_SECRET_SEAL_INFO), bound, xt_buf_slice(&box), out);
    if (r > 0)
        return no_box(reterr_problem, XT_SECRET_SEAL_E_CHANGED,
                      "what is sealed does not belong to this event, or one of the two was changed");
    *ret_entries = xt_reader_of(xt_buf_slice(out));
    return r < 0 ? xt_error_trace(r) : 0;
}

bool xt_secret_unsealed_next(xt_reader *entries, xt_slice bound, xt_slice *ret_redaction, xt_slice *ret_value)
{
    uint64_t index = xt_reader_left(entries) > 0 ? xt_reader_varint(entries) : 0;
    xt_slice redaction = XT_S_NULL;
    if (index == 0 || entries->failed)
        return false;
    xt_list_iter iter = xt_list_iterate(bound); /* the event's id is the first, so its index is 0 */
    for (uint64_t i = 0; i <= index; i++)
        if (!xt_list_next(&iter, &redaction))
            return false;
    *ret_redaction = redaction;
    *ret_value = xt_reader_block(entries);
    return !entries->failed;
}
