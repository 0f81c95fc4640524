#include "agent/shipper_words.h"

#include "base/utf8.h"

/* What agent/shipper_report.c says: a name is added here and there. */
static const struct {
    const char *name;
    bool is_number;
} words[] = {
    {"host_id", false},      {"server", false},      {"connection", false}, {"spool", false},
    {"spool_batches", true}, {"spool_events", true}, {"spool_bytes", true}, {"spool_dropped_events", true},
    {"acked_number", true},  {"acked_ms", true},     {"retry_ms", true},    {"certificate_ms", true},
    {"run", true},           {"run_from_ms", true},  {"beat_ms", true},     {"collector_stopped", true},
};

static void put(xt_buf *out, size_t i, xt_slice value)
{
    char text[XT_SHIPPER_WORD_BYTES + 1];
    xt_buf visible = XT_BUF_ON(text);
    uint64_t number;
    if (words[i].is_number) {
        if (xt_slice_parse_u64(value, &number))
            xt_buf_printf(out, "%s=%llu\n", words[i].name, (unsigned long long)number);
        return;
    }
    xt_text_visible_head(&visible, value);
    xt_buf_printf(out, "%s=%.*s\n", words[i].name, XT_S_ARGS(xt_buf_slice(&visible)));
}

void xt_shipper_words_take(xt_slice report, xt_buf *out)
{
    bool taken[XT_COUNT_OF(words)] = {false};
    xt_slice line, name;
    while (xt_slice_cut(&report, '\n', &line)) {
        ptrdiff_t at = xt_slice_find_byte(line, '=');
        if (at <= 0 || !xt_slice_cut(&line, '=', &name))
            continue;
        for (size_t i = 0; i < XT_COUNT_OF(words); i++) {
            if (taken[i] || !xt_slice_eq(name, xt_slice_str(words[i].name)))
                continue;
            taken[i] = true;
            put(out, i, line);
        }
    }
}
