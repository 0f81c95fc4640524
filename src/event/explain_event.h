/*
 * event/explain_event - which bytes of which lines each field of an event came from
 *
 * Shape:     an explanation is a row per value of the event in the order of the schema: its name, its value, the bytes
 *            it was read from (line, columns, how they were converted) and, where it follows from other fields or from
 *            an earlier event, the rule in words. A list has a row per item, an argument a piece per fragment.
 * Proof:     nothing here knows how the event was made. Sources are found anew in the lines by rules of their own, each
 *            value is computed again from the bytes named and compared with the event's. A row that differs, or that has
 *            no source, is not proved: a defect of the decoder or of this.
 * Units:     columns and line numbers count from 1, offsets from 0; all in bytes.
 * Errors:    -ENOMEM when the arena is full.
 * Ownership: an explanation borrows from its input and the arena.
 */
#pragma once
#include "event/from_audit.h"

/* A line as it stood, without its newline. */
typedef struct xt_explain_line {
    const char *source; /* the file's name */
    uint64_t number;
    uint64_t offset; /* of its first byte in the file, unpacked */
    xt_slice text;
} xt_explain_line;

/* A record in it; its slices are cut from the line's text. */
typedef struct xt_explain_record {
    const xt_explain_line *line;
    xt_record record;
    bool is_repeated; /* another of the same bytes was read */
} xt_explain_record;

/* What an exec event left in the process table. */
typedef struct xt_explain_process {
    char event_id[33];
    char entity[XT_EVENT_ENTITY_LEN + 1];
    uint32_t pid;
    int64_t time_ms;
    uint32_t serial;
    const char *source; /* where its first record stood */
    uint64_t line;
    xt_hash128 exe, comm, cmd; /* of the texts, cmd cut as the table does */
} xt_explain_process;

typedef struct xt_explain_input {
    const xt_event *event;
    const xt_event_origin *origin;
    const xt_explain_record *records; /* in the order they came; none: a line that is no record */
    size_t n_records;
    const xt_explain_line *line;      /* of a line that is no record */
    uint64_t line_number;             /* and what the decoder counted */
    const xt_explain_record *beside;  /* the record whose time that line has, may be NULL */
    const xt_explain_process *parent; /* may be NULL */
    const xt_explain_process *self;   /* what the pid executed before, may be NULL */
    const xt_event *typed;            /* the keystrokes' lines made again, NULL when there are none */
    xt_slice typed_before;            /* id of the event that began the line; may be empty */
    bool is_over_bounds;              /* more groups were open than the decoder holds */
    bool shows_typed_secrets;
} xt_explain_input;

typedef enum xt_explain_how {
    XT_EXPLAIN_LITERAL, /* as it stands */
    XT_EXPLAIN_QUOTED,
    XT_EXPLAIN_HEX, /* two digits a byte */
    XT_EXPLAIN_DECIMAL,
    XT_EXPLAIN_BASE16, /* a number */
    XT_EXPLAIN_OCTAL,
    XT_EXPLAIN_TABLE, /* a number or a name that a table names */
    XT_EXPLAIN_STAMP, /* seconds and milliseconds */
    XT_EXPLAIN_CLUE,  /* read, but not the value itself: what a rule looks at */
} xt_explain_how;

typedef struct xt_explain_bytes {
    struct xt_explain_bytes *next;
    const xt_explain_line *line;
    uint16_t type; /* of the record */
    xt_slice name; /* the field's, as written; empty: not of a field */
    xt_slice raw;  /* in line->text, quotes included */
    xt_explain_how how;
} xt_explain_bytes;

typedef struct xt_explain_value {
    struct xt_explain_value *next;
    xt_field field;
    xt_slice name; /* "process.args[2]" */
    xt_slice text;
    xt_explain_bytes *bytes, **last_bytes;
    xt_slice rule; /* may be empty */
    bool is_proved;
} xt_explain_value;

typedef struct xt_explanation {
    const xt_event *event;
    xt_slice id;
    const xt_explain_record *records;
    size_t n_records;
    const xt_explain_line *line;
    const xt_explain_value *values;
    size_t n_values, n_unproved;
} xt_explanation;

/* "quoted", "hex", ... */
const char *xt_explain_how_name(xt_explain_how how);
/* Column of the first byte of a piece, and of the last. */
static inline size_t xt_explain_column(const xt_explain_bytes *bytes)
{
    return (size_t)(bytes->raw.p - bytes->line->text.p) + 1;
}
static inline size_t xt_explain_end(const xt_explain_bytes *bytes)
{
    return xt_explain_column(bytes) + bytes->raw.n - (bytes->raw.n > 0);
}

/* Virtual and derived fields of the event should be there (xt_event_derive); only what is there is explained. */
XT_MUST_USE int xt_explain_event(const xt_explain_input *input, xt_arena *arena, xt_explanation *ret);
