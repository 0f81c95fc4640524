/* A datagram: two bytes of type, the payload behind. What parses must parse alike as a line of text. */
#include <stdint.h>
#include <stdlib.h>

#include "audit/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Bytes that mean something to a line, but not to a datagram. */
static bool is_plain(xt_slice body)
{
    return xt_slice_find_byte(body, 0x1d) < 0 && xt_slice_eq(xt_slice_trim(body), body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n < 2)
        return 0;
    uint16_t type = (uint16_t)(data[0] | data[1] << 8);
    xt_record record, again;
    xt_problem problem = XT_PROBLEM_INIT;
    int r = xt_record_parse_payload(type, xt_slice_of(data + 2, n - 2), &record, &problem);
    require(r >= 0 && (r == XT_RECORD_E_CORRUPT) == xt_problem_is_set(&problem));
    if (r != 0)
        return 0;
    require(record.type == type && record.time_ms >= 0 && record.node.n == 0 && record.enriched.n == 0);
    if (type == 0 || !is_plain(record.body))
        return 0;
    xt_buf line = XT_BUF_INIT;
    xt_buf_printf(&line, "node=n type=UNKNOWN[%u] msg=audit(%lld.%03d:%u): ", type, (long long)(record.time_ms / 1000),
                  (int)(record.time_ms % 1000), record.serial);
    xt_buf_put(&line, record.body);
    require(xt_record_parse_line(xt_buf_slice(&line), &again, NULL) == 0);
    require(again.type == type && again.time_ms == record.time_ms && again.serial == record.serial);
    require(xt_slice_eq(again.body, record.body) && xt_slice_eq(again.node, XT_S("n")) && again.enriched.n == 0);
    xt_buf_fini(&line);
    return 0;
}
