/*
 * event/event - one kernel event, and its canonical bytes
 *
 * Shape:     a value per field of the schema table, with a bitmap of those present. Lists, paths and records are
 *            held encoded (xt_list, xt_paths, xt_recs below) so that one kind of value, number or bytes, is all that
 *            the codec, the columns and the query engine need.
 * Format:    canonical event, version 1:  u8 version, then for each field present, in ascending id:
 *                varint key = id << 1 | is_bytes;   varint number   or   varint length, bytes
 *            Numbers: TIME and INT as zigzag, UINT plain. Unknown ids are skipped by readers (and kept on copy).
 *            A batch is: varint length, canonical event, repeated.
 *            decode checks all of it: lists, paths and records of a decoded event are whole.
 * Limits:    an event of more than XT_EVENT_MAX_BYTES is refused by decoders; a 2 MiB argv fits.
 * Ownership: xt_event borrows all bytes: from the arena or the encoded bytes that it was made of.
 * Threads:   a value; one at a time.
 */
#pragma once
#include "base/arena.h"
#include "base/problem.h"
#include "event/schema.h"

#define XT_EVENT_VERSION   1
#define XT_EVENT_MAX_BYTES (24u << 20)

enum {
    XT_EVENT_E_CORRUPT = 1,
    XT_EVENT_E_NEWER = 2, /* version above ours */
};

typedef struct xt_value {
    uint64_t num;   /* TIME, UINT, INT (cast to int64_t) */
    xt_slice bytes; /* TEXT, LIST, PATHS, RECORDS */
} xt_value;

typedef struct xt_event {
    xt_field_set present;
    xt_value values[XT_F_END];
} xt_event;

static inline void xt_event_reset(xt_event *event)
{
    event->present = (xt_field_set){{0, 0}};
}
static inline bool xt_event_has(const xt_event *event, xt_field f)
{
    return xt_field_set_has(&event->present, f);
}
static inline void xt_event_set_num(xt_event *event, xt_field f, uint64_t v)
{
    event->values[f].num = v;
    xt_field_set_add(&event->present, f);
}
static inline void xt_event_set_bytes(xt_event *event, xt_field f, xt_slice v)
{
    event->values[f].bytes = v;
    xt_field_set_add(&event->present, f);
}
/* The bytes, or an empty slice; the number, or `otherwise`. */
static inline xt_slice xt_event_bytes(const xt_event *event, xt_field f)
{
    return xt_event_has(event, f) ? event->values[f].bytes : XT_S_NULL;
}
static inline uint64_t xt_event_num(const xt_event *event, xt_field f, uint64_t otherwise)
{
    return xt_event_has(event, f) ? event->values[f].num : otherwise;
}

/* Appends the canonical bytes (without the length in front). Virtual fields are left out. */
void xt_event_encode(const xt_event *event, xt_buf *out);
/* Values point into bytes. */
XT_MUST_USE int xt_event_decode(xt_slice bytes, xt_event *ret, xt_problem *reterr_problem);
/* Cuts the next event's bytes off a batch; false at the end or when what is left is corrupt (*rest is then not empty). */
bool xt_event_batch_next(xt_slice *rest, xt_slice *ret_bytes);
void xt_event_batch_put(xt_buf *out, const xt_event *event);

/*
 * Fills the VIRTUAL and DERIVED fields that `wanted` names (cmd, argc, path, event.id, process.entity_id) and that the
 * event does not have from the stored ones, in the arena. -ENOMEM when the arena is full.
 */
XT_MUST_USE int xt_event_derive(xt_event *event, xt_field_set wanted, xt_arena *arena);

/*
 * event.id: XXH3-128 of host id text, NUL, time (8 bytes LE), serial (4 bytes LE), as 32 hex digits.
 * Here and below: of a host or boot id or a host name at most the first 255 bytes count.
 */
xt_hash128 xt_event_id_of(xt_slice host_id, int64_t time_ms, uint32_t serial);
/* process.entity_id: XXH3-64 of host id, NUL, boot id, NUL, pid (4 bytes LE), start (8 bytes LE), as 16 hex digits. */
#define XT_EVENT_ENTITY_LEN 16
void xt_event_entity_of(xt_slice host_id, xt_slice boot_id, uint32_t pid, int64_t start_ms,
                        char ret[static XT_EVENT_ENTITY_LEN]);
/* Whether the event is a successful exec of a known pid: then its entity is (host, boot, pid, time of the event). */
bool xt_event_is_own_entity(const xt_event *event);
/* The host id of an import whose host is not enrolled: 32 hex digits of the hash of "import:" and the name. */
xt_hash128 xt_event_import_host_id(xt_slice host_name);

/* Lists: varint n, then n blocks (varint length, bytes). */
typedef struct xt_list_iter {
    xt_reader reader;
    uint64_t left;
} xt_list_iter;
uint64_t xt_list_count(xt_slice list);
xt_list_iter xt_list_iterate(xt_slice list);
bool xt_list_next(xt_list_iter *iter, xt_slice *ret_item);
/* Appends one list of n items. */
void xt_list_put(xt_buf *out, const xt_slice *items, size_t n);
/* Appends the items joined by one space (cmd of args). */
void xt_list_join(xt_slice list, xt_buf *out);

/*
 * PATH records: varint n, then per path: varint item, u8 has_name, block name if so, block nametype, u8 has_inode, if
 * so the eight numbers as varints, block rest.
 */
typedef struct xt_path {
    uint64_t item;
    bool has_name; /* name=(null) otherwise */
    xt_slice name;
    xt_slice nametype; /* NORMAL, PARENT, CREATE, DELETE, UNKNOWN */
    bool has_inode;    /* the kernel writes inode to rdev together or not at all */
    uint64_t inode, dev_major, dev_minor, mode, ouid, ogid, rdev_major, rdev_minor;
    xt_slice rest; /* other fields as written (caps other than 0, obj=...), separated by one space */
} xt_path;
typedef struct xt_path_iter {
    xt_reader reader;
    uint64_t left;
} xt_path_iter;
/* Room that xt_paths_put needs at most. */
size_t xt_paths_bound(const xt_path *paths, size_t n);
void xt_paths_put(xt_buf *out, const xt_path *paths, size_t n);
xt_path_iter xt_paths_iterate(xt_slice paths);
bool xt_paths_next(xt_path_iter *iter, xt_path *ret);

/*
 * Records: varint n, then per record: varint type, varint n_fields, and per field: block name, u8 form, block value.
 * Only what no other field of the event holds stands here; the fields of columns belong to the system call's record, or
 * to the first one where there is none. What another record says again stands here marked as repeated, so that record
 * scope is whole.
 */
typedef enum xt_rec_form {
    XT_REC_BARE,     /* value as written */
    XT_REC_QUOTED,   /* inside of double quotes */
    XT_REC_HEX,      /* was hex, value is the decoded bytes */
    XT_REC_ENRICHED, /* behind 0x1d, name in upper case */
    XT_REC_MSG,      /* field inside msg='...': written by a program, not by the kernel */
    XT_REC_MSG_HEX,
    XT_REC_MSG_QUOTED,
    XT_REC_REPEATED, /* says what a column holds that another record filled: record scope alone, no auditd.data */
    XT_REC_REPEATED_QUOTED,
    XT_REC_REPEATED_HEX,
} xt_rec_form;
typedef struct xt_rec_field {
    xt_slice name, value;
    xt_rec_form form;
} xt_rec_field;
typedef struct xt_rec_iter {
    xt_reader reader;
    uint64_t records_left, fields_left;
} xt_rec_iter;
static inline bool xt_rec_is_repeated(xt_rec_form form)
{
    return form >= XT_REC_REPEATED;
}
xt_rec_iter xt_recs_iterate(xt_slice records);
/* The next record's type; its fields follow by xt_recs_next_field (unread ones are skipped by the next call). */
bool xt_recs_next(xt_rec_iter *iter, uint16_t *ret_type);
bool xt_recs_next_field(xt_rec_iter *iter, xt_rec_field *ret);
/*
 * The n-th (from 0) value of that name in any record: what auditd.data.NAME means. False past the last.
 * Words that stood without a name have an empty one; "text" finds them.
 */
bool xt_recs_find(xt_slice records, xt_slice name, unsigned nth, xt_slice *ret_value);
