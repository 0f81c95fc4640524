/*
 * base/error - what functions return
 *
 * Errors:    0 done. <0 a fatal errno (-ENOMEM, -EIO, ...): forwarded unchanged, never matched on by our own
 *            callers. >0 an outcome named in the header of the function that returns it (XT_X_E_*): the
 *            direct caller handles it and never forwards it.
 * Threads:   any.
 *
 *     return xt_error_origin(-ENOMEM);   // where a fatal error begins
 *     return xt_error_trace(r);          // where it passes on
 *     return xt_error_fold(r);           // where a positive outcome was not expected: becomes -ENOTRECOVERABLE
 *
 * With EXECTRAIL_TRACE=1 in the environment each of them prints function, file and line on standard error,
 * which gives a back trace without unwinding.
 */
#pragma once
#include <errno.h>

#define XT_MUST_USE          __attribute__((warn_unused_result))
#define XT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define XT_CLEANUP(fn)       __attribute__((cleanup(fn)))
#define XT_COUNT_OF(a)       (sizeof(a) / sizeof((a)[0]))

#define xt_error_origin(r) xt_error_note((r), "origin", __func__, __FILE__, __LINE__)
#define xt_error_trace(r)  xt_error_note((r), "trace", __func__, __FILE__, __LINE__)
#define xt_error_fold(r)   xt_error_note(xt_error_folded(r), "fold", __func__, __FILE__, __LINE__)

void xt_error_print(int r, const char *what, const char *func, const char *file, int line);

/* Inline, so that compilers and analysers see that the error comes back as it went in. */
static inline int xt_error_note(int r, const char *what, const char *func, const char *file, int line)
{
    xt_error_print(r, what, func, file, line);
    return r;
}

static inline int xt_error_folded(int r)
{
    return r > 0 ? -ENOTRECOVERABLE : r;
}
