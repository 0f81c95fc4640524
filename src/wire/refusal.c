#include "wire/refusal.h"

#define NEW_TOKEN "make another with `exectrail token new` on the server"
#define ENROL     "start the agent once with --token and a new token from `exectrail token new`"

/* clang-format off */
static const xt_refusal_words words[] = {
    [0] = {"unknown-reason", "the server refused for a reason that this version does not know", "", XT_REFUSAL_PASSES, false},
    [XT_REFUSED_TOKEN_UNKNOWN] = {"token-unknown", "the server does not know this enrolment token", NEW_TOKEN, XT_REFUSAL_LASTS, false},
    [XT_REFUSED_TOKEN_EXPIRED] = {"token-expired", "the enrolment token has expired", NEW_TOKEN, XT_REFUSAL_LASTS, false},
    [XT_REFUSED_TOKEN_USED] = {"token-used", "the enrolment token was used up", NEW_TOKEN, XT_REFUSAL_LASTS, false},
    [XT_REFUSED_REVOKED] = {"host-revoked", "this host was revoked on the server",
        "`exectrail hosts restore HOST` lets it in again; or remove the shipper folder in the state folder and enrol anew", XT_REFUSAL_LASTS, false},
    [XT_REFUSED_VERSION] = {"wrong-version", "the server speaks another version of the protocol", "update the older of the two", XT_REFUSAL_LASTS, false},
    [XT_REFUSED_GAP] = {"batch-missing", "the server misses a batch before this one", "", XT_REFUSAL_PASSES, false},
    [XT_REFUSED_CORRUPT] = {"corrupt", "the server could not read what was sent", "", XT_REFUSAL_PASSES, false},
    [XT_REFUSED_BUSY] = {"server-busy", "the server is busy", "", XT_REFUSAL_PASSES, false},
    [XT_REFUSED_IDENTITY] = {"wrong-identity", "the certificate is missing, or is another host's than the one that says hello",
        "remove the shipper folder in the state folder and enrol anew", XT_REFUSAL_LASTS, true},
    [XT_REFUSED_EXPIRED] = {"certificate-expired", "the host's certificate has expired", ENROL, XT_REFUSAL_WAITS, true},
    [XT_REFUSED_EARLY] = {"certificate-not-yet-valid", "the host's certificate is not valid yet by the server's clock",
        "compare the clocks of host and server", XT_REFUSAL_WAITS, true},
    [XT_REFUSED_CA] = {"unknown-ca", "the host's certificate is of a CA that the server does not trust, or no longer", ENROL, XT_REFUSAL_WAITS, true},
    [XT_REFUSED_CLONED] = {"cloned-host", "another machine is connected with this host's identity, or its machine id changed",
        "remove the shipper folder on the copy and enrol it anew; if this is the host, `exectrail hosts release HOST`", XT_REFUSAL_WAITS, false},
    [XT_REFUSED_UNKNOWN] = {"unknown-host", "the server does not know this host", "remove the shipper folder in the state folder and enrol anew",
        XT_REFUSAL_LASTS, false},
    [XT_REFUSED_DICTIONARY] = {"unknown-dictionary", "the server does not have the dictionary that a batch was compressed with",
        "update the server", XT_REFUSAL_WAITS, false},
    [XT_REFUSED_QUARANTINED] = {"host-quarantined", "this host is in quarantine on the server; what it records waits in its spool",
        "`exectrail hosts release HOST` ends it", XT_REFUSAL_WAITS, false},
};
/* clang-format on */

const xt_refusal_words *xt_refusal_words_get(uint64_t reason)
{
    return &words[reason < XT_COUNT_OF(words) ? reason : 0];
}
