/*
 * server/backup_manifest - what a generation of a backup is made of
 *
 * Shape:     two lines of JSON: the manifest, and the SHA-256 of the first line with its newline.
 * Errors:    decode: XT_BACKUP_MANIFEST_E_BAD with a problem. <0 errno.
 * Ownership: what a manifest leads to lives in its arena.
 * Format:    docs/store.md, "Backup"
 */
#pragma once
#include "base/arena.h"
#include "base/problem.h"
#include "store/digest.h"

#define XT_BACKUP_NAME_BYTES 20 /* "20261123T021043.120Z" */

enum {
    XT_BACKUP_MANIFEST_E_BAD = 1,
};

typedef struct xt_backup_entry {
    xt_slice name; /* below the data folder: "pending.db", "segments/0000000000000001.xts"; NUL-ended */
    uint64_t n_bytes;
    xt_digest digest;
    uint32_t mode;
    bool is_damaged; /* a segment whose bytes were not those of the ledger when it was copied */
} xt_backup_entry;

typedef struct xt_backup_manifest {
    xt_arena arena;
    char generation[XT_BACKUP_NAME_BYTES + 1];
    int64_t at_ms;
    xt_slice version, data; /* of the program; the folder that was copied */
    xt_digest ca;           /* of ca.pem: whose backup it is */
    uint64_t n_events, n_pending, n_segments, ledger_id;
    xt_slice head; /* of the ledger, signed, as JSON; empty: its chain was broken */
    xt_backup_entry *entries;
    size_t n_entries, cap_entries;
    xt_slice *missing; /* names of segments that could not be read */
    size_t n_missing, cap_missing;
} xt_backup_manifest;

void xt_backup_manifest_init(xt_backup_manifest *manifest);
void xt_backup_manifest_fini(xt_backup_manifest *manifest);
/* The name is copied. */
XT_MUST_USE int xt_backup_manifest_add(xt_backup_manifest *manifest, const xt_backup_entry *entry);
XT_MUST_USE int xt_backup_manifest_add_missing(xt_backup_manifest *manifest, xt_slice name);
/* NULL: there is none of that name. */
const xt_backup_entry *xt_backup_manifest_find(const xt_backup_manifest *manifest, xt_slice name);
uint64_t xt_backup_manifest_bytes(const xt_backup_manifest *manifest); /* of all its files */

XT_MUST_USE int xt_backup_manifest_encode(const xt_backup_manifest *manifest, xt_buf *out);
/* Into one that init made; fini is the caller's in any case. Names that lead out of a folder are refused. */
XT_MUST_USE int xt_backup_manifest_decode(xt_slice text, xt_backup_manifest *ret, xt_problem *reterr_problem);

/* The generation's name of that moment. */
void xt_backup_name_format(int64_t at_ms, char ret[static XT_BACKUP_NAME_BYTES + 1]);
bool xt_backup_name_parse(xt_slice name, int64_t *ret_at_ms);
