/*
 * The signature is over the object as it stands without its last member, which is the signature: so what is signed is in
 * the ledger to the byte, and any tool can check it.
 */
#include "server/tombstone.h"

#include <errno.h>

#include "base/json_out.h"
#include "base/timestamp.h"

#define FORMAT       "exectrail-erased-1"
#define BEFORE       ",\"signature\":\""
#define BEHIND       "\"}"
#define BEHIND_BYTES (sizeof BEFORE - 1 + XT_LEDGER_SIGNATURE_HEX - 1 + sizeof BEHIND - 1)

static void segment_name(uint64_t id, char to[static 17])
{
    snprintf(to, 17, "%016llx", (unsigned long long)id);
}

int xt_tombstone_put(xt_buf *out, const xt_tombstone *tombstone, const xt_tombstone_text *text,
                     const xt_ledger_key *key)
{
    char segment[17], at[25], signature[XT_LEDGER_SIGNATURE_HEX];
    size_t from = out->n;
    xt_json json = xt_json_to(out);

    segment_name(tombstone->segment, segment);
    xt_timestamp_format(tombstone->at_ms, at);
    xt_json_object_begin(&json);
    xt_json_field_string(&json, "format", XT_S(FORMAT));
    xt_json_field_u64(&json, "erasure", tombstone->erasure);
    xt_json_field_string(&json, "segment", xt_slice_str(segment));
    xt_json_field_u64(&json, "rows", tombstone->n_rows);
    xt_json_field_string(&json, "at", xt_slice_str(at));
    xt_json_field_string(&json, "who", text->who);
    xt_json_field_string(&json, text->query.n ? "query" : "query_sha256", text->query.n ? text->query : text->sha256);
    xt_json_field_string(&json, "reason", text->reason);
    xt_json_field_string(&json, "key", xt_slice_str(xt_ledger_key_public(key)));
    xt_json_object_end(&json);
    int r = xt_buf_done(out);
    if (r == 0)
        r = xt_ledger_key_sign(key, xt_slice_skip(xt_buf_slice(out), from), signature);
    if (r < 0)
        return xt_error_trace(r);
    out->n--; /* the brace */
    xt_buf_printf(out, BEFORE "%s" BEHIND, signature);
    return xt_buf_done(out);
}

static xt_slice text_of(const json_t *d, const char *name)
{
    const json_t *value = json_object_get(d, name);

    return json_is_string(value) ? xt_slice_of(json_string_value(value), json_string_length(value)) : XT_S("");
}

static uint64_t number_of(const json_t *d, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(d, name));
}

static bool signature_holds(xt_slice note, const xt_ledger_key *key)
{
    XT_CLEANUP(xt_buf_fini) xt_buf signed_text = XT_BUF_INIT;

    if (note.n < BEHIND_BYTES)
        return false;
    xt_slice behind = xt_slice_skip(note, note.n - BEHIND_BYTES);
    if (!xt_slice_starts(behind, XT_S(BEFORE)))
        return false;
    xt_buf_put(&signed_text, xt_slice_head(note, note.n - BEHIND_BYTES));
    xt_buf_putc(&signed_text, '}');
    return xt_buf_done(&signed_text) == 0 &&
           xt_ledger_signature_holds(xt_slice_str(xt_ledger_key_public(key)), xt_buf_slice(&signed_text),
                                     xt_slice_of(behind.p + sizeof BEFORE - 1, XT_LEDGER_SIGNATURE_HEX - 1));
}

static bool says_what_its_row_says(const json_t *d, const xt_tombstone *tombstone)
{
    char segment[17], at[25];

    segment_name(tombstone->segment, segment);
    xt_timestamp_format(tombstone->at_ms, at);
    return xt_slice_eq(text_of(d, "format"), XT_S(FORMAT)) && number_of(d, "erasure") == tombstone->erasure &&
           xt_slice_eq(text_of(d, "segment"), xt_slice_str(segment)) && number_of(d, "rows") == tombstone->n_rows &&
           xt_slice_eq(text_of(d, "at"), xt_slice_str(at));
}

const char *xt_tombstone_check(const xt_tombstone *tombstone, const xt_ledger_key *key, json_t **ret_document,
                               xt_tombstone_text *ret_text)
{
    json_t *d = json_loadb(tombstone->note.p, tombstone->note.n, JSON_ALLOW_NUL, NULL);

    *ret_document = d;
    *ret_text = (xt_tombstone_text){.who = text_of(d, "who"),
                                    .reason = text_of(d, "reason"),
                                    .query = text_of(d, "query"),
                                    .sha256 = text_of(d, "query_sha256")};
    if (!says_what_its_row_says(d, tombstone))
        return "does not say what its row says";
    if (!xt_slice_eq(text_of(d, "key"), xt_slice_str(xt_ledger_key_public(key))))
        return "is signed by another key than DIR/ledger.key";
    return signature_holds(tombstone->note, key) ? NULL : "has a signature that does not hold: it was changed";
}
