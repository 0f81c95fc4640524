/*
 * agent/log_writer - audit.log as auditd writes it, by a thread of its own
 *
 * Shape:     events go in, as they are after their secrets went; lines stand in the file a moment later. A file that is full is
 *            renamed to FILE.1, and so on.
 * Errors:    open: <0 errno with a problem. Later ones (a full disk) lose lines of this file and nothing else: stats says how
 *            many, and whether lines can be written now.
 * Limits:    XT_LOG_WRITER_BYTES wait for the disk; what does not fit is counted and left out, whole events at a time.
 * Format:    a line a record, `type=T msg=audit(S.MMM:N): ...`, names behind 0x1d (event/render_raw.h); mode 0600.
 * Threads:   put, stats and close by one; nothing waits but close.
 */
#pragma once
#include "base/problem.h"
#include "event/event.h"

#define XT_LOG_WRITER_BYTES ((size_t)4 << 20)

typedef struct xt_log_writer_settings {
    const char *path;
    uint64_t max_bytes; /* of a file */
    unsigned n_files;   /* with the one that is written to; at least 1 */
} xt_log_writer_settings;

typedef struct xt_log_writer_stats {
    uint64_t n_written, n_lost; /* events */
    int error;                  /* of the last try, an errno; 0: it was written */
} xt_log_writer_stats;

typedef struct xt_log_writer xt_log_writer;
XT_MUST_USE int xt_log_writer_open(const xt_log_writer_settings *settings, xt_log_writer **ret,
                                   xt_problem *reterr_problem);
/* Writes what waits, and ends. Accepts NULL, returns NULL. */
xt_log_writer *xt_log_writer_close(xt_log_writer *writer);
/* An event without records leaves no line. */
void xt_log_writer_put(xt_log_writer *writer, const xt_event *event);
xt_log_writer_stats xt_log_writer_stats_get(xt_log_writer *writer);
