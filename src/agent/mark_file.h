/*
 * agent/mark_file - a few bytes that are always whole, replaced many times a second
 *
 * Shape:     a file of two places that are written in turn; the newer whole one counts. A process that is killed in the
 *            middle of a write leaves the one before. Not synced: after a power failure an older one may count.
 * Errors:    read: XT_MARK_FILE_E_NONE: there is no file, or nothing whole in it.
 * Limits:    XT_MARK_MAX_BYTES each.
 * Format:    each place: number (64 bits), length (32), the bytes, their hash with number and length (64 bits).
 * Threads:   one at a time.
 */
#pragma once
#include "base/buf.h"

#define XT_MARK_MAX_BYTES 65000

enum {
    XT_MARK_FILE_E_NONE = 1,
};

typedef struct xt_mark_file {
    int fd;
    uint64_t number; /* of the newest */
} xt_mark_file;

/* In the folder, made when it is absent; links are not followed. */
XT_MUST_USE int xt_mark_file_open(xt_mark_file *file, int folder, const char *name);
void xt_mark_file_close(xt_mark_file *file);
XT_MUST_USE int xt_mark_file_write(xt_mark_file *file, xt_slice bytes);
/* Appends the newest to out. Whoever owns the folder may have put anything there. */
XT_MUST_USE int xt_mark_file_read(int folder, const char *name, xt_buf *out, uint64_t *ret_number);
