/*
 * How it works: records of one event stand close together, so a line's key is mostly that of the line before; else the ring
 * is searched from its newest end, where open events are. What is out leaves the ring at its old end, in order.
 */
#include "agent/follow_mark.h"

#define VERSION  0x32464d58 /* "XMF2" */
#define MAX_LOOK 200        /* bytes of a line in which its stamp stands: node=, type=, msg=audit( */

uint64_t xt_follow_key(int64_t time_ms, uint32_t serial)
{
    uint64_t key = ((uint64_t)time_ms << 32 ^ (uint64_t)time_ms >> 20) * UINT64_C(0x9e3779b97f4a7c15) ^
                   (uint64_t)serial * UINT64_C(0xff51afd7ed558ccd);
    return key ? key : 1;
}

static bool digits_read(xt_slice *text, uint64_t *ret)
{
    uint64_t v = 0;
    size_t n = 0;
    for (; n < text->n && n < 19 && text->p[n] >= '0' && text->p[n] <= '9'; n++)
        v = v * 10 + (uint64_t)(text->p[n] - '0');
    *text = xt_slice_skip(*text, n);
    *ret = v;
    return n > 0;
}

static bool take(xt_slice *text, char c)
{
    bool has = text->n > 0 && text->p[0] == c;
    *text = xt_slice_skip(*text, has);
    return has;
}

uint64_t xt_follow_key_of_line(xt_slice line)
{
    xt_slice head = xt_slice_head(line, MAX_LOOK);
    const char *at = head.n ? memmem(head.p, head.n, "audit(", 6) : NULL;
    uint64_t s, ms, serial;
    if (!at)
        return 0;
    xt_slice rest = xt_slice_skip(line, (size_t)(at - line.p) + 6);
    if (!digits_read(&rest, &s) || !take(&rest, '.') || !digits_read(&rest, &ms) || !take(&rest, ':') ||
        !digits_read(&rest, &serial) || !take(&rest, ')') || s > INT64_MAX / 2000 || ms > 999)
        return 0;
    return xt_follow_key((int64_t)(s * 1000 + ms), (uint32_t)serial);
}

static size_t slot(const xt_follow_marks *marks, size_t i)
{
    return (marks->first + i) % XT_FOLLOW_KEYS;
}

static void leave(xt_follow_marks *marks)
{
    while (marks->n > 0 && marks->open[marks->first].is_out) {
        marks->first = slot(marks, 1);
        marks->n--;
    }
}

static bool is_there(const xt_follow_marks *marks, uint64_t key)
{
    for (size_t i = marks->n; i > 0; i--)
        if (marks->open[slot(marks, i - 1)].key == key)
            return true;
    return false;
}

void xt_follow_marks_begin(xt_follow_marks *marks, const xt_follow_file *file, uint64_t offset)
{
    marks->end = (xt_follow_place){*file, offset};
}

void xt_follow_marks_line(xt_follow_marks *marks, const xt_follow_file *file, uint64_t offset, xt_slice line)
{
    uint64_t key = xt_follow_key_of_line(line);
    marks->end = (xt_follow_place){*file, offset + line.n};
    if (key == 0 || key == marks->last_key)
        return;
    marks->last_key = key;
    if (is_there(marks, key))
        return;
    if (marks->n == XT_FOLLOW_KEYS) {
        marks->n_given_up += !marks->open[marks->first].is_out;
        marks->open[marks->first].is_out = true;
        leave(marks);
    }
    size_t at = slot(marks, marks->n++);
    marks->open[at].key = key;
    marks->open[at].place = (xt_follow_place){*file, offset};
    marks->open[at].is_out = false;
}

void xt_follow_marks_out(xt_follow_marks *marks, uint64_t key)
{
    if (marks->last_key == key)
        marks->last_key = 0; /* what comes of it now is late, and an event of its own */
    for (size_t i = 0; i < marks->n; i++) {
        size_t at = slot(marks, i);
        if (marks->open[at].key == key && !marks->open[at].is_out) {
            marks->open[at].is_out = true;
            break;
        }
    }
    leave(marks);
}

void xt_follow_marks_get(const xt_follow_marks *marks, xt_follow_mark *ret)
{
    ret->from = marks->n > 0 ? marks->open[marks->first].place : marks->end;
    ret->end = marks->end.offset;
    ret->n_keys = 0;
    for (size_t i = 0; i < marks->n; i++)
        if (marks->open[slot(marks, i)].is_out)
            ret->keys[ret->n_keys++] = marks->open[slot(marks, i)].key;
}

void xt_follow_mark_put(xt_buf *out, const xt_follow_mark *mark)
{
    const xt_follow_file *file = &mark->from.file;
    xt_buf_put_u32(out, VERSION);
    xt_buf_put_u64(out, file->dev);
    xt_buf_put_u64(out, file->ino);
    xt_buf_put_u64(out, mark->from.offset);
    xt_buf_put_u64(out, mark->end);
    xt_buf_put_u64(out, file->head_bytes);
    xt_buf_put_u64(out, file->head_hash);
    xt_buf_put_u32(out, (uint32_t)mark->n_keys);
    for (size_t i = 0; i < mark->n_keys; i++)
        xt_buf_put_u64(out, mark->keys[i]);
}

bool xt_follow_mark_read(xt_slice bytes, xt_follow_mark *ret)
{
    xt_reader reader = xt_reader_of(bytes);
    bool is_one = xt_reader_u32(&reader) == VERSION;
    xt_follow_file *file = &ret->from.file;
    file->dev = xt_reader_u64(&reader);
    file->ino = xt_reader_u64(&reader);
    ret->from.offset = xt_reader_u64(&reader);
    ret->end = xt_reader_u64(&reader);
    file->head_bytes = xt_reader_u64(&reader);
    file->head_hash = xt_reader_u64(&reader);
    size_t n = xt_reader_u32(&reader);
    if (!is_one || reader.failed || n > XT_FOLLOW_KEYS || file->head_bytes > XT_FOLLOW_HEAD ||
        ret->from.offset > INT64_MAX || ret->end > INT64_MAX || xt_reader_left(&reader) != 8 * n)
        return false;
    ret->n_keys = n;
    for (size_t i = 0; i < n; i++)
        ret->keys[i] = xt_reader_u64(&reader);
    return true;
}
