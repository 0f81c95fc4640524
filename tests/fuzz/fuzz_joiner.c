/*
 * Lines through a joiner with narrow bounds. Whatever comes, in whatever order: every record that went in comes out
 * once, is counted as dropped, or was an end mark or a late PROCTITLE.
 */
#include <linux/audit.h>
#include <stdint.h>
#include <stdlib.h>

#include "audit/joiner.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void require(bool holds)
{
    if (!holds)
        abort();
}

typedef struct count {
    uint64_t n_records, n_bytes, n_dropped, n_groups, n_may_vanish;
} count;

static void take_all(xt_joiner *joiner, int64_t now_ms, count *out)
{
    for (const xt_group *group; (group = xt_joiner_next(joiner, now_ms)) != NULL;) {
        require(group->n_records + group->n_dropped > 0);
        for (size_t i = 0; i < group->n_records; i++) {
            const xt_record *record = &group->records[i];
            require(record->serial == group->serial && record->time_ms == group->time_ms);
            require(xt_slice_eq(record->node, group->node) && record->type != AUDIT_EOE);
            out->n_bytes += record->body.n + record->enriched.n;
        }
        out->n_records += group->n_records;
        out->n_dropped += group->n_dropped;
        out->n_groups++;
    }
}

static void push(xt_joiner *joiner, xt_slice line, int64_t *now_ms, count *in)
{
    xt_record record;
    if (xt_record_parse_line(line, &record, NULL) != 0)
        return;
    if (record.time_ms > *now_ms)
        *now_ms = record.time_ms;
    require(xt_joiner_push(joiner, &record, *now_ms) >= 0);
    in->n_records++;
    in->n_bytes += record.body.n + record.enriched.n;
    in->n_may_vanish += record.type == AUDIT_EOE || record.type == AUDIT_PROCTITLE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    xt_joiner_settings settings = {.timeout_ms = 50, .max_groups = 8, .max_bytes = 4000, .max_group_bytes = 2000};
    xt_joiner *joiner;
    require(xt_joiner_new(&settings, &joiner) == 0);
    xt_slice rest = xt_slice_of(data, n), line;
    count in = {0}, out = {0};
    int64_t now_ms = 0;
    while (n > 0 && xt_slice_cut(&rest, '\n', &line)) {
        push(joiner, line, &now_ms, &in);
        if (line.n % 3 > 0) /* sometimes several before anyone looks */
            take_all(joiner, now_ms, &out);
    }
    xt_joiner_finish(joiner);
    take_all(joiner, now_ms, &out);
    uint64_t n_out = out.n_records + out.n_dropped;
    require(n_out <= in.n_records && n_out + in.n_may_vanish >= in.n_records && out.n_bytes <= in.n_bytes);
    require(xt_joiner_stats_get(joiner).n_groups == out.n_groups);
    require(xt_joiner_stats_get(joiner).n_records == in.n_records);
    xt_joiner_free(joiner);
    return 0;
}
