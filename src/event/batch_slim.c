/*
 * Why not zstd alone: a hash in hex is 16 bytes that no dictionary knows, and an `exited` had two of them; a field that
 * is as it was costs zstd a byte or two and time in proportion to its length. Slimmed, a command that runs again and
 * again is a dozen bytes before zstd sees it.
 *
 * Both directions keep the last event of each kind. Slimming compares with it and then takes its place; expanding changes it
 * in place and writes it out whole. Fields of ALWAYS are told of every event, so that none is inherited by mistake.
 */
#include "event/batch_slim.h"

#include <errno.h>

#include "event/event.h"
#include "event/pack.h"

#define N_KINDS     3
#define N_IDS       128 /* of fields: later versions have more than ours, and are read all the same */
#define LONGEST_HEX 64
#define MATCH_MS    8 /* how far the kernel's coarse clock and the connector's may be apart */

typedef enum id_form { ID_BLOCK, ID_HEX, ID_UUID, ID_OF, ID_AS_PARENT } id_form;

typedef enum coding { AS_IS, STEP, NEAR, MICROS, ID } coding;

static coding coding_of(unsigned f)
{
    switch (f) {
    case XT_F_TIME:
    case XT_F_SERIAL:
    case XT_F_PID:
        return STEP;
    case XT_F_PPID:
    case XT_F_LEADER:
        return NEAR;
    case XT_F_DURATION:
        return MICROS;
    case XT_F_EVENT_ID:
    case XT_F_HOST_ID:
    case XT_F_BOOT_ID:
    case XT_F_ENTITY:
    case XT_F_PARENT_ENTITY:
    case XT_F_LEADER_ENTITY:
    case XT_F_CONTAINER:
    case XT_F_OF:
        return ID;
    default:
        return AS_IS;
    }
}

/* A field as it stands in the canonical event: numbers of TIME and INT are zigzag there. */
typedef struct slim_event {
    uint64_t present[N_IDS / 64], is_bytes[N_IDS / 64];
    xt_value values[N_IDS];
} slim_event;

static bool has(const slim_event *event, unsigned f)
{
    return event->present[f / 64] >> (f % 64) & 1;
}

static bool is_bytes(const slim_event *event, unsigned f)
{
    return event->is_bytes[f / 64] >> (f % 64) & 1;
}

static void reset(slim_event *event)
{
    memset(event->present, 0, sizeof event->present);
    memset(event->is_bytes, 0, sizeof event->is_bytes);
}

static void put_away(slim_event *event, unsigned f)
{
    event->present[f / 64] &= ~(UINT64_C(1) << (f % 64));
}

static void set_num(slim_event *event, unsigned f, uint64_t num)
{
    event->present[f / 64] |= UINT64_C(1) << (f % 64);
    event->is_bytes[f / 64] &= ~(UINT64_C(1) << (f % 64));
    event->values[f].num = num;
}

static void set_bytes(slim_event *event, unsigned f, xt_slice bytes)
{
    event->present[f / 64] |= UINT64_C(1) << (f % 64);
    event->is_bytes[f / 64] |= UINT64_C(1) << (f % 64);
    event->values[f].bytes = bytes;
}

static xt_slice bytes_of(const slim_event *event, unsigned f)
{
    return has(event, f) && is_bytes(event, f) ? event->values[f].bytes : XT_S_NULL;
}

static uint64_t num_of(const slim_event *event, unsigned f, uint64_t otherwise)
{
    return has(event, f) && !is_bytes(event, f) ? event->values[f].num : otherwise;
}

static uint64_t time_of(const slim_event *event)
{
    return (uint64_t)xt_pack_unzigzag(num_of(event, XT_F_TIME, 0));
}

static bool is_always(unsigned f)
{
    return coding_of(f) == STEP || f == XT_F_OF;
}

typedef struct slim_state {
    slim_event last[N_KINDS];
    slim_event now; /* slimming: what is compared */
    uint64_t time, serial, pid;
    char hex[N_KINDS][8][LONGEST_HEX]; /* expanding: ids written out, by hex_slot */
} slim_state;

static uint64_t *step_of(slim_state *s, unsigned f)
{
    return f == XT_F_TIME ? &s->time : f == XT_F_SERIAL ? &s->serial : &s->pid;
}

/* What a NEAR number is told against. `last` is the last event of the kind. */
static uint64_t near_of(const slim_event *last, const slim_event *now, unsigned f)
{
    return num_of(last, f, num_of(now, f == XT_F_LEADER ? XT_F_PPID : XT_F_PID, 0));
}

/* Whether a field of that kind may have that id. */
static bool may_be(uint64_t id, bool bytes)
{
    return id > 0 && id < N_IDS && (coding_of((unsigned)id) == AS_IS || bytes == (coding_of((unsigned)id) == ID));
}

/* ------------------------------------------------------------------------------------------------ ids */

/* The id of the exec that long before this event, with its host and serial. */
static void of_format(const slim_event *event, int64_t ms, char ret[static 33])
{
    xt_hash128_format(xt_event_id_of(bytes_of(event, XT_F_HOST_ID), (int64_t)(time_of(event) - (uint64_t)ms),
                                     (uint32_t)num_of(event, XT_F_SERIAL, 0)),
                      ret);
}

/* How long before this event the exec was that its OF names; false when it is not to be found. */
static bool of_find(const slim_event *event, int64_t *ret_ms)
{
    int64_t guess = (int64_t)(num_of(event, XT_F_DURATION, 0) / 1000000);
    if (!has(event, XT_F_SERIAL) || !has(event, XT_F_DURATION))
        return false;
    for (int64_t i = 0; i <= 2 * MATCH_MS; i++) {
        int64_t ms = guess + (i & 1 ? (i + 1) / 2 : -(i / 2));
        char text[33];
        of_format(event, ms, text);
        if (xt_slice_eq(event->values[XT_F_OF].bytes, xt_slice_of(text, 32))) {
            *ret_ms = ms;
            return true;
        }
    }
    return false;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Packs lower-case hex; false when it is something else. */
static bool hex_pack(xt_slice text, char *out)
{
    for (size_t i = 0; i + 1 < text.n; i += 2) {
        int high = hex_digit(text.p[i]), low = hex_digit(text.p[i + 1]);
        if (high < 0 || low < 0)
            return false;
        *out++ = (char)(high << 4 | low);
    }
    return text.n % 2 == 0;
}

static bool uuid_pack(xt_slice text, char out[static 16])
{
    char digits[32];
    size_t n = 0;
    if (text.n != 36)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash != (text.p[i] == '-'))
            return false;
        if (!dash)
            digits[n++] = text.p[i];
    }
    return hex_pack(xt_slice_of(digits, n), out);
}

static void put_id(const slim_event *event, unsigned f, xt_buf *out)
{
    xt_slice text = event->values[f].bytes;
    char bytes[LONGEST_HEX / 2];
    int64_t ms;
    if (f == XT_F_LEADER_ENTITY && has(event, XT_F_PARENT_ENTITY) && text.n <= LONGEST_HEX &&
        xt_slice_eq(text, event->values[XT_F_PARENT_ENTITY].bytes)) {
        xt_buf_put_u8(out, ID_AS_PARENT);
    } else if (f == XT_F_OF && of_find(event, &ms)) {
        xt_buf_put_u8(out, ID_OF);
        xt_buf_put_zigzag(out, ms);
    } else if (uuid_pack(text, bytes)) {
        xt_buf_put_u8(out, ID_UUID);
        xt_buf_put(out, xt_slice_of(bytes, 16));
    } else if (text.n <= LONGEST_HEX && hex_pack(text, bytes)) {
        xt_buf_put_u8(out, ID_HEX);
        xt_buf_put_block(out, xt_slice_of(bytes, text.n / 2));
    } else {
        xt_buf_put_u8(out, ID_BLOCK);
        xt_buf_put_block(out, text);
    }
}

static unsigned hex_slot(unsigned f)
{
    static const unsigned fields[] = {XT_F_EVENT_ID,      XT_F_HOST_ID,       XT_F_BOOT_ID,   XT_F_ENTITY,
                                      XT_F_PARENT_ENTITY, XT_F_LEADER_ENTITY, XT_F_CONTAINER, XT_F_OF};
    unsigned i = 0;
    while (fields[i] != f)
        i++;
    return i;
}

static size_t hex_unpack(xt_slice bytes, char *out)
{
    for (size_t i = 0; i < bytes.n; i++) {
        *out++ = "0123456789abcdef"[(uint8_t)bytes.p[i] >> 4];
        *out++ = "0123456789abcdef"[bytes.p[i] & 15];
    }
    return bytes.n * 2;
}

static size_t uuid_unpack(xt_slice bytes, char *out)
{
    char digits[32];
    size_t n = 0;
    hex_unpack(bytes, digits);
    for (size_t i = 0; i < 36; i++)
        out[i] = i == 8 || i == 13 || i == 18 || i == 23 ? '-' : digits[n++];
    return 36;
}

/* False: no such form, or of a field that cannot have it. */
static bool get_id(slim_state *s, unsigned kind, unsigned f, xt_reader *reader)
{
    slim_event *event = &s->last[kind];
    char *room = s->hex[kind][hex_slot(f)];
    uint8_t form = xt_reader_u8(reader);
    xt_slice bytes = form == ID_UUID                      ? xt_reader_bytes(reader, 16)
                     : form == ID_HEX || form == ID_BLOCK ? xt_reader_block(reader)
                                                          : XT_S_NULL;
    int64_t ms = form == ID_OF ? xt_reader_zigzag(reader) : 0;
    if (reader->failed || form > ID_AS_PARENT || (form == ID_HEX && bytes.n > LONGEST_HEX / 2) ||
        (form == ID_OF && f != XT_F_OF) ||
        (form == ID_AS_PARENT && (f != XT_F_LEADER_ENTITY || !has(event, XT_F_PARENT_ENTITY))))
        return false;
    if (form == ID_HEX)
        bytes = xt_slice_of(room, hex_unpack(bytes, room));
    else if (form == ID_UUID)
        bytes = xt_slice_of(room, uuid_unpack(bytes, room));
    else if (form == ID_AS_PARENT)
        bytes = xt_slice_of(room, xt_slice_head(event->values[XT_F_PARENT_ENTITY].bytes, LONGEST_HEX).n);
    if (form == ID_AS_PARENT && bytes.n > 0)
        memcpy(room, event->values[XT_F_PARENT_ENTITY].bytes.p, bytes.n);
    if (form == ID_OF) {
        char text[33];
        of_format(event, ms, text);
        memcpy(room, text, 32);
        bytes = xt_slice_of(room, 32);
    }
    set_bytes(event, f, bytes);
    return true;
}

/* ------------------------------------------------------------------------------------------------ slimming */

/* Most are of one byte. */
static inline uint64_t next_varint(xt_reader *reader)
{
    return reader->p < reader->end && *reader->p < 0x80 ? *reader->p++ : xt_reader_varint(reader);
}

/* The fields of a canonical event as they are; false when slimming it would not give it back byte for byte. */
static bool parse(xt_slice bytes, slim_event *ret)
{
    xt_reader reader = xt_reader_of(bytes);
    size_t n = 1;
    uint64_t last = 0;
    reset(ret);
    if (xt_reader_u8(&reader) != XT_EVENT_VERSION)
        return false;
    while (xt_reader_left(&reader) > 0) {
        uint64_t key = next_varint(&reader), id = key >> 1;
        if (id <= last || !may_be(id, key & 1))
            return false;
        last = id;
        n += xt_pack_varint_size(key);
        if (key & 1) {
            xt_slice block = xt_reader_bytes(&reader, next_varint(&reader));
            set_bytes(ret, (unsigned)id, block);
            n += xt_pack_block_size(block);
        } else {
            uint64_t num = next_varint(&reader);
            set_num(ret, (unsigned)id, num);
            n += xt_pack_varint_size(num);
        }
        if (reader.failed)
            return false;
    }
    return n == bytes.n && num_of(ret, XT_F_DURATION, 0) >> 63 == 0;
}

static bool is_same(const slim_event *last, const slim_event *now, unsigned f)
{
    if (is_always(f) || !has(last, f) || is_bytes(last, f) != is_bytes(now, f))
        return false;
    return is_bytes(now, f) ? xt_slice_eq(last->values[f].bytes, now->values[f].bytes)
                            : last->values[f].num == now->values[f].num;
}

static void put_field(slim_state *s, const slim_event *last, unsigned f, xt_buf *out)
{
    const slim_event *now = &s->now;
    uint64_t num = now->values[f].num, *step;
    xt_buf_put_varint(out, (uint64_t)f << 1 | is_bytes(now, f));
    switch (coding_of(f)) {
    case STEP:
        num = f == XT_F_TIME ? time_of(now) : num;
        step = step_of(s, f);
        xt_buf_put_zigzag(out, (int64_t)(num - *step));
        *step = num;
        break;
    case NEAR:
        xt_buf_put_zigzag(out, (int64_t)(num - near_of(last, now, f)));
        break;
    case MICROS:
        xt_buf_put_varint(out, num % 1000 == 0 ? num / 1000 << 1 : num << 1 | 1);
        break;
    case ID:
        put_id(now, f, out);
        break;
    case AS_IS:
        if (is_bytes(now, f))
            xt_buf_put_block(out, now->values[f].bytes);
        else
            xt_buf_put_varint(out, num);
    }
}

static unsigned kind_of(const slim_event *event)
{
    xt_slice action = bytes_of(event, XT_F_ACTION);
    return xt_slice_eq(action, XT_S("executed")) ? 0 : xt_slice_eq(action, XT_S("exited")) ? 1 : 2;
}

/* Takes the lowest field out of a set that is as `present`; 0: it is empty. */
static unsigned take_lowest(uint64_t set[static N_IDS / 64])
{
    for (unsigned w = 0; w < N_IDS / 64; w++) {
        if (set[w] == 0)
            continue;
        unsigned f = w * 64 + (unsigned)__builtin_ctzll(set[w]);
        set[w] &= set[w] - 1;
        return f;
    }
    return 0;
}

/* What it was is not needed any more: only what is there is copied, for an event has few of the fields that there are. */
static void keep(slim_event *last, const slim_event *now)
{
    uint64_t left[N_IDS / 64];
    memcpy(left, now->present, sizeof left);
    memcpy(last->present, now->present, sizeof left);
    memcpy(last->is_bytes, now->is_bytes, sizeof left);
    for (unsigned f; (f = take_lowest(left)) != 0;)
        last->values[f] = now->values[f];
}

static void put_event(slim_state *s, xt_buf *out)
{
    unsigned kind = kind_of(&s->now), n = 0, n_removed = 0;
    slim_event *last = &s->last[kind];
    uint8_t changed[N_IDS], removed[N_IDS];
    uint64_t either[N_IDS / 64];
    for (unsigned w = 0; w < N_IDS / 64; w++)
        either[w] = s->now.present[w] | last->present[w];
    for (unsigned f; (f = take_lowest(either)) != 0;) {
        if (has(&s->now, f) && !is_same(last, &s->now, f))
            changed[n++] = (uint8_t)f;
        else if (!has(&s->now, f) && !is_always(f))
            removed[n_removed++] = (uint8_t)f;
    }
    xt_buf_put_varint(out, (uint64_t)n << 3 | (uint64_t)(n_removed > 0) << 2 | kind);
    if (n_removed > 0)
        xt_buf_put_varint(out, n_removed);
    for (unsigned i = 0; i < n_removed; i++)
        xt_buf_put_varint(out, removed[i]);
    for (unsigned i = 0; i < n; i++)
        put_field(s, last, changed[i], out);
    keep(last, &s->now);
}

int xt_batch_slim(xt_slice events, xt_buf *out)
{
    slim_state s;
    xt_slice bytes;
    for (unsigned i = 0; i < N_KINDS; i++)
        reset(&s.last[i]);
    s.time = s.serial = s.pid = 0;
    while (events.n > 0) {
        size_t before = events.n;
        if (!xt_event_batch_next(&events, &bytes) || before - events.n != xt_pack_block_size(bytes) ||
            !parse(bytes, &s.now))
            return XT_SLIM_E_NOT;
        put_event(&s, out);
    }
    return xt_buf_done(out);
}

/* ------------------------------------------------------------------------------------------------ expanding */

static bool get_number(slim_state *s, slim_event *event, unsigned f, xt_reader *reader)
{
    uint64_t num, *step;
    switch (coding_of(f)) {
    case STEP:
        step = step_of(s, f);
        num = *step += (uint64_t)xt_reader_zigzag(reader);
        num = f == XT_F_TIME ? xt_pack_zigzag((int64_t)num) : num;
        break;
    case NEAR:
        num = near_of(event, event, f) + (uint64_t)xt_reader_zigzag(reader);
        break;
    case MICROS:
        num = xt_reader_varint(reader);
        num = num & 1 ? num >> 1 : (num >> 1) * 1000;
        break;
    default:
        num = xt_reader_varint(reader);
    }
    set_num(event, f, num);
    return !reader->failed;
}

static bool get_field(slim_state *s, unsigned kind, xt_reader *reader, uint64_t *last_id)
{
    uint64_t key = xt_reader_varint(reader), id = key >> 1;
    if (reader->failed || id <= *last_id || !may_be(id, key & 1))
        return false;
    *last_id = id;
    if (!(key & 1))
        return get_number(s, &s->last[kind], (unsigned)id, reader);
    if (coding_of((unsigned)id) == ID)
        return get_id(s, kind, (unsigned)id, reader);
    set_bytes(&s->last[kind], (unsigned)id, xt_reader_block(reader));
    return !reader->failed;
}

static bool get_removed(slim_event *event, xt_reader *reader)
{
    uint64_t n = xt_reader_varint(reader);
    for (uint64_t i = 0; i < n; i++) {
        uint64_t id = xt_reader_varint(reader);
        if (reader->failed || id >= N_IDS)
            return false;
        put_away(event, (unsigned)id);
    }
    return true;
}

static bool get_event(slim_state *s, xt_reader *reader, unsigned *ret_kind)
{
    uint64_t head = xt_reader_varint(reader), last_id = 0;
    unsigned kind = head & 3;
    if (reader->failed || kind >= N_KINDS || head >> 3 >= N_IDS)
        return false;
    slim_event *event = &s->last[kind];
    static const unsigned always[] = {XT_F_TIME, XT_F_SERIAL, XT_F_PID, XT_F_OF};
    for (size_t i = 0; i < XT_COUNT_OF(always); i++)
        put_away(event, always[i]);
    if (head & 4 && !get_removed(event, reader))
        return false;
    for (uint64_t i = head >> 3; i > 0; i--)
        if (!get_field(s, kind, reader, &last_id))
            return false;
    *ret_kind = kind;
    return true;
}

static size_t key_size(const slim_event *event, unsigned f)
{
    return xt_pack_varint_size((uint64_t)f << 1 | is_bytes(event, f));
}

static size_t size_of(const slim_event *event)
{
    size_t n = 1;
    for (unsigned f = 1; f < N_IDS; f++)
        if (has(event, f))
            n += key_size(event, f) + (is_bytes(event, f) ? xt_pack_block_size(event->values[f].bytes)
                                                          : xt_pack_varint_size(event->values[f].num));
    return n;
}

static char *write_event(char *p, const slim_event *event)
{
    *p++ = XT_EVENT_VERSION;
    for (unsigned f = 1; f < N_IDS; f++) {
        if (!has(event, f))
            continue;
        p = xt_pack_varint(p, (uint64_t)f << 1 | is_bytes(event, f));
        p = is_bytes(event, f) ? xt_pack_block(p, event->values[f].bytes) : xt_pack_varint(p, event->values[f].num);
    }
    return p;
}

int xt_batch_expand(xt_slice slim, size_t raw_bytes, xt_buf *out)
{
    slim_state s;
    xt_reader reader = xt_reader_of(slim);
    unsigned kind;
    for (unsigned i = 0; i < N_KINDS; i++)
        reset(&s.last[i]);
    s.time = s.serial = s.pid = 0;
    char *p = xt_buf_reserve(out, raw_bytes + 1);
    if (!p)
        return xt_error_origin(-ENOMEM);
    const char *end = p + raw_bytes;
    while (xt_reader_left(&reader) > 0) {
        if (!get_event(&s, &reader, &kind))
            return XT_SLIM_E_CORRUPT;
        size_t n = size_of(&s.last[kind]);
        if (xt_pack_varint_size(n) + n > (size_t)(end - p))
            return XT_SLIM_E_CORRUPT;
        p = write_event(xt_pack_varint(p, n), &s.last[kind]);
    }
    if (p != end)
        return XT_SLIM_E_CORRUPT;
    out->n += raw_bytes;
    return 0;
}
