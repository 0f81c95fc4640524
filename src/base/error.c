/*
 * The environment is read once; afterwards a note on a normal run costs one relaxed load. Nothing is kept of the way
 * an error took: the lines on standard error, in order, are the back trace.
 */
#include "base/error.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool trace_wanted(void)
{
    static _Atomic int cached; /* 0 not read yet, 1 no, 2 yes */
    int state = atomic_load_explicit(&cached, memory_order_relaxed);

    if (state == 0) {
        const char *z = getenv("EXECTRAIL_TRACE");
        state = z && strcmp(z, "1") == 0 ? 2 : 1;
        atomic_store_explicit(&cached, state, memory_order_relaxed);
    }
    return state == 2;
}

void xt_error_print(int r, const char *what, const char *func, const char *file, int line)
{
    int saved = errno;

    if (r < 0 && trace_wanted()) {
        const char *name = strerrordesc_np(-r);
        fprintf(stderr, "%s: %s (%s:%d): %d %s\n", what, func, file, line, r, name ? name : "unknown error");
    }
    errno = saved;
}
