/*
 * event/explain_build - an explanation being made (inside of event/ only)
 *
 * Shape:     the fields of all records stand in an array, the system call's first; the explain_*.c files look there for
 *            the sources of the fields they know, and add rows.
 * Errors:    memory is sticky: no_memory is looked at once, at the end. Rows are never NULL: when memory is out, all
 *            are the same spare one.
 */
#pragma once
#include "event/explain_event.h"

typedef enum xt_explain_place { XT_EXPLAIN_BODY, XT_EXPLAIN_MSG, XT_EXPLAIN_ENRICHED } xt_explain_place;

/* A field of a record. */
typedef struct xt_explain_source {
    xt_audit_field field;
    const xt_explain_record *record;
    xt_explain_place place;
    bool is_old;  /* behind the word `old`: what it was before */
    bool is_used; /* explains something that may only stand once */
} xt_explain_source;

typedef struct xt_explain_build {
    const xt_explain_input *in;
    const xt_event *event;
    xt_arena *arena;
    xt_explanation *out;
    xt_explain_value **last;
    xt_explain_value spare;
    bool no_memory;

    xt_explain_source *sources;
    size_t n_sources;
    const xt_explain_record *head, *deciding; /* may be NULL */
    uint32_t arch;                            /* of the head */
    bool is_exec, has_failed;
    bool args_differ; /* argc, a length or a fragment contradicts another */
} xt_explain_build;

void *xt_explain_alloc(xt_explain_build *b, size_t n_bytes);
xt_slice xt_explain_format(xt_explain_build *b, const char *format, ...) XT_PRINTF(2, 3);

/* A row of that field; name as the schema has it. */
xt_explain_value *xt_explain_row(xt_explain_build *b, xt_field field, xt_slice text);
xt_explain_value *xt_explain_row_of(xt_explain_build *b, xt_field field, xt_slice name, xt_slice text);
void xt_explain_rule(xt_explain_build *b, xt_explain_value *v, const char *format, ...) XT_PRINTF(3, 4);
void xt_explain_bytes_of(xt_explain_build *b, xt_explain_value *v, const xt_explain_record *record, xt_slice raw,
                         xt_explain_how how);
void xt_explain_source_of(xt_explain_build *b, xt_explain_value *v, const xt_explain_source *s, xt_explain_how how);
static inline void xt_explain_prove(xt_explain_value *v, xt_slice again)
{
    v->is_proved = xt_slice_eq(v->text, again);
}

/* Of the record's line: its type's name, its stamp's time and serial. */
xt_slice xt_explain_type_word(const xt_explain_record *record);
bool xt_explain_stamp(const xt_explain_record *record, xt_slice *ret_time, xt_slice *ret_serial);

/* As written, quotes included. */
xt_slice xt_explain_raw(const xt_explain_source *s);
/* The text of a string field and how it was written; false for (null). */
bool xt_explain_text(xt_explain_build *b, const xt_audit_field *field, xt_slice *ret, xt_explain_how *ret_how);
/* The first field of that name in the bodies of records of that type (0: any), or NULL. */
const xt_explain_source *xt_explain_find(const xt_explain_build *b, uint16_t type, xt_slice name);
/* The same in the body of the system call's record. */
const xt_explain_source *xt_explain_find_in_head(const xt_explain_build *b, xt_slice name);
/* The event's field as text; into the arena. */
xt_slice xt_explain_value_text(xt_explain_build *b, xt_field field);

/* Each adds the rows of one field that the event has. */
void xt_explain_ordinary(xt_explain_build *b, xt_field field); /* explain_fields.c */
void xt_explain_name_of_id(xt_explain_build *b, xt_field field);
void xt_explain_tty(xt_explain_build *b, xt_field field);
void xt_explain_from(xt_explain_build *b, xt_field field);
void xt_explain_keys(xt_explain_build *b, xt_field field);
void xt_explain_cwd(xt_explain_build *b, xt_field field);
void xt_explain_args(xt_explain_build *b, xt_field field); /* explain_args.c */
void xt_explain_missing(xt_explain_build *b, xt_field field);
void xt_explain_exe(xt_explain_build *b, xt_field field); /* explain_paths.c */
void xt_explain_script(xt_explain_build *b, xt_field field);
void xt_explain_paths(xt_explain_build *b, xt_field field);
void xt_explain_records(xt_explain_build *b, xt_field field); /* explain_records.c */
void xt_explain_stamps(xt_explain_build *b, xt_field field);  /* explain_derived.c */
void xt_explain_id(xt_explain_build *b, xt_field field);
void xt_explain_host(xt_explain_build *b, xt_field field);
void xt_explain_code(xt_explain_build *b, xt_field field);
void xt_explain_virtual(xt_explain_build *b, xt_field field);
void xt_explain_typed(xt_explain_build *b, xt_field field);
void xt_explain_original(xt_explain_build *b, xt_field field);
void xt_explain_process_of(xt_explain_build *b, xt_field field);
void xt_explain_action(xt_explain_build *b, xt_field field); /* explain_action.c */
void xt_explain_outcome(xt_explain_build *b, xt_field field);
void xt_explain_flags(xt_explain_build *b, xt_field field); /* explain_flags.c */

/* PATH item 0, where it has a name, or NULL; and its name as an absolute path. */
const xt_explain_source *xt_explain_first_path(xt_explain_build *b, xt_slice *ret_name);
xt_slice xt_explain_absolute(const xt_explain_build *b, xt_slice name);
