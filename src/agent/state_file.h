/*
 * agent/state_file - small files of name=value lines in the state folder
 *
 * Errors:    read: <0 errno. Absent names read as empty and 0.
 */
#pragma once
#include "base/buf.h"

typedef struct xt_state_file {
    xt_buf text;
} xt_state_file;

XT_MUST_USE int xt_state_file_read(const char *folder, const char *name, xt_state_file *ret);
void xt_state_file_fini(xt_state_file *file);
xt_slice xt_state_file_text(const xt_state_file *file, const char *name);
uint64_t xt_state_file_number(const xt_state_file *file, const char *name);
/* Beside and renamed, not synced: for what is written again every few seconds. */
XT_MUST_USE int xt_state_file_write(const char *folder, const char *name, xt_slice text);
