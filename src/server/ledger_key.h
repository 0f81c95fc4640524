/*
 * server/ledger_key - what signs the ledger's head and its tombstones
 *
 * Shape:     an Ed25519 key, DIR/ledger.key (PEM, 0600), made when it is first needed. A signature and a public key are given
 *            and taken as lower-case hex.
 * Errors:    <0 errno with a problem.
 * Threads:   any.
 */
#pragma once
#include "server/app.h"

typedef struct xt_ledger_key xt_ledger_key;

#define XT_LEDGER_KEY_HEX       65 /* a public key, with its NUL */
#define XT_LEDGER_SIGNATURE_HEX 129

XT_MUST_USE int xt_ledger_key_get(const char *data, xt_ledger_key **ret, xt_problem *reterr_problem);
xt_ledger_key *xt_ledger_key_free(xt_ledger_key *key); /* accepts NULL, returns NULL */
/* The public half. */
const char *xt_ledger_key_public(const xt_ledger_key *key);
XT_MUST_USE int xt_ledger_key_sign(const xt_ledger_key *key, xt_slice text, char ret[static XT_LEDGER_SIGNATURE_HEX]);
/* Whether that key signed that text; false where key or signature are no such thing. */
bool xt_ledger_signature_holds(xt_slice key, xt_slice text, xt_slice signature);

/* n bytes as 2n digits and a NUL; and back, false where text is not that. */
void xt_hex_format(char *to, const unsigned char *bytes, size_t n);
bool xt_hex_parse(xt_slice text, unsigned char *to, size_t n);
