/*
 * wire/refusal - why a server sends an agent away, in the words that both sides and the manual use
 *
 * Shape:     a number on the wire, a name for lists and searches ("certificate-expired"), a sentence and what to do.
 *            docs/fleet.md explains each name. Numbers are never given anew.
 */
#pragma once
#include "base/slice.h"

typedef enum xt_refusal {
    XT_REFUSED_TOKEN_UNKNOWN = 1,
    XT_REFUSED_TOKEN_EXPIRED = 2,
    XT_REFUSED_TOKEN_USED = 3,
    XT_REFUSED_REVOKED = 4,
    XT_REFUSED_VERSION = 5,
    XT_REFUSED_GAP = 6, /* a batch is missing before this one: say hello again */
    XT_REFUSED_CORRUPT = 7,
    XT_REFUSED_BUSY = 8,         /* come back after retry_ms */
    XT_REFUSED_IDENTITY = 9,     /* certificate and hello disagree, or there is no certificate */
    XT_REFUSED_EXPIRED = 10,     /* the certificate */
    XT_REFUSED_EARLY = 11,       /* the certificate begins in the future: one of the clocks is wrong */
    XT_REFUSED_CA = 12,          /* the certificate is of a CA that is not trusted (any more) */
    XT_REFUSED_CLONED = 13,      /* another machine with the same identity is the host */
    XT_REFUSED_UNKNOWN = 14,     /* the certificate is good, but the server has no such host */
    XT_REFUSED_DICTIONARY = 15,  /* a batch is compressed with a dictionary that the server has not */
    XT_REFUSED_QUARANTINED = 16, /* somebody set the host apart: it goes on recording, and may come back */
} xt_refusal;

typedef enum xt_refusal_kind {
    XT_REFUSAL_PASSES, /* comes right by itself: come again */
    XT_REFUSAL_WAITS,  /* somebody may put it right on the server: come again, seldom */
    XT_REFUSAL_LASTS,  /* nothing helps but another token or program: coming again is of no use */
} xt_refusal_kind;

typedef struct xt_refusal_words {
    const char *name, *sentence, *hint; /* the hint may be empty */
    xt_refusal_kind kind;
    bool of_certificate; /* the certificate is at fault: another one may be better */
} xt_refusal_words;

/* Never NULL: of a number that a later version added it says just that. */
const xt_refusal_words *xt_refusal_words_get(uint64_t reason);
