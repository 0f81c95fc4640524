/*
 * agent/exe_file - the file that an exec executed, found again
 *
 * Shape:     see agent/exe_digest. find gives the file's key, and it open where open is asked for.
 * Errors:    XT_EXE_FILE_E_ABSENT: it is not there any more, or what is there may be another one.
 * Threads:   one at a time.
 */
#pragma once
#include "agent/exe_digest.h"

enum {
    XT_EXE_FILE_E_ABSENT = 1,
};

/* No two contents have the same one, unless somebody sets the clock back. */
typedef struct xt_exe_key {
    uint64_t device, inode, size;
    int64_t mtime_ns, ctime_ns;
} xt_exe_key;

/* *ret_fd is -1 where the file was not opened to find it; then xt_exe_file_open opens it, if it is the same still. */
XT_MUST_USE int xt_exe_file_find(const xt_digest_question *question, xt_exe_key *ret, int *ret_fd,
                                 char ret_path[static 8192]);
XT_MUST_USE int xt_exe_file_open(const char *path, const xt_exe_key *key, int *ret_fd);
/* Of an open file. False: it is no plain file. */
bool xt_exe_key_get(int fd, xt_exe_key *ret);
static inline bool xt_exe_key_eq(const xt_exe_key *a, const xt_exe_key *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->mtime_ns == b->mtime_ns &&
           a->ctime_ns == b->ctime_ns;
}
