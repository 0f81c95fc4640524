/*
 * Numbers are cut into byte planes (all lowest bytes, then all next ones): high bytes hardly change and the general
 * compressor behind this sees them side by side. Arithmetic is modulo 2^64 throughout, so that signed and unsigned
 * numbers need no difference.
 */
#include "store/segment_codec.h"

#include "store/segment_format.h"

static unsigned width_of(uint64_t range)
{
    return range ? (71 - (unsigned)__builtin_clzll(range)) / 8 : 0;
}

static void put_planes(xt_buf *out, const uint64_t *values, uint32_t n, uint64_t base, unsigned width)
{
    uint8_t *to = (uint8_t *)xt_buf_reserve(out, (size_t)n * width);

    if (!to)
        return;
    for (unsigned plane = 0; plane < width; plane++)
        for (uint32_t i = 0; i < n; i++)
            *to++ = (uint8_t)((values[i] - base) >> 8 * plane);
    out->n += (size_t)n * width;
}

void xt_segment_put_for(xt_buf *out, const uint64_t *values, uint32_t n)
{
    uint64_t least = n ? values[0] : 0, most = least, base;
    int64_t sleast = (int64_t)least, smost = sleast;

    for (uint32_t i = 1; i < n; i++) {
        int64_t s = (int64_t)values[i];
        least = values[i] < least ? values[i] : least;
        most = values[i] > most ? values[i] : most;
        sleast = s < sleast ? s : sleast;
        smost = s > smost ? s : smost;
    }
    uint64_t range = most - least, srange = (uint64_t)smost - (uint64_t)sleast;
    base = srange < range ? (uint64_t)sleast : least;
    unsigned width = width_of(srange < range ? srange : range);
    xt_buf_put_u64(out, base);
    xt_buf_put_u8(out, (uint8_t)width);
    put_planes(out, values, n, base, width);
}

void xt_segment_put_delta(xt_buf *out, const uint64_t *values, uint32_t n, uint64_t *scratch)
{
    xt_buf_put_u64(out, n ? values[0] : 0);
    for (uint32_t i = 1; i < n; i++)
        scratch[i - 1] = values[i] - values[i - 1];
    xt_segment_put_for(out, scratch, n ? n - 1 : 0);
}

void xt_segment_put_recent(xt_buf *out, const uint32_t *codes, uint32_t n, uint32_t n_values, uint64_t *scratch,
                           uint32_t *order)
{
    uint32_t next = 1;

    memset(order, 0, (n_values + 1) * sizeof *order);
    for (uint32_t i = 0; i < n; i++)
        if (codes[i] && !order[codes[i]]) {
            scratch[next - 1] = codes[i];
            order[codes[i]] = next++;
        }
    xt_segment_put_for(out, scratch, n_values);
    next = 1;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t code = order[codes[i]];
        scratch[i] = code ? next - code + 1 : 0;
        next += code == next;
    }
    xt_segment_put_for(out, scratch, n);
}

void xt_segment_put_words(xt_buf *out, const uint32_t *codes, uint32_t n)
{
    uint8_t *to = (uint8_t *)xt_buf_reserve(out, (size_t)n * 2);

    if (!to)
        return;
    for (uint32_t i = 0; i < n; i++) {
        *to++ = (uint8_t)codes[i];
        *to++ = (uint8_t)(codes[i] >> 8);
    }
    out->n += (size_t)n * 2;
}

void xt_segment_put_dict(xt_buf *out, const xt_slice *dict, uint32_t n, uint64_t *scratch)
{
    for (uint32_t i = 0; i < n; i++)
        scratch[i] = dict[i].n;
    xt_segment_put_for(out, scratch, n);
    for (uint32_t i = 0; i < n; i++)
        xt_buf_put(out, dict[i]);
}

/* ------------------------------------------------------------------------------------------------ decoding */

/* A frame of reference as it stands in raw. */
typedef struct for_planes {
    uint64_t base;
    unsigned width;
    const uint8_t *planes;
    uint32_t n;
} for_planes;

static bool for_planes_take(xt_reader *reader, uint32_t n, for_planes *ret)
{
    *ret = (for_planes){.base = xt_reader_u64(reader), .width = xt_reader_u8(reader), .n = n};
    ret->planes = (const uint8_t *)xt_reader_bytes(reader, (size_t)n * ret->width).p;
    return !reader->failed && ret->width <= 8;
}

/* The few planes that nearly all columns have are put together at once, the others one by one. */
static void planes_join(uint64_t *values, const for_planes *f)
{
    const uint8_t *p0 = f->planes, *p1 = p0 + f->n, *p2 = p1 + f->n;
    uint64_t base = f->base;
    uint32_t n = f->n;

    if (f->width == 0)
        for (uint32_t i = 0; i < n; i++)
            values[i] = base;
    else if (f->width == 1)
        for (uint32_t i = 0; i < n; i++)
            values[i] = base + p0[i];
    else if (f->width == 2)
        for (uint32_t i = 0; i < n; i++)
            values[i] = base + (p0[i] | (uint32_t)p1[i] << 8);
    else
        for (uint32_t i = 0; i < n; i++)
            values[i] = base + (p0[i] | (uint32_t)p1[i] << 8 | (uint32_t)p2[i] << 16);
    for (unsigned plane = 3; plane < f->width; plane++) {
        const uint8_t *from = f->planes + (size_t)plane * n;
        for (uint32_t i = 0; i < n; i++)
            values[i] += (uint64_t)from[i] << 8 * plane;
    }
}

bool xt_segment_next_for(xt_reader *reader, uint64_t *values, uint32_t n)
{
    for_planes f;

    if (!for_planes_take(reader, n, &f))
        return false;
    planes_join(values, &f);
    return true;
}

bool xt_segment_get_for(xt_slice raw, uint64_t *values, uint32_t n)
{
    xt_reader reader = xt_reader_of(raw);

    return xt_segment_next_for(&reader, values, n) && xt_reader_done(&reader);
}

bool xt_segment_get_delta(xt_slice raw, uint64_t *values, uint32_t n)
{
    xt_reader reader = xt_reader_of(raw);
    uint64_t v = xt_reader_u64(&reader);

    if (n == 0 || !xt_segment_next_for(&reader, values + 1, n - 1) || !xt_reader_done(&reader))
        return false;
    values[0] = v;
    for (uint32_t i = 1; i < n; i++)
        v = values[i] += v;
    return true;
}

/*
 * The same of codes, straight to 32 bits: one or two planes are what codes of a row group need. None may be more than
 * `most`. Both are below 2^31, so that the highest bit of the difference tells.
 */
static bool next_codes(xt_reader *reader, uint32_t *codes, uint32_t n, uint32_t most)
{
    for_planes f;

    if (!for_planes_take(reader, n, &f) || f.width > 2 || f.base > INT32_MAX - UINT16_MAX)
        return false;
    const uint8_t *low = f.planes, *high = f.planes + n;
    uint32_t base = (uint32_t)f.base, beyond = most - base;
    if (f.width == 0)
        for (uint32_t i = 0; i < n; i++)
            codes[i] = base;
    else if (f.width == 1)
        for (uint32_t i = 0; i < n; i++) {
            codes[i] = base + low[i];
            beyond |= most - codes[i];
        }
    else
        for (uint32_t i = 0; i < n; i++) {
            codes[i] = base + (low[i] | (uint32_t)high[i] << 8);
            beyond |= most - codes[i];
        }
    return beyond <= INT32_MAX;
}

/* Which code is the k-th new one comes first in raw. */
static bool get_recent(xt_slice raw, uint32_t *codes, uint32_t n, uint32_t n_values, uint64_t *scratch)
{
    xt_reader reader = xt_reader_of(raw);
    uint32_t next = 1;

    if (!xt_segment_next_for(&reader, scratch + 1, n_values) || !next_codes(&reader, codes, n, n_values + 1) ||
        !xt_reader_done(&reader))
        return false;
    scratch[0] = 0;
    for (uint32_t i = 1; i <= n_values; i++)
        if (scratch[i] == 0 || scratch[i] > n_values)
            return false;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t distance = codes[i];
        if (distance > next)
            return false;
        uint32_t new = distance ? next - distance + 1 : 0;
        next += distance == 1;
        if (new > n_values)
            return false;
        codes[i] = (uint32_t)scratch[new];
    }
    return next == n_values + 1;
}

static bool get_words(xt_slice raw, uint32_t *codes, uint32_t n, uint32_t n_values)
{
    const uint8_t *from = (const uint8_t *)raw.p;
    uint32_t beyond = 0;

    if (raw.n != (size_t)n * 2)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        codes[i] = from[2 * i] | (uint32_t)from[2 * i + 1] << 8;
        beyond |= n_values - codes[i];
    }
    return beyond <= INT32_MAX;
}

static bool get_plain(xt_slice raw, uint32_t *codes, uint32_t n, uint32_t n_values)
{
    xt_reader reader = xt_reader_of(raw);

    return next_codes(&reader, codes, n, n_values) && xt_reader_done(&reader);
}

bool xt_segment_get_codes(uint8_t encoding, xt_slice raw, uint32_t *codes, uint32_t n, uint32_t n_values,
                          uint64_t *scratch)
{
    return encoding == XT_SEGMENT_RECENT  ? get_recent(raw, codes, n, n_values, scratch)
           : encoding == XT_SEGMENT_WORDS ? get_words(raw, codes, n, n_values)
           : encoding == XT_SEGMENT_FOR   ? get_plain(raw, codes, n, n_values)
                                          : false;
}

/* ------------------------------------------------------------------------------------------------ a few places */

bool xt_segment_pick_for(xt_slice raw, uint32_t n, const uint32_t *places, size_t n_places, uint64_t *ret)
{
    xt_reader reader = xt_reader_of(raw);
    for_planes f;

    if (!for_planes_take(&reader, n, &f) || !xt_reader_done(&reader))
        return false;
    for (size_t i = 0; i < n_places; i++) {
        ret[i] = f.base;
        for (unsigned plane = 0; plane < f.width; plane++)
            ret[i] += (uint64_t)f.planes[(size_t)plane * n + places[i]] << 8 * plane;
    }
    return true;
}

static uint64_t bytes_sum(const uint8_t *bytes, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += bytes[i];
    return sum;
}

/* The sum of the differences up to a place is that of the bytes of each plane. */
bool xt_segment_pick_delta(xt_slice raw, uint32_t n, const uint32_t *places, size_t n_places, uint64_t *ret)
{
    xt_reader reader = xt_reader_of(raw);
    uint64_t v = xt_reader_u64(&reader);
    uint32_t at = 0;
    for_planes f;

    if (n == 0 || !for_planes_take(&reader, n - 1, &f) || !xt_reader_done(&reader))
        return false;
    for (size_t i = 0; i < n_places; at = places[i++]) {
        uint32_t more = places[i] - at;
        v += f.base * more;
        for (unsigned plane = 0; plane < f.width; plane++)
            v += bytes_sum(f.planes + (size_t)plane * f.n + at, more) << 8 * plane;
        ret[i] = v;
    }
    return true;
}

bool xt_segment_pick_words(xt_slice raw, uint32_t n, const uint32_t *places, size_t n_places, uint64_t *ret)
{
    const uint8_t *from = (const uint8_t *)raw.p;

    if (raw.n != (size_t)n * 2)
        return false;
    for (size_t i = 0; i < n_places; i++)
        ret[i] = from[2 * places[i]] | (uint64_t)from[2 * places[i] + 1] << 8;
    return true;
}

bool xt_segment_get_dict(xt_slice raw, xt_slice *dict, uint32_t n)
{
    xt_reader reader = xt_reader_of(raw);
    uint64_t base = xt_reader_u64(&reader);
    unsigned width = xt_reader_u8(&reader);
    xt_slice planes = xt_reader_bytes(&reader, (size_t)n * width);

    if (reader.failed || width > 8)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        uint64_t length = base;
        for (unsigned plane = 0; plane < width; plane++)
            length += (uint64_t)(uint8_t)planes.p[(size_t)plane * n + i] << 8 * plane;
        dict[i] = xt_reader_bytes(&reader, length);
    }
    return xt_reader_done(&reader);
}
