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

void xt_segment_put_recent(xt_buf *out, const uint32_t *codes, uint32_t n, uint64_t *scratch)
{
    uint32_t next = 1;

    for (uint32_t i = 0; i < n; i++) {
        scratch[i] = codes[i] ? next - codes[i] + 1 : 0;
        next += codes[i] == next;
    }
    xt_segment_put_for(out, scratch, n);
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

static bool get_planes(xt_reader *reader, uint64_t *values, uint32_t n)
{
    uint64_t base = xt_reader_u64(reader);
    unsigned width = xt_reader_u8(reader);
    xt_slice planes = xt_reader_bytes(reader, (size_t)n * width);

    if (reader->failed || width > 8)
        return false;
    for (uint32_t i = 0; i < n; i++)
        values[i] = base;
    for (unsigned plane = 0; plane < width; plane++) {
        const uint8_t *from = (const uint8_t *)planes.p + (size_t)plane * n;
        for (uint32_t i = 0; i < n; i++)
            values[i] += (uint64_t)from[i] << 8 * plane;
    }
    return true;
}

bool xt_segment_get_for(xt_slice raw, uint64_t *values, uint32_t n)
{
    xt_reader reader = xt_reader_of(raw);

    return get_planes(&reader, values, n) && xt_reader_done(&reader);
}

bool xt_segment_get_delta(xt_slice raw, uint64_t *values, uint32_t n)
{
    xt_reader reader = xt_reader_of(raw);
    uint64_t v = xt_reader_u64(&reader);

    if (n == 0 || !get_planes(&reader, values + 1, n - 1) || !xt_reader_done(&reader))
        return false;
    values[0] = v;
    for (uint32_t i = 1; i < n; i++)
        v = values[i] += v;
    return true;
}

static bool recent_to_codes(const uint64_t *values, uint32_t *codes, uint32_t n)
{
    uint32_t next = 1;

    for (uint32_t i = 0; i < n; i++) {
        if (values[i] > next)
            return false;
        codes[i] = values[i] ? next - (uint32_t)values[i] + 1 : 0;
        next += values[i] == 1;
    }
    return true;
}

bool xt_segment_get_codes(uint8_t encoding, xt_slice raw, uint32_t *codes, uint32_t n, uint32_t n_dict,
                          uint64_t *scratch)
{
    if (!(encoding == XT_SEGMENT_DELTA ? xt_segment_get_delta(raw, scratch, n) : xt_segment_get_for(raw, scratch, n)))
        return false;
    if (encoding == XT_SEGMENT_RECENT) {
        if (!recent_to_codes(scratch, codes, n))
            return false;
    } else {
        for (uint32_t i = 0; i < n; i++)
            codes[i] = scratch[i] > n_dict ? UINT32_MAX : (uint32_t)scratch[i];
    }
    uint32_t most = 0;
    for (uint32_t i = 0; i < n; i++)
        most = codes[i] > most ? codes[i] : most;
    return most <= n_dict;
}

bool xt_segment_get_dict(xt_slice raw, xt_slice *dict, uint32_t n, uint64_t *scratch)
{
    xt_reader reader = xt_reader_of(raw);

    if (!get_planes(&reader, scratch, n))
        return false;
    for (uint32_t i = 0; i < n; i++)
        dict[i] = xt_reader_bytes(&reader, scratch[i]);
    return xt_reader_done(&reader);
}
