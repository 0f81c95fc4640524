/* Enrolment tokens as people paste them; one that is taken is printed as it was, but for space around it. */
#include <assert.h>

#include "wire/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_token token;
    xt_slice text = xt_slice_of(data, n);
    xt_problem problem = XT_PROBLEM_INIT;
    if (xt_token_parse(text, &token, &problem) == 0) {
        xt_buf again = XT_BUF_INIT;
        xt_token_format(&token, &again);
        assert(xt_slice_eq(xt_buf_slice(&again), xt_slice_trim(text)));
        xt_buf_fini(&again);
    } else {
        assert(xt_problem_is_set(&problem));
    }
    return 0;
}
