/*
 * event/hpke - public-key encryption of one message: HPKE, base mode, single shot
 *
 * Shape:     DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305. What is sealed is the encapsulated key (32 bytes)
 *            and the ciphertext (as long as the message, and 16 bytes).
 * Errors:    XT_HPKE_E_REFUSED: not of this key, info or aad, or changed; or the key is no usable one. <0 memory, OpenSSL.
 * Source:    RFC 9180, sections 4 to 6; its appendix A.2 tests it.
 */
#pragma once
#include "base/buf.h"

#define XT_HPKE_KEY_BYTES      32
#define XT_HPKE_OVERHEAD_BYTES 48
#define XT_HPKE_MAX_INFO_BYTES 64

enum {
    XT_HPKE_E_REFUSED = 1,
};

typedef struct xt_hpke_key {
    uint8_t b[XT_HPKE_KEY_BYTES];
} xt_hpke_key;

XT_MUST_USE int xt_hpke_key_make(xt_hpke_key *ret_private);
XT_MUST_USE int xt_hpke_public_of(const xt_hpke_key *private_key, xt_hpke_key *ret);
/* Appends what is sealed. ephemeral: NULL, but for tests. */
XT_MUST_USE int xt_hpke_seal(const xt_hpke_key *public_key, const xt_hpke_key *ephemeral, xt_slice info, xt_slice aad,
                             xt_slice message, xt_buf *out);
/* Appends the message. */
XT_MUST_USE int xt_hpke_open(const xt_hpke_key *private_key, xt_slice info, xt_slice aad, xt_slice sealed, xt_buf *out);
