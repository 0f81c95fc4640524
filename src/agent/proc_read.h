/*
 * agent/proc_read - processes as /proc shows them, safe against pids that are used again
 *
 * Shape:     what is read counts only when the start time is the same before and after.
 * Ownership: slices point into the reader until its next call.
 * Source:    proc(5).
 */
#pragma once
#include "event/proc_table.h"
#include "event/secret_redact.h"

typedef struct xt_proc_reader {
    xt_buf stat, cmd, argv, raw, marks, cgroup;
    const xt_secret_rules *secrets; /* what they name is not in cmd; NULL: it is */
    char exe[4096];
} xt_proc_reader;

void xt_proc_reader_fini(xt_proc_reader *reader);
/* An xt_proc_lookup_fn; context: xt_proc_reader. */
bool xt_proc_read(void *context, uint32_t pid, xt_proc_info *ret);
/* Calls each for every process there is (kernel threads left out). */
XT_MUST_USE int xt_proc_read_all(xt_proc_reader *reader, int (*each)(void *context, const xt_proc_info *info),
                                 void *context);
/* /proc/PID/cgroup; empty when the process is gone. */
xt_slice xt_proc_read_cgroup(xt_proc_reader *reader, uint32_t pid);
/* The login it belongs to (auid); UINT32_MAX: none, or it is gone. */
uint32_t xt_proc_login(uint32_t pid);
/* Its name; empty: it is gone. */
void xt_proc_comm(uint32_t pid, char *ret, size_t n);
/* Its real user; UINT32_MAX when it is gone. */
uint32_t xt_proc_uid(uint32_t pid);
bool xt_proc_is_kernel(uint32_t pid);
/* Threads that the process has, its first one counted even when it has ended; 0: it is gone. */
unsigned xt_proc_threads(uint32_t pid);
bool xt_proc_is_gone(uint32_t pid);
/* CPU time and memory of one process; added to what is there. */
void xt_proc_cost(uint32_t pid, uint64_t *cpu_us, uint64_t *rss_bytes);
/* The letter of its state in proc(5): T is stopped by a signal, Z ended and not waited for; 0: there is no such process. */
char xt_proc_state(uint32_t pid);
