/*
 * event/conversion - one group on its way to an event (inside of event/ only)
 *
 * Shape:     from_audit.c leads; from_fields.c reads what most records look like, from_path.c PATH and CWD, and
 *            conversion.c keeps what ends in RECORDS.
 * Errors:    memory is sticky: no_memory is looked at once, at the end.
 */
#pragma once
#include "event/exec_args.h"
#include "event/from_audit.h"

enum {
    XT_FLAG_MISSING_EXECVE = 1 << 0,
    XT_FLAG_MISSING_ARGS = 1 << 1,
    XT_FLAG_ARGS_MISMATCH = 1 << 2,
    XT_FLAG_MISSING_PATH = 1 << 3,
    XT_FLAG_LATE = 1 << 4,
    XT_FLAG_TRUNCATED = 1 << 5,
    XT_FLAG_TIMEOUT = 1 << 6,
    XT_FLAG_EVICTED = 1 << 7,
    XT_FLAG_NO_SYSCALL = 1 << 8,
    XT_FLAG_UNPARSED = 1 << 9,
    XT_FLAG_ARGV0_MISMATCH = 1 << 10,
    XT_FLAG_MEMFD = 1 << 11,
    XT_FLAG_DELETED = 1 << 12,
    XT_FLAG_LOADER = 1 << 13,
    XT_FLAG_MISSING_CWD = 1 << 14,
    XT_FLAG_MISSING_RECORD = 1 << 15,
    XT_FLAG_ENRICHED_MISMATCH = 1 << 16,
};

typedef struct xt_rec_span {
    size_t first, n; /* in fields */
} xt_rec_span;

typedef struct xt_conversion {
    const xt_group *group;
    const xt_event_origin *origin;
    xt_arena *arena;
    xt_event *event;
    bool no_memory;
    unsigned flags;

    const xt_record *head;     /* SYSCALL or URINGOP; NULL when there is none */
    const xt_record *deciding; /* its res= is the outcome and its type the action; NULL: the system call is */
    const xt_record *record;   /* being read */
    uint32_t arch;
    uint64_t syscall; /* UINT64_MAX: not seen */
    bool is_exec;
    bool has_comm, has_ses, has_key; /* the head has such a field */
    xt_slice a0;                     /* of an exec, as written: execveat's directory */
    xt_audit_field exe;              /* of the head, until it is known whether the exec failed */
    xt_slice res;                    /* of the deciding record */
    xt_exec_args args;

    xt_path *paths; /* room for all PATH records */
    size_t n_paths;

    xt_rec_field *fields; /* what goes to RECORDS, by record: spans */
    size_t n_fields, cap_fields;
    xt_rec_span *spans; /* one per record of the group */
} xt_conversion;

/* RECORDS: opens the span of the record being read, or leaves a record out; adds a field to it. */
void xt_conversion_skip(xt_conversion *c, const xt_record *record);
void xt_conversion_open(xt_conversion *c, const xt_record *record);
void xt_conversion_keep(xt_conversion *c, const xt_audit_field *field, bool in_msg);
/* The fields of the record being read; the name of a XT_RECORD_NAMED is kept before them as its field `type`. */
xt_slice xt_conversion_take_fields(xt_conversion *c);
/* What a column holds already, of a record beside the one that filled it. */
void xt_conversion_keep_repeated(xt_conversion *c, const xt_audit_field *field);
void xt_conversion_keep_enriched(xt_conversion *c, const xt_audit_field *field);
/* Writes all spans to the event's RECORDS. */
void xt_conversion_put_records(xt_conversion *c);

/* A value whose quote never ends: its record was cut. */
static inline void xt_conversion_see_cut(xt_conversion *c, const xt_audit_field *field)
{
    c->flags |= field->is_cut ? XT_FLAG_TRUNCATED : 0;
}
/* The decoded text; false for (null). */
bool xt_conversion_text(xt_conversion *c, const xt_audit_field *field, xt_slice *ret);
/* Arena memory, or NULL and no_memory. */
void *xt_conversion_alloc(xt_conversion *c, size_t n_bytes);

/*
 * The value belongs to a field of the schema: the head (or without one any record) fills it if it is free; what is
 * there already goes to RECORDS marked as repeated; what contradicts it as it is.
 */
void xt_conversion_fill_num(xt_conversion *c, xt_field f, uint64_t num, const xt_audit_field *field);
void xt_conversion_fill_bytes(xt_conversion *c, xt_field f, xt_slice bytes, const xt_audit_field *field);

/* from_fields.c: every field of a record that has no reader of its own, and what auditd appended to any record. */
void xt_conversion_read_fields(xt_conversion *c);
void xt_conversion_read_enriched(xt_conversion *c, const xt_path *path /* of a PATH record, else NULL */);
/* from_path.c */
void xt_conversion_read_path(xt_conversion *c);
void xt_conversion_read_cwd(xt_conversion *c);
void xt_conversion_put_paths(xt_conversion *c);
/* EXE of a failed exec, SCRIPT of a successful one. */
void xt_conversion_put_program(xt_conversion *c);
/* from_program.c: flags of a successful exec; first: PATH item 0, may be NULL. */
void xt_conversion_flag_program(xt_conversion *c, const xt_path *first);
/* from_loss.c: flags of what the kernel wrote and is not there. */
void xt_conversion_flag_losses(xt_conversion *c);
