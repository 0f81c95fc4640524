/*
 * base/json_out - append-only JSON writer
 *
 * Shape:     writes into an xt_buf; commas and colons by itself. Output is always valid JSON when the calls
 *            nest rightly (asserted). A value that is valid UTF-8 reads back as it is, control characters too; one
 *            that is not is written as xt_text_escape makes it (base/utf8), so output is valid whatever comes.
 * Errors:    those of the buf, once at the end.
 */
#pragma once
#include "base/buf.h"

#define XT_JSON_MAX_DEPTH 32

typedef struct xt_json {
    xt_buf *out;
    unsigned depth;
    uint32_t has_item; /* bit per depth: something was written there */
    bool after_key;
} xt_json;

static inline xt_json xt_json_to(xt_buf *out)
{
    return (xt_json){.out = out};
}
void xt_json_object_begin(xt_json *json);
void xt_json_object_end(xt_json *json);
void xt_json_array_begin(xt_json *json);
void xt_json_array_end(xt_json *json);
void xt_json_key(xt_json *json, xt_slice key);
void xt_json_string(xt_json *json, xt_slice value);
void xt_json_u64(xt_json *json, uint64_t value);
void xt_json_i64(xt_json *json, int64_t value);
void xt_json_bool(xt_json *json, bool value);
void xt_json_null(xt_json *json);
/* Something that already is JSON. */
void xt_json_raw(xt_json *json, xt_slice value);

/* key and value in one; the key is a C string */
void xt_json_field_string(xt_json *json, const char *key, xt_slice value);
void xt_json_field_u64(xt_json *json, const char *key, uint64_t value);
void xt_json_field_i64(xt_json *json, const char *key, int64_t value);
void xt_json_field_bool(xt_json *json, const char *key, bool value);
