/*
 * agent/file_follow - a log file that grows and is rotated, line by line
 *
 * Shape:     whole lines come out in the order in which they were written, of the file and of those that it was renamed
 *            or copied to: NAME.1, NAME.2, NAME-20260131 and such (not compressed), oldest first by the time of their last
 *            write. A rotated file is read to its end before the next one is begun.
 * Outcomes:  read: XT_FOLLOW_E_NONE: nothing new; XT_FOLLOW_E_FILE: another file was begun, whose lines come next;
 *            XT_FOLLOW_E_GAP: the same, and what stood between them is gone, or may be (why says so).
 * Errors:    <0 errno of reading. XT_FOLLOW_E_REFUSED with a problem: it is no regular file.
 * Ownership: lines are valid until the next call.
 * Limits:    1,000 rotated files; a line above 1 MiB comes in pieces.
 * Threads:   one at a time.
 */
#pragma once
#include "agent/follow_mark.h"
#include "base/problem.h"

#define XT_FOLLOW_GRACE_MS 1500 /* a file that was renamed is written to a little longer by some */

enum {
    XT_FOLLOW_E_NONE = 1,
    XT_FOLLOW_E_FILE = 2,
    XT_FOLLOW_E_GAP = 3,
    XT_FOLLOW_E_REFUSED = 4,
};

typedef struct xt_follow {
    const char *path;
    int fd; /* -1: there is no file yet */
    xt_follow_file file;
    uint64_t offset; /* behind the last line that was given */
    xt_buf bytes;
    bool is_gap;    /* before what comes next */
    char why[160];  /* of the last gap */
    char name[256]; /* of the file at hand, in its folder */
} xt_follow;

/*
 * Goes on from the mark, made at mark_ms (wall time); without one (NULL) at the beginning of the file as it is now. A file
 * that is not there yet is waited for.
 */
XT_MUST_USE int xt_follow_open(xt_follow *f, const char *path, const xt_follow_mark *mark, int64_t mark_ms,
                               xt_problem *reterr_problem);
void xt_follow_close(xt_follow *f);
/* Whole lines, each with its newline; *ret_offset is where the first one stands in f->file. */
XT_MUST_USE int xt_follow_read(xt_follow *f, int64_t wall_ms, xt_slice *ret_lines, uint64_t *ret_offset);
