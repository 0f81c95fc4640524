/*
 * tests/unit/alloc_faults - memory that is refused at the Nth request
 *
 * Shape:     a test whose name begins with alloc_ is linked so that every malloc, calloc, realloc, reallocarray, strdup
 *            and strndup of our own code comes by here (the linker's --wrap; other libraries keep theirs, and the sanitizers'
 *            allocator stands behind it). alloc_fail_each runs a piece of work with the first request refused, then with
 *            the second, until one run needs no more; and again with all requests refused from the Nth on.
 * Threads:   each has its own: another one than the test's is never refused.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct {
    bool is_armed, forever;
    unsigned n_calls, fail_at;
} alloc_faults;

static bool alloc_is_refused(void)
{
    if (!alloc_faults.is_armed)
        return false;
    unsigned n = ++alloc_faults.n_calls;
    return alloc_faults.forever ? n >= alloc_faults.fail_at : n == alloc_faults.fail_at;
}

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t each);
void *__real_realloc(void *p, size_t n);
void *__real_reallocarray(void *p, size_t n, size_t each);
char *__real_strdup(const char *z);
char *__real_strndup(const char *z, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t each);
void *__wrap_realloc(void *p, size_t n);
void *__wrap_reallocarray(void *p, size_t n, size_t each);
char *__wrap_strdup(const char *z);
char *__wrap_strndup(const char *z, size_t n);

void *__wrap_malloc(size_t n)
{
    return alloc_is_refused() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t each)
{
    return alloc_is_refused() ? NULL : __real_calloc(n, each);
}

void *__wrap_realloc(void *p, size_t n)
{
    return alloc_is_refused() ? NULL : __real_realloc(p, n);
}

void *__wrap_reallocarray(void *p, size_t n, size_t each)
{
    return alloc_is_refused() ? NULL : __real_reallocarray(p, n, each);
}

char *__wrap_strdup(const char *z)
{
    return alloc_is_refused() ? NULL : __real_strdup(z);
}

char *__wrap_strndup(const char *z, size_t n)
{
    return alloc_is_refused() ? NULL : __real_strndup(z, n);
}

/* What the test itself needs is not refused: returns what stood before, for alloc_resume. */
static inline bool alloc_pause(void)
{
    bool was_armed = alloc_faults.is_armed;
    alloc_faults.is_armed = false;
    return was_armed;
}

static inline void alloc_resume(bool was_armed)
{
    alloc_faults.is_armed = was_armed;
}

/* Whether a request was refused in this run. */
static inline bool alloc_has_failed(void)
{
    return alloc_faults.n_calls >= alloc_faults.fail_at;
}

/* work: 0 or a failure; it cleans up after itself and checks what it got. The number of requests of a whole run. */
static inline unsigned alloc_fail_each(int (*work)(void *context), void *context)
{
    unsigned n_whole = 0;
    for (int forever = 0; forever <= 1; forever++)
        for (unsigned n = 1;; n++) {
            alloc_faults.fail_at = n;
            alloc_faults.forever = forever;
            alloc_faults.n_calls = 0;
            alloc_faults.is_armed = true;
            int r = work(context);
            alloc_faults.is_armed = false;
            n_whole = alloc_faults.n_calls;
            if (!alloc_has_failed()) {
                if (r != 0)
                    fail_msg("ends with %d where nothing was refused", r);
                break;
            }
        }
    return n_whole;
}
