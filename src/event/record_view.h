/*
 * event/record_view - every record of an event with every field of it, as it was in the log
 *
 * Shape:     an iterator over RECORDS; what the event holds elsewhere (columns, arguments, paths) is put back to where
 *            it stood. Words without a name are `text`. Left out are what RECORDS leaves out (event/from_audit.h).
 * Values:    decoded; of arch and syscall the names. What the kernel wrote of a name comes before what a program did.
 * Ownership: in the arena and the event.
 * Errors:    no_memory is sticky and ends it.
 */
#pragma once
#include "event/event.h"
#include "event/json_group.h"

typedef struct xt_record_view {
    const xt_event *event;
    xt_arena *arena;
    uint16_t type;
    xt_json_group group; /* the fields, by name, in their order */
    xt_rec_iter own;     /* at the first field of the record in RECORDS */
    bool no_memory;

    xt_rec_iter iter;
    xt_path_iter paths;
    bool has_failed; /* a failed exec: EXE is not the record's */
    bool has_head;   /* SYSCALL or URINGOP is among the records: it holds the fields of the task */
    bool has_args;   /* the arguments stood in an EXECVE record already */
} xt_record_view;

void xt_record_view_init(xt_record_view *view, const xt_event *event, xt_arena *arena);
bool xt_record_view_next(xt_record_view *view);

/* The title of a process whose exec failed is that of the caller: it would be taken for the command. */
bool xt_record_is_callers_title(const xt_event *event, uint16_t type);

#define XT_RECORD_NUMBER_TEXT 48
/* MAJOR:MINOR in hex, and a mode in octal with a 0 in front, as the kernel prints them; give the length. */
size_t xt_record_format_device(char *to, uint64_t major, uint64_t minor);
size_t xt_record_format_mode(char *to, uint64_t mode);
