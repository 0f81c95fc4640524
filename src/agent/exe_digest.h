/*
 * agent/exe_digest - the process that takes the SHA-256 of executables
 *
 * Shape:     questions come and answers go over a sequenced-packet socket, several in a datagram: xt_digest_question_put and _next,
 *            xt_digest_answer_put and _next. A question names a file by what audit said of the exec: the path of the program,
 *            device and inode of each PATH record, the process, its parent, the time.
 * Method:    the file is looked for by its path, as what the process runs (/proc/PID/exe: also one that was deleted, a memfd), and by its
 *            path in the parent's root (a container). It is the one that ran when device and inode are those of a record and it
 *            has not changed since (ctime); what a process runs cannot change, there LATE_MS are let pass. Anything else is
 *            answered as not known, never by another file's digest.
 *            Digests are kept by device, inode, size, mtime and ctime, those of the last XT_DIGEST_CACHE files.
 * Limits:    files up to XT_DIGEST_MAX_BYTES; JOBS at a time, of which others wait; what is known already is answered in between.
 * Errors:    what cannot be answered has no digest.
 */
#pragma once
#include "base/buf.h"

#define XT_DIGEST_BYTES     32
#define XT_DIGEST_FILES     8
#define XT_DIGEST_CACHE     2048
#define XT_DIGEST_MAX_BYTES ((uint64_t)1 << 30)
#define XT_DIGEST_DATAGRAM  32768

typedef struct xt_digest_file {
    uint64_t device, inode; /* device: as makedev(3) */
} xt_digest_file;

typedef struct xt_digest_question {
    uint32_t number, pid, ppid;
    int64_t time_ms; /* of the exec */
    xt_slice path;
    unsigned n_files;
    xt_digest_file files[XT_DIGEST_FILES];
} xt_digest_question;

typedef struct xt_digest_answer {
    uint32_t number;
    bool is_known;
    uint8_t digest[XT_DIGEST_BYTES];
} xt_digest_answer;

void xt_digest_question_put(xt_buf *out, const xt_digest_question *question);
bool xt_digest_question_next(xt_slice *rest, xt_digest_question *ret); /* its path points into *rest */
void xt_digest_answer_put(xt_buf *out, const xt_digest_answer *answer);
bool xt_digest_answer_next(xt_slice *rest, xt_digest_answer *ret);

/* The process itself: answers until the socket is closed. */
void xt_exe_digest_run(int fd);
