/*
 * Sealing.
 */
#include "store/store_private.h"

#include <errno.h>

int xt_store_seal(xt_store *store, xt_problem *reterr_problem)
{
    return 0;
}

int xt_store_compact(xt_store *store, xt_problem *reterr_problem)
{
    return 0;
}

int xt_store_maintain(xt_store *store, xt_problem *reterr_problem)
{
    return 0;
}

int xt_store_load_segments(xt_store *store, xt_problem *reterr_problem)
{
    return 0;
}

int xt_store_verify(xt_store *store, void (*report)(void *context, const xt_problem *problem), void *context,
                    xt_ledger_check *ret, xt_problem *reterr_problem)
{
    return 0;
}
