/* How it works: fixed-size bytes in base64url, whose last characters are a checksum against typing errors. */
#include "wire/token.h"

#include "base/base64.h"

#define PREFIX      "xt1."
#define BODY_BYTES  64
#define TOKEN_BYTES (BODY_BYTES + 4)
#define TEXT_CHARS  ((TOKEN_BYTES * 4 + 2) / 3)

static uint32_t checksum(const uint8_t *bytes)
{
    return (uint32_t)xt_slice_hash(xt_slice_of(bytes, BODY_BYTES));
}

void xt_token_format(const xt_token *token, xt_buf *out)
{
    uint8_t bytes[TOKEN_BYTES];
    memcpy(bytes, token->id, 16);
    memcpy(bytes + 16, token->ca_sha256, 32);
    memcpy(bytes + 48, token->secret, 16);
    uint32_t sum = checksum(bytes);
    for (unsigned i = 0; i < 4; i++)
        bytes[BODY_BYTES + i] = (uint8_t)(sum >> (8 * i));
    xt_buf_puts(out, PREFIX);
    xt_base64_put(out, xt_slice_of(bytes, sizeof bytes));
}

int xt_token_parse(xt_slice text, xt_token *ret, xt_problem *reterr_problem)
{
    char decoded[TOKEN_BYTES + 1];
    xt_buf buf = XT_BUF_ON(decoded);
    const uint8_t *bytes = (const uint8_t *)decoded;
    text = xt_slice_trim(text);
    if (!xt_slice_starts(text, XT_S(PREFIX))) {
        xt_problem_set(reterr_problem, "this is no enrolment token: those begin with \"" PREFIX "\"");
    } else if (text.n != sizeof PREFIX - 1 + TEXT_CHARS) {
        xt_problem_set(reterr_problem, "the enrolment token has %zu characters where %zu belong", text.n,
                       sizeof PREFIX - 1 + TEXT_CHARS);
    } else if (!xt_base64_get(&buf, xt_slice_skip(text, sizeof PREFIX - 1))) {
        xt_problem_set(reterr_problem, "the enrolment token holds a character that no token has");
    } else {
        uint32_t sum = 0;
        for (unsigned i = 0; i < 4; i++)
            sum |= (uint32_t)bytes[BODY_BYTES + i] << (8 * i);
        if (sum == checksum(bytes)) {
            memcpy(ret->id, bytes, 16);
            memcpy(ret->ca_sha256, bytes + 16, 32);
            memcpy(ret->secret, bytes + 48, 16);
            return 0;
        }
        xt_problem_set(reterr_problem, "the enrolment token was not copied right: its check digits are wrong");
    }
    xt_problem_hint(reterr_problem, "copy the whole line that `exectrail token new` printed");
    return XT_TOKEN_E_INVALID;
}
