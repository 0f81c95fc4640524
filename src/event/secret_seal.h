/*
 * event/secret_seal - secrets that were taken out, for the owner of an offline key alone
 *
 * Shape:     one box an event: all values taken out of it, sealed to a public key; the field SEALED. Bound to the event's
 *            id and to its redactions (where, offset, rule), in their order: a box says nothing in another event.
 * Format:    SEALED: "1:" KEYID ":" base64url of what HPKE sealed (event/hpke.h, info XT_SECRET_SEAL_INFO). KEYID: the
 *            first 8 bytes of the public key's SHA-256 as hex. Sealed: per value varint index of its redaction + 1 and
 *            block value; then zeros up to a multiple of XT_SECRET_SEAL_STEP bytes, so that the length tells little.
 *            The aad (bound): a list of the event's id and its redactions but those of parent.cmd, whose values are
 *            sealed with the parent's own event.
 *            Keys as text: "xtpub1." or "xtkey1." and base64url of 32 bytes and 4 of their SHA-256.
 * Errors:    XT_SECRET_SEAL_E_*, with a problem where there is one; <0 memory, OpenSSL.
 */
#pragma once
#include "base/problem.h"
#include "event/event.h"
#include "event/hpke.h"

#define XT_SECRET_SEAL_INFO     "exectrail secrets 1"
#define XT_SECRET_SEAL_STEP     32
#define XT_SECRET_MAX_KEPT      256         /* values of one event; what is more is gone */
#define XT_SECRET_MAX_KEPT_SIZE (64u << 10) /* bytes, of all of them */

enum {
    XT_SECRET_SEAL_E_INVALID = 1, /* no key, or no box */
    XT_SECRET_SEAL_E_OTHER_KEY,   /* the box is for another key */
    XT_SECRET_SEAL_E_CHANGED,     /* the box does not belong to this event, or was changed */
};

typedef struct xt_secret_seal_key {
    xt_hpke_key key; /* public */
    char id[17];
} xt_secret_seal_key;

/* A public key as text; refused where nothing could be sealed to it. */
XT_MUST_USE int xt_secret_seal_key_parse(xt_slice text, xt_secret_seal_key *ret, xt_problem *reterr_problem);
bool xt_secret_seal_is_key(
    xt_slice text); /* it begins as a key does, public or not; else it may be the name of a file */
void xt_secret_seal_key_format(const xt_secret_seal_key *key, xt_buf *out);
XT_MUST_USE int xt_secret_seal_private_parse(xt_slice text, xt_hpke_key *ret, xt_problem *reterr_problem);
void xt_secret_seal_private_format(const xt_hpke_key *key, xt_buf *out);
XT_MUST_USE int xt_secret_seal_key_of(const xt_hpke_key *private_key, xt_secret_seal_key *ret);

/* Values as they are taken out, for the box; reset for each event. */
typedef struct xt_secret_values {
    xt_buf entries; /* as they stand in the box */
    size_t n;
} xt_secret_values;
static inline void xt_secret_values_reset(xt_secret_values *values)
{
    xt_buf_reset(&values->entries);
    values->n = 0;
}
/* index: which of the redactions that are bound. copy: not if it is one that is there already, or the beginning of one. */
void xt_secret_values_put(xt_secret_values *values, uint64_t index, xt_slice value, bool copy);
void xt_secret_values_fini(xt_secret_values *values);

bool xt_secret_seal_binds(xt_slice redaction); /* not one of parent.cmd */
/* What the box of this event is bound to, appended. */
XT_MUST_USE int xt_secret_seal_bound(const xt_event *event, xt_arena *arena, xt_buf *out);
/* Sets SEALED; nothing where there are no values. The event's id and its redactions must be final. */
XT_MUST_USE int xt_secret_seal(const xt_secret_seal_key *key, const xt_secret_values *values, xt_event *event,
                               xt_arena *arena);
/*
 * Opens a box. ret_entries: what was sealed, borrowed from out; next gives one value after the other with the redaction of
 * `bound` that it belongs to.
 */
XT_MUST_USE int xt_secret_unseal(const xt_hpke_key *private_key, xt_slice sealed, xt_slice bound, xt_buf *out,
                                 xt_reader *ret_entries, xt_problem *reterr_problem);
bool xt_secret_unsealed_next(xt_reader *entries, xt_slice bound, xt_slice *ret_redaction, xt_slice *ret_value);
