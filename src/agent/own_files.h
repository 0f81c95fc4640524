/*
 * agent/own_files - whether what the agent needs of the file system is still as it was: program, settings, spool, state folder
 *
 * Shape:     looked at again and again, a few stat calls each time; a change is told once, then what is there now counts.
 * Limits:    who puts back what was there, date and all, between two looks is not seen here; what they executed for it is.
 */
#pragma once
#include <sys/stat.h>
#include <sys/types.h>

#include "base/buf.h"

typedef struct xt_own_file {
    struct stat st;
    bool is_there;
} xt_own_file;

typedef struct xt_own_files {
    const char *state, *settings; /* NULL: there is no such file */
    char spool[4096];
    xt_own_file settings_file, spool_folder;
    bool has_program;
    int mounts_fd; /* tells when mounts of the host change; -1: none */
    pid_t host_pid;
    xt_hash128 mounts; /* that the state folder stands on, and below it */
    char state_path[4096];
} xt_own_files;

/* Slices of state and settings are borrowed. host_pid: a process whose view of the file system is the host's. */
void xt_own_files_init(xt_own_files *f, const char *state, const char *settings, pid_t host_pid);
void xt_own_files_fini(xt_own_files *f);
/* True when something has changed since the last time; in words. */
bool xt_own_files_next(xt_own_files *f, xt_buf *out);
