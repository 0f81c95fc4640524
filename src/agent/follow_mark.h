/*
 * agent/follow_mark - how far a file was read into events, so that a restart neither doubles nor loses one
 *
 * Shape:     lines are seen as they are fed to the decoder, events as they are given out. A mark is the place of the first
 *            line whose event is not out yet, and the keys (time, serial) of events behind that place which are. Who goes
 *            on from a mark reads from its place and passes over events with those keys.
 * Limits:    XT_FOLLOW_KEYS keys. An event that is open while so many later ones come is taken as out: it would be lost if
 *            the agent were killed just then.
 * Format:    version 2 of 32 bits, then device, inode, offset, end (64 bits each), length and hash of the file's head,
 *            number of keys, keys; little endian.
 * Threads:   one at a time.
 */
#pragma once
#include "base/buf.h"

#define XT_FOLLOW_KEYS       4096
#define XT_FOLLOW_HEAD       128
#define XT_FOLLOW_MARK_BYTES (64 + 8 * (XT_FOLLOW_KEYS + 1))

/* Which file it is: the inode may be used again, the head may be that of a copy; both together are one file. */
typedef struct xt_follow_file {
    uint64_t dev, ino;
    uint64_t head_bytes; /* of the head that is hashed: up to XT_FOLLOW_HEAD */
    uint64_t head_hash;
} xt_follow_file;

typedef struct xt_follow_place {
    xt_follow_file file;
    uint64_t offset;
} xt_follow_place;

typedef struct xt_follow_mark {
    xt_follow_place from; /* go on here */
    uint64_t end;         /* how far that file was read: keys stand before it, or in the file after it */
    size_t n_keys;
    uint64_t keys[XT_FOLLOW_KEYS];
} xt_follow_mark;

typedef struct xt_follow_marks {
    /* lines whose event was not out when they were seen, oldest first: a ring */
    struct {
        uint64_t key;
        xt_follow_place place;
        bool is_out;
    } open[XT_FOLLOW_KEYS];
    size_t first, n;
    uint64_t last_key;
    xt_follow_place end; /* behind the last line */
    uint64_t n_given_up;
} xt_follow_marks;

uint64_t xt_follow_key(int64_t time_ms, uint32_t serial);
/* The key that stands in a line; 0: none. */
uint64_t xt_follow_key_of_line(xt_slice line);

/* What comes next is of that file, from the offset on. */
void xt_follow_marks_begin(xt_follow_marks *marks, const xt_follow_file *file, uint64_t offset);
/* A line of that file at that offset, with its newline. */
void xt_follow_marks_line(xt_follow_marks *marks, const xt_follow_file *file, uint64_t offset, xt_slice line);
void xt_follow_marks_out(xt_follow_marks *marks, uint64_t key);
void xt_follow_marks_get(const xt_follow_marks *marks, xt_follow_mark *ret);

void xt_follow_mark_put(xt_buf *out, const xt_follow_mark *mark);
/* False: it is none. */
bool xt_follow_mark_read(xt_slice bytes, xt_follow_mark *ret);
